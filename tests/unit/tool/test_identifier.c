/* SPDX-License-Identifier: MIT */
/* Key Vault identifiers and PKCS#11 URIs, both ways, with a configuration of two vaults. */
#include "tool/identifier.h"
#include "tool_test.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define V32 "0123456789abcdef0123456789abcdef"

/* printf %s https://contoso.vault.azure.net | sha256sum | head -c 16, and of the other. */
#define PROD_SERIAL "51a3585cab2b59b6"
#define DEV_SERIAL "f376fb01ea06514b"

static char prod_name[] = "prod", prod_url[] = "https://contoso.vault.azure.net";
static char dev_name[] = "dev", dev_url[] = "https://127.0.0.1:8443";
static kvp_config_vault vaults[] = {
    { .name = prod_name, .url = prod_url },
    { .name = dev_name, .url = dev_url, .versions_all = true },
};
static const kvp_config config = { .vaults = vaults, .vault_count = 2 };

static kvp_error error;

/* The URI of @text, a new string. */
static char *to_uri(const char *text)
{
    kvp_identifier identifier = { 0 };
    kvp_p11uri uri = { 0 };
    char *result = NULL;

    ck_assert_msg(kvp_identifier_parse(text, &identifier, &error) == KVP_OK, "%s", error.message);
    ck_assert_int_eq(kvp_identifier_to_uri(
                         &identifier, kvp_identifier_vault(&config, identifier.url), &uri, &error),
                     KVP_OK);
    ck_assert_int_eq(kvp_p11uri_format(&uri, &result, &error), KVP_OK);
    kvp_p11uri_clear(&uri);
    kvp_identifier_clear(&identifier);
    return result;
}

static kvp_status from_uri(const char *text, char **ret)
{
    kvp_identifier identifier = { 0 };
    kvp_p11uri uri = { 0 };
    kvp_status st = kvp_p11uri_parse(text, &uri, &error);

    if (st == KVP_OK)
        st = kvp_identifier_from_uri(&uri, &config, &identifier, &error);
    if (st == KVP_OK)
        *ret = kvp_identifier_format(&identifier);
    kvp_p11uri_clear(&uri);
    kvp_identifier_clear(&identifier);
    return st;
}

static const struct {
    const char *identifier, *uri, *back;
} pairs[] = {
    { "https://contoso.vault.azure.net/keys/k1",
      "pkcs11:serial=" PROD_SERIAL ";token=prod;id=%6B%31;object=k1;type=private",
      "https://contoso.vault.azure.net/keys/k1" },
    { "https://CONTOSO.vault.azure.net:443/keys/k1/" V32, /* this vault shows no versions */
      "pkcs11:serial=" PROD_SERIAL ";token=prod;id=%6B%31;object=k1;type=private",
      "https://contoso.vault.azure.net/keys/k1" },
    { "https://contoso.vault.azure.net/certificates/k1",
      "pkcs11:serial=" PROD_SERIAL ";token=prod;id=%6B%31;object=k1;type=cert",
      "https://contoso.vault.azure.net/certificates/k1" },
    { "https://contoso.vault.azure.net/secrets/k1",
      "pkcs11:serial=" PROD_SERIAL ";token=prod;id=%6B%31;object=k1;type=data",
      "https://contoso.vault.azure.net/secrets/k1" },
    { "https://127.0.0.1:8443/keys/k/ab",
      "pkcs11:serial=" DEV_SERIAL ";token=dev;id=%6B%2F%61%62;object=k;type=private",
      "https://127.0.0.1:8443/keys/k/ab" },
};

START_TEST(identifiers_become_uris_and_come_back)
{
    char *uri = to_uri(pairs[_i].identifier), *back = NULL;

    ck_assert_str_eq(uri, pairs[_i].uri);
    ck_assert_int_eq(from_uri(uri, &back), KVP_OK);
    ck_assert_str_eq(back, pairs[_i].back);
    kvp_free(uri);
    kvp_free(back);
}
END_TEST

START_TEST(a_vault_that_is_not_configured_has_a_serial_and_no_token)
{
    char *uri = to_uri("https://other.vault.azure.net/keys/k");

    ck_assert_ptr_null(strstr(uri, "token="));
    ck_assert_ptr_nonnull(strstr(uri, "serial="));
    kvp_free(uri);
}
END_TEST

