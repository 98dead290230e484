/* SPDX-License-Identifier: MIT */
/* Each operation: what goes over the wire and what comes back; paging; many keys at once; the
 * algorithm table. */
#include "config.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/unit/vault/world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V "0123456789abcdef0123456789abcdef"
static world w;

static void setup(void)
{
    memset(&w, 0, sizeof(w));
    world_start(&w);
}

static void teardown(void)
{
    world_stop(&w);
}

static void assert_request(unsigned index, const char *method, const char *target, const char *body)
{
    const fake_request *request = world_request(&w, index);

    ck_assert_str_eq(request->method, method);
    ck_assert_str_eq(request->target, target);
    ck_assert_str_eq(request->body, body);
}

static const fake_reply oct_reply = { .body = "{\"key\":{\"kid\":\"https://h/keys/K-1/" V
                                              "\",\"kty\":\"oct-HSM\"},"
                                              "\"attributes\":{\"enabled\":true}}" };

/* ---- keys ---- */

START_TEST(a_key_is_read)
{
    kvp_key *key = NULL;
    kvp_trace trace;

    w.reply = &oct_reply;
    ck_assert_int_eq(kvp_vault_key_get(w.vault, "k-1", V, &trace, &key, NULL), KVP_OK);
    ck_assert_str_eq(key->version, V);
    ck_assert_str_eq(trace.object_id, "https://h/keys/K-1/" V);
    assert_request(1, "GET", "/keys/k-1/" V "?api-version=7.4", "");
    kvp_key_free(key);
    key = NULL;
    ck_assert_int_eq(kvp_vault_key_get(w.vault, "k-1", "", NULL, &key, NULL), KVP_OK);
    assert_request(2, "GET", "/keys/k-1?api-version=7.4", "");
    kvp_key_free(key);
    key = NULL;
    ck_assert_int_eq(kvp_vault_key_get(w.vault, "other", NULL, NULL, &key, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_vault_key_get(w.vault, "k-1", "ffff", NULL, &key, NULL), KVP_ERR_PARSE);
    ck_assert_ptr_null(key);
}
END_TEST

static const char *const bad_names[] = { "", "a/b", "..", "a b", "a?x", "a%2f", "\xc3\xa4", NULL };

START_TEST(names_cannot_leave_their_place_in_the_path)
{
    kvp_key *key = NULL;

    ck_assert_int_eq(kvp_vault_key_get(w.vault, bad_names[_i], NULL, NULL, &key, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_vault_delete(w.vault, KVP_KEYS, bad_names[_i], NULL, NULL), KVP_ERR_INVALID);
    if (bad_names[_i] && bad_names[_i][0])
        ck_assert_int_eq(kvp_vault_key_get(w.vault, "a", bad_names[_i], NULL, &key, NULL),
                         KVP_ERR_INVALID);
    ck_assert_uint_eq(fake_server_count(w.server), 0);
}
END_TEST

START_TEST(keys_are_made_changed_and_deleted)
{
    kvp_key_create create = { .kty = KVP_KTY_OCT, .hsm = true, .key_bits = 256 };
    kvp_key_update update = { .set_enabled = true };
    kvp_key *key = NULL;
    kvp_entry *entry = NULL;

    w.reply = &oct_reply;
    ck_assert_int_eq(kvp_vault_key_create(w.vault, "K-1", &create, NULL, &key, NULL), KVP_OK);
    assert_request(1, "POST", "/keys/K-1/create?api-version=7.4",
                   "{\"kty\":\"oct-HSM\",\"key_size\":256}");
    kvp_key_free(key);
    ck_assert_int_eq(kvp_vault_update(w.vault, KVP_KEYS, "K-1", V, &update, NULL, &entry, NULL),
                     KVP_OK);
    assert_request(2, "PATCH", "/keys/K-1/" V "?api-version=7.4",
                   "{\"attributes\":{\"enabled\":false}}");
    kvp_entry_free(entry);
    ck_assert_int_eq(kvp_vault_delete(w.vault, KVP_KEYS, "K-1", NULL, NULL), KVP_OK);
    assert_request(3, "DELETE", "/keys/K-1?api-version=7.4", "");
    create.kty = KVP_KTY_UNKNOWN;
    ck_assert_int_eq(kvp_vault_key_create(w.vault, "K-1", &create, NULL, &key, NULL),
                     KVP_ERR_INVALID);
    ck_assert_uint_eq(world_count(&w), 4);
}
END_TEST

/* ---- use ---- */

START_TEST(signatures_are_checked_by_the_service)
{
    static const fake_reply yes = { .body = "{\"value\":true}" },
                            no = { .body = "{\"value\":false}" },
                            odd = { .body = "{\"value\":\"true\"}" };

    w.reply = &yes;
    ck_assert_int_eq(
        kvp_vault_verify(w.vault, "k", V, KVP_ALG_HS256, "foo", 3, "fo", 2, NULL, NULL), KVP_OK);
    assert_request(1, "POST", "/keys/k/" V "/verify?api-version=7.4",
                   "{\"alg\":\"HS256\",\"digest\":\"Zm9v\",\"value\":\"Zm8\"}");
    w.reply = &no;
    ck_assert_int_eq(
        kvp_vault_verify(w.vault, "k", V, KVP_ALG_HS256, "foo", 3, "fo", 2, NULL, NULL),
        KVP_ERR_MISMATCH);
    w.reply = &odd;
    ck_assert_int_eq(
        kvp_vault_verify(w.vault, "k", V, KVP_ALG_HS256, "foo", 3, "fo", 2, NULL, NULL),
        KVP_ERR_PARSE);
}
END_TEST

static const struct {
    kvp_crypt what;
    const char *path;
} crypts[] = {
    { KVP_CRYPT_ENCRYPT, "/keys/k/" V "/encrypt?api-version=7.4" },
    { KVP_CRYPT_DECRYPT, "/keys/k/" V "/decrypt?api-version=7.4" },
    { KVP_CRYPT_WRAP, "/keys/k/" V "/wrapKey?api-version=7.4" },
    { KVP_CRYPT_UNWRAP, "/keys/k/" V "/unwrapKey?api-version=7.4" },
};

START_TEST(data_is_encrypted_and_back)
{
    static const fake_reply reply = { .body =
                                          "{\"kid\":\"https://h/keys/k/" V
                                          "\",\"value\":\"Zm9v\",\"iv\":\"AAE\",\"tag\":\"_w\"}" };
    kvp_operation_result result = { 0 };
    kvp_buf iv = KVP_BUF_INIT(0), tag = KVP_BUF_INIT(0);

    w.reply = &reply;
    ck_assert_int_eq(kvp_buf_set(&iv, "\1", 1), KVP_OK);
    ck_assert_int_eq(kvp_buf_set(&tag, "\2", 1), KVP_OK);
    ck_assert_int_eq(kvp_vault_crypt(w.vault, crypts[_i].what, "k", V, KVP_ALG_A256GCM, "data", 4,
                                     &iv, NULL, &tag, NULL, &result, NULL),
                     KVP_OK);
    assert_request(1, "POST", crypts[_i].path,
                   "{\"alg\":\"A256GCM\",\"value\":\"ZGF0YQ\",\"iv\":\"AQ\",\"tag\":\"Ag\"}");
    ck_assert_str_eq(kvp_buf_str(&result.value), "foo");
    ck_assert(result.value.secret);
    ck_assert_uint_eq(result.iv.len, 2);
    ck_assert_uint_eq(result.tag.len, 1);
    kvp_operation_result_clear(&result);
    kvp_buf_clear(&iv);
    kvp_buf_clear(&tag);
}
END_TEST

START_TEST(a_key_is_used_by_its_version_and_a_known_algorithm)
{
    kvp_buf sig = KVP_BUF_INIT(0);
    kvp_operation_result result = { 0 };
    uint8_t digest[64] = { 0 };
    kvp_error error;

    ck_assert_int_eq(
        kvp_vault_sign(w.vault, "k", NULL, KVP_ALG_RS256, digest, 32, NULL, &sig, NULL),
        KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_vault_sign(w.vault, "k", "", KVP_ALG_RS256, digest, 32, NULL, &sig, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_vault_sign(w.vault, "k", V, KVP_ALG_RS256, digest, 48, NULL, &sig, &error),
                     KVP_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.message, "32 bytes, not 48"));
    ck_assert_int_eq(kvp_vault_sign(w.vault, "k", V, KVP_ALG_NONE, digest, 32, NULL, &sig, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_vault_sign(w.vault, "k", V, KVP_ALG_COUNT, digest, 32, NULL, &sig, NULL),
                     KVP_ERR_INVALID);
    ck_assert_int_eq(kvp_vault_crypt(w.vault, KVP_CRYPT_WRAP, "k", V, KVP_ALG_NONE, digest, 32,
                                     NULL, NULL, NULL, NULL, &result, NULL),
                     KVP_ERR_INVALID);
    ck_assert_uint_eq(fake_server_count(w.server), 0);
}
END_TEST

static void random_bytes(world *self, const fake_request *request, fake_reply *reply)
{
    unsigned count = 0;
    size_t chars;

    (void)self;
    ck_assert_int_eq(sscanf(request->body, "{\"count\":%u}", &count), 1);
    chars = count / 3 * 4 + (count % 3 ? count % 3 + 1 : 0);
    snprintf(reply->text, sizeof(reply->text), "{\"value\":\"%.*s\"}", (int)chars,
             "AQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDA"
             "QIDAQIDAQIDAQIDAQID"
             "AQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQIDAQI");
    reply->body = reply->text;
}

START_TEST(random_bytes_come_in_pieces)
{
    uint8_t bytes[303];
    static const fake_reply few = { .body = "{\"value\":\"AQID\"}" };

    w.answer = random_bytes;
    memset(bytes, 0, sizeof(bytes));
    ck_assert_int_eq(kvp_vault_random(w.vault, bytes, 128 + 128 + 30, NULL, NULL), KVP_OK);
    ck_assert_uint_eq(world_count(&w), 4);
    assert_request(1, "POST", "/rng?api-version=7.4", "{\"count\":128}");
    assert_request(3, "POST", "/rng?api-version=7.4", "{\"count\":30}");
    ck_assert_uint_eq(bytes[0], 1);
    ck_assert_uint_eq(bytes[128], 1);
    ck_assert_uint_eq(bytes[285], 3);
    ck_assert_uint_eq(bytes[286], 0);
    w.answer = NULL;
    w.reply = &few;
    ck_assert_int_eq(kvp_vault_random(w.vault, bytes, 30, NULL, NULL), KVP_ERR_PARSE);
    ck_assert_int_eq(kvp_vault_random(w.vault, bytes, 0, NULL, NULL), KVP_OK);
}
END_TEST

/* ---- pages ---- */

static const char *link_before = "", *link_after = "/keys?api-version=7.4&$skiptoken=";
static unsigned pages;

static void page(world *self, const fake_request *request, fake_reply *reply)
{
    const char *token = strstr(request->target, "skiptoken=");
    unsigned number = token ? (unsigned)strtoul(token + 10, NULL, 10) : 0;
    char link[256] = "null";

    if (number + 1 < pages) {
        snprintf(link, sizeof(link), "\"%s%s%s%u\"", link_before, fake_server_url(self->server),
                 link_after, number + 1);
    }
    /* The second page is empty and still not the last. */
    if (number == 1)
        snprintf(reply->text, sizeof(reply->text), "{\"value\":[],\"nextLink\":%s}", link);
    else
        snprintf(reply->text, sizeof(reply->text),
                 "{\"value\":[{\"kid\":\"https://h/keys/a%u\"},{\"kid\":\"https://h/keys/"
                 "b%u\"}],\"nextLink\":%s}",
                 number, number, link);
    reply->body = reply->text;
}

START_TEST(all_pages_make_one_list)
{
    kvp_entry_list list = { NULL, 0, 0 };
    kvp_trace trace;

    w.answer = page;
    pages = 10;
    ck_assert_int_eq(kvp_vault_list(w.vault, KVP_KEYS, &trace, &list, NULL), KVP_OK);
    ck_assert_uint_eq(list.count, 18);
    ck_assert_str_eq(list.items[0]->name, "a0");
    ck_assert_str_eq(list.items[17]->name, "b9");
    ck_assert_uint_eq(trace.attempts, 11);
    assert_request(1, "GET", "/keys?api-version=7.4", "");
    assert_request(2, "GET", "/keys?api-version=7.4&$skiptoken=1", "");
    ck_assert(world_has(world_request(&w, 10), "Authorization", "Bearer tok-1"));
    kvp_entry_list_clear(&list);
    pages = 1;
    ck_assert_int_eq(kvp_vault_versions(w.vault, KVP_KEYS, "k", NULL, &list, NULL), KVP_OK);
    assert_request(11, "GET", "/keys/k/versions?api-version=7.4", "");
    kvp_entry_list_clear(&list);
}
END_TEST

static const struct {
    const char *before, *after;
} bad_links[] = {
    { "https://evil.example/keys?", "" },
    { "", ".evil.example/keys?" },
    { "", "@evil.example/keys?" },
    { "", "9/keys?" },
    { "/keys?", "" },
    { "", "\\\\@evil.example/" },
};

START_TEST(links_to_elsewhere_are_not_followed)
{
    kvp_entry_list list = { NULL, 0, 0 };
    kvp_error error;

    w.answer = page;
    pages = 3;
    link_before = bad_links[_i].before;
    link_after = bad_links[_i].after;
    ck_assert_int_eq(kvp_vault_list(w.vault, KVP_KEYS, NULL, &list, &error), KVP_ERR_REFUSED);
    ck_assert_uint_eq(list.count, 0);
    ck_assert_uint_eq(world_count(&w), 2);
}
END_TEST

static unsigned circle;

static void turn(world *self, const fake_request *request, fake_reply *reply)
{
    const char *token = strstr(request->target, "skiptoken=");
    unsigned number = token ? (unsigned)strtoul(token + 10, NULL, 10) : 0;

    snprintf(reply->text, sizeof(reply->text),
             "{\"value\":[],\"nextLink\":\"%s/keys?$skiptoken=%u\"}", fake_server_url(self->server),
             number % circle + 1);
    reply->body = reply->text;
}

START_TEST(a_list_that_turns_in_circles_ends)
{
    kvp_entry_list list = { NULL, 0, 0 };
    kvp_error error;

    circle = _i ? 7 : 1;
    w.answer = turn;
    ck_assert_int_eq(kvp_vault_list(w.vault, KVP_KEYS, NULL, &list, &error), KVP_ERR_PARSE);
    ck_assert_ptr_nonnull(strstr(error.message, "no end"));
    ck_assert_uint_lt(world_count(&w), 40);
}
END_TEST

static void second_page_fails(world *self, const fake_request *request, fake_reply *reply)
{
    page(self, request, reply);
    if (strstr(request->target, "skiptoken"))
        reply->body = "{\"value\":7}";
}

START_TEST(a_list_is_whole_or_not_at_all)
{
    static const char first[] = "{\"value\":[{\"kid\":\"https://h/keys/kept\"}]}";
    kvp_entry_list list = { NULL, 0, 0 };
    char *next = NULL;

    ck_assert_int_eq(kvp_jwk_parse_page(KVP_KEYS, first, strlen(first), &list, &next, NULL),
                     KVP_OK);
    w.answer = second_page_fails;
    pages = 2;
    ck_assert_int_eq(kvp_vault_list(w.vault, KVP_KEYS, NULL, &list, NULL), KVP_ERR_PARSE);
    ck_assert_uint_eq(list.count, 1);
    kvp_entry_list_clear(&list);
}
END_TEST

/* ---- many ---- */

#define MANY 60
static unsigned failing_status, refuse_from;

static void one_of_many(world *self, const fake_request *request, fake_reply *reply)
{
    unsigned number = 0;

    if (sscanf(request->target, "/keys/key-%u", &number) != 1)
        return;
    if (number == 7) {
        reply->status = 404;
        reply->body = "{\"error\":{\"code\":\"KeyNotFound\",\"message\":\"gone\"}}";
        return;
    }
    if (number == 8) {
        reply->body = "{\"key\":{\"kid\":\"https://h/keys/another/" V "\",\"kty\":\"oct\"}}";
        return;
    }
    if (number == 9 && failing_status) {
        reply->status = (int)failing_status;
        return;
    }
    if (refuse_from && number >= refuse_from) {
        /* From here on the first token is no good. */
        refuse_from = 0;
        self->accepted = 2;
    }
    snprintf(reply->text, sizeof(reply->text),
             "{\"key\":{\"kid\":\"https://h/keys/key-%u/" V "\",\"kty\":\"oct\"}}", number);
    reply->body = reply->text;
}

static kvp_status get_many(kvp_vault_read *reads, kvp_trace *trace, kvp_error *error)
{
    static char text[MANY][16];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text[i], sizeof(text[i]), "key-%u", i);
        reads[i] = (kvp_vault_read){ KVP_KEYS, text[i], NULL, NULL };
    }
    w.answer = one_of_many;
    return kvp_vault_get_many(w.vault, reads, MANY, trace, error);
}

static void assert_many(kvp_vault_read *reads)
{
    char name[16];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "key-%u", i);
        if (i == 7 || i == 8) {
            ck_assert_ptr_null(reads[i].result);
            continue;
        }
        ck_assert_ptr_nonnull(reads[i].result);
        ck_assert_str_eq(reads[i].result->name, name);
        kvp_entry_free(reads[i].result);
    }
}

