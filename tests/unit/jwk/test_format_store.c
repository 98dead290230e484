/* SPDX-License-Identifier: MIT */
/* Bodies that bring something into a vault, byte for byte; what cannot be written; torture. */
#include "jwk/jwk.h"
#include "base/alloc.h"

#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void *torture_malloc(size_t size)
{
    return kvp_calloc(1, size);
}

static kvp_tag tags[] = { { (char *)(uintptr_t) "a", (char *)(uintptr_t) "1" } };
static kvp_tag bad_tags[] = { { (char *)(uintptr_t) "a", (char *)(uintptr_t) "\xff" } };

static kvp_buf bytes(const char *text)
{
    kvp_buf buf = KVP_BUF_INIT_SECRET(0);

    ck_assert_int_eq(kvp_buf_set(&buf, text, strlen(text)), KVP_OK);
    return buf;
}

typedef struct brought {
    kvp_key key;
    kvp_private_parts parts;
} brought;

static void clear(brought *b)
{
    kvp_buf_clear(&b->key.n);
    kvp_buf_clear(&b->key.e);
    kvp_buf_clear(&b->key.x);
    kvp_buf_clear(&b->key.y);
    kvp_private_parts_clear(&b->parts);
}

static brought rsa(void)
{
    return (brought){ .key = { .kty = KVP_KTY_RSA, .n = bytes("n"), .e = bytes("e") },
                      .parts = { .d = bytes("d"),
                                 .p = bytes("p"),
                                 .q = bytes("q"),
                                 .dp = bytes("dp"),
                                 .dq = bytes("dq"),
                                 .qi = bytes("qi"),
                                 .k = KVP_BUF_INIT_SECRET(0) } };
}

#define RSA_NUMBERS                                                                                \
    "\"n\":\"bg\",\"e\":\"ZQ\",\"d\":\"ZA\",\"p\":\"cA\",\"q\":\"cQ\",\"dp\":\"ZHA\","             \
    "\"dq\":\"ZHE\",\"qi\":\"cWk\""

START_TEST(an_rsa_key_is_written)
{
    kvp_buf out = KVP_BUF_INIT_SECRET(0);
    brought b = rsa();
    kvp_key_import import = { .key = &b.key, .parts = &b.parts };

    ck_assert_int_eq(kvp_jwk_format_import(&import, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out), "{\"key\":{\"kty\":\"RSA\"," RSA_NUMBERS "}}");
    kvp_buf_clear(&out);
    import.hsm = true;
    b.key.ops = KVP_OP_SIGN | KVP_OP_VERIFY;
    b.key.attributes.not_before = 1;
    b.key.attributes.expires = 2;
    b.key.tags = tags;
    b.key.tag_count = 1;
    ck_assert_int_eq(kvp_jwk_format_import(&import, &out), KVP_OK);
    json_t *root = json_loads(kvp_buf_str(&out), 0, NULL);
    json_t *expected = json_loads("{\"key\":{\"kty\":\"RSA-HSM\",\"key_ops\":[\"sign\",\"verify\"]"
                                  "," RSA_NUMBERS "},\"Hsm\":true,"
                                  "\"attributes\":{\"nbf\":1,\"exp\":2},\"tags\":{\"a\":\"1\"}}",
                                  0, NULL);
    ck_assert_msg(root && json_equal(root, expected), "%s", kvp_buf_str(&out));
    json_decref(root);
    json_decref(expected);
    kvp_buf_clear(&out);
    clear(&b);
}
END_TEST

START_TEST(every_rsa_part_is_needed)
{
    kvp_buf out = KVP_BUF_INIT_SECRET(0);
    brought b = rsa();
    kvp_buf *const all[] = { &b.key.n,   &b.key.e,    &b.parts.d,  &b.parts.p,
                             &b.parts.q, &b.parts.dp, &b.parts.dq, &b.parts.qi };
    kvp_key_import import = { .key = &b.key, .parts = &b.parts };

    kvp_buf_clear(all[_i]);
    ck_assert_int_eq(kvp_jwk_format_import(&import, &out), KVP_ERR_INVALID);
    ck_assert_uint_eq(out.len, 0);
    kvp_buf_clear(&out);
    clear(&b);
}
END_TEST

