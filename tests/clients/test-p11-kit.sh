#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# p11-kit: the module's file, the proxy, and the server with its client module, with programs of OpenSC,
# GnuTLS, OpenSSL and OpenSSH on their other side.
here=$(cd "$(dirname "$0")" && pwd)
# p11-kit reads no configuration of root's own: there the script runs as nobody, with a copy of what it needs.
if [ "$(id -u)" -eq 0 ]; then
    stage=$(mktemp -d)
    mkdir -p "$stage/tests/clients" "$stage/docs/clients" "$stage/build/.libs" "$stage/build/p11-kit"
    cp "$here/lib.sh" "$here/test-p11-kit.sh" "$stage/tests/clients"
    cp "$here/../../docs/clients/p11-kit.md" "$stage/docs/clients"
    cp "$BUILD/keyvaultd" "$stage/build"
    cp -L "$BUILD/.libs/libkvpkcs11.so" "$stage/build/.libs"
    cp "$BUILD/p11-kit/kvpkcs11.module" "$stage/build/p11-kit"
    chmod -R a+rX "$stage"
    BUILD=$stage/build setpriv --reuid=nobody --regid=nogroup --clear-groups \
        bash "$stage/tests/clients/test-p11-kit.sh"
    status=$?
    rm -rf "$stage"
    exit $status
fi
. "$here/lib.sh"
begin
authority
certificate web rsa
certificate web-ec ec
head -c 5000 /dev/urandom >data
export HOME=$dir XDG_RUNTIME_DIR=$dir/run
unset XDG_CONFIG_HOME XDG_CACHE_HOME PKCS11_MODULE_PATH P11_KIT_SERVER_ADDRESS
mkdir -m 0700 run

page p11-kit

proxy=$(echo /usr/lib/*/p11-kit-proxy.so)
client_module=$(echo /usr/lib/*/pkcs11/p11-kit-client.so)
ok 'page: the exported certificate is right' cmp <(openssl x509 -in exported.crt) web.crt
for sig in data.sig data.proxy data.server; do
    ok "page: $sig verifies" openssl dgst -sha256 -verify web.pub -signature $sig data
done
says 'page: the keys are listed' ' web-ec$' cat keys

# The file that is installed.
sed "s|^module: .*/|module: ${module%/*}/|" "$BUILD/p11-kit/kvpkcs11.module" >.config/pkcs11/modules/kvpkcs11.module
says 'the installed file names the module' '^module: /.*/libkvpkcs11\.so$' cat "$BUILD/p11-kit/kvpkcs11.module"
says 'list-modules shows the module' 'library-manufacturer: kvpkcs11' p11-kit list-modules
says 'list-modules shows the token' 'token: dev' p11-kit list-modules
says 'p11tool shows the token' 'token=dev' p11tool --list-token-urls

# sign MODULE KEY MECHANISM OPTION...; verify KEY OPTION...
sign() { pkcs11-tool --module "$1" --sign --id "$(hex "$2")" -m "$3" -i data -o sig "${@:4}"; }
verify() { openssl dgst -sha256 -verify "$1.pub" "${@:2}" -signature sig data; }
eval "$(p11-kit server --sh --provider "$module" pkcs11:token=dev)"
background+=("$P11_KIT_SERVER_PID")
openssl dgst -sha256 -binary data >digest
head -c 32 /dev/urandom >plain
for way in proxy server; do
    if [ $way = proxy ]; then through=$proxy; else through=$client_module; fi
    says "$way: lists the token" 'token label *: dev' pkcs11-tool --module "$through" --list-slots
    ok "$way: reads a certificate" pkcs11-tool --module "$through" --read-object --type cert --label web-ec -o crt
    ok "$way: the certificate is right" cmp <(openssl x509 -inform DER -in crt) web-ec.crt
    ok "$way: signs RSA" sign "$through" web SHA256-RSA-PKCS
    ok "$way: RSA verifies" verify web
    # The server's protocol knows ECDSA of a digest only.
    ok "$way: signs ECDSA" sign "$through" web-ec ECDSA --signature-format openssl -i digest
    ok "$way: ECDSA verifies" verify web-ec
    ok "$way: signs PSS" sign "$through" web RSA-PKCS-PSS --hash-algorithm SHA256 --mgf MGF1-SHA256 \
        --salt-len -1 -i digest
    ok "$way: PSS verifies" verify web -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
    openssl pkeyutl -encrypt -pubin -inkey web.pub -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 \
        -in plain -out enc
    ok "$way: decrypts OAEP" pkcs11-tool --module "$through" --decrypt --id "$(hex web)" -m RSA-PKCS-OAEP \
        --hash-algorithm SHA256 --mgf MGF1-SHA256 -i enc -o dec
    ok "$way: the plaintext is right" cmp plain dec
    for key in web web-ec; do
        ok "$way: OpenSSL's engine signs with $key" env PKCS11_MODULE_PATH="$through" openssl dgst -sha256 \
            -engine pkcs11 -keyform engine -sign "pkcs11:token=dev;object=$key" -out sig data
        ok "$way: OpenSSL verifies with $key" verify $key
        says "$way: ssh-keygen lists $key" " $key\$" ssh-keygen -D "$through"
    done
    ok "$way: makes a key" pkcs11-tool --module "$through" --keypairgen --key-type EC:prime256v1 --label made-$way
    says "$way: it is there" "made-$way" p11tool --list-privkeys pkcs11:token=dev
    ok "$way: deletes it" pkcs11-tool --module "$through" --delete-object --type privkey --label made-$way
    for i in 1 2 3 4; do
        pkcs11-tool --module "$through" --sign --id "$(hex web)" -m SHA256-RSA-PKCS -i data -o "sig.$i" \
            >/dev/null 2>&1 &
        waiting[i]=$!
    done
    wait "${waiting[@]}"
    for i in 1 2 3 4; do
        mv "sig.$i" sig
        ok "$way: four at once, the signature of number $i verifies" verify web
    done
done
for key in web web-ec; do
    ok "server: p11tool tests signing with $key" p11tool --provider "$client_module" --batch \
        --test-sign "pkcs11:token=dev;object=$key;type=private"
done
ok 'the server ends' p11-kit server --kill
fails 'and with it the token' 'No slots' pkcs11-tool --module "$client_module" --list-slots

kill "$daemon"
wait "$daemon"
daemon=
says 'a vault that cannot be reached is a token all the same' 'token: dev' p11-kit list-modules
