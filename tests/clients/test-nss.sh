#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# NSS: modutil takes the module in, certutil requests and issues, cmsutil signs and decrypts mail,
# signver verifies, selfserv and tstclnt talk TLS. What certutil writes has a script of its own.
. "$(dirname "$0")/lib.sh"
begin
authority
# NSS takes certificates of one subject for one: a nickname gives the newest of them.
for suffix in '' -ec; do
    algorithm=${suffix#-} algorithm=${algorithm:-rsa}
    certificate web$suffix $algorithm "/OU=web$suffix/CN=localhost" subjectAltName=DNS:localhost
    certificate mail$suffix $algorithm "/CN=Alice$suffix" subjectAltName=email:alice$suffix@example.org
    certificate issuing$suffix $algorithm "/CN=Issuing CA$suffix" basicConstraints=critical,CA:TRUE
done
printf 'Dear Bob,\r\nthis is for you.\r\n' >letter

page nss

# What the page's commands made.
export PKCS11_MODULE_PATH=$module # of OpenSSL's engine
same_key() { cmp "$1" <(openssl "$2" -in "$3" -noout -pubkey); }
verify() { openssl cms -verify -inform DER -in "$1" -CAfile ca.crt -binary -out verified && cmp letter verified; }
ok 'page: the request is signed by its key' openssl req -in web.csr -noout -verify
ok 'page: the request holds the key' same_key web.pub req web.csr
ok 'page: the certificate verifies' openssl verify -CAfile ca.crt -untrusted issuing.crt issued.crt
ok 'page: OpenSSL verifies the letter' verify letter.signed
ok 'page: the letter was decrypted' cmp letter letter.decrypted
says 'page: the server has seen the certificate of its client' 'Subject: CN=Alice' cat server.log
fails 'page: the module is gone' 'not found' modutil -dbdir sql:db -list vault

ok 'modutil adds the module' modutil -dbdir sql:db -add vault -libfile "$module" -force
says 'modutil shows the token' 'Token Name: dev' modutil -dbdir sql:db -list vault
says 'modutil shows who made the token' 'Token Manufacturer: Azure Key Vault' modutil -dbdir sql:db -list vault
cert() { timeout 20 certutil -d sql:db "$@" </dev/null; }
cms() { timeout 20 cmsutil "$1" -d sql:db "${@:2}" </dev/null; }
for suffix in '' -ec; do
    key=web$suffix
    says "lists the certificate $key with its key" "dev:$key  *u,u,u" cert -L -h dev
    says "lists the key $key" "$key\$" cert -K -h dev
    ok "reads the certificate $key" cert -L -n dev:$key -a -o crt
    ok "the certificate $key is right" cmp <(openssl x509 -in crt) $key.crt
    says "certutil -V finds $key valid" 'certificate is valid' cert -V -n dev:$key -u V
    for hash in SHA256 SHA384; do
        ok "$key: requests with $hash" cert -R -h dev -k "$(hex $key)" -s "CN=$key" -Z $hash -a -o csr
        ok "$key: the request with $hash verifies" openssl req -in csr -noout -verify
        ok "$key: it holds the key" same_key $key.pub req csr
    done

    key=issuing$suffix
    ok "$key: issues" cert -C -c dev:$key -i csr -a -m 1 -v 3 -o issued
    ok "$key: what it issued verifies" openssl verify -CAfile ca.crt -untrusted $key.crt \
        issued

    key=mail$suffix
    for hash in SHA1 SHA256 SHA512; do
        ok "$key: cmsutil signs with $hash" cms -S -H $hash -N dev:$key -i letter -o signed
        ok "$key: OpenSSL verifies $hash" verify signed
    done
    ok "$key: signs apart from the data" cms -S -T -N dev:$key -i letter -o detached
    ok "$key: OpenSSL verifies that" openssl cms -verify -inform DER -in detached -content letter -binary \
        -CAfile ca.crt -out verified
    fails "$key: the private key does not leave" 'PKCS12|failed|unable' pk12util -d sql:db -o key.p12 \
        -n dev:$key -W x
done
cms -S -T -N dev:mail -i letter -o detached >/dev/null 2>&1
# signver knows no ECDSA.
says 'signver verifies' 'signatureValid=yes' signver -V -d sql:db -i letter -s detached
says 'signver refuses other data' 'signatureValid=no' signver -V -d sql:db -i ca.crt -s detached
ok 'issues with RSA-PSS' cert -C -c dev:issuing --pss-sign -Z SHA256 -i csr -a -m 2 -v 3 -o issued
says 'it is RSA-PSS' 'rsassaPss' openssl x509 -in issued -noout -text
ok 'what it issued with RSA-PSS verifies' openssl verify -CAfile ca.crt -untrusted issuing.crt issued
for cipher in aes256 des3; do
    ok "OpenSSL encrypts with $cipher" openssl cms -encrypt -$cipher -binary -in letter -outform DER -out enc mail.crt
    ok "cmsutil decrypts $cipher" cms -D -i enc -o dec
    ok "$cipher: it is the letter" cmp letter dec
done

# talk KEY VERSION: a client with that key.
talk() {
    timeout 20 tstclnt -d sql:db -n "dev:$1" -h localhost -p "$tls_port" -V "$2" -A request </dev/null
}
for suffix in '' -ec; do
    tls_port=$(port)
    server=(-n dev:web)
    [ -z "$suffix" ] || server=(-e dev:web-ec)
    selfserv -d sql:db "${server[@]}" -p "$tls_port" -r -r -v >server$suffix.log 2>&1 &
    background+=($!)
    await 10 served "$tls_port"
    for version in tls1.2 tls1.3; do
        for key in mail mail-ec; do
            says "server web$suffix, client $key, $version" '200 OK' talk $key $version:$version
        done
    done
    says "server web$suffix, OpenSSL's client with a certificate of the vault" '200 OK' openssl s_client \
        -connect "localhost:$tls_port" -CAfile ca.crt -verify_return_error -engine pkcs11 -keyform engine \
        -key "pkcs11:token=dev;object=mail;type=private" -cert mail.crt -ign_eof <<<$'GET / HTTP/1.0\r\n\r'
    fails "server web$suffix, client without a certificate" 'alert|error' openssl s_client \
        -connect "localhost:$tls_port" -CAfile ca.crt -tls1_2 </dev/null
done
says 'key exchange by decryption' 'Cipher is AES256-GCM-SHA384' openssl s_client -connect "localhost:$PORT" \
    -CAfile ca.crt -tls1_2 -cipher AES256-GCM-SHA384 -engine pkcs11 -keyform engine \
    -key "pkcs11:token=dev;object=mail;type=private" -cert mail.crt -ign_eof <<<$'GET / HTTP/1.0\r\n\r'
