/* SPDX-License-Identifier: MIT */
/* Wrapping and unwrapping with every mechanism that wraps. */
#include "mech_fake.h"

#include <stdlib.h>
#include <string.h>

static CK_BYTE wrap_iv[12], wrap_aad[] = "aad";
static CK_GCM_WRAP_PARAMS gcm_wrap_params = {
    wrap_iv, sizeof(wrap_iv), 0, CKG_NO_GENERATE, wrap_aad, 3, 128
};

/* The mechanism with the parameter that it has for wrapping. */
static CK_MECHANISM *wrap_mechanism(CK_MECHANISM_TYPE type)
{
    static CK_MECHANISM gcm = { CKM_AES_GCM, &gcm_wrap_params, sizeof(gcm_wrap_params) };
    return type == CKM_AES_GCM ? &gcm : fake_mechanism(type);
}

static CK_RV wrap(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key,
                  CK_BYTE *out, CK_ULONG *len)
{
    return kvp_wrap_key(fake_enter(), &fake_session, mechanism, wrapping, key, NULL, out, len);
}

static CK_RV unwrap(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, const CK_BYTE *wrapped,
                    CK_ULONG len)
{
    CK_OBJECT_HANDLE made = 0;
    return kvp_unwrap_key(fake_enter(), &fake_session, mechanism, key, wrapped, len, NULL, 0, NULL,
                          &made);
}

START_TEST(what_is_wrapped_is_unwrapped)
{
    const kvp_mechanism *row = &kvp_mechanisms[_i];
    CK_BYTE wrapped[1024];
    const kvp_buf *value = &fake_object(FAKE_SESSION_AES_256)->value;
    if (!(row->flags & CKF_UNWRAP))
        return;

    unsigned keys = 0;
    for (CK_OBJECT_HANDLE key = 0; (key = fake_next_key(row, KVP_OPERATION_DECRYPT, key)) != 0;) {
        bool secret = fake_object(key)->class == CKO_SECRET_KEY;
        bool remote = fake_object(key)->in_vault;
        CK_ULONG len = 0;
        if (row->type == CKM_AES_GCM && remote) {
            ck_assert_rv(wrap(wrap_mechanism(row->type), key, FAKE_SESSION_AES_256, NULL, &len),
                         CKR_KEY_FUNCTION_NOT_PERMITTED);
            continue; /* the service wraps by AES-KW and KWP */
        }
        keys++;
        fake.requests = 0;
        ck_assert_rv(wrap(wrap_mechanism(row->type), secret ? key : key + FAKE_PUBLIC,
                          FAKE_SESSION_AES_256, NULL, &len),
                     CKR_OK);
        ck_assert_uint_eq(fake.requests, 0);
        CK_ULONG told = len--;
        ck_assert_rv(wrap(wrap_mechanism(row->type), secret ? key : key + FAKE_PUBLIC,
                          FAKE_SESSION_AES_256, wrapped, &len),
                     CKR_BUFFER_TOO_SMALL);
        ck_assert_uint_eq(len, told);
        ck_assert_rv(wrap(wrap_mechanism(row->type), secret ? key : key + FAKE_PUBLIC,
                          FAKE_SESSION_AES_256, wrapped, &len),
                     CKR_OK);
        ck_assert_uint_eq(len, told);
        ck_assert_str_eq(fake_call.operation, "WrapKey");
        if (!secret || !remote)
            ck_assert_uint_eq(fake.requests, 0);

        ck_assert_rv(unwrap(wrap_mechanism(row->type), key, wrapped, len), CKR_OK);
        ck_assert_uint_eq(fake_unwrapped.len, value->len);
        ck_assert_mem_eq(fake_unwrapped.data, value->data, value->len);
        ck_assert_str_eq(fake_call.operation, "UnwrapKey");
        if (remote)
            ck_assert_int_eq(fake.crypt, KVP_CRYPT_UNWRAP);

        wrapped[len / 2] ^= 1;
        CK_RV rv = unwrap(wrap_mechanism(row->type), key, wrapped, len);
        /* One flipped bit of CBC ciphertext garbles text but may leave the padding whole. */
        if (row->type != CKM_AES_CBC_PAD)
            ck_assert_rv(rv, CKR_WRAPPED_KEY_INVALID);
        /* GCM wraps any length: what was cut has another tag. */
        ck_assert_rv(unwrap(wrap_mechanism(row->type), key, wrapped, len - 1),
                     row->type == CKM_AES_GCM ? CKR_WRAPPED_KEY_INVALID
                                              : CKR_WRAPPED_KEY_LEN_RANGE);
    }
    ck_assert_msg(keys > 0, "%s was tried with no key", row->name);
}
END_TEST

