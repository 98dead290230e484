/* SPDX-License-Identifier: MIT */
/* What applications write to the token: keys of OpenSSL's go into the vault and work there. */
#include "support/keyvaultd.h"
#include "support/module.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;
static CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static CK_KEY_TYPE rsa = CKK_RSA;
static CK_KEY_TYPE ec = CKK_EC;
static char audit_path[160];

/* The daemon's configuration, with data objects shown. */
static void configure(void)
{
    char path[160], line[512];
    FILE *from = fopen(keyvaultd_conf(), "r");
    snprintf(path, sizeof(path), "%s/import.conf", keyvaultd_dir());
    snprintf(audit_path, sizeof(audit_path), "%s/audit.jsonl", keyvaultd_dir());
    FILE *to = fopen(path, "w");
    if (!from || !to || chmod(path, 0600) != 0)
        exit(1);
    while (fgets(line, sizeof(line), from)) {
        fputs(line, to);
        if (strncmp(line, "[vault:", 7) == 0)
            fputs("secrets = yes\n", to);
    }
    fclose(from);
    fclose(to);
    setenv("KVPKCS11_CONF", path, 1);
}

/* Whether the audit log has a record with all of the texts. */
static bool audited(const char *operation, const char *object, const char *result)
{
    char line[4096];
    FILE *file = fopen(audit_path, "r");
    bool found = false;
    while (file && !found && fgets(line, sizeof(line), file))
        found = strstr(line, operation) && strstr(line, object) && strstr(line, result);
    if (file)
        fclose(file);
    return found;
}

/* ---- templates ---- */

typedef struct attrs {
    CK_ATTRIBUTE at[32];
    CK_ULONG count;
    unsigned char bytes[4096];
    size_t used;
} attrs;

static void put(attrs *t, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len)
{
    ck_assert_uint_lt(t->count, 32);
    t->at[t->count++] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
}

static void put_number(attrs *t, CK_ATTRIBUTE_TYPE type, EVP_PKEY *pkey, const char *name)
{
    BIGNUM *bn = NULL;
    ck_assert_int_eq(EVP_PKEY_get_bn_param(pkey, name, &bn), 1);
    int len = BN_bn2bin(bn, t->bytes + t->used);
    put(t, type, t->bytes + t->used, (CK_ULONG)len);
    t->used += (size_t)len;
    BN_clear_free(bn);
}

static void begin(attrs *t, CK_OBJECT_CLASS *cls, CK_KEY_TYPE *type, const char *label)
{
    *t = (attrs){ .count = 0 };
    put(t, CKA_CLASS, cls, sizeof(*cls));
    put(t, CKA_KEY_TYPE, type, sizeof(*type));
    put(t, CKA_TOKEN, &yes, sizeof(yes));
    put(t, CKA_LABEL, label, strlen(label));
}

static CK_OBJECT_HANDLE created(const attrs *t)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    assert_rv(CKR_OK, p11->C_CreateObject(module_session, (CK_ATTRIBUTE *)(uintptr_t)t->at,
                                          t->count, &handle));
    return handle;
}

/* ---- keys ---- */

static void rsa_attrs(attrs *t, EVP_PKEY *pkey, const char *label, bool whole)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        const char *name;
    } numbers[] = {
        { CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N },
        { CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D },
        { CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E },
        { CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1 },
        { CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2 },
        { CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1 },
        { CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2 },
        { CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
    };
    begin(t, &private_class, &rsa, label);
    for (size_t i = 0; i < (whole ? KVP_ARRAY_LEN(numbers) : 2); i++)
        put_number(t, numbers[i].type, pkey, numbers[i].name);
}

/* The vault signs with the key that OpenSSL made. */
static void assert_signs(CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type, EVP_PKEY *pkey)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    unsigned char data[] = "to be signed", sig[600], der[600];
    CK_ULONG len = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const unsigned char *openssl_sig = sig;
    size_t openssl_len;

    assert_rv(CKR_OK, p11->C_SignInit(module_session, &mechanism, key));
    assert_rv(CKR_OK, p11->C_Sign(module_session, data, sizeof(data), sig, &len));
    openssl_len = len;
    if (type == CKM_ECDSA_SHA256) {
        ECDSA_SIG *pair = ECDSA_SIG_new();
        unsigned char *at = der;
        ck_assert_int_eq(ECDSA_SIG_set0(pair, BN_bin2bn(sig, (int)len / 2, NULL),
                                        BN_bin2bn(sig + len / 2, (int)len / 2, NULL)),
                         1);
        openssl_len = (size_t)i2d_ECDSA_SIG(pair, &at);
        openssl_sig = der;
        ECDSA_SIG_free(pair);
    }
    ck_assert_int_eq(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey), 1);
    ck_assert_int_eq(EVP_DigestVerify(ctx, openssl_sig, openssl_len, data, sizeof(data)), 1);
    EVP_MD_CTX_free(ctx);
}