START_TEST(ec_and_symmetric_keys_are_written)
{
    static const char wide[] = "0123456789abcdef0123456789abcdef";
    kvp_buf out = KVP_BUF_INIT_SECRET(0);
    brought ec = {
        .key = { .kty = KVP_KTY_EC, .curve = KVP_CURVE_P256K, .x = bytes(wide), .y = bytes(wide) },
        .parts = { .d = bytes(wide), .k = KVP_BUF_INIT_SECRET(0) }
    };
    brought oct = { .key = { .kty = KVP_KTY_OCT }, .parts = { .k = bytes("k") } };
    kvp_key_import import = { .key = &ec.key, .parts = &ec.parts };

#define WIDE "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\""
    ck_assert_int_eq(kvp_jwk_format_import(&import, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out), "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256K\",\"x\":" WIDE
                                        ",\"y\":" WIDE ",\"d\":" WIDE "}}");
    kvp_buf_clear(&out);
    ec.parts.d.len--;
    ck_assert_int_eq(kvp_jwk_format_import(&import, &out), KVP_ERR_INVALID);
    ec.key.curve = KVP_CURVE_NONE;
    ck_assert_int_eq(kvp_jwk_format_import(&import, &out), KVP_ERR_INVALID);
    clear(&ec);

    import = (kvp_key_import){ .key = &oct.key, .parts = &oct.parts, .hsm = true };
    ck_assert_int_eq(kvp_jwk_format_import(&import, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out),
                     "{\"key\":{\"kty\":\"oct-HSM\",\"k\":\"aw\"},\"Hsm\":true}");
    kvp_buf_clear(&out);
    oct.key.kty = KVP_KTY_UNKNOWN;
    ck_assert_int_eq(kvp_jwk_format_import(&import, &out), KVP_ERR_INVALID);
    oct.key.kty = KVP_KTY_OCT;
    oct.key.tags = bad_tags;
    oct.key.tag_count = 1;
    ck_assert_int_eq(kvp_jwk_format_import(&import, &out), KVP_ERR_INVALID);
    ck_assert_uint_eq(out.len, 0);
    kvp_buf_clear(&out);
    clear(&oct);
}
END_TEST

START_TEST(a_secret_is_written)
{
    kvp_buf out = KVP_BUF_INIT_SECRET(0);
    kvp_secret_set set = { .value = "a\"b", .value_len = 3 };

    ck_assert_int_eq(kvp_jwk_format_secret(&set, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out), "{\"value\":\"a\\\"b\"}");
    kvp_buf_clear(&out);
    set = (kvp_secret_set){
        .value = "", .content_type = "text/plain", .tags = tags, .tag_count = 1, .expires = 7
    };
    ck_assert_int_eq(kvp_jwk_format_secret(&set, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out), "{\"value\":\"\",\"contentType\":\"text/plain\","
                                        "\"attributes\":{\"exp\":7},\"tags\":{\"a\":\"1\"}}");
    kvp_buf_clear(&out);
    set.value = "\xc3";
    set.value_len = 1;
    ck_assert_int_eq(kvp_jwk_format_secret(&set, &out), KVP_ERR_INVALID);
    set.value_len = 0;
    set.tags = bad_tags;
    ck_assert_int_eq(kvp_jwk_format_secret(&set, &out), KVP_ERR_INVALID);
    ck_assert_uint_eq(out.len, 0);
    kvp_buf_clear(&out);
}
END_TEST

START_TEST(a_certificate_is_written)
{
    kvp_buf out = KVP_BUF_INIT_SECRET(0);
    kvp_certificate_import import = { .value = "UEZY", .value_len = 4, .password = "pw" };
    kvp_buf chain[] = { bytes("leaf"), bytes("ca") };
    kvp_certificate_merge merge = { .chain = chain, .count = 2 };

    ck_assert_int_eq(kvp_jwk_format_certificate_import(&import, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out),
                     "{\"value\":\"UEZY\",\"pwd\":\"pw\",\"policy\":{\"key_props\":{\"exportable\":"
                     "false},\"secret_props\":{\"contentType\":\"application/x-pkcs12\"}}}");
    kvp_buf_clear(&out);
    import = (kvp_certificate_import){
        .value = "-", .value_len = 1, .pem = true, .exportable = true, .tags = tags, .tag_count = 1
    };
    ck_assert_int_eq(kvp_jwk_format_certificate_import(&import, &out), KVP_OK);
    ck_assert_str_eq(
        kvp_buf_str(&out),
        "{\"value\":\"-\",\"policy\":{\"key_props\":{\"exportable\":true},\"secret_props\":"
        "{\"contentType\":\"application/x-pem-file\"}},\"tags\":{\"a\":\"1\"}}");
    kvp_buf_clear(&out);

    ck_assert_int_eq(kvp_jwk_format_merge(&merge, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out), "{\"x5c\":[\"bGVhZg==\",\"Y2E=\"]}");
    kvp_buf_clear(&out);
    merge.tags = tags;
    merge.tag_count = merge.count = 1;
    ck_assert_int_eq(kvp_jwk_format_merge(&merge, &out), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&out), "{\"x5c\":[\"bGVhZg==\"],\"tags\":{\"a\":\"1\"}}");
    kvp_buf_clear(&out);
    kvp_buf_clear(&chain[0]);
    kvp_buf_clear(&chain[1]);
}
END_TEST

