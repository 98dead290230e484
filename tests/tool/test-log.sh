#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kvpkcs11 log: what the module wrote, and a log that is followed while it is rotated.
. "$(dirname "$0")/lib.sh"
begin

log=$dir/vault/audit.jsonl

# record NAME RESULT: a line as the module writes it.
record() {
    printf '{"time":"2026-01-02T03:04:05.678901Z","pid":1,"process":"test","user":"me","token":"dev","operation":"Sign","function":"C_Sign","mechanism":"CKM_ECDSA","object":"%s/keys/%s/0","result":"%s","where":"vault","http_status":200,"attempts":1,"duration_us":1000,"client_request_id":"c","request_id":"r"}\n' \
        "$url" "$1" "$2"
}

# until_seen TEXT FILE: wait up to 10 seconds for it.
until_seen() {
    for _ in $(seq 100); do
        grep -q "$1" "$2" && return 0
        sleep 0.1
    done
    return 1
}

fails 'says that there is no record yet' 'does not exist' kvpkcs11 log
kvpkcs11 log --follow --json --failed >followed 2>follow.err &
follower=$!
record one CKR_OK >>"$log"
record two CKR_DEVICE_ERROR >>"$log"
ok 'follows a log that is made later' until_seen keys/two/ followed
mv "$log" "$log.1"
record three CKR_DEVICE_ERROR >>"$log.1"
record four CKR_DEVICE_ERROR >>"$log"
ok 'reads the end of a log that was rotated' until_seen keys/three/ followed
ok 'goes on with the new log' until_seen keys/four/ followed
record five CKR_OK >"$log"
record six CKR_FUNCTION_REJECTED >>"$log"
ok 'goes on with a log that was emptied' until_seen keys/six/ followed
kill "$follower"
wait "$follower" 2>/dev/null
record two CKR_DEVICE_ERROR >expected
record three CKR_DEVICE_ERROR >>expected
record four CKR_DEVICE_ERROR >>expected
record six CKR_FUNCTION_REJECTED >>expected
ok 'followed what failed, in order, once' diff expected followed
ok 'had nothing to complain of' cmp follow.err /dev/null
says 'shows the emptied log' 'five/0 .*CKR_OK' kvpkcs11 log
says 'chooses by object' '^2026-01-02T03:04:05.678Z +dev +Sign +six/0' kvpkcs11 log --object 's*'
rm -f "$log" "$log.1"

needs_module
key() { pkcs11-tool --module "$module" "$@"; }
ok 'makes a key' key --keypairgen --key-type EC:prime256v1 --usage-sign --label k1
echo text >data
ok 'signs' key --sign -m ECDSA-SHA256 --id "$(hex k1)" -i data -o sig
says 'shows how the key was made' ' dev +GenerateKeyPair +k1/' kvpkcs11 log
says 'shows the signature' ' dev +Sign +k1/[0-9a-f]{32} +CKM_ECDSA_SHA256 +CKR_OK +vault ' kvpkcs11 log --object k1
says 'has the request id of the service' '"request_id": ?"[^"]' kvpkcs11 log --json --object k1
checks=$((checks + 1))
if [ -z "$(kvpkcs11 log --failed --object k1)" ]; then
    echo "PASS $client nothing failed"
else
    failures=$((failures + 1))
    echo "FAIL $client something failed"
fi
