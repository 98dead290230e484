/* SPDX-License-Identifier: MIT */
/* Objects of the token: templates, finding and reading them, the references that the store keeps of
 * them, and their end. */
#include "vaultd/token_internal.h"

#include "base/alloc.h"
#include "vaultd/note.h"

#include <string.h>

#define MARK                                                                                       \
    "KVPTOKEN1:" /* before the CKA_ID in the store; no PKCS#8 and no symmetric key begins so */
#define MARK_LEN (sizeof(MARK) - 1)
#define OBJECTS_MAX 8 /* of one id: there are two */

void kvp_token_add(kvp_token_template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    t->items[t->count++] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
}

void kvp_token_add_flag(kvp_token_template *t, CK_ATTRIBUTE_TYPE type, bool value)
{
    static const CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

    kvp_token_add(t, type, value ? &yes : &no, sizeof(CK_BBOOL));
}

static CK_RV search(const kvp_token *token, CK_SESSION_HANDLE session, kvp_token_template *t,
                    CK_OBJECT_HANDLE *ret, CK_ULONG max, CK_ULONG *ret_count)
{
    CK_FUNCTION_LIST *f = kvp_token_functions(token);
    CK_RV rv = f->C_FindObjectsInit(session, t->items, t->count);

    *ret_count = 0;
    if (rv != CKR_OK)
        return rv;
    rv = f->C_FindObjects(session, ret, max, ret_count);
    f->C_FindObjectsFinal(session);
    return rv;
}

CK_OBJECT_HANDLE kvp_token_find(const kvp_token *token, CK_SESSION_HANDLE session,
                                CK_OBJECT_CLASS class, const CK_KEY_TYPE *type, const uint8_t *id,
                                CK_RV *ret_rv)
{
    kvp_token_template t = { .count = 0 };
    CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
    CK_ULONG count = 0;

    kvp_token_add(&t, CKA_CLASS, &class, sizeof(class));
    kvp_token_add(&t, CKA_ID, id, KVP_TOKEN_ID);
    if (type)
        kvp_token_add(&t, CKA_KEY_TYPE, type, sizeof(*type));
    *ret_rv = search(token, session, &t, &found, 1, &count);
    return *ret_rv == CKR_OK && count == 1 ? found : CK_INVALID_HANDLE;
}

CK_RV kvp_token_read(const kvp_token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                     CK_ATTRIBUTE_TYPE type, kvp_buf *ret)
{
    uint8_t value[1024];
    CK_ATTRIBUTE attribute = { type, value, sizeof(value) };
    CK_RV rv = kvp_token_functions(token)->C_GetAttributeValue(session, object, &attribute, 1);

    if (rv == CKR_OK && kvp_buf_append(ret, value, attribute.ulValueLen) != KVP_OK)
        rv = CKR_HOST_MEMORY;
    return rv;
}

kvp_status kvp_token_save(const kvp_token_key *in_token, kvp_buf *ret)
{
    kvp_status status = kvp_buf_append(ret, MARK, MARK_LEN);

    return status == KVP_OK ? kvp_buf_append(ret, in_token->id, KVP_TOKEN_ID) : status;
}

const uint8_t *kvp_token_reference_id(const void *data, size_t len)
{
    return kvp_token_is_reference(data, len) ? (const uint8_t *)data + MARK_LEN : NULL;
}

bool kvp_token_is_reference(const void *data, size_t len)
{
    return len == MARK_LEN + KVP_TOKEN_ID && memcmp(data, MARK, MARK_LEN) == 0;
}

void kvp_token_key_free(kvp_token_key *in_token)
{
    kvp_free(in_token);
}

static kvp_status destroy(kvp_token *token, const uint8_t *id, kvp_error *reterr)
{
    CK_OBJECT_HANDLE objects[OBJECTS_MAX];
    kvp_token_template t = { .count = 0 };
    CK_SESSION_HANDLE session;
    CK_ULONG count = 0;
    kvp_status status = kvp_token_take(token, &session, reterr);

    if (status != KVP_OK)
        return status;
    kvp_token_add(&t, CKA_ID, id, KVP_TOKEN_ID);
    CK_RV rv = search(token, session, &t, objects, OBJECTS_MAX, &count);
    for (CK_ULONG i = 0; i < count && rv == CKR_OK; i++)
        rv = kvp_token_functions(token)->C_DestroyObject(session, objects[i]);
    kvp_token_give(token, session, rv);
    return rv == CKR_OK ? KVP_OK : kvp_token_failed(reterr, "destroying a key", rv);
}

kvp_status kvp_token_destroy(kvp_token *token, const void *data, size_t len, kvp_error *reterr)
{
    const uint8_t *id = kvp_token_reference_id(data, len);

    if (!token || !id)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "no reference to a key of the token");
    return destroy(token, id, reterr);
}

void kvp_token_discard(const kvp_engine_key *key)
{
    kvp_error error = { .status = KVP_OK };

    if (key->in_token && destroy(key->in_token->token, key->in_token->id, &error) != KVP_OK)
        kvp_note("a key that is not used stays in the token: %s", error.message);
}
