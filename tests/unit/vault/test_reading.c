/* SPDX-License-Identifier: MIT */
/* Certificates and secrets read, and several lists at once. */
#include "tests/unit/vault/world.h"

#include "base/alloc.h"

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

START_TEST(a_certificate_is_one_get)
{
    static const fake_reply reply = {
        .body = "{\"id\":\"https://h/certificates/web/" V "\",\"cer\":\"Zm9v\"}"
    };
    kvp_certificate *certificate = NULL;
    kvp_trace trace;

    w.reply = &reply;
    ck_assert_int_eq(kvp_vault_certificate_get(w.vault, "web", NULL, &trace, &certificate, NULL),
                     KVP_OK);
    ck_assert_str_eq(world_request(&w, 1)->target, "/certificates/web?api-version=7.4");
    ck_assert_str_eq(trace.object_id, "https://h/certificates/web/" V);
    ck_assert_str_eq(kvp_buf_str(&certificate->der), "foo");
    kvp_certificate_free(certificate);
    certificate = NULL;
    ck_assert_int_eq(kvp_vault_certificate_get(w.vault, "other", V, NULL, &certificate, NULL),
                     KVP_ERR_PARSE);
    ck_assert_str_eq(world_request(&w, 2)->target, "/certificates/other/" V "?api-version=7.4");
    ck_assert_ptr_null(certificate);
    ck_assert_int_eq(kvp_vault_certificate_get(w.vault, "a/b", NULL, NULL, &certificate, NULL),
                     KVP_ERR_INVALID);
}
END_TEST

START_TEST(a_secret_comes_with_its_value)
{
    static const fake_reply reply = {
        .body = "{\"id\":\"https://h/secrets/pass/" V "\",\"value\":\"word\"}"
    };
    kvp_secret *secret = NULL;

    w.reply = &reply;
    ck_assert_int_eq(kvp_vault_secret_get(w.vault, "pass", V, NULL, &secret, NULL), KVP_OK);
    ck_assert_str_eq(world_request(&w, 1)->target, "/secrets/pass/" V "?api-version=7.4");
    ck_assert(secret->value.secret);
    ck_assert_str_eq(kvp_buf_str(&secret->value), "word");
    kvp_secret_free(secret);
}
END_TEST

/* ---- several lists ---- */

static int certificate_status, fail_at;

/* Three pages of keys, one of secrets, and certificates as the test wants them. */
static void lists(world *self, const fake_request *request, fake_reply *reply)
{
    const char *token = strstr(request->target, "skiptoken=");
    int number = token ? atoi(token + 10) : 0;

    if (strncmp(request->target, "/keys?", 6) == 0) {
        char link[256] = "null";
        if (fail_at == number + 1) {
            reply->status = 501;
            return;
        }
        if (number < 2)
            snprintf(link, sizeof(link), "\"%s/keys?$skiptoken=%d\"",
                     fake_server_url(self->server), number + 1);
        snprintf(reply->text, sizeof(reply->text),
                 "{\"value\":[{\"kid\":\"https://h/keys/k%d\"}],\"nextLink\":%s}", number, link);
        reply->body = reply->text;
    } else if (strncmp(request->target, "/secrets?", 9) == 0) {
        reply->body = "{\"value\":[{\"id\":\"https://h/secrets/s\"}],\"nextLink\":null}";
    } else if (strncmp(request->target, "/keys/k/versions?", 17) == 0) {
        reply->body = "{\"value\":[{\"kid\":\"https://h/keys/k/" V "\"}]}";
    } else if (certificate_status) {
        reply->status = certificate_status;
        reply->body = "{\"error\":{\"code\":\"Forbidden\",\"message\":\"not you\"}}";
    } else {
        reply->body = "{\"value\":[]}";
    }
}

static kvp_vault_listing listings[4];

static kvp_status list_many(kvp_trace *trace, kvp_error *error)
{
    memset(listings, 0, sizeof(listings));
    listings[0].collection = KVP_KEYS;
    listings[1].collection = KVP_CERTIFICATES;
    listings[2].collection = KVP_SECRETS;
    listings[3].collection = KVP_KEYS;
    listings[3].versions_of = "k";
    w.answer = lists;
    return kvp_vault_list_many(w.vault, listings, 4, trace, error);
}

static void clear_listings(void)
{
    for (size_t i = 0; i < 4; i++)
        kvp_entry_list_clear(&listings[i].list);
}

START_TEST(several_lists_are_read_whole)
{
    kvp_trace trace;
    kvp_error error = { 0 };

    ck_assert_msg(list_many(&trace, &error) == KVP_OK, "%s", error.message);
    ck_assert_uint_eq(listings[0].list.count, 3);
    ck_assert_str_eq(listings[0].list.items[0]->name, "k0");
    ck_assert_str_eq(listings[0].list.items[2]->name, "k2");
    ck_assert_uint_eq(listings[1].list.count, 0);
    ck_assert_int_eq(listings[1].refused, 0);
    ck_assert_uint_eq(listings[2].list.count, 1);
    ck_assert_int_eq(listings[2].list.items[0]->collection, KVP_SECRETS);
    ck_assert_uint_eq(listings[3].list.count, 1);
    ck_assert_str_eq(listings[3].list.items[0]->version, V);
    ck_assert_uint_eq(world_token_requests(&w), 1);
    ck_assert_uint_eq(world_count(&w), 1 + 3 + 1 + 1 + 1);
    clear_listings();
}
END_TEST

START_TEST(a_list_that_is_refused_does_not_take_the_others_along)
{
    kvp_error error = { 0 };

    certificate_status = _i ? 404 : 403;
    ck_assert_msg(list_many(NULL, &error) == KVP_OK, "%s", error.message);
    ck_assert_int_eq(listings[1].refused, certificate_status);
    ck_assert_int_eq(listings[1].error.http_status, certificate_status);
    ck_assert_str_eq(listings[1].error.message, "not you");
    ck_assert_uint_eq(listings[0].list.count, 3);
    ck_assert_uint_eq(listings[2].list.count, 1);
    clear_listings();
}
END_TEST

START_TEST(any_other_failure_is_that_of_all)
{
    kvp_error error = { 0 };

    fail_at = 2;
    ck_assert_int_eq(list_many(NULL, &error), KVP_ERR_HTTP);
    ck_assert_int_eq(error.http_status, 501);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(listings[i].list.count, 0);
}
END_TEST

START_TEST(a_vault_that_refuses_every_token_ends_the_lists)
{
    kvp_error error = { 0 };

    w.refuse_all = true;
    ck_assert_int_eq(list_many(NULL, &error), KVP_ERR_HTTP);
    ck_assert_int_eq(error.http_status, 401);
    ck_assert_uint_le(world_token_requests(&w), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reading");
    TCase *tcase = tcase_create("reading");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, a_certificate_is_one_get);
    tcase_add_test(tcase, a_secret_comes_with_its_value);
    tcase_add_test(tcase, several_lists_are_read_whole);
    tcase_add_loop_test(tcase, a_list_that_is_refused_does_not_take_the_others_along, 0, 2);
    tcase_add_test(tcase, any_other_failure_is_that_of_all);
    tcase_add_test(tcase, a_vault_that_refuses_every_token_ends_the_lists);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
