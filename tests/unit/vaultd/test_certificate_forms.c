/* SPDX-License-Identifier: MIT */
/* X.509: names, requests, self-signed certificates, PFX and PEM in and out, and hostile input. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "vaultd/x509.h"

#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kvp_error error;

static void setup(void)
{
    kvp_error_clear(&error);
}

static kvp_engine_key *ec_key(const char *crv)
{
    kvp_engine_key *key = NULL;

    ck_assert_int_eq(kvp_engine_generate_ec(kvp_engine_curve_find(crv), &key, &error), KVP_OK);
    return key;
}

/* --- names ---------------------------------------------------------------------------------------
 */

static const struct {
    const char *text, *written; /* NULL: as the text */
} names[] = {
    { "CN=x", NULL },
    { "C=US, S=WA, L=Redmond, O=Test Noodle, OU=TestNugget, CN=www.example.com", NULL },
    { "C=US,ST=WA,CN=x", "C=US, S=WA, CN=x" },
    { "cn=MyCert", "CN=MyCert" },
    { "CN=\"a, b\"", NULL },
    { "CN=a\\, b", "CN=\"a, b\"" },
    { "CN=\"say \"\"hi\"\"\"", NULL },
    { "CN=*.example.com, O=\xc3\xa9", NULL },
    { "E=a@b, DC=example, DC=com", NULL },
    { "OID.2.5.4.17=12345", "PostalCode=12345" },
    { "", NULL },
};

START_TEST(names_are_read_and_written_as_the_service_does)
{
    X509_NAME *name = NULL;
    kvp_buf text = KVP_BUF_INIT(0);

    ck_assert_msg(kvp_x509_name_parse(names[_i].text, &name, &error) == KVP_OK, "%s",
                  names[_i].text);
    ck_assert_int_eq(kvp_x509_name_write(name, &text), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&text), names[_i].written ? names[_i].written : names[_i].text);
    kvp_buf_clear(&text);
    X509_NAME_free(name);
}
END_TEST

static const char *const bad_names[] = {
    "x",         "CN",     "CN=",     "CN=a,",       "CN=a,,CN=b", "=a",
    "ZZ=a",      "CN=\"a", "CN=a\"b", "CN=a\\",      "C=\xc3\xa9", "DC=\xc3\xa9",
    "CN=\"a\"b", "C=USA1", "OID.1=x", "CN=\xff\xfe",
};

START_TEST(names_that_are_none_are_refused)
{
    X509_NAME *name = NULL;

    ck_assert_msg(kvp_x509_name_parse(bad_names[_i], &name, &error) == KVP_ERR_INVALID, "%s",
                  bad_names[_i]);
    ck_assert_ptr_null(name);
}
END_TEST

/* --- making and reading --------------------------------------------------------------------------
 */

static kvp_x509_profile full_profile(void)
{
    kvp_x509_profile profile = { .subject = "CN=Full, O=Test", .months = 12 };
    static const struct {
        kvp_x509_san_kind kind;
        const char *value;
    } sans[] = {
        { KVP_X509_SAN_EMAIL, "a@b.example" },    { KVP_X509_SAN_DNS, "www.example.com" },
        { KVP_X509_SAN_UPN, "john@example.com" }, { KVP_X509_SAN_URI, "urn:x:y" },
        { KVP_X509_SAN_IP, "192.0.2.1" },         { KVP_X509_SAN_IP, "2001:db8::1" },
    };

    for (size_t i = 0; i < KVP_ARRAY_LEN(sans); i++) {
        profile.sans[i].kind = sans[i].kind;
        profile.sans[i].value = sans[i].value;
    }
    profile.san_count = KVP_ARRAY_LEN(sans);
    profile.ekus[0] = "1.3.6.1.5.5.7.3.1";
    profile.ekus[1] = "1.2.3.4.5";
    profile.eku_count = 2;
    profile.usages[0] = profile.usages[3] = profile.usages[6] = true;
    profile.ca = true;
    return profile;
}