START_TEST(a_long_name_has_a_hash_as_id_and_comes_back_by_its_label)
{
    char identifier[256], *uri, *back = NULL;
    kvp_p11uri parts = { 0 };

    snprintf(identifier, sizeof(identifier), "https://contoso.vault.azure.net/keys/%0101d", 0);
    uri = to_uri(identifier);
    ck_assert_int_eq(kvp_p11uri_parse(uri, &parts, &error), KVP_OK);
    ck_assert_uint_eq(parts.id.len, 20);
    ck_assert_int_eq(from_uri(uri, &back), KVP_OK);
    ck_assert_str_eq(back, identifier);
    kvp_p11uri_clear(&parts);
    kvp_free(uri);
    kvp_free(back);

    snprintf(identifier, sizeof(identifier), "https://contoso.vault.azure.net/keys/%0100d", 0);
    uri = to_uri(identifier);
    ck_assert_int_eq(kvp_p11uri_parse(uri, &parts, &error), KVP_OK);
    ck_assert_uint_eq(parts.id.len, 100);
    kvp_p11uri_clear(&parts);
    kvp_free(uri);
}
END_TEST

static const struct {
    const char *uri, *identifier;
} partial[] = {
    { "pkcs11:token=prod;object=a", "https://contoso.vault.azure.net/keys/a" },
    { "PKCS11:token=prod;object=a", "https://contoso.vault.azure.net/keys/a" },
    { "pkcs11:token=prod;id=a", "https://contoso.vault.azure.net/keys/a" },
    { "pkcs11:serial=" DEV_SERIAL ";object=a;type=public", "https://127.0.0.1:8443/keys/a" },
    { "pkcs11:token=dev;object=a;type=secret-key", "https://127.0.0.1:8443/keys/a" },
    { "pkcs11:token=prod;object=a;id=a%2Fb", "https://contoso.vault.azure.net/keys/a/b" },
    { "pkcs11:token=prod;object=a?pin-value=1&module-name=kvpkcs11",
      "https://contoso.vault.azure.net/keys/a" },
    { "pkcs11:token=prod;manufacturer=Azure%20Key%20Vault;model=vault;object=a",
      "https://contoso.vault.azure.net/keys/a" },
};

START_TEST(a_uri_that_says_enough_is_understood)
{
    char *identifier = NULL;

    ck_assert_msg(from_uri(partial[_i].uri, &identifier) == KVP_OK, "%s", error.message);
    ck_assert_str_eq(identifier, partial[_i].identifier);
    kvp_free(identifier);
}
END_TEST

static const struct {
    const char *uri;
    kvp_status status;
    const char *message;
} refused[] = {
    { "pkcs11:object=a", KVP_ERR_NOT_FOUND, "prod and dev" },
    { "pkcs11:token=nothing;object=a", KVP_ERR_NOT_FOUND, "token=nothing" },
    { "pkcs11:token=prod;serial=" DEV_SERIAL ";object=a", KVP_ERR_NOT_FOUND,
      "no configured vault" },
    { "pkcs11:token=prod", KVP_ERR_UNSUPPORTED, "neither object= nor id=" },
    { "pkcs11:token=prod;id=%00%01", KVP_ERR_UNSUPPORTED, "no name" },
    { "pkcs11:token=prod;id=a%00", KVP_ERR_UNSUPPORTED, "no name" },
    { "pkcs11:token=prod;id=a%2F", KVP_ERR_UNSUPPORTED, "no name" },
    { "pkcs11:token=prod;object=a;id=b", KVP_ERR_UNSUPPORTED, "a tag" },
    { "pkcs11:token=prod;object=my%20key", KVP_ERR_UNSUPPORTED, "letters, digits and hyphens" },
    { "pkcs11:token=prod;object=a%2Fb", KVP_ERR_UNSUPPORTED, "letters, digits and hyphens" },
    { "pkcs11:token=prod;object=", KVP_ERR_UNSUPPORTED, "letters, digits and hyphens" },
    { "pkcs11:token=prod;x-thing=1;object=a", KVP_ERR_PARSE, "not known" },
    { "pkcs11:token=prod;type=dog;object=a", KVP_ERR_PARSE, "not known" },
    { "pkcs11:token=%zz", KVP_ERR_PARSE, "RFC 7512" },
    { "pkcs11:token", KVP_ERR_PARSE, "RFC 7512" },
    { "http:token=a", KVP_ERR_PARSE, "RFC 7512" },
};

