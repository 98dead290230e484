#!/bin/sh
# SPDX-License-Identifier: MIT
# The module exports the three entry points of the standard and nothing else, and asks for nothing
# that libc allocates for us to free (src/base/alloc.h).
module=${KVPKCS11_MODULE:-.libs/libkvpkcs11.so}
status=0

exported=$(nm -D --defined-only "$module" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort | tr '\n' ' ')
if [ "$exported" != "C_GetFunctionList C_GetInterface C_GetInterfaceList " ]; then
    echo "$module exports: $exported"
    status=1
fi

for forbidden in strdup strndup __strdup __strndup asprintf vasprintf __asprintf_chk __vasprintf_chk getline \
    getdelim __getdelim realpath __realpath_chk open_memstream setlocale signal sigaction exit system popen \
    fork curl_global_cleanup; do
    if nm -D --undefined-only "$module" | awk '{ sub(/@.*/, "", $2); print $2 }' | grep -qx "$forbidden"; then
        echo "$module uses $forbidden"
        status=1
    fi
done

if ! readelf -d "$module" | grep -q NODELETE; then
    echo "$module can be unloaded"
    status=1
fi
exit $status
