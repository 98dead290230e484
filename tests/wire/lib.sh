# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# What the client runs share: one keyvaultd of each kind, in a directory of their own, ended with
# the script. Sourced with BUILD set.

set -uo pipefail

servers=() wire_dir=""

# begin: make the directory; `finish` clears away what was begun.
begin() {
    wire_dir=$(mktemp -d "${TMPDIR:-/tmp}/kvp-wire.XXXXXX") || exit 1
    trap finish EXIT
}

finish() {
    local pid
    for pid in "${servers[@]}"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$wire_dir"
}

# serve PART KIND: start a keyvaultd; its data is in $wire_dir/KIND, `url` says where it listens.
serve() {
    local part=$1 kind=$2
    "$BUILD/keyvaultd" --data "$wire_dir/$kind" --listen 127.0.0.1:0 --kind "$kind" \
        >"$wire_dir/$kind.ready" 2>"$wire_dir/$kind.log" &
    servers+=($!)
    for _ in $(seq 200); do
        [ ! -s "$wire_dir/$kind.ready" ] || break
        sleep 0.05
    done
    url=$(sed -n 's/^ready //p' "$wire_dir/$kind.ready")
    if [ -z "$url" ]; then
        echo "FAIL $part keyvaultd --kind $kind did not start: $(tail -n 1 "$wire_dir/$kind.log")"
        return 1
    fi
}