static const struct {
    const char *json;
    kvp_status st;
    bool in_progress;
    const char *csr;
} pendings[] = {
    { "{\"status\":\"inProgress\",\"csr\":\"Q1NS\"}", KVP_OK, true, "CSR" },
    { "{\"status\":\"completed\",\"csr\":null}", KVP_OK, false, "" },
    { "{\"status\":\"failed\"}", KVP_OK, false, "" },
    { "{}", KVP_ERR_PARSE, false, NULL },
    { "{\"status\":1}", KVP_ERR_PARSE, false, NULL },
    { "{\"status\":\"inProgress\",\"csr\":\"!\"}", KVP_ERR_PARSE, false, NULL },
    { "[]", KVP_ERR_PARSE, false, NULL },
};

START_TEST(a_pending_operation_is_read)
{
    kvp_certificate_pending pending = { .in_progress = false };

    ck_assert_int_eq(
        kvp_jwk_parse_pending(pendings[_i].json, strlen(pendings[_i].json), &pending, NULL),
        pendings[_i].st);
    if (pendings[_i].st != KVP_OK)
        return;
    ck_assert_int_eq(pending.in_progress, pendings[_i].in_progress);
    ck_assert_str_eq(kvp_buf_str(&pending.csr), pendings[_i].csr);
    kvp_certificate_pending_clear(&pending);
}
END_TEST

static kvp_status write_all(kvp_buf *out)
{
    kvp_buf der = KVP_BUF_INIT(0);
    brought b = { .key = { .kty = KVP_KTY_OCT, .tags = tags, .tag_count = 1 } };
    kvp_key_import key = { .key = &b.key, .parts = &b.parts, .hsm = true };
    kvp_secret_set secret = { .value = "v", .value_len = 1, .tags = tags, .tag_count = 1 };
    kvp_certificate_import certificate = { .value = "v", .value_len = 1 };
    kvp_certificate_merge merge = { .chain = &der, .count = 1 };
    kvp_status st = kvp_buf_set(&b.parts.k, "k", 1);

    b.key.attributes.expires = 1;
    if (st == KVP_OK)
        st = kvp_buf_set(&der, "d", 1);
    if (st == KVP_OK)
        st = kvp_jwk_format_import(&key, out);
    if (st == KVP_OK)
        st = kvp_jwk_format_secret(&secret, out);
    if (st == KVP_OK)
        st = kvp_jwk_format_certificate_import(&certificate, out);
    if (st == KVP_OK)
        st = kvp_jwk_format_merge(&merge, out);
    kvp_buf_clear(&der);
    clear(&b);
    return st;
}

START_TEST(each_failing_allocation_is_survived)
{
    long n;

    json_set_alloc_funcs(torture_malloc, kvp_free);
    for (n = 0; n < 1000; n++) {
        kvp_buf out = KVP_BUF_INIT_SECRET(0);
        kvp_status st;

        kvp_alloc_fail_after(n);
        st = write_all(&out);
        kvp_alloc_fail_after(-1);
        kvp_buf_clear(&out);
        if (st == KVP_OK)
            break;
        ck_assert(st == KVP_ERR_NO_MEMORY || st == KVP_ERR_INVALID);
    }
    ck_assert_msg(n > 20 && n < 1000, "%ld allocations", n);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("format_store");
    TCase *tcase = tcase_create("format_store");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, an_rsa_key_is_written);
    tcase_add_loop_test(tcase, every_rsa_part_is_needed, 0, 8);
    tcase_add_test(tcase, ec_and_symmetric_keys_are_written);
    tcase_add_test(tcase, a_secret_is_written);
    tcase_add_test(tcase, a_certificate_is_written);
    tcase_add_loop_test(tcase, a_pending_operation_is_read, 0, (int)KVP_ARRAY_LEN(pendings));
    tcase_add_test(tcase, each_failing_allocation_is_survived);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
