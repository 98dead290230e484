/* SPDX-License-Identifier: MIT */
/* Challenges: as the service writes them, as an attacker would, and what is believed. */
#include "auth/auth.h"
#include "base/alloc.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define GUID "72f988bf-86f1-41af-91ab-2d7cd011db47"
#define LOGIN "https://login.microsoftonline.com"

static const struct {
    const char *header, *authority, *tenant, *resource, *claims;
} good[] = {
    { "Bearer authorization=\"" LOGIN "/" GUID "\", resource=\"https://vault.azure.net\"", LOGIN,
      GUID, "https://vault.azure.net", NULL },
    { "bearer resource=\"https://managedhsm.azure.net/\" "
      "authorization=\"https://login.windows.net/" GUID "/\"",
      "https://login.windows.net", GUID, "https://managedhsm.azure.net", NULL },
    { "Bearer authorization_uri=\"" LOGIN
      "/contoso.onmicrosoft.com/oauth2\",scope=\"https://vault.azure.net/.default\"",
      LOGIN, "contoso.onmicrosoft.com", "https://vault.azure.net", NULL },
    { "Basic realm=\"a, Bearer b\", Bearer authorization=\"https://127.0.0.1:8443/t\", "
      "resource=\"https://127.0.0.1\"",
      "https://127.0.0.1:8443", "t", "https://127.0.0.1", NULL },
    { "PoP nonce=x, Bearer  authorization = \"" LOGIN
      "/t\" ,  resource = https://vault.azure.net , other=1",
      LOGIN, "t", "https://vault.azure.net", NULL },
    { "Bearer realm=\"\", Bearer authorization=\"" LOGIN
      "/t\", resource=\"https://vault.azure.net\", Digest a=b",
      LOGIN, "t", "https://vault.azure.net", NULL },
    { "Negotiate, Bearer authorization=\"" LOGIN "/t\", resource=\"https://vault.azure.net\"",
      LOGIN, "t", "https://vault.azure.net", NULL },
    { "Bearer authorization=\"http://127.0.0.1:9/t\", resource=\"http://127.0.0.1:9\"",
      "http://127.0.0.1:9", "t", "http://127.0.0.1:9", NULL },
    { "Bearer realm=\"\", authorization=\"" LOGIN "/t\", resource=\"https://vault.azure.net\", "
      "error=\"insufficient_claims\", claims=\"eyJhIjoxfQ==\"",
      LOGIN, "t", "https://vault.azure.net", "{\"a\":1}" },
    { "Bearer authorization=\"" LOGIN
      "/t\", resource=\"https://vault.azure.net\", claims=\"eyJhIjoxfQ\"",
      LOGIN, "t", "https://vault.azure.net", "{\"a\":1}" },
};

START_TEST(challenges_of_the_service_are_read)
{
    kvp_challenge challenge = { 0 };
    kvp_error error = { 0 };

    ck_assert_msg(kvp_challenge_parse(good[_i].header, &challenge, &error) == KVP_OK, "%s",
                  error.message);
    ck_assert_str_eq(challenge.authority, good[_i].authority);
    ck_assert_str_eq(challenge.tenant, good[_i].tenant);
    ck_assert_str_eq(challenge.resource, good[_i].resource);
    ck_assert_pstr_eq(challenge.claims, good[_i].claims);
    kvp_challenge_clear(&challenge);
}
END_TEST

#define R ", resource=\"https://vault.azure.net\""
#define A "Bearer authorization=\"" LOGIN "/t\""
static const char *const bad[] = {
    NULL,
    "",
    "Bearer",
    "Basic realm=\"x\"",
    "Bearer resource=\"https://vault.azure.net\"",
    A,
    "Basic authorization=\"" LOGIN "/t\"" R,
    "Bearer authorization=\"" LOGIN "\"" R,
    "Bearer authorization=\"" LOGIN "/\"" R,
    "Bearer authorization=\"" LOGIN "//t\"" R,
    "Bearer authorization=\"" LOGIN "/a b\"" R,
    "Bearer authorization=\"" LOGIN "/..\"" R,
    "Bearer authorization=\"" LOGIN "/t%2f..\"" R,
    "Bearer authorization=\"http://login.microsoftonline.com/t\"" R,
    "Bearer authorization=\"" LOGIN "@evil.example/t\"" R,
    "Bearer authorization=\"https://evil.example\\@login.microsoftonline.com/t\"" R,
    "Bearer authorization=\"https://evil.example#.login.microsoftonline.com/t\"" R,
    "Bearer authorization=\"javascript:x\"" R,
    A ", resource=\"vault.azure.net\"",
    A ", resource=\"https://vault.azure.net?x\"",
    A ", resource=\"https://evil@vault.azure.net\"",
    A ", resource=\"http://vault.azure.net\"",
    A ", scope=\"https://vault.azure.net\"",
    A ", scope=\"https://vault.azure.net/.default https://graph.microsoft.com/.default\"",
    A ", resource=\"https://vault.azure.net",
    A R R,
    A ", authorization_uri=\"https://evil.example/t\"" R,
    A R ", claims=\"*\"",
    A R ", claims=\"bm90IGpzb24=\"",
    A ", resource=\"https://vault.azure.net\\",
    "Bearer =\"x\"",
    "Bearer \"x\"",
};

