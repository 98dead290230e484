/* SPDX-License-Identifier: MIT */
/* The token's keys and objects, the session and its call; the vault's side is mech_fake_vault.c. */
#include "mech_fake.h"

#include "base/alloc.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

kvp_config_vault fake_config;
kvp_slot fake_slot;
kvp_session fake_session;
kvp_call fake_call;
kvp_buf fake_unwrapped;
static kvp_object *objects[FAKE_HANDLE_END];
static EVP_PKEY *pkeys[FAKE_KEY_END];

static const struct {
    fake_key key;
    unsigned rsa_bits;
    kvp_curve curve;
} key_rows[] = {
    { FAKE_RSA_2048, 2048, KVP_CURVE_NONE }, { FAKE_RSA_3072, 3072, KVP_CURVE_NONE },
    { FAKE_EC_P256, 0, KVP_CURVE_P256 },     { FAKE_EC_P384, 0, KVP_CURVE_P384 },
    { FAKE_EC_P521, 0, KVP_CURVE_P521 },     { FAKE_EC_P256K, 0, KVP_CURVE_P256K },
};

static const struct {
    fake_key key;
    CK_KEY_TYPE type;
    unsigned len, told_bits;
    bool in_vault;
} secret_rows[] = {
    { FAKE_HSM_AES_128, CKK_AES, 16, 128, true },
    { FAKE_HSM_AES_192, CKK_AES, 24, 192, true },
    { FAKE_HSM_AES_256, CKK_AES, 32, 256, true },
    { FAKE_HSM_UNSIZED, CKK_AES, 24, 0, true },
    { FAKE_SESSION_AES_128, CKK_AES, 16, 128, false },
    { FAKE_SESSION_AES_192, CKK_AES, 24, 192, false },
    { FAKE_SESSION_AES_256, CKK_AES, 32, 256, false },
    { FAKE_SESSION_GENERIC, CKK_GENERIC_SECRET, 20, 160, false },
};

static kvp_public_key *public_of(EVP_PKEY *pkey, kvp_curve curve)
{
    kvp_public_key *key = NULL;
    uint8_t a[512], b[512];
    BIGNUM *x = NULL, *y = NULL;
    if (curve == KVP_CURVE_NONE) {
        ck_assert_int_eq(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &x), 1);
        ck_assert_int_eq(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &y), 1);
        int n_len = BN_bn2bin(x, a), e_len = BN_bn2bin(y, b);
        ck_assert_int_eq(kvp_public_key_from_rsa(a, (size_t)n_len, b, (size_t)e_len, &key, NULL),
                         KVP_OK);
    } else {
        int width = (int)kvp_curves[curve].coordinate_len;
        ck_assert_int_eq(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x), 1);
        ck_assert_int_eq(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y), 1);
        BN_bn2binpad(x, a, width);
        BN_bn2binpad(y, b, width);
        ck_assert_int_eq(kvp_public_key_from_ec(curve, a, b, &key, NULL), KVP_OK);
    }
    BN_free(x);
    BN_free(y);
    return key;
}

static kvp_object *object_new(CK_OBJECT_HANDLE handle, CK_OBJECT_CLASS class, CK_KEY_TYPE type,
                              CK_ULONG bits)
{
    kvp_object *object = kvp_calloc(1, sizeof(*object));
    ck_assert_ptr_nonnull(object);
    object->refs = 1;
    object->class = class;
    object->type = type;
    object->bits = bits;
    object->denied = CK_UNAVAILABLE_INFORMATION;
    objects[handle] = object;
    return object;
}

static void put_in_vault(kvp_object *object, CK_OBJECT_HANDLE handle, kvp_kty kty)
{
    object->in_vault = true;
    object->vault_key.name = kvp_asprintf("key%lu", handle);
    object->vault_key.version = kvp_strdup("0123456789abcdef0123456789abcdef");
    object->vault_key.id = kvp_asprintf("https://vault.test/keys/key%lu/%s", handle,
                                        "0123456789abcdef0123456789abcdef");
    object->vault_key.kty = kty;
    object->vault_key.ops =
        KVP_OP_SIGN | KVP_OP_VERIFY | KVP_OP_ENCRYPT | KVP_OP_DECRYPT | KVP_OP_WRAP | KVP_OP_UNWRAP;
}

void fake_prepare(void)
{
    for (size_t row = 0; row < KVP_ARRAY_LEN(key_rows); row++) {
        kvp_curve curve = key_rows[row].curve;
        pkeys[key_rows[row].key] = curve ? EVP_EC_gen(kvp_curves[curve].openssl_name)
                                         : EVP_RSA_gen(key_rows[row].rsa_bits);
    }
}

