#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Java over SunPKCS11: jarsigner with the whole chain, a signer with many threads, a TLS server with a
# client. What keytool writes has a script of its own.
. "$(dirname "$0")/lib.sh"
programs=$(cd "$(dirname "$0")/java" && pwd)
begin
authority
for suffix in '' -ec; do
    algorithm=${suffix#-} algorithm=${algorithm:-rsa}
    certificate web$suffix $algorithm "/OU=web$suffix/CN=localhost" subjectAltName=DNS:localhost
    certificate mail$suffix $algorithm "/CN=Alice$suffix"
    certificate code$suffix $algorithm "/CN=code$suffix" keyUsage=digitalSignature extendedKeyUsage=codeSigning
done
# The authority's certificate is shown as issuer of the vault's.
sed -i "s|^\[vault:.*|&\nchain = $dir/ca.crt|" "$KVPKCS11_CONF"

page java

store=(-storetype PKCS11 -keystore NONE -storepass none -addprovider SunPKCS11)
key_tool() { keytool "$@" "${store[@]}" -providerarg java.cfg </dev/null; }
# signed JAR NAME: judge the signature in a JAR by OpenSSL.
signed() {
    rm -rf unpacked && mkdir unpacked && (cd unpacked && jar -xf "../$1") &&
        openssl cms -verify -inform DER -in unpacked/META-INF/"$2" -content unpacked/META-INF/"${2%.*}.SF" -binary \
            -CAfile ca.crt -purpose any -out verified
}
chain_length() { openssl pkcs7 -inform DER -in unpacked/META-INF/"$1" -print_certs | grep -c 'BEGIN CERTIFICATE'; }

ok 'page: OpenSSL verifies the JAR' signed signed.jar CODE.RSA
says 'page: the whole chain is in the signature' '^2$' chain_length CODE.RSA
ok 'page: the request is signed by its key' openssl req -in fresh.csr -noout -verify
list=$(key_tool -list 2>&1)
for key in web web-ec mail mail-ec code code-ec fresh; do
    says "lists $key with its key" "^$key, PrivateKeyEntry" cat <<<"$list"
done
for key in web-ec; do
    ok "exports the certificate $key" key_tool -exportcert -rfc -alias $key -file crt
    ok "the certificate $key is right" cmp <(openssl x509 -in crt) $key.crt
done
for case in 'code RSA SHA-256' 'code-ec EC SHA-512'; do
    read -r key kind digest <<<"$case"
    jar -cf signed.jar content
    ok "jarsigner signs with $key, $digest" jarsigner "${store[@]}" -providerArg java.cfg -digestalg $digest \
        -sigfile NAME signed.jar $key
    ok "$key, $digest: jarsigner verifies" jarsigner -verify -strict -keystore trusted.p12 -storepass trusted signed.jar
    ok "$key, $digest: OpenSSL verifies" signed signed.jar NAME.$kind
    says "$key, $digest: the whole chain is in the signature" '^2$' chain_length NAME.$kind
done
says 'signs and decrypts in eight threads' '^128 operations by 8 threads$' \
    java "$programs/Signer.java" java.cfg 8 1 web mail web-ec code-ec
java "$programs/Tls.java" java.cfg ca.crt web mail web-ec mail-ec web mail-ec web-ec mail >tls.out 2>&1
for version in TLSv1.2 TLSv1.3; do
    for who in mail mail-ec; do
        name=Alice${who#mail}
        says "a server twice sees the client $who, $version" '^2$' grep -c "server saw CN=$name $version" tls.out
    done
    for server in web web-ec; do
        says "a client twice sees the server $server, $version" '^2$' \
            grep -c "client saw CN=localhost, OU=$server $version" tls.out
    done
done
[ "$failures" -eq 0 ] || cat tls.out
