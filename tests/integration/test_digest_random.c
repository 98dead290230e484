/* SPDX-License-Identifier: MIT */
/* Digests and random numbers of a vault's token: right, and made without a request. */
#include "ops_keys.h"
#include "support/keyvaultd.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    CK_MECHANISM_TYPE type;
    const char *hash;
} digests[] = {
    { CKM_SHA_1, "SHA1" },        { CKM_SHA224, "SHA224" },     { CKM_SHA256, "SHA256" },
    { CKM_SHA384, "SHA384" },     { CKM_SHA512, "SHA512" },     { CKM_SHA3_224, "SHA3-224" },
    { CKM_SHA3_256, "SHA3-256" }, { CKM_SHA3_384, "SHA3-384" }, { CKM_SHA3_512, "SHA3-512" },
};

START_TEST(a_digest_is_that_of_openssl_without_a_request)
{
    CK_MECHANISM mechanism = { digests[_i].type, NULL, 0 };
    static unsigned char data[100000];
    unsigned char expected[64], digest[64];
    unsigned expected_len = 0;
    CK_ULONG len = 0;
    size_t before = keyvaultd_requests(NULL);
    memset(data, 0x61, sizeof(data));
    EVP_Digest(data, sizeof(data), expected, &expected_len, EVP_get_digestbyname(digests[_i].hash),
               NULL);

    assert_rv(CKR_OK, p11->C_DigestInit(module_session, &mechanism));
    assert_rv(CKR_OK, p11->C_Digest(module_session, data, sizeof(data), NULL, &len));
    ck_assert_uint_eq(len, expected_len);
    len--;
    assert_rv(CKR_BUFFER_TOO_SMALL,
              p11->C_Digest(module_session, data, sizeof(data), digest, &len));
    assert_rv(CKR_OK, p11->C_Digest(module_session, data, sizeof(data), digest, &len));
    ck_assert_uint_eq(len, expected_len);
    ck_assert_mem_eq(digest, expected, len);

    assert_rv(CKR_OK, p11->C_DigestInit(module_session, &mechanism));
    for (size_t done = 0; done < sizeof(data); done += 1000)
        assert_rv(CKR_OK, p11->C_DigestUpdate(module_session, data + done, 1000));
    len = sizeof(digest);
    assert_rv(CKR_OK, p11->C_DigestFinal(module_session, digest, &len));
    ck_assert_mem_eq(digest, expected, len);
    ck_assert_uint_eq(keyvaultd_requests(NULL), before);
}
END_TEST

START_TEST(a_digest_is_cancelled_by_no_mechanism)
{
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_BYTE digest[32];
    CK_ULONG len = sizeof(digest);

    assert_rv(CKR_OK, p11->C_DigestInit(module_session, &mechanism));
    assert_rv(CKR_OPERATION_ACTIVE, p11->C_DigestInit(module_session, &mechanism));
    assert_rv(CKR_OK, p11->C_DigestInit(module_session, NULL));
    assert_rv(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestFinal(module_session, digest, &len));
}
END_TEST

START_TEST(random_numbers_come_without_a_request)
{
    unsigned char one[64] = { 0 }, two[64] = { 0 };
    size_t before = keyvaultd_requests(NULL);

    assert_rv(CKR_OK, p11->C_GenerateRandom(module_session, one, sizeof(one)));
    assert_rv(CKR_OK, p11->C_GenerateRandom(module_session, two, sizeof(two)));
    assert_rv(CKR_OK, p11->C_GenerateRandom(module_session, NULL, 0));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_GenerateRandom(module_session, NULL, 1));
    ck_assert_mem_ne(one, two, sizeof(one));
    assert_rv(CKR_OK, p11->C_SeedRandom(module_session, one, 8));
    assert_rv(CKR_OK, p11->C_SeedRandom(module_session, NULL, 0));
    assert_rv(CKR_ARGUMENTS_BAD, p11->C_SeedRandom(module_session, NULL, 8));
    ck_assert_uint_eq(keyvaultd_requests(NULL), before);
}
END_TEST

int main(void)
{
    module_load();
    keyvaultd_start("vault");
    Suite *suite = suite_create("digest");
    TCase *tcase = tcase_create("digest");
    tcase_add_checked_fixture(tcase, module_setup, module_teardown);
    tcase_add_loop_test(tcase, a_digest_is_that_of_openssl_without_a_request, 0,
                        KVP_ARRAY_LEN(digests));
    tcase_add_test(tcase, a_digest_is_cancelled_by_no_mechanism);
    tcase_add_test(tcase, random_numbers_come_without_a_request);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