static void make_pair(size_t row)
{
    fake_key key = key_rows[row].key;
    kvp_curve curve = key_rows[row].curve;
    CK_KEY_TYPE type = curve ? CKK_EC : CKK_RSA;
    CK_ULONG bits = curve ? kvp_curves[curve].bits : key_rows[row].rsa_bits;
    ck_assert_ptr_nonnull(pkeys[key]);
    for (int public = 0; public < 2; public ++) {
        CK_OBJECT_HANDLE handle = key + (public ? FAKE_PUBLIC : 0);
        kvp_object *object =
            object_new(handle, public ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY, type, bits);
        object->curve = curve;
        object->pkey = pkeys[key];
        object->public_key = public_of(pkeys[key], curve);
        put_in_vault(object, handle, curve ? KVP_KTY_EC : KVP_KTY_RSA);
    }
}

static void make_secret(size_t row)
{
    kvp_object *object = object_new(secret_rows[row].key, CKO_SECRET_KEY, secret_rows[row].type,
                                    secret_rows[row].told_bits);
    object->value.secret = true;
    for (unsigned i = 0; i < secret_rows[row].len; i++) {
        uint8_t byte = (uint8_t)(i * 7 + row);
        ck_assert_int_eq(kvp_buf_append(&object->value, &byte, 1), KVP_OK);
    }
    if (secret_rows[row].in_vault)
        put_in_vault(object, secret_rows[row].key, KVP_KTY_OCT);
}

void fake_setup(void)
{
    fake_config = (kvp_config_vault){ .managed_hsm = true };
    fake_slot = (kvp_slot){ .config = &fake_config, .vault = (kvp_vault *)&fake };
    memset(&fake_session, 0, sizeof(fake_session));
    fake_session.slot = &fake_slot;
    ck_assert_int_eq(kvp_lock_init(&fake_session.lock, KVP_RANK_SESSION), KVP_OK);
    for (size_t i = 0; i < KVP_ARRAY_LEN(key_rows); i++)
        make_pair(i);
    for (size_t i = 0; i < KVP_ARRAY_LEN(secret_rows); i++)
        make_secret(i);
    object_new(FAKE_CERTIFICATE, CKO_CERTIFICATE, CK_UNAVAILABLE_INFORMATION, 0);
    fake_enter();
}

static void object_free(kvp_object *object)
{
    kvp_free(object->vault_key.id);
    kvp_free(object->vault_key.name);
    kvp_free(object->vault_key.version);
    kvp_public_key_free(object->public_key);
    kvp_buf_clear(&object->value);
    kvp_free(object);
}

void fake_teardown(void)
{
    for (size_t i = 0; i < KVP_OPERATION_COUNT; i++)
        kvp_operation_cancel(&fake_session, (kvp_operation_kind)i, KVP_ANY_OPERATION);
    for (size_t i = 0; i < FAKE_HANDLE_END; i++) {
        if (!objects[i])
            continue;
        ck_assert_msg(objects[i]->refs == 1, "object %zu has %u references", i, objects[i]->refs);
        object_free(objects[i]);
        objects[i] = NULL;
    }
    kvp_lock_clear(&fake_session.lock);
    kvp_buf_clear(&fake_unwrapped);
    memset(&fake, 0, sizeof(fake));
}

kvp_object *fake_object(CK_OBJECT_HANDLE handle)
{
    return handle < FAKE_HANDLE_END ? objects[handle] : NULL;
}

kvp_call *fake_enter(void)
{
    memset(&fake_call, 0, sizeof(fake_call));
    fake_call.function = "C_Test";
    fake_call.slot = &fake_slot;
    return &fake_call;
}