START_TEST(many_keys_are_read_and_the_missing_passed_over)
{
    kvp_vault_read reads[MANY];
    kvp_trace trace;
    kvp_error error = { 0 };

    ck_assert_msg(get_many(reads, &trace, &error) == KVP_OK, "%s", error.message);
    assert_many(reads);
    ck_assert_uint_eq(trace.attempts, MANY + 1);
    ck_assert_uint_eq(world_token_requests(&w), 1);
    ck_assert_uint_eq(world_count(&w), MANY + 1);
    ck_assert_int_eq(kvp_vault_get_many(w.vault, NULL, 0, NULL, NULL), KVP_OK);
}
END_TEST

START_TEST(a_token_that_expires_in_the_middle_is_replaced)
{
    kvp_vault_read reads[MANY];
    kvp_error error = { 0 };

    refuse_from = 30;
    ck_assert_msg(get_many(reads, NULL, &error) == KVP_OK, "%s", error.message);
    assert_many(reads);
    ck_assert_uint_eq(world_token_requests(&w), 2);
}
END_TEST

START_TEST(a_vault_that_refuses_all_ends_the_batch)
{
    kvp_vault_read reads[MANY];
    kvp_error error = { 0 };

    w.refuse_all = true;
    ck_assert_int_eq(get_many(reads, NULL, &error), KVP_ERR_HTTP);
    ck_assert_int_eq(error.http_status, 401);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_ptr_null(reads[i].result);
    ck_assert_uint_le(world_token_requests(&w), 2);
}
END_TEST

