#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# GnuTLS: p11tool reads what the vault has, certtool signs with its keys, gnutls-serv and gnutls-cli
# talk TLS with them. What p11tool writes has a script of its own.
. "$(dirname "$0")/lib.sh"
begin
authority
for suffix in '' -ec; do
    algorithm=${suffix#-} algorithm=${algorithm:-rsa}
    certificate web$suffix $algorithm /CN=localhost subjectAltName=DNS:localhost
    certificate mail$suffix $algorithm "/CN=Alice$suffix"
    certificate issuing$suffix $algorithm "/CN=Issuing CA$suffix" basicConstraints=critical,CA:TRUE
done
# The authority's certificate is shown as issuer of the vault's.
sed -i "s|^\[vault:.*|&\nchain = $dir/ca.crt|" "$KVPKCS11_CONF"
head -c 5000 /dev/urandom >data

export PKCS11_MODULE_PATH=$module # of OpenSSL's engine

page gnutls

p11() { p11tool --provider "$module" --batch "$@" </dev/null; }
cert() { certtool --provider "$module" "$@" </dev/null; }
uri() { echo "pkcs11:token=dev;object=$1;type=$2"; }
same_key() { cmp "$1" <(openssl "$2" -in "$3" -noout -pubkey); }

# What the page's commands made.
ok 'page: the exported certificate is right' cmp <(openssl x509 -in server.crt) web.crt
ok 'page: the issuer is right' cmp <(openssl x509 -in issuer.crt) ca.crt
says '--export-chain stops where nothing is trusted' '^1$' eval \
    'p11 --export-chain "$(uri web cert)" | grep -c "BEGIN CERTIFICATE"'
openssl pkey -pubin -in fresh.pub -out key && mv key fresh.pub
ok 'page: the request is signed by its key' openssl req -in fresh.csr -noout -verify
ok 'page: the request holds the key' same_key fresh.pub req fresh.csr
ok 'page: the certificate is signed by its key' openssl verify -CAfile self.crt self.crt
ok 'page: the certificate holds the key' same_key fresh.pub x509 self.crt
ok 'page: what the authority signed verifies' openssl verify -CAfile ca.crt -untrusted issuing.crt fresh.crt
says 'page: the server has seen the certificate of its client' 'CN=Alice' cat server.log
says 'page: the key is gone' '^0$' bash -c "p11tool --provider $module --list-privkeys pkcs11:token=dev | grep -c object=fresh || true"

says 'lists the token' 'token=dev' p11 --list-tokens
says 'lists the keys with --login' 'object=web;type=private' p11 --login --set-pin 1234 --list-privkeys \
    pkcs11:token=dev
says 'lists mechanisms' 'CKM_ECDSA' p11 --list-mechanisms pkcs11:token=dev
for suffix in '' -ec; do
    key=web$suffix
    says "lists the private key $key" "object=$key;type=private" p11 --list-privkeys pkcs11:token=dev
    says "lists the certificate $key" "object=$key;type=cert" p11 --list-all-certs pkcs11:token=dev
    says "shows the key $key" 'Label: web' p11 --info "$(uri $key private)"
    ok "exports the public key $key" p11 --export-pubkey "$(uri $key private)" --outfile key
    ok "the public key $key is right" cmp <(openssl pkey -pubin -in key) $key.pub
    ok "exports the certificate $key" p11 --export "$(uri $key cert)" --outfile crt
    ok "the certificate $key is right" cmp <(openssl x509 -in crt) $key.crt
    ok "tests signing with $key" p11 --test-sign "$(uri $key private)"

    key=issuing$suffix
    for hash in SHA256 SHA384 SHA512; do
        ok "$key: certtool issues a certificate with $hash" cert --generate-certificate --hash $hash \
            --template request.cfg --load-request fresh.csr --load-ca-privkey "$(uri $key private)" \
            --load-ca-certificate "$(uri $key cert)" --outfile issued.crt
        ok "$key: it verifies" openssl verify -CAfile ca.crt -untrusted $key.crt issued.crt
    done
    ok "$key: certtool issues a CRL" cert --generate-crl --template request.cfg \
        --load-ca-privkey "$(uri $key private)" --load-ca-certificate "$(uri $key cert)" --outfile crl.pem
    ok "$key: the CRL verifies" openssl crl -in crl.pem -noout -CAfile $key.crt

    key=mail$suffix
    ok "$key: certtool signs data" cert --p7-sign --load-privkey "$(uri $key private)" \
        --load-certificate $key.crt --infile data --outfile data.p7s
    ok "$key: OpenSSL verifies" openssl cms -verify -inform PEM -in data.p7s -binary -CAfile ca.crt \
        -purpose any -out verified
    ok "$key: it is the data" cmp data verified
done
ok 'certtool signs with RSA-PSS' cert --generate-self-signed --template request.cfg --sign-params RSA-PSS \
    --hash SHA256 --load-privkey "$(uri web private)" --outfile pss.crt
ok 'RSA-PSS verifies' openssl verify -CAfile pss.crt pss.crt
says 'it is RSA-PSS' 'rsassaPss' openssl x509 -in pss.crt -noout -text
fails 'a key that is not there' 'not available|does not exist|error' cert --generate-self-signed \
    --template request.cfg --load-privkey "$(uri nothing private)" --outfile nothing.crt

# talk KEY PRIORITY: a client with that key.
talk() {
    gnutls-cli --provider "$module" --port "$tls_port" --x509cafile ca.crt --priority "$2" \
        --x509keyfile "$(uri "$1" private)" --x509certfile "$(uri "$1" cert)" localhost </dev/null
}
for suffix in '' -ec; do
    tls_port=$(port)
    gnutls-serv --provider "$module" --port "$tls_port" --http --require-client-cert --x509cafile ca.crt \
        --x509keyfile "$(uri web$suffix private)" --x509certfile "$(uri web$suffix cert)" >server$suffix.log 2>&1 &
    background+=($!)
    await 10 served "$tls_port"
    for version in TLS1.2 TLS1.3; do
        for key in mail mail-ec; do
            ok "server web$suffix, client $key, $version" talk $key NORMAL:-VERS-ALL:+VERS-$version
        done
    done
    if [ -z "$suffix" ]; then
        says 'key exchange by decryption' 'TLS1.2[^)]*)-\(RSA\)' \
            talk mail NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA
    fi
    says "server web$suffix, OpenSSL's client with a certificate of the vault" 'CN *= *Alice' openssl s_client \
        -connect "localhost:$tls_port" -CAfile ca.crt -verify_return_error -engine pkcs11 -keyform engine \
        -key "$(uri mail private)" -cert mail.crt -ign_eof <<<$'GET / HTTP/1.0\r\n\r'
    fails "server web$suffix, client without a certificate" 'error|alert|Alert' gnutls-cli --port "$tls_port" \
        --x509cafile ca.crt --priority NORMAL:-VERS-TLS1.3 localhost </dev/null
done
