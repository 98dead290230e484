/* SPDX-License-Identifier: MIT */
/*
 * The mechanism list taken at its word: each mechanism that the token lists does each thing that
 * its flags claim, does nothing that they do not claim, and takes no parameter but its own; what is
 * not listed is CKR_MECHANISM_INVALID everywhere. Built for both kinds of vault.
 */
#include "flow.h"
#include "functions.h"
#include "support/keyvaultd.h"

#include <openssl/evp.h>
#include <string.h>

static world *const w = &main_world;

/* ---- how each mechanism is used ---- */

typedef enum family { OF_DIGEST, OF_RSA, OF_EC, OF_AES, OF_HMAC } family;

static CK_BYTE iv[16], aad[] = "aad", text[DATA_LEN] = "to be worked on, whatever it is";
static CK_GCM_PARAMS gcm = { iv, 12, 96, aad, 3, 128 };
static CK_GCM_WRAP_PARAMS gcm_wrap = { iv, 12, 0, CKG_NO_GENERATE, aad, 3, 128 };
static CK_RSA_PKCS_PSS_PARAMS pss256 = { CKM_SHA256, CKG_MGF1_SHA256, 32 },
                              pss384 = { CKM_SHA384, CKG_MGF1_SHA384, 48 },
                              pss512 = { CKM_SHA512, CKG_MGF1_SHA512, 64 };
static CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };

typedef struct recipe {
    CK_MECHANISM_TYPE type;
    family family;
    void *parameter;
    CK_ULONG parameter_len;
    const char *digest; /* OpenSSL's name of a digest */
} recipe;

#define PLAIN(type, family)                                                                        \
    {                                                                                              \
        type, family, NULL, 0, NULL                                                                \
    }
#define WITH(type, family, parameter)                                                              \
    {                                                                                              \
        type, family, &(parameter), sizeof(parameter), NULL                                        \
    }
#define HASH(type, name)                                                                           \
    {                                                                                              \
        type, OF_DIGEST, NULL, 0, name                                                             \
    }
static recipe recipes[] = {
    PLAIN(CKM_RSA_PKCS_KEY_PAIR_GEN, OF_RSA),
    PLAIN(CKM_RSA_PKCS, OF_RSA),
    PLAIN(CKM_SHA1_RSA_PKCS, OF_RSA),
    PLAIN(CKM_SHA224_RSA_PKCS, OF_RSA),
    PLAIN(CKM_SHA256_RSA_PKCS, OF_RSA),
    PLAIN(CKM_SHA384_RSA_PKCS, OF_RSA),
    PLAIN(CKM_SHA512_RSA_PKCS, OF_RSA),
    WITH(CKM_RSA_PKCS_PSS, OF_RSA, pss256),
    WITH(CKM_SHA256_RSA_PKCS_PSS, OF_RSA, pss256),
    WITH(CKM_SHA384_RSA_PKCS_PSS, OF_RSA, pss384),
    WITH(CKM_SHA512_RSA_PKCS_PSS, OF_RSA, pss512),
    WITH(CKM_RSA_PKCS_OAEP, OF_RSA, oaep),
    PLAIN(CKM_EC_KEY_PAIR_GEN, OF_EC),
    PLAIN(CKM_ECDSA, OF_EC),
    PLAIN(CKM_ECDSA_SHA1, OF_EC),
    PLAIN(CKM_ECDSA_SHA224, OF_EC),
    PLAIN(CKM_ECDSA_SHA256, OF_EC),
    PLAIN(CKM_ECDSA_SHA384, OF_EC),
    PLAIN(CKM_ECDSA_SHA512, OF_EC),
    PLAIN(CKM_AES_KEY_GEN, OF_AES),
    WITH(CKM_AES_CBC, OF_AES, iv),
    WITH(CKM_AES_CBC_PAD, OF_AES, iv),
    WITH(CKM_AES_GCM, OF_AES, gcm),
    PLAIN(CKM_AES_KEY_WRAP, OF_AES),
    PLAIN(CKM_AES_KEY_WRAP_PAD, OF_AES),
    PLAIN(CKM_GENERIC_SECRET_KEY_GEN, OF_HMAC),
    PLAIN(CKM_SHA_1_HMAC, OF_HMAC),
    PLAIN(CKM_SHA224_HMAC, OF_HMAC),
    PLAIN(CKM_SHA256_HMAC, OF_HMAC),
    PLAIN(CKM_SHA384_HMAC, OF_HMAC),
    PLAIN(CKM_SHA512_HMAC, OF_HMAC),
    HASH(CKM_SHA_1, "SHA1"),
    HASH(CKM_SHA224, "SHA224"),
    HASH(CKM_SHA256, "SHA256"),
    HASH(CKM_SHA384, "SHA384"),
    HASH(CKM_SHA512, "SHA512"),
    HASH(CKM_SHA3_224, "SHA3-224"),
    HASH(CKM_SHA3_256, "SHA3-256"),
    HASH(CKM_SHA3_384, "SHA3-384"),
    HASH(CKM_SHA3_512, "SHA3-512"),
};

