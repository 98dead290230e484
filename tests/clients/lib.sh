# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What the client scripts share: a fresh keyvaultd, the module, and assertions that name what failed.
# A script is started by tests/clients/run with BUILD set; it sources this file and calls `begin`.

set -uo pipefail

client=$(basename "$0" .sh)
checks=0 failures=0

# begin [KIND]: start a vault in a directory of its own; the script's working directory is beside it.
begin() {
    dir=$(mktemp -d "${TMPDIR:-/tmp}/kvp-client.XXXXXX")
    cd "$dir" || exit 1
    trap finish EXIT
    module=$BUILD/.libs/libkvpkcs11.so
    "$BUILD/keyvaultd" --data vault --listen 127.0.0.1:0 --kind "${1:-vault}" >ready 2>keyvaultd.log &
    daemon=$!
    for _ in $(seq 200); do
        [ ! -s ready ] || break
        sleep 0.05
    done
    if ! [ -s ready ]; then
        cat keyvaultd.log
        echo "FAIL $client keyvaultd did not start"
        exit 1
    fi
    url=$(sed 's/^ready //' ready)
    export KVPKCS11_CONF=$dir/vault/kvpkcs11.conf
}

# show_secrets: data objects are shown, too.
show_secrets() {
    sed -i 's/^\[vault:.*/&\nsecrets = yes/' "$KVPKCS11_CONF"
}

finish() {
    if [ -n "${daemon-}" ]; then
        kill "$daemon" 2>/dev/null
        wait "$daemon" 2>/dev/null
    fi
    if [ "$failures" -gt 0 ]; then
        echo "--- the module's log:"
        cat "$dir/vault/kvpkcs11.log" 2>/dev/null
    fi
    cd / && rm -rf "$dir"
    printf '%s: %d checks, %d failed\n' "$client" "$checks" "$failures"
    [ "$failures" -eq 0 ]
    exit
}

# ok NAME COMMAND...: the command must succeed.
ok() {
    local name=$1
    shift
    checks=$((checks + 1))
    if "$@" >out 2>&1; then
        echo "PASS $client $name"
    else
        failures=$((failures + 1))
        echo "FAIL $client $name: $*"
        sed 's/^/    | /' out
    fi
}

# fails NAME PATTERN COMMAND...: the command must fail, and say PATTERN.
fails() {
    local name=$1 pattern=$2
    shift 2
    checks=$((checks + 1))
    if ! "$@" >out 2>&1 && grep -qE "$pattern" out; then
        echo "PASS $client $name"
    else
        failures=$((failures + 1))
        echo "FAIL $client $name: $* (should have failed with $pattern)"
        sed 's/^/    | /' out
    fi
}

# says NAME PATTERN COMMAND...: the command must succeed and print PATTERN.
says() {
    local name=$1 pattern=$2
    shift 2
    checks=$((checks + 1))
    if "$@" >out 2>&1 && grep -qE -- "$pattern" out; then
        echo "PASS $client $name"
    else
        failures=$((failures + 1))
        echo "FAIL $client $name: $* (should have printed $pattern)"
        sed 's/^/    | /' out
    fi
}

hex() {
    printf %s "$1" | od -An -tx1 | tr -d ' \n'
}