START_TEST(other_challenges_are_refused)
{
    kvp_challenge challenge = { 0 };
    kvp_error error = { 0 };

    ck_assert_msg(kvp_challenge_parse(bad[_i], &challenge, &error) == KVP_ERR_PARSE, "%s", bad[_i]);
    ck_assert_ptr_null(challenge.authority);
    ck_assert_str_ne(error.message, "");
    ck_assert_int_eq(kvp_challenge_parse(bad[_i], &challenge, NULL), KVP_ERR_PARSE);
}
END_TEST

/* ---- whom we believe ---- */

static const struct {
    const char *vault, *resource, *authority, *configured;
    bool believed;
} rules[] = {
    { "https://contoso.vault.azure.net", "https://vault.azure.net", LOGIN, NULL, true },
    { "https://contoso.vault.azure.net", "https://vault.azure.net", "https://login.windows.net",
      NULL, true },
    { "https://h.managedhsm.azure.net", "https://managedhsm.azure.net", LOGIN, NULL, true },
    { "https://contoso.vault.azure.cn", "https://vault.azure.cn", "https://login.chinacloudapi.cn",
      NULL, true },
    { "https://contoso.vault.azure.net", "https://contoso.vault.azure.net", LOGIN, NULL, true },
    /* resources that are somebody else's */
    { "https://contoso.vault.azure.net", "https://graph.microsoft.com", LOGIN, NULL, false },
    { "https://contoso.vault.azure.net", "https://other.vault.azure.net", LOGIN, NULL, false },
    { "https://contoso.vault.azure.net", "https://ault.azure.net", LOGIN, NULL, false },
    { "https://evilvault.azure.net", "https://vault.azure.net", LOGIN, NULL, false },
    { "https://vault.azure.net.evil.example", "https://vault.azure.net", LOGIN, NULL, false },
    { "https://evil.example", "https://vault.azure.net", LOGIN, NULL, false },
    { "https://evil.example", "https://evil.example", LOGIN, NULL, true },
    { "https://10.0.0.1", "https://0.0.1", LOGIN, NULL, false },
    /* authorities that would get the secret */
    { "https://contoso.vault.azure.net", "https://vault.azure.net", "https://evil.example", NULL,
      false },
    { "https://contoso.vault.azure.net", "https://vault.azure.net",
      "https://login.microsoftonline.com.evil.example", NULL, false },
    { "https://contoso.vault.azure.net", "https://vault.azure.net",
      "https://evillogin.microsoftonline.com", NULL, false },
    { "https://contoso.vault.azure.net", "https://vault.azure.net",
      "https://login.microsoftonline.com:8443", NULL, false },
    { "https://contoso.vault.azure.net", "https://vault.azure.net",
      "https://contoso.vault.azure.net", NULL, false },
    { "https://contoso.vault.azure.net", "https://vault.azure.net", "https://sts.contoso.example",
      "https://sts.contoso.example/", true },
    { "https://contoso.vault.azure.net", "https://vault.azure.net",
      "https://sts.contoso.example:444", "https://sts.contoso.example", false },
    /* a vault of one's own */
    { "https://127.0.0.1:8443", "https://127.0.0.1:8443", "https://127.0.0.1:8443", NULL, true },
    { "https://127.0.0.1:8443", "https://127.0.0.1", "https://127.0.0.1:8443", NULL, true },
    { "https://127.0.0.1:8443", "https://127.0.0.1", "https://127.0.0.1:9443", NULL, false },
    { "https://127.0.0.1:8443", "https://127.0.0.1", "http://127.0.0.1:8443", NULL, false },
    { "https://127.0.0.1:8443", "http://127.0.0.1:8443", "https://127.0.0.1:8443", NULL, false },
    { "http://127.0.0.1:8443", "http://127.0.0.1:8443", "http://127.0.0.1:8443", NULL, true },
    { "https://[::1]:8443", "https://[::1]", "https://[0::1]:8443", NULL, true },
    { "https://vault.corp.example", "https://corp.example", "https://vault.corp.example", NULL,
      true },
    { "nonsense", "https://vault.azure.net", LOGIN, NULL, false },
};

