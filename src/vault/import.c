/* SPDX-License-Identifier: MIT */
/*
 * Putting something of the application's into the vault: keys by import (wire reference, section
 * 4.2), secrets and certificates (sections 6 and 7); and changing and deleting those two. The
 * bodies hold private parts and secrets: they are wiped.
 */
#include "vault/internal.h"
#include "base/alloc.h"

kvp_status kvp_vault_key_import(kvp_vault *vault, const char *name, const kvp_key_import *import,
                                kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf body = KVP_BUF_INIT_SECRET(0);
    const kvp_entry_request request = { KVP_KEYS, "PUT", name, NULL, NULL, &body };
    kvp_entry *entry = NULL;
    kvp_status st = kvp_jwk_format_import(import, &body);

    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "a key like that cannot be imported");
    st = kvp_vault_request_entry(vault, &request, trace, &entry, reterr);
    if (st == KVP_OK)
        *ret = (kvp_key *)entry;
    return st;
}

/* ---- secrets ---- */

kvp_status kvp_vault_secret_set(kvp_vault *vault, const char *name, const kvp_secret_set *set,
                                kvp_trace *trace, kvp_secret **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf body = KVP_BUF_INIT_SECRET(0);
    const kvp_entry_request request = { KVP_SECRETS, "PUT", name, NULL, NULL, &body };
    kvp_entry *entry = NULL;
    kvp_status st = kvp_jwk_format_secret(set, &body);

    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "a secret like that cannot be stored");
    st = kvp_vault_request_entry(vault, &request, trace, &entry, reterr);
    if (st == KVP_OK)
        *ret = (kvp_secret *)entry;
    return st;
}

kvp_status kvp_vault_update(kvp_vault *vault, kvp_collection collection, const char *name,
                            const char *version, const kvp_key_update *update, kvp_trace *trace,
                            kvp_entry **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf body = KVP_BUF_INIT(0);
    const kvp_entry_request request = { collection, "PATCH", name, version, NULL, &body };
    kvp_status st = kvp_jwk_format_update(update, &body);

    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "a change like that cannot be asked for");
    return kvp_vault_request_entry(vault, &request, trace, ret, reterr);
}

kvp_status kvp_vault_delete(kvp_vault *vault, kvp_collection collection, const char *name,
                            kvp_trace *trace, kvp_error *reterr)
{
    const kvp_entry_request request = { collection, "DELETE", name, NULL, NULL, NULL };
    kvp_entry *entry = NULL;
    kvp_status st = kvp_vault_request_entry(vault, &request, trace, &entry, reterr);

    kvp_entry_free(entry);
    return st;
}

/* ---- certificates ---- */

static kvp_status post_certificate(kvp_vault *vault, const char *name, const char *operation,
                                   const kvp_buf *body, kvp_trace *trace, kvp_certificate **ret,
                                   kvp_error *reterr)
{
    const kvp_entry_request request = { KVP_CERTIFICATES, "POST", name, NULL, operation, body };
    kvp_entry *entry = NULL;
    kvp_status st = kvp_vault_request_entry(vault, &request, trace, &entry, reterr);

    if (st == KVP_OK)
        *ret = (kvp_certificate *)entry;
    return st;
}

kvp_status kvp_vault_certificate_import(kvp_vault *vault, const char *name,
                                        const kvp_certificate_import *import, kvp_trace *trace,
                                        kvp_certificate **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf body = KVP_BUF_INIT_SECRET(0);
    kvp_status st = kvp_jwk_format_certificate_import(import, &body);

    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "a certificate like that cannot be imported");
    return post_certificate(vault, name, "import", &body, trace, ret, reterr);
}

kvp_status kvp_vault_certificate_merge(kvp_vault *vault, const char *name,
                                       const kvp_certificate_merge *merge, kvp_trace *trace,
                                       kvp_certificate **ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_buf_clear) kvp_buf body = KVP_BUF_INIT(0);
    kvp_status st = kvp_jwk_format_merge(merge, &body);

    if (st != KVP_OK)
        return kvp_error_set(reterr, st, "a certificate like that cannot be merged");
    return post_certificate(vault, name, "pending/merge", &body, trace, ret, reterr);
}

kvp_status kvp_vault_certificate_pending(kvp_vault *vault, const char *name, kvp_trace *trace,
                                         kvp_certificate_pending *ret, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_freep) char *path = NULL;
    kvp_call call;
    kvp_status st = kvp_entry_path(KVP_CERTIFICATES, name, NULL, "pending", &path, reterr);

    if (st == KVP_OK)
        st = kvp_call_begin(&call, vault, trace, reterr);
    if (st != KVP_OK)
        return st;
    st = kvp_call_path(&call, "GET", path, NULL, reterr);
    if (st == KVP_OK)
        st = kvp_jwk_parse_pending((const char *)call.response.body.data, call.response.body.len,
                                   ret, reterr);
    kvp_call_end(&call);
    return st;
}