static CK_MECHANISM ck(const recipe *r)
{
    return (CK_MECHANISM){ r->type, r->parameter, r->parameter_len };
}

static CK_OBJECT_HANDLE public_side(const recipe *r)
{
    static const key_name names[] = { KEY_NONE, KEY_RSA_PUBLIC, KEY_EC_PUBLIC, KEY_AES, KEY_HMAC };
    return world_key(w, names[r->family]);
}

static CK_OBJECT_HANDLE private_side(const recipe *r)
{
    static const key_name names[] = { KEY_NONE, KEY_RSA_PRIVATE, KEY_EC_PRIVATE, KEY_AES,
                                      KEY_HMAC };
    return world_key(w, names[r->family]);
}

/* ---- a trial for each flag ---- */

#define NAMED(r, rv)                                                                               \
    do {                                                                                           \
        CK_RV named_ = (rv);                                                                       \
        ck_assert_msg(named_ == CKR_OK, "%s: %s is %s", kvp_ckm_name((r)->type), #rv,              \
                      kvp_ckr_name(named_));                                                       \
    } while (0)

static void try_sign(const recipe *r)
{
    CK_MECHANISM mechanism = ck(r);
    CK_BYTE sig[512], data[DATA_LEN];
    CK_ULONG len = sizeof(sig);

    memcpy(data, text, sizeof(data));
    NAMED(r, flow_sign(&mechanism, private_side(r), SPLIT_ONE_CALL, data, DATA_LEN, sig, &len));
    NAMED(r, flow_verify(&mechanism, public_side(r), SPLIT_ONE_CALL, data, DATA_LEN, sig, len));
    data[1] ^= 1;
    assert_rv(CKR_SIGNATURE_INVALID,
              flow_verify(&mechanism, public_side(r), SPLIT_ONE_CALL, data, DATA_LEN, sig, len));
}

static void try_recover(const recipe *r)
{
    CK_MECHANISM mechanism = ck(r);
    CK_BYTE sig[512], found[512];
    CK_ULONG len = sizeof(sig), found_len = sizeof(found);

    NAMED(r, flow_sign(&mechanism, private_side(r), SPLIT_ONE_CALL, text, DATA_LEN, sig, &len));
    NAMED(r, p11_3->C_VerifyRecoverInit(w->session, &mechanism, public_side(r)));
    NAMED(r, p11_3->C_VerifyRecover(w->session, sig, len, found, &found_len));
    ck_assert_uint_eq(found_len, DATA_LEN);
    ck_assert_mem_eq(found, text, DATA_LEN);
}

static void try_encrypt(const recipe *r)
{
    CK_MECHANISM mechanism = ck(r);
    CK_BYTE cipher[512], plain[512];
    CK_ULONG len = sizeof(cipher), plain_len = sizeof(plain);

    NAMED(r,
          flow_encrypt(&mechanism, public_side(r), SPLIT_ONE_CALL, text, DATA_LEN, cipher, &len));
    NAMED(r, flow_decrypt(&mechanism, private_side(r), SPLIT_ONE_CALL, cipher, len, plain,
                          &plain_len));
    ck_assert_uint_eq(plain_len, DATA_LEN);
    ck_assert_mem_eq(plain, text, DATA_LEN);
    ck_assert_mem_ne(cipher, text, DATA_LEN);
}

