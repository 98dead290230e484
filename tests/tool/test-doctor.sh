#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kvpkcs11 doctor against keyvaultd: everything well, then one thing after the other broken.
. "$(dirname "$0")/lib.sh"
begin

doctor() { kvpkcs11 doctor --module "$module" "$@"; }

# broken NAME PATTERN SED-EXPRESSION [OPTION...]: a configuration that is changed so must fail so.
broken() {
    local name=$1 pattern=$2 change=$3
    shift 3
    sed -e "$change" "$dir/vault/kvpkcs11.conf" >"$dir/vault/broken.conf"
    chmod 600 "$dir/vault/broken.conf"
    fails "$name" "$pattern" doctor --config "$dir/vault/broken.conf" "$@"
}

# ok_step TEXT: the line of a step that is well, in what doctor said about a sound set-up.
ok_step() {
    checks=$((checks + 1))
    if grep -qE "^ok    $1" sound; then
        echo "PASS $client says ok: $1"
    else
        failures=$((failures + 1))
        echo "FAIL $client does not say ok: $1"
        sed 's/^/    | /' sound
    fi
}

ok 'creates a key' rest POST /keys/k1/create '{"kty":"EC","crv":"P-256"}'
doctor >sound 2>&1
for step in 'configuration: .*/vault/kvpkcs11.conf: 1 vault' 'audit: .* can be written' 'log: .* can be written'; do
    ok_step "$step"
done
for step in 'url: https://127.0.0.1' 'dns: 127.0.0.1' 'tcp: connected' 'tls: the certificate is trusted' \
    'challenge: tenant' 'token: credential = client-secret: good for' 'list: 1 key' 'get: key k1 can be read'; do
    ok_step "dev: $step"
done
if [ -f "$module" ]; then
    ok_step 'module: .*/libkvpkcs11.so can be loaded'
    ok_step 'module: .*PKCS#11 '
    ok_step 'slots: 1 token is shown'
    ok 'all is well' doctor
    says 'and the sum says so' '^[0-9]+ ok, 0 warnings, 0 failed$' doctor dev
fi
silent 'does not show the secret' "$(setting client_secret)" doctor --verbose
silent 'does not show the secret in JSON' "$(setting client_secret)" doctor --json

broken 'a wrong secret' '^FAIL  dev: token: .*AADSTS7000215' 's/^client_secret = .*/client_secret = wrong/'
broken 'an unknown application' '^FAIL  dev: token: .*AADSTS700016' \
    's/^client_id = .*/client_id = 00000000-0000-0000-0000-000000000000/'
broken 'no authority for the certificate' '^FAIL  dev: tls: ' '/^ca_file/d'
broken 'the certificate that is not trusted is described' 'issued by .*keyvaultd authority' '/^ca_file/d'
broken 'a file that is not there' '^FAIL  dev: ca_file: .*No such file' 's/^ca_file = .*/ca_file = nothing.pem/'
broken 'an unknown setting' '^FAIL  configuration: .*:[0-9]+: unknown setting colour' 's/^ca_file/colour = red\n&/'
broken 'no such vault' 'no usable section \[vault:prod\]' '' prod

chmod 644 "$dir/vault/broken.conf"
fails 'a configuration with a secret that others may read' '^FAIL  configuration: .*0600' \
    doctor --config "$dir/vault/broken.conf"

"$BUILD/keyvaultd" --data vault principal add outsider --role 'Key Vault Secrets User' >outsider 2>&1 ||
    cat outsider
id=$(sed -n 's/.*client_id[^0-9a-f]*\([0-9a-f-]\{36\}\).*/\1/p' outsider | head -n 1)
secret=$(sed -n 's/.*client_secret[ =:]*\(.*\)$/\1/p' outsider | head -n 1)
broken 'an identity that may not list keys' '^FAIL  dev: list: .*HTTP 403' \
    "s/^client_id = .*/client_id = $id/;s/^client_secret = .*/client_secret = $secret/"
broken 'and which role it needs' 'Key Vault Crypto User' \
    "s/^client_id = .*/client_id = $id/;s/^client_secret = .*/client_secret = $secret/"

kill "$daemon"
wait "$daemon" 2>/dev/null
daemon=
fails 'a vault that is not running' '^FAIL  dev: tcp: ' doctor