START_TEST(a_uri_that_does_not_say_enough_is_refused)
{
    char *identifier = NULL;

    ck_assert_msg(from_uri(refused[_i].uri, &identifier) == refused[_i].status, "%s: %s",
                  refused[_i].uri, identifier ? identifier : error.message);
    ck_assert_msg(strstr(error.message, refused[_i].message) != NULL, "%s", error.message);
    ck_assert_ptr_null(identifier);
}
END_TEST

static const char *const no_identifiers[] = {
    "",
    "k1",
    "https://",
    "https://h",
    "https://h/",
    "https://h/keys",
    "https://h/keys/",
    "https://h/keys/a_b",
    "https://h/keys/a/",
    "https://h/keys/a/b/c",
    "https://h/dogs/a",
    "ftp://h/keys/a",
    "https:///keys/a",
    "https://h/keys/a?b",
    "https://u@h/keys/a",
};

START_TEST(what_is_no_identifier_is_refused)
{
    kvp_identifier identifier = { 0 };

    ck_assert_msg(kvp_identifier_parse(no_identifiers[_i], &identifier, &error) == KVP_ERR_PARSE,
                  "%s", no_identifiers[_i]);
    ck_assert_ptr_null(identifier.name);
}
END_TEST

START_TEST(every_type_has_a_word_and_comes_back)
{
    static const char *const words[] = { "private", "public", "cert", "secret-key", "data" };
    CK_OBJECT_CLASS object_class = 0;

    for (size_t i = 0; i < KVP_ARRAY_LEN(words); i++) {
        ck_assert(kvp_p11uri_type_class(words[i], &object_class));
        ck_assert_str_eq(kvp_p11uri_type(object_class), words[i]);
    }
    ck_assert(!kvp_p11uri_type_class("dog", &object_class));
    ck_assert_ptr_null(kvp_p11uri_type(CKO_HW_FEATURE));
}
END_TEST

START_TEST(a_label_longer_than_a_tokens_is_refused)
{
    char token[] = "123456789012345678901234567890123";
    kvp_p11uri uri = { .token = token };
    char *text = NULL;

    ck_assert_int_eq(kvp_p11uri_format(&uri, &text, &error), KVP_ERR_INVALID);
    ck_assert_ptr_null(text);
    token[32] = '\0';
    ck_assert_int_eq(kvp_p11uri_format(&uri, &text, &error), KVP_OK);
    kvp_free(text);
}
END_TEST

START_TEST(lack_of_memory_leaks_nothing_and_is_told)
{
    char *identifier = NULL;
    kvp_status st = KVP_ERR_NO_MEMORY;

    for (long n = 0; st != KVP_OK && n < 100; n++) {
        kvp_alloc_fail_after(n);
        st = from_uri("pkcs11:token=prod;object=a;id=a%2Fb", &identifier);
        kvp_alloc_fail_after(-1);
        if (st == KVP_OK && !identifier)
            st = KVP_ERR_NO_MEMORY; /* its formatting was the one that failed */
    }
    ck_assert_int_eq(st, KVP_OK);
    ck_assert_str_eq(identifier, "https://contoso.vault.azure.net/keys/a/b");
    kvp_free(identifier);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identifier");
    TCase *both = tcase_create("both ways"), *bad = tcase_create("refused");

    tcase_add_loop_test(both, identifiers_become_uris_and_come_back, 0, (int)KVP_ARRAY_LEN(pairs));
    tcase_add_test(both, a_vault_that_is_not_configured_has_a_serial_and_no_token);
    tcase_add_test(both, a_long_name_has_a_hash_as_id_and_comes_back_by_its_label);
    tcase_add_loop_test(both, a_uri_that_says_enough_is_understood, 0, (int)KVP_ARRAY_LEN(partial));
    tcase_add_test(both, every_type_has_a_word_and_comes_back);
    tcase_add_loop_test(bad, a_uri_that_does_not_say_enough_is_refused, 0,
                        (int)KVP_ARRAY_LEN(refused));
    tcase_add_loop_test(bad, what_is_no_identifier_is_refused, 0,
                        (int)KVP_ARRAY_LEN(no_identifiers));
    tcase_add_test(bad, a_label_longer_than_a_tokens_is_refused);
    tcase_add_test(bad, lack_of_memory_leaks_nothing_and_is_told);
    suite_add_tcase(suite, both);
    suite_add_tcase(suite, bad);
    return tool_run_suite(suite);
}