static void try_wrap(const recipe *r)
{
    CK_MECHANISM mechanism = ck(r);
    if (r->type == CKM_AES_GCM)
        mechanism = (CK_MECHANISM){ r->type, &gcm_wrap, sizeof(gcm_wrap) };
    CK_OBJECT_HANDLE key = flow_secret(CKK_GENERIC_SECRET, text, DATA_LEN), again;
    CK_BYTE wrapped[512], value[64];
    CK_ULONG len = sizeof(wrapped);

    NAMED(r, p11_3->C_WrapKey(w->session, &mechanism, public_side(r), key, wrapped, &len));
    NAMED(r, flow_unwrap(&mechanism, private_side(r), wrapped, len, &again));
    ck_assert_uint_eq(flow_value(again, value, sizeof(value)), DATA_LEN);
    ck_assert_mem_eq(value, text, DATA_LEN);
}

static void try_digest(const recipe *r)
{
    CK_MECHANISM mechanism = ck(r);
    CK_BYTE digest[64], expected[64];
    CK_ULONG len = sizeof(digest);
    unsigned expected_len = 0;

    NAMED(r, flow_digest(&mechanism, SPLIT_ONE_CALL, text, DATA_LEN, digest, &len));
    ck_assert_msg(r->digest != NULL, "%s has no digest of OpenSSL's", kvp_ckm_name(r->type));
    ck_assert_int_eq(
        EVP_Digest(text, DATA_LEN, expected, &expected_len, EVP_get_digestbyname(r->digest), NULL),
        1);
    ck_assert_uint_eq(len, expected_len);
    ck_assert_mem_eq(digest, expected, len);
}

static void try_generate(const recipe *r)
{
    CK_MECHANISM mechanism = ck(r);
    CK_OBJECT_HANDLE key;
    CK_ULONG bytes = DATA_LEN,
             count =
                 world_secret_template(w, 0, r->family == OF_AES ? CKK_AES : CKK_GENERIC_SECRET);
    CK_BYTE value[64];

    w->attrs[0][count++] = (CK_ATTRIBUTE){ CKA_VALUE_LEN, &bytes, sizeof(bytes) };
    NAMED(r, p11_3->C_GenerateKey(w->session, &mechanism, w->attrs[0], count, &key));
    ck_assert_uint_eq(flow_value(key, value, sizeof(value)), DATA_LEN);
}

static void try_generate_pair(const recipe *r)
{
    static CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG bits = 2048;
    CK_MECHANISM mechanism = ck(r),
                 sign = { r->family == OF_RSA ? CKM_SHA256_RSA_PKCS : CKM_ECDSA_SHA256, NULL, 0 };
    CK_ATTRIBUTE public_attrs[] = {
        { CKA_TOKEN, &yes, sizeof(yes) },
        { CKA_MODULUS_BITS, &bits, sizeof(bits) },
    };
    CK_ATTRIBUTE private_attrs[] = {
        { CKA_TOKEN, &yes, sizeof(yes) },
        { CKA_LABEL, w->label, strlen(w->label) },
    };
    CK_OBJECT_HANDLE public_key, private_key;
    CK_BYTE sig[512];
    CK_ULONG len = sizeof(sig);

    if (r->family == OF_EC)
        public_attrs[1] = (CK_ATTRIBUTE){ CKA_EC_PARAMS, p256, sizeof(p256) };
    NAMED(r, p11_3->C_GenerateKeyPair(w->session, &mechanism, public_attrs, 2, private_attrs, 2,
                                      &public_key, &private_key));
    NAMED(r, flow_sign(&sign, private_key, SPLIT_ONE_CALL, text, DATA_LEN, sig, &len));
    NAMED(r, flow_verify(&sign, public_key, SPLIT_ONE_CALL, text, DATA_LEN, sig, len));
}

