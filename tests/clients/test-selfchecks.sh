#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The checks that PKCS#11 programs bring for modules: pkcs11-tool's --test, --test-ec, --test-fork,
# --test-threads and --test-hotplug, p11tool's listings and --test-sign, NSS's modutil and certutil; on
# both kinds of vault, with and without a login that nobody needs.
# usage: test-selfchecks.sh [vault|managed-hsm]; without it, both.
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -eq 0 ]; then
    status=0
    for kind in vault managed-hsm; do
        bash "$0" $kind || status=1
    done
    exit $status
fi
. "$here/lib.sh"
begin "$1"
client=$client-$1
# The address of a local HSM tells nothing of its kind, so the configuration has to.
[ "$1" = vault ] || grep -q '^kind' "$KVPKCS11_CONF" || echo 'kind = managed-hsm' >>"$KVPKCS11_CONF"

tool() { pkcs11-tool --module "$module" "$@"; }

# clean NAME PATTERN COMMAND...: the command must succeed, print PATTERN, and complain of nothing.
clean() {
    local name=$1 pattern=$2
    shift 2
    checks=$((checks + 1))
    if "$@" >out 2>&1 && grep -qE -- "$pattern" out &&
        ! grep -v 'No errors' out | grep -qE 'ERR|[Ee]rror|[Ff]ail|CKR_[A-NP-Z]|incorrect|wrong'; then
        echo "PASS $client $name"
    else
        failures=$((failures + 1))
        echo "FAIL $client $name: $* (should have printed $pattern, and no complaint)"
        sed 's/^/    | /' out
    fi
}

# ---- pkcs11-tool ----

clean 'passes --test with no key' 'No errors' tool --test
for bits in 2048 4096; do
    ok "makes an RSA key of $bits bits" tool --keypairgen --key-type rsa:$bits --label rsa-$bits
done
ok 'makes an EC key' tool --keypairgen --key-type EC:prime256v1 --label ec
clean 'passes --test' 'No errors' tool --test
clean 'passes --test logged in' 'No errors' tool --test --login --pin 1234
clean 'passes --test as a user of a context' 'No errors' tool --test --login --pin 1234 \
    --login-type user
# It makes a key pair, changes it, signs with it, and destroys it, private key first.
clean 'passes --test-ec' 'Deleting the private and the public key again' tool --test-ec --session-rw \
    --login --pin 1234 --id 6563 --label selfcheck --key-type EC:prime256v1
clean 'passes --test-fork' 'forked child' tool --test-fork
# Each takes half a minute, whatever the module does: all of them at once, beside the rest.
threads="INGISLT0 ILGISLT0 ILP0SLT0GI"
# shellcheck disable=SC2046,SC2086
tool $(printf -- '--test-threads %s ' $threads) >threads.out 2>&1 &
threads_job=$!
hotplug() { printf 'x\nx\n' | timeout 60 pkcs11-tool --module "$module" --test-hotplug; }
clean 'passes --test-hotplug' 'C_WaitForSlotEvent' hotplug

# ---- p11tool ----

p11() { p11tool --provider "$module" "$@"; }
says 'p11tool lists the token' 'Label: dev' p11 --list-tokens
says 'p11tool lists mechanisms' 'CKM_RSA_PKCS_PSS' p11 --list-mechanisms 'pkcs11:token=dev'
says 'p11tool lists all objects' 'Type: Private key .EC/ECDSA-SECP256R1.' p11 --list-all
says 'p11tool lists private keys' 'Type: Private key .RSA-4096.' p11 --list-privkeys
fails 'p11tool finds no certificate' 'No matching objects' p11 --list-all-certs
for label in rsa-2048 rsa-4096 ec; do
    url="pkcs11:token=dev;object=$label;type=private"
    says "p11tool shows $label" "Label: $label" p11 --info "$url"
    says "p11tool signs with $label" 'public key in the token... ok' p11 --test-sign "$url"
    ok "p11tool exports the public key of $label" p11 --export-pubkey --outfile key.pem "$url"
    ok "OpenSSL reads the public key of $label" openssl pkey -pubin -in key.pem -noout
done
says 'p11tool signs with PSS' 'public key in the token... ok' p11 --test-sign \
    --sign-params=RSA-PSS 'pkcs11:token=dev;object=rsa-2048;type=private'

# ---- NSS ----

mkdir db
ok 'NSS has a database' certutil -N -d sql:db --empty-password
ok 'modutil adds the module' modutil -force -dbdir sql:db -add kvp -libfile "$module"
says 'modutil lists the token' 'token: dev' modutil -force -dbdir sql:db -list
says 'modutil shows the module' 'Token Name: *dev' modutil -force -dbdir sql:db -list kvp
says 'modutil shows the login' 'Public \(no login required\)' modutil -force -dbdir sql:db -list kvp
says 'certutil lists the tokens' 'token: dev' certutil -U -d sql:db
for label in rsa-2048 rsa-4096 ec; do
    says "certutil lists key $label" "(rsa|ec) .*$label" certutil -K -d sql:db -h dev
done
ok 'certutil lists certificates' certutil -L -d sql:db -h dev
ok 'modutil takes the module away' modutil -force -dbdir sql:db -delete kvp

ended() { wait "$threads_job" && cat threads.out; }
says "passes --test-threads $threads" 'all threads have ended with CKR_OK' ended
