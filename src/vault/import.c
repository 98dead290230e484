/* SPDX-License-Identifier: MIT */
/*
 * Putting something of the application's into the vault: keys by import (wire reference, section
 * 4.2), secrets and certificates (sections 6 and 7), and changing and deleting those two. The
 * bodies hold private parts and secrets: they are wiped.
 */
#include "vault/internal.h"
#include "base/alloc.h"

kvp_status kvp_vault_key_import(kvp_vault *vault, const char *name, const kvp_key_import *import,
                                kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf body = KVP_BUF_INIT_SECRET(0);
    KVP_CLEANUP(kvp_freep) char *path = NULL;
    KVP_CLEANUP(kvp_key_freep) kvp_key *key = NULL;
    kvp_call call;
    kvp_status st = kvp_jwk_format_import(import, &body);

    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "a key like that cannot be imported");
    st = kvp_key_path(name, NULL, NULL, &path, reterr);
    if (st == KVP_OK)
        st = kvp_call_begin(&call, vault, trace, reterr);
    if (st != KVP_OK)
        return st;
    st = kvp_call_path(&call, "PUT", path, &body, reterr);
    if (st == KVP_OK)
        st = kvp_jwk_parse_key((const char *)call.response.body.data, call.response.body.len, &key,
                               reterr);
    if (st == KVP_OK)
        st = kvp_key_matches(key, name, NULL, reterr);
    if (st == KVP_OK) {
        kvp_call_object(&call, key->id);
        *ret = KVP_STEAL(key);
    }
    kvp_call_end(&call);
    return st;
}
