# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# What the scripts of the companion command share: those of the clients (a fresh keyvaultd, the
# module, assertions), the command itself, and the vault's REST interface by curl.
. "$(dirname "${BASH_SOURCE[0]}")/../clients/lib.sh"

kvpkcs11() { "$BUILD/kvpkcs11" "$@"; }

# setting NAME: its value in the configuration that keyvaultd wrote.
setting() { sed -n "s/^$1 *= *//p" "$dir/vault/kvpkcs11.conf" | head -n 1; }

# token: an access token of the administrator's.
token() {
    curl -sS --fail --cacert "$dir/vault/ca.pem" "$url/$(setting tenant)/oauth2/v2.0/token" \
        --data-urlencode "client_id=$(setting client_id)" \
        --data-urlencode "client_secret=$(setting client_secret)" \
        -d grant_type=client_credentials --data-urlencode "scope=$url/.default" |
        sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p'
}

# rest METHOD PATH [BODY]: one request with that token; the answer goes to standard output.
rest() {
    curl -sS --fail --cacert "$dir/vault/ca.pem" -X "$1" "$url$2?api-version=7.4" \
        -H "Authorization: Bearer $(token)" -H 'Content-Type: application/json' -d "${3-}"
}

# needs_module: end the script, saying so, where the module was not built.
needs_module() {
    if ! [ -f "$module" ]; then
        echo "SKIP $client the module is not built"
        exit 0
    fi
}

# silent NAME PATTERN COMMAND...: whatever the command's result, it must not print PATTERN.
silent() {
    local name=$1 pattern=$2
    shift 2
    checks=$((checks + 1))
    "$@" >out 2>&1
    if [ -s out ] && ! grep -qF -- "$pattern" out; then
        echo "PASS $client $name"
    else
        failures=$((failures + 1))
        echo "FAIL $client $name: $* (printed $pattern, or nothing)"
    fi
}
