# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# Which Debian packages each job needs, and how they are installed. Sourced by the other scripts.

build_packages="autoconf automake libtool make gcc libc6-dev pkg-config ca-certificates
    libp11-kit-dev libssl-dev libcurl4-openssl-dev libjansson-dev libinih-dev
    libsqlite3-dev libmicrohttpd-dev libgnutls28-dev"
story_packages="opensc openssl"
test_packages="check clang libclang-rt-14-dev binutils xz-utils valgrind libjemalloc2 curl procps softhsm2
    python3 python3-msal python3-isodate python3-requests python3-typing-extensions
    python3-cryptography-vectors"
client_packages="libengine-pkcs11-openssl openssh-client openssh-server git gnutls-bin libnss3-tools
    openjdk-17-jdk-headless p11-kit p11-kit-modules"

# npm_packages: what npm takes; nothing where it came with a nodejs that is not Debian's.
npm_packages() {
    command -v npm >/dev/null 2>&1 || echo nodejs npm
}

# host_packages: what knows `localhost` where no /etc/hosts does, as in a bare chroot.
host_packages() {
    getent hosts localhost >/dev/null 2>&1 || echo libnss-myhostname
}

# need_packages NAME...: install those that are missing; touches apt only if one is.
need_packages() {
    local missing="" name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
            missing="$missing $name"
    done
    [ -n "$missing" ] || return 0

    local as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null 2>&1; then
            as_root=sudo
        else
            printf 'These Debian packages are missing, and there is no sudo to install them with:\n\n' >&2
            printf '    apt-get install%s\n\nRun that as root, then run this script again.\n' "$missing" >&2
            return 1
        fi
    fi
    printf 'Installing from Debian:%s\n' "$missing"
    local log
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { $as_root apt-get -q update &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing; } \
        >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        printf 'The installation failed; what apt said stands above.\n' >&2
        return 1
    fi
    rm -f "$log"
}

# build_tree DIR [CONFIGURE-OPTION...]: (re)build the tree in DIR; quick when nothing changed.
build_tree() {
    local dir=$1
    shift
    if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ]; then
        (cd "$top" && autoreconf -fi) || return 1
    fi
    mkdir -p "$dir" || return 1
    if [ ! -f "$dir/Makefile" ]; then
        (cd "$dir" && "$top/configure" -q "$@") || return 1
    fi
    make -C "$dir" -s -j"$(nproc)"
}