static void try_messages(const recipe *r)
{
    CK_BYTE tag[16], cipher[DATA_LEN], plain[DATA_LEN];
    CK_GCM_MESSAGE_PARAMS params = { iv, 12, 0, CKG_GENERATE_RANDOM, tag, 128 };
    CK_MECHANISM mechanism = { r->type, NULL, 0 };
    CK_ULONG len = sizeof(cipher), plain_len = sizeof(plain);

    NAMED(r, p11_3->C_MessageEncryptInit(w->session, &mechanism, public_side(r)));
    NAMED(r, p11_3->C_EncryptMessage(w->session, &params, sizeof(params), aad, 3, text, DATA_LEN,
                                     cipher, &len));
    NAMED(r, p11_3->C_MessageEncryptFinal(w->session));
    NAMED(r, p11_3->C_MessageDecryptInit(w->session, &mechanism, private_side(r)));
    NAMED(r, p11_3->C_DecryptMessage(w->session, &params, sizeof(params), aad, 3, cipher, len,
                                     plain, &plain_len));
    NAMED(r, p11_3->C_MessageDecryptFinal(w->session));
    ck_assert_uint_eq(plain_len, DATA_LEN);
    ck_assert_mem_eq(plain, text, DATA_LEN);
}

static void try_message_signatures(const recipe *r)
{
    CK_MECHANISM mechanism = ck(r);
    CK_BYTE sig[512];
    CK_ULONG len;

    NAMED(r, p11_3->C_MessageSignInit(w->session, &mechanism, private_side(r)));
    NAMED(r, p11_3->C_MessageVerifyInit(w->session, &mechanism, public_side(r)));
    for (int message = 0; message < 2; message++) {
        len = sizeof(sig);
        NAMED(r, p11_3->C_SignMessage(w->session, NULL, 0, text, DATA_LEN, sig, &len));
        NAMED(r, p11_3->C_VerifyMessage(w->session, NULL, 0, text, DATA_LEN, sig, len));
    }
    NAMED(r, p11_3->C_MessageSignFinal(w->session));
    NAMED(r, p11_3->C_MessageVerifyFinal(w->session));
}

/* A message in two parts is the same as in one. */
static void try_parts_of_messages(const recipe *r)
{
    CK_BYTE tag[16], cipher[DATA_LEN], plain[DATA_LEN];
    CK_GCM_MESSAGE_PARAMS params = { iv, 12, 0, CKG_NO_GENERATE, tag, 128 };
    CK_MECHANISM mechanism = { r->type, NULL, 0 };
    CK_ULONG len = 16, more = DATA_LEN - 16, plain_len = sizeof(plain);

    NAMED(r, p11_3->C_MessageEncryptInit(w->session, &mechanism, public_side(r)));
    NAMED(r, p11_3->C_EncryptMessageBegin(w->session, &params, sizeof(params), aad, 3));
    NAMED(r, p11_3->C_EncryptMessageNext(w->session, &params, sizeof(params), text, 16, cipher,
                                         &len, 0));
    ck_assert_uint_eq(len, 16);
    NAMED(r, p11_3->C_EncryptMessageNext(w->session, &params, sizeof(params), text + 16,
                                         DATA_LEN - 16, cipher + 16, &more, CKF_END_OF_MESSAGE));
    NAMED(r, p11_3->C_MessageEncryptFinal(w->session));
    NAMED(r, p11_3->C_MessageDecryptInit(w->session, &mechanism, private_side(r)));
    NAMED(r, p11_3->C_DecryptMessage(w->session, &params, sizeof(params), aad, 3, cipher, DATA_LEN,
                                     plain, &plain_len));
    NAMED(r, p11_3->C_MessageDecryptFinal(w->session));
    ck_assert_mem_eq(plain, text, DATA_LEN);
}