static const char *const curves[] = { "P-256", "P-384", "P-521", "P-256K" };

START_TEST(a_self_signed_certificate_says_what_its_profile_says)
{
    kvp_x509_profile profile = full_profile();
    kvp_engine_key *key = ec_key(curves[_i]), *other = ec_key(curves[_i]);
    kvp_buf der = KVP_BUF_INIT(0);
    kvp_x509_facts facts;
    const int64_t now = 1700000000; /* 2023-11-14 22:13:20 UTC */

    ck_assert_int_eq(kvp_x509_check(&profile, &error), KVP_OK);
    ck_assert_int_eq(kvp_x509_self_sign(&profile, key, now, &der, &error), KVP_OK);
    ck_assert_int_eq(kvp_x509_read(der.data, der.len, &facts, &error), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&facts.subject), "CN=Full, O=Test");
    ck_assert_str_eq(kvp_buf_str(&facts.issuer), "CN=Full, O=Test");
    ck_assert_int_eq(facts.not_before, now - 600);
    ck_assert_int_eq(facts.expires, now + 366 * 86400);
    ck_assert_uint_eq(facts.months, 13); /* ten minutes of the thirteenth have begun (recorded) */
    ck_assert_uint_eq(facts.san_count, profile.san_count);
    for (size_t i = 0; i < facts.san_count; i++) {
        ck_assert_int_eq(facts.sans[i].kind, profile.sans[i].kind);
        ck_assert_str_eq(facts.sans[i].value, profile.sans[i].value);
    }
    ck_assert_str_eq(facts.ekus[1], "1.2.3.4.5");
    ck_assert_mem_eq(facts.usages, profile.usages, sizeof(facts.usages));
    ck_assert(facts.ca && facts.has_usages);
    ck_assert_uint_eq(strlen(facts.serial), 32);
    ck_assert_uint_eq(strlen(facts.sha1), 27);
    ck_assert(kvp_x509_matches(der.data, der.len, key));
    ck_assert(!kvp_x509_matches(der.data, der.len, other));
    const unsigned char *p = der.data;
    X509 *cert = d2i_X509(NULL, &p, (long)der.len);
    ck_assert_int_eq(X509_verify(cert, X509_get0_pubkey(cert)), 1);
    X509_free(cert);
    kvp_x509_facts_clear(&facts);
    kvp_buf_clear(&der);
    kvp_engine_key_unref(key);
    kvp_engine_key_unref(other);
}
END_TEST

START_TEST(a_request_is_signed_and_asks_for_the_extensions)
{
    kvp_x509_profile profile = full_profile();
    kvp_engine_key *key = ec_key("P-256");
    kvp_buf der = KVP_BUF_INIT(0);

    ck_assert_int_eq(kvp_x509_request(&profile, key, &der, &error), KVP_OK);
    const unsigned char *p = der.data;
    X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)der.len);
    ck_assert_ptr_nonnull(req);
    ck_assert_int_eq(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
    ck_assert_int_eq(sk_X509_EXTENSION_num(extensions), 4);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(req);
    kvp_buf_clear(&der);
    kvp_engine_key_unref(key);
}
END_TEST

static const struct {
    kvp_x509_san_kind kind;
    const char *value;
} bad_sans[] = {
    { KVP_X509_SAN_IP, "1.2.3" }, { KVP_X509_SAN_IP, "x" },         { KVP_X509_SAN_DNS, "" },
    { KVP_X509_SAN_DNS, "a b" },  { KVP_X509_SAN_DNS, "\xc3\xa9" }, { KVP_X509_SAN_EMAIL, "a\nb" },
    { KVP_X509_SAN_UPN, "" },
};