START_TEST(a_token_goes_only_where_it_belongs)
{
    char tenant[] = "t";
    kvp_challenge challenge = { .tenant = tenant };
    kvp_error error = { 0 };
    kvp_status st;

    challenge.authority = kvp_strdup(rules[_i].authority);
    challenge.resource = kvp_strdup(rules[_i].resource);
    st = kvp_challenge_check(&challenge, rules[_i].vault, rules[_i].configured, &error);
    ck_assert_msg(st == (rules[_i].believed ? KVP_OK : KVP_ERR_REFUSED), "%s %s %s: %s",
                  rules[_i].vault, rules[_i].resource, rules[_i].authority, error.message);
    kvp_free(challenge.authority);
    kvp_free(challenge.resource);
}
END_TEST

/* ---- without asking ---- */

static const struct {
    const char *vault, *authority, *tenant, *expected_authority,
        *expected_resource; /* NULL: not found */
} guesses[] = {
    { "https://contoso.vault.azure.net", NULL, "t", LOGIN, "https://vault.azure.net" },
    { "https://CONTOSO.vault.azure.net:443/", NULL, "t", LOGIN, "https://vault.azure.net" },
    { "https://h.managedhsm.azure.net", NULL, "t", LOGIN, "https://managedhsm.azure.net" },
    { "https://c.vault.azure.cn", NULL, "t", "https://login.chinacloudapi.cn",
      "https://vault.azure.cn" },
    { "https://c.vault.usgovcloudapi.net", NULL, "t", "https://login.microsoftonline.us",
      "https://vault.usgovcloudapi.net" },
    { "https://c.vault.azure.net", "https://sts.example/", "t", "https://sts.example",
      "https://vault.azure.net" },
    { "https://c.vault.azure.net", NULL, NULL, NULL, NULL },
    { "https://c.vault.azure.net", NULL, "a/b", NULL, NULL },
    { "https://vault.azure.net", NULL, "t", NULL, NULL },
    { "https://evilvault.azure.net", NULL, "t", NULL, NULL },
    { "https://127.0.0.1:8443", LOGIN, "t", NULL, NULL },
    { "nonsense", NULL, "t", NULL, NULL },
};

START_TEST(clouds_are_known_without_asking)
{
    kvp_challenge challenge = { 0 };
    kvp_status st = kvp_challenge_guess(guesses[_i].vault, guesses[_i].authority,
                                        guesses[_i].tenant, &challenge, NULL);

    ck_assert_int_eq(st, guesses[_i].expected_resource ? KVP_OK : KVP_ERR_NOT_FOUND);
    ck_assert_pstr_eq(challenge.authority, guesses[_i].expected_authority);
    ck_assert_pstr_eq(challenge.resource, guesses[_i].expected_resource);
    kvp_challenge_clear(&challenge);
}
END_TEST

START_TEST(each_failing_allocation_is_survived)
{
    kvp_challenge challenge = { 0 };
    long n;

    for (n = 0; n < 200; n++) {
        kvp_status st;

        kvp_alloc_fail_after(n);
        st = kvp_challenge_parse(good[8].header, &challenge, NULL);
        kvp_alloc_fail_after(-1);
        if (st == KVP_OK)
            break;
        ck_assert_ptr_null(challenge.authority);
    }
    ck_assert(n > 5 && n < 200);
    kvp_challenge_clear(&challenge);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("challenge");
    TCase *tcase = tcase_create("challenge");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tcase, challenges_of_the_service_are_read, 0, (int)KVP_ARRAY_LEN(good));
    tcase_add_loop_test(tcase, other_challenges_are_refused, 0, (int)KVP_ARRAY_LEN(bad));
    tcase_add_loop_test(tcase, a_token_goes_only_where_it_belongs, 0, (int)KVP_ARRAY_LEN(rules));
    tcase_add_loop_test(tcase, clouds_are_known_without_asking, 0, (int)KVP_ARRAY_LEN(guesses));
    tcase_add_test(tcase, each_failing_allocation_is_survived);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
