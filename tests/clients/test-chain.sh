#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A certificate that the vault has, its key and its issuer, as pkcs11-tool, p11tool, keytool and
# certutil find them, and a secret when secrets are shown.
. "$(dirname "$0")/../tool/lib.sh"
begin

ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $ec -keyout ca.key -out ca.pem -subj '/CN=Test CA' -days 9 2>/dev/null
openssl req -new $ec -keyout site.key -out site.csr -subj /CN=site.test 2>/dev/null
openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 8 -out site.pem 2>/dev/null
text=$(cat site.key site.pem ca.pem | awk '{ printf "%s\\n", $0 }')
ok 'imports a certificate' rest POST /certificates/site/import "{\"value\":\"$text\",\"policy\":{
    \"key_props\":{\"exportable\":false,\"kty\":\"EC\"},
    \"secret_props\":{\"contentType\":\"application/x-pem-file\"}}}"
ok 'sets a secret' rest PUT /secrets/note '{"value":"some words","contentType":"text/plain"}'

tool() { pkcs11-tool --module "$module" "$@"; }
subject() { tool --read-object --type cert --label "$1" -o cert.der && openssl x509 -inform DER -in cert.der -noout -subject; }
says 'pkcs11-tool lists the certificate' '^  subject: *DN: CN=site.test' tool --list-objects
says 'pkcs11-tool lists its issuer' '^  subject: *DN: CN=Test CA' tool --list-objects --type cert
says 'pkcs11-tool reads the certificate' 'CN = site.test' subject site
says 'pkcs11-tool reads its issuer' 'CN = Test CA' subject 'Test CA'
echo hello >data
ok 'pkcs11-tool signs with its key' tool --sign -m ECDSA-SHA256 --signature-format openssl \
    --id "$(hex site)" -i data -o sig
openssl x509 -in site.pem -noout -pubkey >site.pub
ok 'and the certificate verifies it' openssl dgst -sha256 -verify site.pub -signature sig data
checks=$((checks + 1))
if [ "$(tool --list-objects 2>/dev/null | grep -c '^Private Key Object')" = 1 ]; then
    echo "PASS $client the key is there once"
else
    failures=$((failures + 1))
    echo "FAIL $client the key is not there once"
fi

if command -v p11tool >/dev/null; then
    says 'p11tool knows the issuer as an authority' 'CKA_CERTIFICATE_CATEGORY=CA' \
        p11tool --provider "$module" --list-all-certs
    says 'p11tool exports the chain' 'BEGIN CERTIFICATE' \
        p11tool --provider "$module" --export-chain 'pkcs11:token=dev;object=site;type=cert'
fi
if command -v keytool >/dev/null; then
    printf 'name = dev\nlibrary = %s\nslotListIndex = 0\n' "$module" >java.cfg
    says 'keytool builds the chain' 'Certificate chain length: 2' keytool -list -v -alias site \
        -storetype PKCS11 -keystore NONE -storepass none -addprovider SunPKCS11 -providerarg java.cfg
fi
if command -v certutil >/dev/null; then
    mkdir db
    certutil -N -d sql:db --empty-password
    modutil -dbdir sql:db -add dev -libfile "$module" -force >/dev/null 2>&1
    says 'certutil finds the certificate with its key' 'dev:site  *u,u,u' certutil -d sql:db -h dev -L
    says 'certutil builds the chain' 'dev:Test CA' certutil -d sql:db -O -n dev:site
fi

sed -i 's/^\[vault:.*/&\nsecrets = yes/' vault/kvpkcs11.conf
says 'pkcs11-tool lists the secret' 'label: *.?note' tool --list-objects --type data
ok 'pkcs11-tool reads it' tool --read-object --type data --label note -o note
ok 'and it is what the vault has' grep -qx 'some words' note
