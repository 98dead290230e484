#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# OpenSC's pkcs11-tool writes, changes and deletes: keys, their certificates, data objects.
. "$(dirname "$0")/lib.sh"
begin
show_secrets

tool() { pkcs11-tool --module "$module" "$@"; }

openssl genrsa -out rsa.pem 2048 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
for key in rsa ec; do
    openssl pkcs8 -topk8 -nocrypt -in $key.pem -outform DER -out $key.der
    openssl pkey -in $key.pem -pubout -outform DER -out $key.pub
    openssl req -x509 -new -key $key.pem -subj "/CN=$key" -days 30 -outform DER -out $key.crt
done
head -c 1000 /dev/urandom >data

for key in rsa ec; do
    id=$(hex "id-$key")
    ok "writes the $key private key" tool --write-object $key.der --type privkey --label $key --id "$id"
    ok "writes the $key public key" tool --write-object $key.pub --type pubkey --label $key --id "$id"
    ok "writes the $key certificate" tool --write-object $key.crt --type cert --label $key --id "$id"
    ok "reads the $key certificate" tool --read-object --type cert --id "$id" -o read.crt
    ok "the $key certificate is the same" cmp $key.crt read.crt
done
ok 'signs with the written key' tool --sign -m SHA256-RSA-PKCS --id "$(hex id-rsa)" -i data -o sig
ok 'OpenSSL verifies with the key it made' openssl dgst -sha256 -keyform DER -verify rsa.pub \
    -signature sig data
fails 'a public key of no private key has no place' CKR_TEMPLATE_INCONSISTENT \
    tool --write-object ec.pub --type pubkey --label rsa --id "$(hex id-rsa)"

ok 'writes data' tool --write-object data --type data --label blob --application-label app \
    --application-id 1.2.3
says 'lists data' "label: *'blob'" tool --list-objects --type data
ok 'reads data' tool --read-object --type data --label blob -o read.data
ok 'the data are the same' cmp data read.data
ok 'deletes data' tool --delete-object --type data --label blob
fails 'deleted data are gone' 'not found|No such|CKR_' tool --read-object --type data --label blob

ok 'sets another id' tool --set-id 0102 --id "$(hex id-rsa)" --type privkey
says 'the public key has it too' 'ID: *0102' tool --list-objects --type pubkey --label rsa
fails 'a public key is not deleted without its private key' 'C_DestroyObject' \
    tool --delete-object --type pubkey --id 0102
ok 'deletes the certificate' tool --delete-object --type cert --id "$(hex id-rsa)"
ok 'deletes the private key' tool --delete-object --type privkey --id 0102
fails 'the key is gone' 'not found|No such|CKR_' tool --read-object --type pubkey --id 0102
fails 'its name is kept by the deleted key' 'CKR_FUNCTION_REJECTED|0x200' \
    tool --write-object rsa.der --type privkey --label rsa