START_TEST(names_and_oids_that_cannot_be_are_refused)
{
    kvp_x509_profile profile = { .subject = "CN=x", .months = 1, .san_count = 1 };

    profile.sans[0].kind = bad_sans[_i].kind;
    profile.sans[0].value = bad_sans[_i].value;
    ck_assert_int_eq(kvp_x509_check(&profile, &error), KVP_ERR_INVALID);
    profile.san_count = 0;
    ck_assert_int_eq(kvp_x509_check(&profile, &error), KVP_OK);
    profile.ekus[0] = _i % 2 ? "1.x" : "9.9.9";
    profile.eku_count = 1;
    ck_assert_int_eq(kvp_x509_check(&profile, &error), KVP_ERR_INVALID);
    profile.eku_count = 0;
    profile.subject = "";
    ck_assert_int_eq(kvp_x509_check(&profile, &error), KVP_ERR_INVALID);
}
END_TEST

START_TEST(months_end_where_the_calendar_has_an_end)
{
    ck_assert_int_eq(kvp_x509_add_months(1706659200, 1), 1709164800); /* 2024-01-31 -> 02-29 */
    ck_assert_int_eq(kvp_x509_add_months(1675123200, 1), 1677542400); /* 2023-01-31 -> 02-28 */
    ck_assert_int_eq(kvp_x509_add_months(1701388800, 13),
                     1735689600); /* 2023-12-01 -> 2025-01-01 */
}
END_TEST

START_TEST(damaged_certificates_are_read_without_harm)
{
    kvp_x509_profile profile = full_profile();
    kvp_engine_key *key = ec_key("P-256");
    kvp_buf der = KVP_BUF_INIT(0);
    kvp_x509_facts facts;

    ck_assert_int_eq(kvp_x509_self_sign(&profile, key, 1700000000, &der, &error), KVP_OK);
    for (size_t i = 0; i < der.len; i++) {
        der.data[i] ^= 0x55;
        if (kvp_x509_read(der.data, der.len, &facts, &error) == KVP_OK)
            kvp_x509_facts_clear(&facts);
        (void)kvp_x509_matches(der.data, der.len, key);
        der.data[i] ^= 0x55;
        if (i < der.len - 1)
            ck_assert_int_eq(kvp_x509_read(der.data, i, &facts, &error), KVP_ERR_INVALID);
    }
    kvp_buf_clear(&der);
    kvp_engine_key_unref(key);
}
END_TEST

/* --- PFX and PEM ---------------------------------------------------------------------------------
 */

/* A key with its certificate and an unrelated one behind it. */
static void make_bundle(kvp_x509_bundle *bundle)
{
    kvp_x509_profile profile = { .subject = "CN=leaf", .months = 1 };
    kvp_engine_key *other = ec_key("P-256");

    memset(bundle, 0, sizeof(*bundle));
    bundle->key = ec_key("P-256");
    ck_assert_int_eq(
        kvp_x509_self_sign(&profile, bundle->key, 1700000000, &bundle->certs[0], &error), KVP_OK);
    profile.subject = "CN=other";
    ck_assert_int_eq(kvp_x509_self_sign(&profile, other, 1700000000, &bundle->certs[1], &error),
                     KVP_OK);
    bundle->count = 2;
    kvp_engine_key_unref(other);
}