CK_MECHANISM *fake_mechanism(CK_MECHANISM_TYPE type)
{
    static CK_MECHANISM mechanism;
    static CK_RSA_PKCS_PSS_PARAMS pss;
    static CK_RSA_PKCS_OAEP_PARAMS oaep;
    static CK_BYTE iv[16] = { 1, 2, 3 };
    static CK_GCM_PARAMS gcm;
    mechanism = (CK_MECHANISM){ type, NULL, 0 };
    switch (type) {
    case CKM_SHA384_RSA_PKCS_PSS:
        pss = (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA384, CKG_MGF1_SHA384, 48 };
        break;
    case CKM_SHA512_RSA_PKCS_PSS:
        pss = (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA512, CKG_MGF1_SHA512, 64 };
        break;
    default:
        pss = (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256, 32 };
    }
    switch (type) {
    case CKM_RSA_PKCS_PSS:
    case CKM_SHA256_RSA_PKCS_PSS:
    case CKM_SHA384_RSA_PKCS_PSS:
    case CKM_SHA512_RSA_PKCS_PSS:
        mechanism.pParameter = &pss;
        mechanism.ulParameterLen = sizeof(pss);
        break;
    case CKM_RSA_PKCS_OAEP:
        oaep =
            (CK_RSA_PKCS_OAEP_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
        mechanism.pParameter = &oaep;
        mechanism.ulParameterLen = sizeof(oaep);
        break;
    case CKM_AES_CBC:
    case CKM_AES_CBC_PAD:
        mechanism.pParameter = iv;
        mechanism.ulParameterLen = sizeof(iv);
        break;
    case CKM_AES_GCM:
        gcm = (CK_GCM_PARAMS){ iv, 12, 96, iv, 5, 128 };
        mechanism.pParameter = &gcm;
        mechanism.ulParameterLen = sizeof(gcm);
        break;
    default:
        break;
    }
    return &mechanism;
}

CK_OBJECT_HANDLE fake_next_key(const kvp_mechanism *row, kvp_operation_kind kind,
                               CK_OBJECT_HANDLE after)
{
    const kvp_kind_info *info = kvp_kind_info_get(kind);
    for (CK_OBJECT_HANDLE handle = after + 1; handle < FAKE_HANDLE_END; handle++) {
        const kvp_object *object = objects[handle];
        if (object && (object->class == CKO_SECRET_KEY || object->class == info->key_class) &&
            kvp_mechanism_fits_key(row, &fake_slot, object))
            return handle;
    }
    return 0;
}

/* ---- object.h, as far as operations need it ---- */

CK_RV kvp_object_get(kvp_session *session KVP_UNUSED, CK_OBJECT_HANDLE handle, kvp_object **ret)
{
    kvp_object *object = fake_object(handle);
    if (!object)
        return CKR_OBJECT_HANDLE_INVALID;
    object->refs++;
    *ret = object;
    return CKR_OK;
}

void kvp_object_unref(kvp_object *object)
{
    if (object)
        object->refs--;
}

CK_STATE kvp_session_state(kvp_session *session)
{
    return session->flags & CKF_RW_SESSION ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
}

CK_OBJECT_CLASS kvp_object_class(const kvp_object *object)
{
    return object->class;
}

bool kvp_object_is_token(const kvp_object *object)
{
    return object->in_vault;
}

CK_RV kvp_object_load(kvp_call *call KVP_UNUSED, kvp_object *object)
{
    object->loaded = true;
    return CKR_OK;
}

CK_KEY_TYPE kvp_object_key_type(const kvp_object *object)
{
    return object->type;
}

CK_ULONG kvp_object_key_bits(const kvp_object *object)
{
    return object->bits;
}

const kvp_key *kvp_object_vault_key(const kvp_object *object)
{
    return object->in_vault ? &object->vault_key : NULL;
}

CK_RV kvp_object_public_key(kvp_call *call KVP_UNUSED, kvp_object *object,
                            const kvp_public_key **ret)
{
    *ret = object->public_key;
    return CKR_OK;
}

kvp_curve kvp_object_curve(const kvp_object *object)
{
    return object->curve;
}

const kvp_buf *kvp_object_secret_value(const kvp_object *object)
{
    return object->class == CKO_SECRET_KEY && !object->in_vault ? &object->value : NULL;
}

bool kvp_object_takes_mechanism(const kvp_object *object, CK_MECHANISM_TYPE type)
{
    (void)object;
    (void)type;
    return true;
}

bool kvp_object_allows(const kvp_object *object, CK_ATTRIBUTE_TYPE usage)
{
    return usage != object->denied;
}

CK_RV kvp_object_create_secret(kvp_call *call KVP_UNUSED, kvp_session *session KVP_UNUSED,
                               const void *value, size_t len, const CK_ATTRIBUTE *attrs KVP_UNUSED,
                               CK_ULONG count KVP_UNUSED, CK_OBJECT_HANDLE *ret)
{
    fake_unwrapped.secret = true;
    *ret = 99;
    return kvp_buf_set(&fake_unwrapped, value, len) == KVP_OK ? CKR_OK : CKR_HOST_MEMORY;
}
