#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kvpkcs11 ls and uri: what they say must be what other programs find.
. "$(dirname "$0")/lib.sh"
begin
needs_module

ls_() { kvpkcs11 ls --module "$module" "$@"; }

says 'shows the token of an empty vault' '^token dev \(Azure Key Vault, vault, serial number [0-9a-f]{16}\)' ls_
# What a token says of itself is an object too: its profiles are all that an empty vault shows.
profiles_alone() { [ "$(ls_ | grep -cE '^[A-Za-z_]+ ' | tail -n 1)" = 6 ] && [ "$(ls_ | grep -c '^CKO_PROFILE ')" = 4 ]; }
ok 'and that it is empty but for its profiles' profiles_alone
ok 'creates an RSA key' rest POST /keys/web/create '{"kty":"RSA","key_size":3072,"key_ops":["sign","verify"]}'
ok 'creates an EC key' rest POST /keys/code/create \
    '{"kty":"EC","crv":"P-384","attributes":{"nbf":1767225600,"exp":1798761600}}'
says 'shows the RSA key' "^private +web +$(hex web) +RSA 3072 +sign +-$" ls_
says 'and its public key' "^public +web +$(hex web) +RSA 3072 +verify +-$" ls_
says 'shows the EC key with its dates' "^private +code +$(hex code) +EC P-384 +sign +2026-01-01 to 2027-01-01$" ls_
ok 'creates a certificate' rest POST /certificates/site/create \
    '{"policy":{"issuer":{"name":"Self"},"key_props":{"kty":"EC","crv":"P-256"},"x509_props":{"subject":"CN=site.test"}}}'
made() { ls_ | grep -q '^cert '; }
for ((i = 0; i < 50; i++)); do
    made && break
    sleep 0.1
done
says 'shows the certificate' "^cert +site +$(hex site) +- +- +[0-9-]+ to [0-9-]+$" ls_
says 'with its subject' '^ +CN=site\.test$' ls_
says 'and its key' "^private +site +$(hex site) +EC P-256 +sign" ls_
says 'whose identifiers are told' "\"identifier\": \"$url/certificates/site/[0-9a-f]{32}\"" ls_ --json
says 'shows only the token that is named' '^token dev ' ls_ dev
fails 'knows no other token' 'there is no token `prod`' ls_ prod
says 'prints JSON' "\"identifier\": \"$url/keys/web/[0-9a-f]{32}\"" ls_ --json
checks=$((checks + 1))
if ls_ | grep -qxF "    $(kvpkcs11 uri "$url/keys/web")"; then
    echo "PASS $client uri says the same as ls"
else
    failures=$((failures + 1))
    echo "FAIL $client uri does not say the same as ls"
fi
says 'uri finds the identifier again' "^$url/keys/code$" kvpkcs11 uri "$(kvpkcs11 uri "$url/keys/code")"
for uri in $(ls_ | sed -n 's/^    \(pkcs11:.*type=.*\)/\1/p'); do
    says "the identifier of $uri" "^$url/(keys/(web|code|site)|certificates/site)$" kvpkcs11 uri "$uri"
done

printf '[vault:dev]\nurl = https://127.0.0.1:9\ncredential = client-secret\nclient_id = a\nclient_secret = b\ntimeout = 2\n' >other.conf
chmod 600 other.conf
fails 'an unreachable vault is told' 'token dev: C_FindObjects.* answered CKR_' ls_ --config other.conf
printf '[vault:dev]\nurl = https://127.0.0.1:9\ncredential = client-secret\n' >other.conf
fails 'a vault without an identity is told' 'none of 1 vault can be used' ls_ --config other.conf
printf '[kvpkcs11]\ncache = no\n' >none.conf
fails 'no vault at all is told' 'no vault is configured' ls_ --config none.conf
