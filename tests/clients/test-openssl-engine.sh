#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# OpenSSL 3.0 through libengine-pkcs11-openssl: signs data, requests, certificates and mail, decrypts
# mail, serves TLS and proves itself as TLS client, with RSA and EC keys of the vault.
. "$(dirname "$0")/lib.sh"
begin
authority
for key in rsa ec; do
    suffix=${key#rsa} suffix=${suffix:+-$suffix}
    certificate web$suffix $key /CN=localhost subjectAltName=DNS:localhost
    certificate mail$suffix $key "/CN=Alice$suffix" subjectAltName=email:alice$suffix@example.org
    certificate issuing$suffix $key "/CN=Issuing CA$suffix" basicConstraints=critical,CA:TRUE
done
head -c 5000 /dev/urandom >data
printf 'Dear Bob,\r\nthis is for you.\r\n' >letter

page openssl-engine
export PKCS11_MODULE_PATH=$module

engine=(-engine pkcs11 -keyform engine)
uri() { echo "pkcs11:token=dev;object=$1;type=private"; }
same_key() { cmp "$1" <(openssl "$2" -in "$3" -noout -pubkey); }

# What the page's commands made.
ok 'page: the signature verifies' openssl dgst -sha256 -verify web.pub -signature data.sig data
ok 'page: the request is signed by its key' openssl req -in web.csr -noout -verify
ok 'page: the request holds the key' same_key web.pub req web.csr
ok 'page: the certificate is signed by its key' openssl verify -CAfile self.crt self.crt
ok 'page: the certificate holds the key' same_key web.pub x509 self.crt

ok 'page: what the authority signed verifies' openssl verify -CAfile ca.crt -untrusted issuing.crt issued.crt
ok 'page: what it recorded verifies' openssl verify -CAfile ca.crt -untrusted issuing.crt recorded.crt
says 'page: it recorded it' '/CN=localhost$' cat authority/index.txt
ok 'page: the signed letter verifies' openssl cms -verify -in letter.signed -CAfile ca.crt -out /dev/null
ok 'page: the letter was decrypted' cmp letter letter.decrypted

for suffix in '' -ec; do
    key=web$suffix
    for hash in sha1 sha256 sha384 sha512; do
        ok "$key: dgst -$hash" openssl dgst "${engine[@]}" -sign "$(uri $key)" -$hash -out sig data
        ok "$key: dgst -$hash verifies" openssl dgst -$hash -verify $key.pub -signature sig data
    done
    ok "$key: req" openssl req -new "${engine[@]}" -key "$(uri $key)" -subj "/CN=$key" -sha384 -out csr
    ok "$key: req verifies" openssl req -in csr -noout -verify
    ok "$key: req holds the key" same_key $key.pub req csr
    ok "$key: x509 -signkey" openssl x509 -req -in csr "${engine[@]}" -signkey "$(uri $key)" \
        -days 5 -out resigned.crt
    ok "$key: x509 -signkey verifies" openssl verify -CAfile resigned.crt resigned.crt

    key=issuing$suffix
    ok "$key: x509 signs a request" openssl x509 -req -in csr -engine pkcs11 -CAkeyform engine \
        -CAkey "$(uri $key)" -CA $key.crt -days 5 -out issued.crt
    ok "$key: what x509 signed verifies" openssl verify -CAfile ca.crt -untrusted $key.crt issued.crt
    ok "$key: ca signs a request" openssl ca -batch -config ca.cnf "${engine[@]}" -keyfile "$(uri $key)" \
        -cert $key.crt -in csr -out issued.crt -notext
    ok "$key: what ca signed verifies" openssl verify -CAfile ca.crt -untrusted $key.crt issued.crt
    ok "$key: ca -gencrl" openssl ca -gencrl -crldays 5 -config ca.cnf "${engine[@]}" \
        -keyfile "$(uri $key)" -cert $key.crt -out crl.pem
    ok "$key: the CRL verifies" openssl crl -in crl.pem -noout -CAfile $key.crt

    key=mail$suffix
    ok "$key: cms signs" openssl cms -sign "${engine[@]}" -inkey "$(uri $key)" -signer $key.crt \
        -binary -in data -outform DER -out data.p7s
    ok "$key: cms verifies" openssl cms -verify -inform DER -in data.p7s -binary -content data \
        -CAfile ca.crt -out /dev/null
done

ok 'dgst with PSS' openssl dgst "${engine[@]}" -sign "$(uri web)" -sha256 \
    -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -out sig data
ok 'PSS verifies' openssl dgst -sha256 -verify web.pub -sigopt rsa_padding_mode:pss \
    -sigopt rsa_pss_saltlen:digest -signature sig data
fails 'PSS with a salt of another length' 'Mechanism invalid' openssl dgst "${engine[@]}" \
    -sign "$(uri web)" -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20 -out sig data
ok 'cms signs with PSS' openssl cms -sign "${engine[@]}" -inkey "$(uri mail)" -signer mail.crt \
    -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest -binary -in data -outform DER -out data.p7s
ok 'cms with PSS verifies' openssl cms -verify -inform DER -in data.p7s -binary -content data \
    -CAfile ca.crt -out /dev/null
for digest in sha1 sha256; do
    ok "cms encrypts with OAEP of $digest" openssl cms -encrypt -binary -in data -outform DER -out enc \
        -recip mail.crt -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:$digest
    ok "cms decrypts OAEP of $digest" openssl cms -decrypt "${engine[@]}" -inkey "$(uri mail)" \
        -recip mail.crt -inform DER -in enc -out dec
    ok "OAEP of $digest gives the data" cmp data dec
done
fails 'a key that is not there' 'not found|unable to load|Could not' openssl dgst "${engine[@]}" \
    -sign "$(uri nothing)" -sha256 -out sig data

# talk KEY OPTION...: a handshake of a client with that key, and a page that tells of it.
talk() {
    local client_key=$1
    shift
    openssl s_client -connect "localhost:$tls_port" "${engine[@]}" -key "$(uri "$client_key")" \
        -cert "$client_key.crt" -CAfile ca.crt -verify_return_error -ign_eof "$@" <<<'GET / HTTP/1.0
'
}
for suffix in '' -ec; do
    tls_port=$(port)
    openssl s_server -accept "$tls_port" "${engine[@]}" -key "$(uri web$suffix)" -cert web$suffix.crt \
        -CAfile ca.crt -Verify 1 -verify_return_error -www >server$suffix.log 2>&1 &
    background+=($!)
    await 10 served "$tls_port"
    for version in tls1_2 tls1_3; do
        says "TLS: server web$suffix, client mail, $version" 'CN *= *Alice' talk mail -$version
        says "TLS: server web$suffix, client mail-ec, $version" 'CN *= *Alice-ec' \
            talk mail-ec -$version
    done
    fails "TLS: server web$suffix, client without a certificate" 'alert|error' openssl s_client \
        -connect "localhost:$tls_port" -CAfile ca.crt -tls1_2 </dev/null
done
