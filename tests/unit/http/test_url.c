/* SPDX-License-Identifier: MIT */
/* URLs: what is one, which origin it has, and to whom we talk in the clear. */
#include "http/http.h"
#include "http/url.h"

#include <check.h>
#include <stdlib.h>

static const struct {
    const char *text, *host, *path;
    unsigned port;
    bool https;
} good[] = {
    { "https://contoso.vault.azure.net", "contoso.vault.azure.net", "", 443, true },
    { "HTTPS://Contoso.Vault.Azure.NET/keys?x=1", "contoso.vault.azure.net", "/keys?x=1", 443,
      true },
    { "https://h:8443/", "h", "/", 8443, true },
    { "https://h?x", "h", "?x", 443, true },
    { "http://127.0.0.1:80/a", "127.0.0.1", "/a", 80, false },
    { "http://[0:0:0:0:0:0:0:1]:1/", "::1", "/", 1, false },
    { "https://[2001:DB8::1]", "2001:db8::1", "", 443, true },
};

START_TEST(plain_urls_are_taken_apart)
{
    kvp_url url;

    ck_assert(kvp_url_parse(good[_i].text, &url));
    ck_assert_str_eq(url.host, good[_i].host);
    ck_assert_str_eq(url.path, good[_i].path);
    ck_assert_uint_eq(url.port, good[_i].port);
    ck_assert(url.https == good[_i].https);
}
END_TEST

static const char *const bad[] = {
    NULL,
    "",
    "h",
    "https:",
    "https:/h",
    "https://",
    "https:///a",
    "ftp://h",
    "https://u@h",
    "https://u:p@h/",
    "https://h:",
    "https://h:0",
    "https://h:65536",
    "https://h:123456",
    "https://h:8x",
    "https://h:-1",
    "https://h\\evil/",
    "https://h/\\evil",
    "https://h#f",
    "https://h/#f",
    "https://h /",
    "https://h/a b",
    "https://h/\n",
    "https://h%2eevil/",
    "https://.h",
    "https://h.",
    "https://a..b",
    "https://[::1",
    "https://[::1]x",
    "https://[::g]",
    "https://[127.0.0.1]",
    "https://[]",
    " https://h",
    "https://h\xc3\xa4",
    "https://h/\xc3\xa4",
    "https://h@evil.example/",
    "https://h/\x7f",
    "javascript://h",
};

START_TEST(odd_urls_are_none)
{
    kvp_url url;

    ck_assert_msg(!kvp_url_parse(bad[_i], &url), "%s", bad[_i]);
    ck_assert(!kvp_http_url_allowed(bad[_i]));
}
END_TEST

static const struct {
    const char *text;
    bool allowed;
} allowed[] = {
    { "https://example.org", true },        { "http://127.0.0.1:8080/", true },
    { "http://127.255.0.9", true },         { "http://[::1]:8080", true },
    { "http://localhost:1", true },         { "http://LOCALHOST", true },
    { "http://example.org", false },        { "http://127.1/", false },
    { "http://0x7f000001/", false },        { "http://2130706433/", false },
    { "http://localhost.evil", false },     { "http://[::2]", false },
    { "http://[::ffff:127.0.0.1]", false }, { "http://127.0.0.1.evil", false },
    { "http://0177.0.0.1", false },
};

START_TEST(clear_text_is_for_loopback_only)
{
    ck_assert_msg(kvp_http_url_allowed(allowed[_i].text) == allowed[_i].allowed, "%s",
                  allowed[_i].text);
}
END_TEST

static const struct {
    const char *a, *b;
    bool same;
} origins[] = {
    { "https://H/x", "https://h:443/y", true },   { "https://h", "http://h", false },
    { "https://h", "https://h:444", false },      { "https://h", "https://h.x", false },
    { "https://[::1]/", "https://[0::1]", true }, { "http://h", "http://h:80", true },
};

START_TEST(an_origin_is_scheme_host_and_port)
{
    kvp_url a, b;

    ck_assert(kvp_url_parse(origins[_i].a, &a) && kvp_url_parse(origins[_i].b, &b));
    ck_assert(kvp_url_same_origin(&a, &b) == origins[_i].same);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("url");
    TCase *tcase = tcase_create("url");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tcase, plain_urls_are_taken_apart, 0, (int)KVP_ARRAY_LEN(good));
    tcase_add_loop_test(tcase, odd_urls_are_none, 0, (int)KVP_ARRAY_LEN(bad));
    tcase_add_loop_test(tcase, clear_text_is_for_loopback_only, 0, (int)KVP_ARRAY_LEN(allowed));
    tcase_add_loop_test(tcase, an_origin_is_scheme_host_and_port, 0, (int)KVP_ARRAY_LEN(origins));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