START_TEST(what_is_exported_can_be_imported_again)
{
    kvp_x509_bundle bundle, again;
    kvp_buf text = KVP_BUF_INIT_SECRET(0);
    bool pem = _i == 0, read_pem;

    make_bundle(&bundle);
    ck_assert_int_eq(kvp_x509_export(&bundle, pem, true, &text, &error), KVP_OK);
    ck_assert_msg(kvp_x509_import(kvp_buf_str(&text), text.len, NULL, false, &again, &read_pem,
                                  &error) == KVP_OK,
                  "%s", error.message);
    ck_assert(read_pem == pem);
    ck_assert_uint_eq(again.count, 2);
    ck_assert_uint_eq(again.certs[0].len, bundle.certs[0].len);
    ck_assert_mem_eq(again.certs[0].data, bundle.certs[0].data, bundle.certs[0].len);
    ck_assert_int_eq(EVP_PKEY_eq(again.key->pkey, bundle.key->pkey), 1);
    kvp_x509_bundle_clear(&again);
    kvp_buf_clear(&text);
    ck_assert_int_eq(kvp_x509_export(&bundle, pem, false, &text, &error), KVP_OK);
    if (pem)
        ck_assert_ptr_null(strstr(kvp_buf_str(&text), "PRIVATE"));
    ck_assert_int_eq(
        kvp_x509_import(kvp_buf_str(&text), text.len, NULL, false, &again, &read_pem, &error),
        KVP_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "has no private key"));
    kvp_buf_clear(&text);
    kvp_x509_bundle_clear(&bundle);
}
END_TEST

/* base64 of a PFX of @bundle with a password, a cipher and a number of rounds. */
static void make_pfx(const kvp_x509_bundle *bundle, const char *password, int nid, int rounds,
                     kvp_buf *ret)
{
    const unsigned char *p = bundle->certs[0].data;
    X509 *cert = d2i_X509(NULL, &p, (long)bundle->certs[0].len);
    unsigned char *der = NULL;
    PKCS12 *p12 =
        PKCS12_create(password, NULL, bundle->key->pkey, cert, NULL, nid, nid, rounds, rounds, 0);
    int len = p12 ? i2d_PKCS12(p12, &der) : 0;

    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(kvp_x509_base64(der, (size_t)len, ret), KVP_OK);
    OPENSSL_free(der);
    PKCS12_free(p12);
    X509_free(cert);
}

static const int ciphers[] = { NID_aes_256_cbc, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                               NID_pbe_WithSHA1And40BitRC2_CBC };

START_TEST(a_pfx_opens_with_its_password_only)
{
    kvp_x509_bundle bundle, again;
    kvp_buf text = KVP_BUF_INIT_SECRET(0);
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(NULL, "legacy");
    OSSL_PROVIDER *base = OSSL_PROVIDER_load(NULL, "default");
    bool pem;

    if (_i == 2 && !legacy)
        return; /* this OpenSSL was built without the old ciphers */
    make_bundle(&bundle);
    make_pfx(&bundle, "123", ciphers[_i], 2048, &text);
    ck_assert_msg(
        kvp_x509_import(kvp_buf_str(&text), text.len, "123", false, &again, &pem, &error) == KVP_OK,
        "%s", error.message);
    ck_assert(!pem);
    kvp_x509_bundle_clear(&again);
    ck_assert_int_eq(
        kvp_x509_import(kvp_buf_str(&text), text.len, "124", false, &again, &pem, &error),
        KVP_ERR_INVALID);
    ck_assert_int_eq(
        kvp_x509_import(kvp_buf_str(&text), text.len, NULL, false, &again, &pem, &error),
        KVP_ERR_INVALID);
    kvp_buf_clear(&text);
    kvp_x509_bundle_clear(&bundle);
    OSSL_PROVIDER_unload(legacy);
    OSSL_PROVIDER_unload(base);
}
END_TEST