static void try_parts_of_signed_messages(const recipe *r)
{
    CK_MECHANISM mechanism = ck(r);
    CK_BYTE sig[512];
    CK_ULONG len = sizeof(sig);

    NAMED(r, p11_3->C_MessageSignInit(w->session, &mechanism, private_side(r)));
    NAMED(r, p11_3->C_SignMessageBegin(w->session, NULL, 0));
    NAMED(r, p11_3->C_SignMessageNext(w->session, NULL, 0, text, 7, NULL, NULL));
    NAMED(r, p11_3->C_SignMessageNext(w->session, NULL, 0, text + 7, DATA_LEN - 7, sig, &len));
    NAMED(r, p11_3->C_MessageSignFinal(w->session));
    NAMED(r, flow_verify(&mechanism, public_side(r), SPLIT_ONE_CALL, text, DATA_LEN, sig, len));
    NAMED(r, p11_3->C_MessageVerifyInit(w->session, &mechanism, public_side(r)));
    NAMED(r, p11_3->C_VerifyMessageBegin(w->session, NULL, 0));
    NAMED(r, p11_3->C_VerifyMessageNext(w->session, NULL, 0, text, 9, NULL, 0));
    NAMED(r, p11_3->C_VerifyMessageNext(w->session, NULL, 0, text + 9, DATA_LEN - 9, sig, len));
    NAMED(r, p11_3->C_MessageVerifyFinal(w->session));
}

static void try_parts(const recipe *r)
{
    if (r->family == OF_AES)
        try_parts_of_messages(r);
    else
        try_parts_of_signed_messages(r);
}

/* None does. */
static void try_nothing(const recipe *r)
{
    ck_abort_msg("%s claims what no mechanism of a vault does", kvp_ckm_name(r->type));
}

static const struct {
    CK_FLAGS flag;
    const char *name;
    void (*run)(const recipe *r);
    const char *init; /* the function that begins it, where it is one of C_…Init */
} trials[] = {
    { CKF_ENCRYPT, "CKF_ENCRYPT", try_encrypt, "EncryptInit" },
    { CKF_DECRYPT, "CKF_DECRYPT", try_encrypt, "DecryptInit" },
    { CKF_DIGEST, "CKF_DIGEST", try_digest, "DigestInit" },
    { CKF_SIGN, "CKF_SIGN", try_sign, "SignInit" },
    { CKF_VERIFY, "CKF_VERIFY", try_sign, "VerifyInit" },
    { CKF_SIGN_RECOVER, "CKF_SIGN_RECOVER", try_recover, "SignRecoverInit" },
    { CKF_VERIFY_RECOVER, "CKF_VERIFY_RECOVER", try_recover, "VerifyRecoverInit" },
    { CKF_GENERATE, "CKF_GENERATE", try_generate, "GenerateKey" },
    { CKF_GENERATE_KEY_PAIR, "CKF_GENERATE_KEY_PAIR", try_generate_pair, "GenerateKeyPair" },
    { CKF_WRAP, "CKF_WRAP", try_wrap, "WrapKey" },
    { CKF_UNWRAP, "CKF_UNWRAP", try_wrap, "UnwrapKey" },
    { CKF_MESSAGE_ENCRYPT, "CKF_MESSAGE_ENCRYPT", try_messages, "MessageEncryptInit" },
    { CKF_MESSAGE_DECRYPT, "CKF_MESSAGE_DECRYPT", try_messages, "MessageDecryptInit" },
    { CKF_MESSAGE_SIGN, "CKF_MESSAGE_SIGN", try_message_signatures, "MessageSignInit" },
    { CKF_MESSAGE_VERIFY, "CKF_MESSAGE_VERIFY", try_message_signatures, "MessageVerifyInit" },
    { CKF_MULTI_MESSAGE, "CKF_MULTI_MESSAGE", try_parts, NULL },
    { CKF_DERIVE, "CKF_DERIVE", try_nothing, "DeriveKey" },
    { CKF_ENCAPSULATE, "CKF_ENCAPSULATE", try_nothing, "EncapsulateKey" },
    { CKF_DECAPSULATE, "CKF_DECAPSULATE", try_nothing, "DecapsulateKey" },
};
/* Flags that say how, and not what. */
#define DESCRIBING                                                                                 \
    (CKF_HW | CKF_EC_F_P | CKF_EC_F_2M | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS)

