# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What the client scripts share: a fresh keyvaultd, the module, and assertions that name what failed.
# A script is started by tests/clients/run with BUILD set; it sources this file and calls `begin`.

set -uo pipefail

client=$(basename "$0" .sh)
pages=$(cd "$(dirname "$0")/../../docs/clients" && pwd)
checks=0 failures=0
background=() # processes that end with the script

# begin [KIND]: start a vault in a directory of its own; the script's working directory is beside it.
# KVP_CLIENTS_AS=read-only forbids writing in the configuration; KVP_CLIENTS_AS=p11-kit puts p11-kit's
# server between, and `module` is its client.
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
    client=$client${KVP_CLIENTS_AS:+-$KVP_CLIENTS_AS}
    case ${KVP_CLIENTS_AS-} in
    '') ;;
    read-only) sed -i 's/^\[vault:.*/&\nread_only = yes/' "$KVPKCS11_CONF" ;;
    p11-kit)
        mkdir -m 0700 run
        export XDG_RUNTIME_DIR=$dir/run
        eval "$(p11-kit server --sh --provider "$module" pkcs11:token=dev)"
        background+=("$P11_KIT_SERVER_PID")
        module=$(echo /usr/lib/*/pkcs11/p11-kit-client.so)
        ;;
    *)
        echo "FAIL $client KVP_CLIENTS_AS=$KVP_CLIENTS_AS is neither read-only nor p11-kit"
        exit 1
        ;;
    esac
    export MODULE=$module
}

# show_secrets: data objects are shown, too.
show_secrets() {
    sed -i 's/^\[vault:.*/&\nsecrets = yes/' "$KVPKCS11_CONF"
}

finish() {
    [ ${#background[@]} -eq 0 ] || kill "${background[@]}" 2>/dev/null
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

# authority: a certification authority of OpenSSL's, in ca.pem and ca.crt.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout ca.pem -days 30 \
        -subj '/CN=Test CA' -out ca.crt 2>/dev/null
}

# certificate NAME rsa|ec [SUBJECT [EXTENSION...]]: a key and its certificate by that authority are
# imported into the vault; NAME.crt is the certificate, NAME.pub the public key, no private key stays.
certificate() {
    local name=$1 key=(rsa:2048) subject=${3:-/CN=$1} extensions=()
    [ "$2" = rsa ] || key=(ec -pkeyopt ec_paramgen_curve:P-256)
    shift $(($# < 3 ? $# : 3))
    while [ $# -gt 0 ]; do
        extensions+=(-addext "$1")
        shift
    done
    openssl req -newkey "${key[@]}" -noenc -keyout "$name.key" -subj "$subject" "${extensions[@]}" \
        -out "$name.req" 2>/dev/null &&
        openssl x509 -req -in "$name.req" -CA ca.crt -CAkey ca.pem -days 30 -copy_extensions copyall \
            -out "$name.crt" 2>/dev/null &&
        openssl x509 -in "$name.crt" -noout -pubkey >"$name.pub" &&
        openssl pkcs8 -topk8 -nocrypt -in "$name.key" | cat - "$name.crt" ca.crt >"$name.pem" &&
        "$BUILD/keyvaultd" --data vault certificate import "$name" "$name.pem" >/dev/null &&
        rm "$name.key" "$name.req" "$name.pem"
}

# vault_key NAME rsa|ec|CURVE: a key is made in the vault.
vault_key() {
    local type=(--kty EC --crv "$2")
    case $2 in
    rsa) type=(--kty RSA --size 2048) ;;
    ec) type=(--kty EC --crv P-256) ;;
    esac
    "$BUILD/keyvaultd" --data vault key create "$1" "${type[@]}" >/dev/null
}

# port: a free TCP port of the loopback address.
port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# await SECONDS COMMAND...: until the command succeeds.
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

# page NAME: run the ```sh blocks of docs/clients/NAME.md, each a check; what one exports, the next
# ones have. They find MODULE, the path of the module, in the environment, and PORT, a free port; a
# block that leaves something behind in the background is over when PORT is served.
page() {
    local count i
    export PORT
    PORT=$(port)
    count=$(awk '
        /^```sh$/ { n++; inside = 1; next }
        /^```$/ { inside = 0 }
        inside { print > ("page." n) }
        END { print n + 0 }' "$pages/$1.md")
    : >page.env
    for ((i = 1; i <= count; i++)); do
        : >page.jobs
        ok "docs/clients/$1.md: $(head -n 1 page.$i)" \
            timeout 60 bash -euo pipefail -c '. ./page.env; . "./$1"; jobs -p >page.jobs; export -p >page.env' \
            bash page.$i
        if [ -s page.jobs ]; then
            mapfile -t -O ${#background[@]} background <page.jobs
            await 10 served "$PORT"
        fi
    done
    [ "$count" -gt 0 ] || ok "docs/clients/$1.md has commands" false
}

# served PORT: does somebody listen there?
served() {
    (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