START_TEST(trouble_with_the_vault_is_the_result)
{
    kvp_vault_read reads[MANY];
    kvp_error error = { 0 };

    failing_status = 501;
    ck_assert_int_eq(get_many(reads, NULL, &error), KVP_ERR_HTTP);
    ck_assert_int_eq(error.http_status, 501);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_ptr_null(reads[i].result);
}
END_TEST

START_TEST(a_bad_name_among_many_sends_nothing)
{
    kvp_vault_read reads[] = { { KVP_KEYS, "good", NULL, NULL }, { KVP_KEYS, "b/ad", NULL, NULL } };

    ck_assert_int_eq(kvp_vault_get_many(w.vault, reads, 2, NULL, NULL), KVP_ERR_INVALID);
    ck_assert_uint_eq(fake_server_count(w.server), 0);
}
END_TEST

/* ---- algorithms ---- */

START_TEST(every_algorithm_has_a_name_of_its_own)
{
    ck_assert_str_ne(kvp_alg_name((kvp_alg)_i), "");
    for (int other = KVP_ALG_NONE; other < KVP_ALG_COUNT; other++)
        ck_assert(other == _i ||
                  strcmp(kvp_alg_name((kvp_alg)_i), kvp_alg_name((kvp_alg)other)) != 0);
    ck_assert_uint_le(kvp_alg_digest_len((kvp_alg)_i), 64);
}
END_TEST