/* ---- tests ---- */

static CK_MECHANISM_TYPE listed[128];
static CK_ULONG listed_count;

static void list(void)
{
    listed_count = KVP_ARRAY_LEN(listed);
    assert_rv(CKR_OK, p11_3->C_GetMechanismList(module_slot, listed, &listed_count));
}

static bool is_listed(CK_MECHANISM_TYPE type)
{
    for (CK_ULONG i = 0; i < listed_count; i++)
        if (listed[i] == type)
            return true;
    return false;
}

static CK_FLAGS claims_of(const recipe *r)
{
    CK_MECHANISM_INFO info;

    NAMED(r, p11_3->C_GetMechanismInfo(module_slot, r->type, &info));
    return info.flags;
}

START_TEST(each_listed_mechanism_has_a_recipe)
{
    list();
    for (CK_ULONG i = 0; i < listed_count; i++) {
        size_t j = 0;
        while (j < KVP_ARRAY_LEN(recipes) && recipes[j].type != listed[i])
            j++;
        ck_assert_msg(j < KVP_ARRAY_LEN(recipes), "%s is listed and not tested",
                      kvp_ckm_name(listed[i]));
    }
    ck_assert_uint_eq(listed_count, KVP_ARRAY_LEN(recipes));
}
END_TEST

START_TEST(it_does_all_that_it_claims)
{
    recipe *r = &recipes[_i];
    CK_FLAGS claims = claims_of(r), known = DESCRIBING;

    for (size_t i = 0; i < KVP_ARRAY_LEN(trials); i++) {
        known |= trials[i].flag;
        if (claims & trials[i].flag)
            trials[i].run(r);
    }
    ck_assert_msg(!(claims & ~known), "%s claims %lx, which nothing tests", kvp_ckm_name(r->type),
                  claims & ~known);
}
END_TEST

/* The call of a function's row, with the recipe's mechanism and keys that fit it. */
static CK_RV begin_with(const char *function, recipe *r, CK_MECHANISM *mechanism)
{
    const function_row *row = function_row_find(function);
    const char *key = strpbrk(row->arguments, "kwu");
    bool by_private = strstr("DecryptInit SignInit SignRecoverInit UnwrapKey MessageDecryptInit "
                             "MessageSignInit DeriveKey DecapsulateKey",
                             function) != NULL;
    word v[ARGUMENTS_MAX];

    function_fill(w, row, v);
    v[1].p = mechanism;
    if (key && r->family != OF_DIGEST)
        v[key - row->arguments].u = by_private ? private_side(r) : public_side(r);
    CK_RV rv = row->call(v);
    world_cancel(w);
    return rv;
}

START_TEST(it_does_nothing_that_it_does_not_claim)
{
    recipe *r = &recipes[_i];
    CK_MECHANISM mechanism = ck(r);
    CK_FLAGS claims = claims_of(r);

    for (size_t i = 0; i < KVP_ARRAY_LEN(trials); i++) {
        if (!trials[i].init || (claims & trials[i].flag))
            continue;
        CK_RV rv = begin_with(trials[i].init, r, &mechanism);
        ck_assert_msg(rv == CKR_MECHANISM_INVALID, "%s does not claim %s: %s",
                      kvp_ckm_name(r->type), trials[i].name, kvp_ckr_name(rv));
    }
}
END_TEST

