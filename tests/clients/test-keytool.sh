#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Java's keytool over SunPKCS11: makes key pairs with self-signed certificates, requests and installs
# a certificate, imports a key store, renames and deletes.
. "$(dirname "$0")/lib.sh"
begin

# SunPKCS11 makes keys for the session unless it is told otherwise; a vault has only keys that stay.
cat >java.cfg <<EOF
name = dev
library = $module
slotListIndex = 0
attributes(generate, CKO_PRIVATE_KEY, *) = {
    CKA_TOKEN = true
}
EOF
tool() {
    keytool -storetype PKCS11 -keystore NONE -storepass none -addprovider SunPKCS11 \
        -providerarg java.cfg "$@" </dev/null
}

openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.pem -subj /CN=ca -days 30 -out ca.crt 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.pem -subj /CN=ec \
    -days 30 -out ec.crt 2>/dev/null
openssl pkcs12 -export -in ec.crt -inkey ec.pem -name imported -passout pass:secret -out ec.p12

ok 'makes an RSA key pair' tool -genkeypair -alias rsa -keyalg RSA -keysize 2048 -dname CN=rsa
ok 'makes an EC key pair' tool -genkeypair -alias ec -keyalg EC -groupname secp256r1 -dname CN=ec
says 'lists the RSA key' '^rsa, PrivateKeyEntry' tool -list
says 'lists the EC key' '^ec, PrivateKeyEntry' tool -list
ok 'makes a request' tool -certreq -alias rsa -file rsa.csr
ok 'the request is signed by the key' openssl req -verify -in rsa.csr -noout
openssl x509 -req -in rsa.csr -CA ca.crt -CAkey ca.pem -CAcreateserial -days 30 -out rsa.crt 2>/dev/null
cat rsa.crt ca.crt >chain.pem
ok 'installs the answer' tool -importcert -noprompt -alias rsa -file chain.pem
says 'shows the chain' 'Certificate chain length: 2' tool -list -v -alias rsa
ok 'renames' tool -changealias -alias rsa -destalias renamed
says 'lists the new name' '^renamed, PrivateKeyEntry' tool -list
ok 'imports a key store' keytool -importkeystore -noprompt -srckeystore ec.p12 -srcstoretype PKCS12 \
    -srcstorepass secret -deststoretype PKCS11 -destkeystore NONE -deststorepass none \
    -addprovider SunPKCS11 -providerarg java.cfg
says 'lists the imported key' '^imported, PrivateKeyEntry' tool -list
ok 'signs with the imported key' tool -certreq -alias imported -file imported.csr
ok 'deletes' tool -delete -alias ec
fails 'what was deleted is gone' 'does not exist' tool -list -alias ec
ok 'the deleted alias can be used again' tool -genkeypair -alias ec -keyalg EC -groupname secp256r1 \
    -dname CN=again
