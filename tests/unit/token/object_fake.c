/* SPDX-License-Identifier: MIT */
/* The token of object_fake.h, and what a test asks of it. The vault is object_fake_vault.c. */
#include "tests/unit/token/object_fake.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "token/find_plan.h"

#include <check.h>
#include <string.h>

static void open_session(kvp_session *session, kvp_slot *slot, CK_SESSION_HANDLE handle,
                         CK_FLAGS flags)
{
    session->handle = handle;
    session->slot = slot;
    session->flags = CKF_SERIAL_SESSION | flags;
    ck_assert_int_eq(kvp_lock_init(&session->lock, KVP_RANK_SESSION), KVP_OK);
}

fake_token *fake_new(bool hsm)
{
    fake_token *token = kvp_calloc(1, sizeof(*token));
    ck_assert_ptr_nonnull(token);
    kvp_clock_freeze(1000000, (int64_t)FAKE_START_S * 1000000);
    token->config.name = kvp_strdup("test");
    token->config.url = kvp_strdup(FAKE_URL);
    token->config.managed_hsm = hsm;
    token->slot.config = &token->config;
    token->slot.vault = fake_vault;
    ck_assert_int_eq(kvp_lock_init(&token->slot.lock, KVP_RANK_SLOT), KVP_OK);
    token->slot.objects = kvp_object_store_new(&token->slot);
    ck_assert_ptr_nonnull(token->slot.objects);
    open_session(&token->session, &token->slot, 1, CKF_RW_SESSION);
    open_session(&token->reader, &token->slot, 2, 0);
    fake_reset();
    return token;
}

void fake_free(fake_token *token)
{
    for (size_t i = 0; i < KVP_OPERATION_COUNT; i++)
        ck_assert_ptr_null(token->session.operations[i]);
    kvp_object_store_free(token->slot.objects);
    kvp_lock_clear(&token->session.lock);
    kvp_lock_clear(&token->reader.lock);
    kvp_lock_clear(&token->slot.lock);
    kvp_free(token->config.name);
    kvp_free(token->config.url);
    kvp_free(token->config.credential);
    kvp_free(token);
    fake_vault_clear();
}

kvp_call fake_call(void)
{
    kvp_call call;
    memset(&call, 0, sizeof(call));
    return call;
}

void fake_reset(void)
{
    memset(&fake_requests, 0, sizeof(fake_requests));
}

unsigned fake_total(void)
{
    return fake_requests.gets + fake_requests.lists + fake_requests.creates + fake_requests.imports +
           fake_requests.updates + fake_requests.deletes;
}

void fake_sleep(int64_t ms)
{
    kvp_clock_sleep_ms(ms);
}

size_t fake_find(fake_token *token, const CK_ATTRIBUTE *attrs, CK_ULONG count,
                 CK_OBJECT_HANDLE *ret, size_t max)
{
    kvp_call call = fake_call();
    CK_ULONG found = 0;
    ck_assert_rv(kvp_find_init(&call, &token->session, attrs, count), CKR_OK);
    ck_assert_rv(kvp_find_next(&call, &token->session, ret, max, &found), CKR_OK);
    ck_assert_rv(kvp_find_final(&call, &token->session), CKR_OK);
    return found;
}

CK_OBJECT_HANDLE fake_find_one(fake_token *token, CK_OBJECT_CLASS cls, const char *label)
{
    CK_OBJECT_HANDLE handles[4];
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, cls),
                             ATTR_BYTES(CKA_LABEL, label, strlen(label)) };
    ck_assert_uint_eq(fake_find(token, attrs, 2, handles, 4), 1);
    return handles[0];
}

size_t fake_get(fake_token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, void *ret,
                size_t size)
{
    kvp_call call = fake_call();
    CK_ATTRIBUTE attr = { type, ret, size };
    ck_assert_rv(kvp_object_get_attributes(&call, &token->session, handle, &attr, 1), CKR_OK);
    return attr.ulValueLen;
}

CK_RV fake_get_rv(fake_token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type)
{
    uint8_t buffer[4096];
    kvp_call call = fake_call();
    CK_ATTRIBUTE attr = { type, buffer, sizeof(buffer) };
    return kvp_object_get_attributes(&call, &token->session, handle, &attr, 1);
}

bool fake_get_bool(fake_token *token, CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value = 0xff;
    ck_assert_uint_eq(fake_get(token, handle, type, &value, sizeof(value)), 1);
    ck_assert(value == CK_TRUE || value == CK_FALSE);
    return value == CK_TRUE;
}