/* Three bytes are nobody's parameter; where one is needed, none is none. */
START_TEST(it_takes_no_parameter_but_its_own)
{
    recipe *r = &recipes[_i];
    CK_MECHANISM three = { r->type, iv, 3 }, none = { r->type, NULL, 0 },
                 nowhere = { r->type, NULL, r->parameter_len ? r->parameter_len : 8 };
    CK_FLAGS claims = claims_of(r);

    for (size_t i = 0; i < KVP_ARRAY_LEN(trials); i++) {
        bool by_message = strncmp(trials[i].name, "CKF_MESSAGE", 11) == 0;
        if (!trials[i].init || !(claims & trials[i].flag))
            continue;
        CK_RV rv = begin_with(trials[i].init, r, &three);
        ck_assert_msg(rv == CKR_MECHANISM_PARAM_INVALID, "%s, %s, three bytes: %s",
                      kvp_ckm_name(r->type), trials[i].name, kvp_ckr_name(rv));
        rv = begin_with(trials[i].init, r, &nowhere);
        ck_assert_msg(rv == CKR_MECHANISM_PARAM_INVALID, "%s, %s, a length of nothing: %s",
                      kvp_ckm_name(r->type), trials[i].name, kvp_ckr_name(rv));
        if (!r->parameter || by_message)
            continue;
        rv = begin_with(trials[i].init, r, &none);
        ck_assert_msg(rv == CKR_MECHANISM_PARAM_INVALID, "%s, %s, no parameter: %s",
                      kvp_ckm_name(r->type), trials[i].name, kvp_ckr_name(rv));
    }
}
END_TEST

START_TEST(a_key_allows_only_what_is_listed)
{
    static const key_name names[] = { KEY_RSA_PRIVATE, KEY_RSA_PUBLIC, KEY_EC_PRIVATE,
                                      KEY_EC_PUBLIC,   KEY_AES,        KEY_HMAC };
    CK_MECHANISM_TYPE allowed[128];
    CK_ATTRIBUTE attr = { CKA_ALLOWED_MECHANISMS, allowed, sizeof(allowed) };

    list();
    assert_rv(CKR_OK, p11_3->C_GetAttributeValue(w->session, world_key(w, names[_i]), &attr, 1));
    ck_assert_uint_gt(attr.ulValueLen, 0);
    for (CK_ULONG i = 0; i < attr.ulValueLen / sizeof(*allowed); i++)
        ck_assert_msg(is_listed(allowed[i]), "%s is allowed and not listed",
                      kvp_ckm_name(allowed[i]));
}
END_TEST

START_TEST(what_is_not_listed_is_invalid)
{
    static const char *const functions[] = { "EncryptInit", "DecryptInit",       "DigestInit",
                                             "SignInit",    "VerifyInit",        "GenerateKey",
                                             "WrapKey",     "VerifyRecoverInit", "UnwrapKey" };
    recipe as_aes = PLAIN(0, OF_AES);
    CK_MECHANISM_INFO info;

    list();
    for (CK_MECHANISM_TYPE type = 0; type < 0x4100; type++) {
        CK_MECHANISM mechanism = { type, NULL, 0 };
        if (is_listed(type))
            continue;
        assert_rv(CKR_MECHANISM_INVALID, p11_3->C_GetMechanismInfo(module_slot, type, &info));
        if (type % 16 != 0) /* one of a group is enough for the functions */
            continue;
        for (size_t i = 0; i < KVP_ARRAY_LEN(functions); i++) {
            CK_RV rv = begin_with(functions[i], &as_aes, &mechanism);
            ck_assert_msg(rv == CKR_MECHANISM_INVALID, "C_%s, %s: %s", functions[i],
                          kvp_ckm_name(type), kvp_ckr_name(rv));
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mechanisms on a " CONFORMANCE_KIND);
    TCase *tcase = tcase_create("mechanisms");
    const int count = KVP_ARRAY_LEN(recipes);

    conformance_without_threads();
    conformance_start(CONFORMANCE_KIND);
    tcase_add_unchecked_fixture(tcase, functions_prepare, NULL);
    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_add_test(tcase, each_listed_mechanism_has_a_recipe);
    tcase_add_loop_test(tcase, it_does_all_that_it_claims, 0, count);
    tcase_add_loop_test(tcase, it_does_nothing_that_it_does_not_claim, 0, count);
    tcase_add_loop_test(tcase, it_takes_no_parameter_but_its_own, 0, count);
    tcase_add_loop_test(tcase, a_key_allows_only_what_is_listed, 0, 6);
    tcase_add_test(tcase, what_is_not_listed_is_invalid);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