START_TEST(no_algorithm_has_no_name)
{
    ck_assert_str_eq(kvp_alg_name(KVP_ALG_NONE), "");
    ck_assert_str_eq(kvp_alg_name(KVP_ALG_COUNT), "");
    ck_assert_uint_eq(kvp_alg_digest_len(KVP_ALG_COUNT), 0);
    ck_assert_uint_eq(kvp_alg_digest_len(KVP_ALG_ES256K), 32);
    ck_assert_uint_eq(kvp_alg_digest_len(KVP_ALG_ES512), 64);
    ck_assert_uint_eq(kvp_alg_digest_len(KVP_ALG_RSNULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operations");
    TCase *tcase = tcase_create("operations"), *table = tcase_create("algorithms");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_key_is_read);
    tcase_add_loop_test(tcase, names_cannot_leave_their_place_in_the_path, 0,
                        (int)KVP_ARRAY_LEN(bad_names));
    tcase_add_test(tcase, keys_are_made_changed_and_deleted);
    tcase_add_test(tcase, signatures_are_checked_by_the_service);
    tcase_add_loop_test(tcase, data_is_encrypted_and_back, 0, (int)KVP_ARRAY_LEN(crypts));
    tcase_add_test(tcase, a_key_is_used_by_its_version_and_a_known_algorithm);
    tcase_add_test(tcase, random_bytes_come_in_pieces);
    tcase_add_test(tcase, all_pages_make_one_list);
    tcase_add_loop_test(tcase, links_to_elsewhere_are_not_followed, 0,
                        (int)KVP_ARRAY_LEN(bad_links));
    tcase_add_loop_test(tcase, a_list_that_turns_in_circles_ends, 0, 2);
    tcase_add_test(tcase, a_list_is_whole_or_not_at_all);
    tcase_add_test(tcase, many_keys_are_read_and_the_missing_passed_over);
    tcase_add_test(tcase, a_token_that_expires_in_the_middle_is_replaced);
    tcase_add_test(tcase, a_vault_that_refuses_all_ends_the_batch);
    tcase_add_test(tcase, trouble_with_the_vault_is_the_result);
    tcase_add_test(tcase, a_bad_name_among_many_sends_nothing);
    tcase_add_loop_test(table, every_algorithm_has_a_name_of_its_own, KVP_ALG_NONE + 1,
                        KVP_ALG_COUNT);
    tcase_add_test(table, no_algorithm_has_no_name);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, table);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