START_TEST(a_pfx_that_costs_too_much_is_refused_at_once)
{
    kvp_x509_bundle bundle, again;
    kvp_buf text = KVP_BUF_INIT_SECRET(0), der = KVP_BUF_INIT_SECRET(0), evil = KVP_BUF_INIT(0);
    const uint8_t rounds[] = { 0x02, 0x02, 0x04, 0x01 };
    int changed = 0;
    bool pem;

    /* 1025 rounds become -1, which no derivation may take for many: each place it stands in. */
    make_bundle(&bundle);
    make_pfx(&bundle, "123", NID_aes_256_cbc, 1025, &text);
    ck_assert_int_eq(kvp_x509_unbase64(kvp_buf_str(&text), text.len, &der), KVP_OK);
    for (size_t i = 0; i + sizeof(rounds) <= der.len; i++) {
        if (memcmp(der.data + i, rounds, sizeof(rounds)) != 0)
            continue;
        der.data[i + 2] = der.data[i + 3] = 0xff;
        kvp_buf_clear(&evil);
        ck_assert_int_eq(kvp_x509_base64(der.data, der.len, &evil), KVP_OK);
        ck_assert_int_eq(
            kvp_x509_import(kvp_buf_str(&evil), evil.len, "123", false, &again, &pem, &error),
            KVP_ERR_INVALID);
        memcpy(der.data + i, rounds, sizeof(rounds));
        changed++;
    }
    ck_assert_int_gt(changed, 0);
    kvp_buf_clear(&text);
    kvp_buf_clear(&der);
    kvp_buf_clear(&evil);
    kvp_x509_bundle_clear(&bundle);
}
END_TEST

START_TEST(damaged_forms_are_refused_without_harm)
{
    kvp_x509_bundle bundle, again;
    kvp_buf text = KVP_BUF_INIT_SECRET(0);
    bool pem;

    make_bundle(&bundle);
    ck_assert_int_eq(kvp_x509_export(&bundle, _i == 0, true, &text, &error), KVP_OK);
    for (size_t i = 0; i < text.len; i += 7) {
        uint8_t old = text.data[i];
        text.data[i] = old == 'A' ? 'B' : 'A';
        if (kvp_x509_import(kvp_buf_str(&text), text.len, "", false, &again, &pem, &error) ==
            KVP_OK)
            kvp_x509_bundle_clear(&again);
        else
            ck_assert_int_eq(error.status, KVP_ERR_INVALID);
        text.data[i] = old;
    }
    kvp_buf_clear(&text);
    kvp_x509_bundle_clear(&bundle);
}
END_TEST

static const char *const bad_forms[] = {
    "",
    "====",
    "not base64!",
    "AAAA",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "-----BEGIN X",
};

START_TEST(what_is_neither_pfx_nor_pem_is_refused)
{
    kvp_x509_bundle bundle;
    bool pem;

    ck_assert_int_eq(
        kvp_x509_import(bad_forms[_i], strlen(bad_forms[_i]), NULL, false, &bundle, &pem, &error),
        KVP_ERR_INVALID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vaultd certificate forms");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 120);
    tcase_add_checked_fixture(all, setup, NULL);
    tcase_add_loop_test(all, names_are_read_and_written_as_the_service_does, 0,
                        (int)KVP_ARRAY_LEN(names));
    tcase_add_loop_test(all, names_that_are_none_are_refused, 0, (int)KVP_ARRAY_LEN(bad_names));
    tcase_add_loop_test(all, a_self_signed_certificate_says_what_its_profile_says, 0,
                        (int)KVP_ARRAY_LEN(curves));
    tcase_add_test(all, a_request_is_signed_and_asks_for_the_extensions);
    tcase_add_loop_test(all, names_and_oids_that_cannot_be_are_refused, 0,
                        (int)KVP_ARRAY_LEN(bad_sans));
    tcase_add_test(all, months_end_where_the_calendar_has_an_end);
    tcase_add_test(all, damaged_certificates_are_read_without_harm);
    tcase_add_loop_test(all, what_is_exported_can_be_imported_again, 0, 2);
    tcase_add_loop_test(all, a_pfx_opens_with_its_password_only, 0, (int)KVP_ARRAY_LEN(ciphers));
    tcase_add_test(all, a_pfx_that_costs_too_much_is_refused_at_once);
    tcase_add_loop_test(all, damaged_forms_are_refused_without_harm, 0, 2);
    tcase_add_loop_test(all, what_is_neither_pfx_nor_pem_is_refused, 0,
                        (int)KVP_ARRAY_LEN(bad_forms));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