/* C_WrapKeyAuthenticated: tag and IV are in the parameter, the associated data is an argument. */
START_TEST(a_wrapped_key_is_authenticated_with_more_than_itself)
{
    CK_BYTE iv[12] = { 0 }, zeros[12] = { 0 }, tag[16] = { 0 }, wrapped[64];
    CK_GCM_MESSAGE_PARAMS params = { iv, sizeof(iv), 0, CKG_GENERATE, tag, 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };
    const kvp_aad aad = { "who it is for", 13 }, other = { "somebody else", 13 };
    const kvp_buf *value = &fake_object(FAKE_SESSION_AES_192)->value;
    CK_ULONG len = sizeof(wrapped);
    CK_OBJECT_HANDLE made = 0;

    ck_assert_rv(kvp_wrap_key(fake_enter(), &fake_session, &mechanism, FAKE_SESSION_AES_256,
                              FAKE_SESSION_AES_192, &aad, wrapped, &len),
                 CKR_OK);
    ck_assert_uint_eq(len, value->len); /* the wrapped key alone */
    ck_assert_mem_ne(iv, zeros, sizeof(iv));
    ck_assert_rv(kvp_unwrap_key(fake_enter(), &fake_session, &mechanism, FAKE_SESSION_AES_256,
                                wrapped, len, NULL, 0, &aad, &made),
                 CKR_OK);
    ck_assert_uint_eq(fake_unwrapped.len, value->len);
    ck_assert_mem_eq(fake_unwrapped.data, value->data, value->len);
    ck_assert_rv(kvp_unwrap_key(fake_enter(), &fake_session, &mechanism, FAKE_SESSION_AES_256,
                                wrapped, len, NULL, 0, &other, &made),
                 CKR_WRAPPED_KEY_INVALID);
    ck_assert_rv(kvp_wrap_key(fake_enter(), &fake_session, fake_mechanism(CKM_AES_KEY_WRAP),
                              FAKE_SESSION_AES_256, FAKE_SESSION_AES_192, &aad, wrapped, &len),
                 CKR_MECHANISM_INVALID);
    ck_assert_rv(kvp_wrap_key(fake_enter(), &fake_session, &mechanism, FAKE_SESSION_AES_256,
                              FAKE_SESSION_AES_192, NULL, wrapped, &len),
                 CKR_MECHANISM_PARAM_INVALID);
    /* C_WrapKey has parameters of its own: that of 3.2, and that of C_EncryptInit. */
    CK_GCM_PARAMS older = { wrap_iv, sizeof(wrap_iv), 96, wrap_aad, 3, 128 };
    CK_MECHANISM by_older = { CKM_AES_GCM, &older, sizeof(older) };
    CK_BYTE same[64];
    CK_ULONG same_len = sizeof(same);
    len = sizeof(wrapped);
    ck_assert_rv(kvp_wrap_key(fake_enter(), &fake_session, &by_older, FAKE_SESSION_AES_256,
                              FAKE_SESSION_AES_192, NULL, wrapped, &len),
                 CKR_OK);
    ck_assert_rv(kvp_wrap_key(fake_enter(), &fake_session, wrap_mechanism(CKM_AES_GCM),
                              FAKE_SESSION_AES_256, FAKE_SESSION_AES_192, NULL, same, &same_len),
                 CKR_OK);
    ck_assert_uint_eq(len, value->len + 16);
    ck_assert_uint_eq(same_len, len);
    ck_assert_mem_eq(same, wrapped, len);
    ck_assert_rv(kvp_wrap_key(fake_enter(), &fake_session, wrap_mechanism(CKM_AES_GCM),
                              FAKE_SESSION_AES_256, FAKE_SESSION_AES_192, &aad, wrapped, &len),
                 CKR_MECHANISM_PARAM_INVALID);
}
END_TEST

