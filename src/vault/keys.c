/* SPDX-License-Identifier: MIT */
/* Operations on keys (wire reference, section 4): read, make; the rest is as for any entry. */
#include "vault/internal.h"

kvp_status kvp_key_path(const char *name, const char *version, const char *operation, char **ret,
                        kvp_error *reterr)
{
    return kvp_entry_path(KVP_KEYS, name, version, operation, ret, reterr);
}

kvp_status kvp_key_matches(const kvp_key *key, const char *name, const char *version,
                           kvp_error *reterr)
{
    return kvp_entry_matches(&key->entry, name, version, reterr);
}

/* A request that is answered with a key bundle. */
static kvp_status request_key(kvp_vault *vault, const char *method, const char *name,
                              const char *version, const char *operation, const kvp_buf *body,
                              kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    const kvp_entry_request request = { KVP_KEYS, method, name, version, operation, body };
    kvp_entry *entry = NULL;
    kvp_status st = kvp_vault_request_entry(vault, &request, trace, &entry, reterr);

    if (st == KVP_OK)
        *ret = (kvp_key *)entry;
    return st;
}

kvp_status kvp_vault_key_get(kvp_vault *vault, const char *name, const char *version,
                             kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    return request_key(vault, "GET", name, version, NULL, NULL, trace, ret, reterr);
}

kvp_status kvp_vault_key_create(kvp_vault *vault, const char *name, const kvp_key_create *create,
                                kvp_trace *trace, kvp_key **ret, kvp_error *reterr)
{
    kvp_buf body = KVP_BUF_INIT(0);
    kvp_status st = kvp_jwk_format_create(create, &body);

    if (st == KVP_OK)
        st = request_key(vault, "POST", name, NULL, "create", &body, trace, ret, reterr);
    else
        kvp_error_set(reterr, st, "a key like that cannot be asked for");
    kvp_buf_clear(&body);
    return st;
}
