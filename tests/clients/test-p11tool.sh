#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# GnuTLS's p11tool: makes keys, writes keys and certificates, renames and deletes them.
. "$(dirname "$0")/lib.sh"
begin

tool() { p11tool --provider "$module" --batch "$@" </dev/null; }
token=$(tool --list-token-urls 2>/dev/null | grep 'token=dev')

openssl genrsa -out rsa.pem 2048 2>/dev/null
openssl ecparam -name secp384r1 -genkey -noout -out ec.pem
for key in rsa ec; do
    openssl req -x509 -new -key $key.pem -subj "/CN=$key" -days 30 -out $key.crt
    openssl pkey -in $key.pem -pubout -out $key.pub
done

says 'makes an RSA key' 'BEGIN PUBLIC KEY' tool --generate-privkey=rsa --bits 2048 --label made "$token"
says 'makes an EC key' 'BEGIN PUBLIC KEY' tool --generate-privkey=ecdsa --curve secp256r1 --label made-ec "$token"
for key in rsa ec; do
    ok "writes the $key private key" tool --write --load-privkey $key.pem --label $key --id 0a0b "$token;type=private"
    ok "writes the $key public key" tool --write --load-pubkey $key.pub --label $key --id 0a0b "$token"
    ok "writes the $key certificate" tool --write --load-certificate $key.crt --label $key --id 0a0b "$token"
    says "lists the $key key" "object=$key;type=private" tool --list-privkeys "$token;object=$key"
    says "lists the $key certificate" "object=$key;type=cert" tool --list-all-certs "$token;object=$key"
    says "exports the $key certificate" 'BEGIN CERTIFICATE' tool --export "$token;object=$key;type=cert"
    says "tests signing with the $key key" 'ok' tool --test-sign "$token;object=$key;type=private"
    ok "renames the $key key" tool --set-label "$key-new" "$token;object=$key;type=private"
    says "lists the $key key by its new name" "object=$key-new;type=private" \
        tool --list-privkeys "$token;object=$key-new"
    ok "sets another id of the $key key" tool --set-id 0c0d "$token;object=$key-new;type=private"
    says "deletes the $key certificate" '1 objects deleted' tool --delete "$token;object=$key;type=cert"
    says "deletes the $key key" '1 objects deleted' tool --delete "$token;object=$key-new;type=private"
    checks=$((checks + 1))
    if tool --list-all "$token" 2>/dev/null | grep -q "object=$key"; then
        failures=$((failures + 1))
        echo "FAIL $client the $key key is still there"
    else
        echo "PASS $client the $key key is gone"
    fi
done