START_TEST(a_key_that_may_only_decrypt_unwraps_by_decryption)
{
    CK_BYTE wrapped[256];
    CK_ULONG len = sizeof(wrapped);
    ck_assert_rv(wrap(fake_mechanism(CKM_RSA_PKCS), FAKE_PUBLIC + FAKE_RSA_2048,
                      FAKE_SESSION_AES_128, wrapped, &len),
                 CKR_OK);
    fake_object(FAKE_RSA_2048)->vault_key.ops = KVP_OP_DECRYPT;
    fake_object(FAKE_RSA_2048)->denied = CKA_UNWRAP;

    ck_assert_rv(unwrap(fake_mechanism(CKM_RSA_PKCS), FAKE_RSA_2048, wrapped, len), CKR_OK);
    ck_assert_int_eq(fake.crypt, KVP_CRYPT_DECRYPT);
}
END_TEST

START_TEST(wrapping_has_its_own_names_for_a_bad_key)
{
    CK_BYTE wrapped[512] = { 0 };
    CK_ULONG len = sizeof(wrapped);

    ck_assert_rv(wrap(fake_mechanism(CKM_RSA_PKCS), 98, FAKE_SESSION_AES_128, wrapped, &len),
                 CKR_WRAPPING_KEY_HANDLE_INVALID);
    ck_assert_rv(wrap(fake_mechanism(CKM_RSA_PKCS), FAKE_PUBLIC + FAKE_EC_P256,
                      FAKE_SESSION_AES_128, wrapped, &len),
                 CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
    ck_assert_rv(wrap(fake_mechanism(CKM_RSA_PKCS), FAKE_PUBLIC + FAKE_RSA_2048, 98, wrapped, &len),
                 CKR_KEY_HANDLE_INVALID);
    ck_assert_rv(wrap(fake_mechanism(CKM_RSA_PKCS), FAKE_PUBLIC + FAKE_RSA_2048, FAKE_HSM_AES_256,
                      wrapped, &len),
                 CKR_KEY_UNEXTRACTABLE);
    ck_assert_rv(wrap(fake_mechanism(CKM_RSA_PKCS), FAKE_PUBLIC + FAKE_RSA_2048, FAKE_RSA_3072,
                      wrapped, &len),
                 CKR_KEY_UNEXTRACTABLE);
    ck_assert_rv(wrap(fake_mechanism(CKM_RSA_PKCS), FAKE_PUBLIC + FAKE_RSA_2048, FAKE_CERTIFICATE,
                      wrapped, &len),
                 CKR_KEY_NOT_WRAPPABLE);
    fake_object(FAKE_SESSION_AES_192)->denied = CKA_EXTRACTABLE;
    ck_assert_rv(wrap(fake_mechanism(CKM_RSA_PKCS), FAKE_PUBLIC + FAKE_RSA_2048,
                      FAKE_SESSION_AES_192, wrapped, &len),
                 CKR_KEY_UNEXTRACTABLE);
    ck_assert_rv(wrap(fake_mechanism(CKM_AES_KEY_WRAP), FAKE_SESSION_AES_256, FAKE_SESSION_GENERIC,
                      wrapped, &len),
                 CKR_KEY_SIZE_RANGE);

    ck_assert_rv(unwrap(fake_mechanism(CKM_RSA_PKCS), 98, wrapped, 256),
                 CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    ck_assert_rv(unwrap(fake_mechanism(CKM_RSA_PKCS), FAKE_EC_P256, wrapped, 256),
                 CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT);
    ck_assert_rv(unwrap(fake_mechanism(CKM_ECDSA), FAKE_EC_P256, wrapped, 256),
                 CKR_MECHANISM_INVALID);
    ck_assert_rv(unwrap(fake_mechanism(CKM_RSA_PKCS), FAKE_RSA_2048, wrapped, 255),
                 CKR_WRAPPED_KEY_LEN_RANGE);
    ck_assert_uint_eq(fake.requests, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mech_wrap");
    TCase *tcase = tcase_create("wrapping");
    tcase_add_checked_fixture(tcase, fake_setup, fake_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, what_is_wrapped_is_unwrapped, 0, (int)kvp_mechanism_count);
    tcase_add_test(tcase, a_wrapped_key_is_authenticated_with_more_than_itself);
    tcase_add_test(tcase, a_key_that_may_only_decrypt_unwraps_by_decryption);
    tcase_add_test(tcase, wrapping_has_its_own_names_for_a_bad_key);
    suite_add_tcase(suite, tcase);
    fake_prepare();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