START_TEST(an_rsa_key_of_the_applications_signs_in_the_vault)
{
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    char label[] = "rsa-0";
    attrs t;
    label[4] = (char)('0' + _i);
    rsa_attrs(&t, pkey, label, _i == 0);
    put(&t, CKA_ID, "\x01\x02", 2);
    CK_OBJECT_HANDLE key = created(&t);
    ck_assert_uint_eq(module_find(module_session, CKO_PRIVATE_KEY, label), key);
    assert_signs(key, CKM_SHA256_RSA_PKCS, pkey);
    ck_assert(audited("\"operation\":\"CreateObject\"", label, "\"CKR_OK\""));

    /* Its public key is there already, and nothing is written for it. */
    size_t before = keyvaultd_requests("KeyImport");
    begin(&t, &public_class, &rsa, label);
    put_number(&t, CKA_MODULUS, pkey, OSSL_PKEY_PARAM_RSA_N);
    put_number(&t, CKA_PUBLIC_EXPONENT, pkey, OSSL_PKEY_PARAM_RSA_E);
    ck_assert_uint_eq(created(&t), module_find(module_session, CKO_PUBLIC_KEY, label));
    ck_assert_uint_eq(keyvaultd_requests("KeyImport"), before);
    EVP_PKEY_free(pkey);
}
END_TEST

static const struct {
    const char *label, *group;
    unsigned char oid[10];
    CK_ULONG oid_len;
} curves[] = {
    { "p256", "prime256v1", { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 }, 10 },
    { "p384", "secp384r1", { 6, 5, 0x2b, 0x81, 4, 0, 0x22 }, 7 },
    { "p521", "secp521r1", { 6, 5, 0x2b, 0x81, 4, 0, 0x23 }, 7 },
    { "p256k", "secp256k1", { 6, 5, 0x2b, 0x81, 4, 0, 0x0a }, 7 },
};

START_TEST(an_ec_key_of_every_curve_signs_in_the_vault)
{
    EVP_PKEY *pkey = EVP_EC_gen(curves[_i].group);
    attrs t;
    begin(&t, &private_class, &ec, curves[_i].label);
    put(&t, CKA_EC_PARAMS, curves[_i].oid, curves[_i].oid_len);
    put_number(&t, CKA_VALUE, pkey, OSSL_PKEY_PARAM_PRIV_KEY);
    assert_signs(created(&t), CKM_ECDSA_SHA256, pkey);
    EVP_PKEY_free(pkey);
}
END_TEST

START_TEST(what_is_refused_costs_no_request)
{
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    CK_SESSION_HANDLE reader = module_open_session(0);
    CK_OBJECT_HANDLE handle;
    attrs t;
    size_t before = keyvaultd_requests(NULL);
    rsa_attrs(&t, pkey, "refused", true);
    assert_rv(CKR_SESSION_READ_ONLY, p11->C_CreateObject(reader, t.at, t.count, &handle));
    put(&t, CKA_EXTRACTABLE, &yes, sizeof(yes));
    assert_rv(CKR_ATTRIBUTE_VALUE_INVALID,
              p11->C_CreateObject(module_session, t.at, t.count, &handle));
    t.at[2].pValue = &no;
    assert_rv(CKR_TEMPLATE_INCONSISTENT,
              p11->C_CreateObject(module_session, t.at, t.count, &handle));
    ck_assert_uint_eq(keyvaultd_requests(NULL), before);
    ck_assert(audited("\"operation\":\"CreateObject\"", "\"where\":\"local\"",
                      "\"CKR_ATTRIBUTE_VALUE_INVALID\""));
    EVP_PKEY_free(pkey);
}
END_TEST

START_TEST(a_deleted_name_is_not_made_again)
{
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    CK_OBJECT_HANDLE handle;
    attrs t;
    rsa_attrs(&t, pkey, "gone", true);
    assert_rv(CKR_OK, p11->C_DestroyObject(module_session, created(&t)));
    assert_rv(CKR_FUNCTION_REJECTED, p11->C_CreateObject(module_session, t.at, t.count, &handle));
    /* Without a label nobody asked for the name. */
    t.at[3].type = CKA_ID;
    handle = created(&t);
    ck_assert_uint_eq(module_find(module_session, CKO_PRIVATE_KEY, "gone"), CK_INVALID_HANDLE);
    assert_signs(handle, CKM_SHA256_RSA_PKCS, pkey);
    EVP_PKEY_free(pkey);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import_vault");
    TCase *keys = tcase_create("keys");

    keyvaultd_start("vault");
    configure();
    module_load();
    tcase_add_checked_fixture(keys, module_setup, module_teardown);
    tcase_set_timeout(keys, 60);
    tcase_add_loop_test(keys, an_rsa_key_of_the_applications_signs_in_the_vault, 0, 2);
    tcase_add_loop_test(keys, an_ec_key_of_every_curve_signs_in_the_vault, 0,
                        KVP_ARRAY_LEN(curves));
    tcase_add_test(keys, what_is_refused_costs_no_request);
    tcase_add_test(keys, a_deleted_name_is_not_made_again);
    suite_add_tcase(suite, keys);
    return module_run_suite(suite);
}
