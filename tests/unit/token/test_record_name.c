/* SPDX-License-Identifier: MIT */
/* Names of keys, labels and ids, and back. */
#include "base/alloc.h"
#include "tests/unit/token/object_fake.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define V "0123456789abcdef0123456789abcdef"

static const struct {
    const char *text;
    bool name;
} names[] = {
    { "a", true },
    { "web-TLS-2026", true },
    { "-", true },
    { "", false },
    { "with space", false },
    { "under_score", false },
    { "dot.ted", false },
    { "sl/ash", false },
    { "umlaut\xc3\xa4", false },
};

START_TEST(knows_what_a_vault_accepts_as_name)
{
    const char *text = names[_i].text;
    ck_assert_msg(kvp_name_is_valid(text, strlen(text)) == names[_i].name, "%s", text);
}
END_TEST

START_TEST(a_name_has_at_most_127_characters)
{
    char text[129];
    memset(text, 'n', sizeof(text));
    ck_assert(kvp_name_is_valid(text, 127));
    ck_assert(!kvp_name_is_valid(text, 128));
}
END_TEST

START_TEST(names_are_ordered_without_case)
{
    ck_assert_int_eq(kvp_name_compare("Web", "wEB"), 0);
    ck_assert_int_lt(kvp_name_compare("a", "B"), 0);
    ck_assert_int_gt(kvp_name_compare("b", "A"), 0);
    ck_assert_int_lt(kvp_name_compare("a", "ab"), 0);
}
END_TEST

static kvp_key key_named(const char *name, kvp_tag *tags, size_t count)
{
    kvp_key key = { .name = (char *)(uintptr_t)name,
                    .version = (char *)(uintptr_t)V,
                    .tags = tags,
                    .tag_count = count };
    return key;
}

#define TAG(n, v) { (char *)(uintptr_t)(n), (char *)(uintptr_t)(v) }

START_TEST(label_and_id_are_the_name)
{
    kvp_key key = key_named("web", NULL, 0);
    kvp_buf label = { 0 };
    kvp_buf id = { 0 };

    ck_assert_int_eq(kvp_entry_label(&key.entry, &label), KVP_OK);
    ck_assert_int_eq(kvp_entry_object_id(&key.entry, false, &id), KVP_OK);

    ck_assert_str_eq(kvp_buf_str(&label), "web");
    ck_assert_str_eq(kvp_buf_str(&id), "web");
    kvp_buf_clear(&label);
    kvp_buf_clear(&id);
}
END_TEST

START_TEST(an_older_version_says_so_in_its_id)
{
    kvp_key key = key_named("web", NULL, 0);
    kvp_buf id = { 0 };
    ck_assert_int_eq(kvp_entry_object_id(&key.entry, true, &id), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&id), "web/" V);
    kvp_buf_clear(&id);
}
END_TEST

START_TEST(tags_override_label_and_id)
{
    kvp_tag tags[] = { TAG("pkcs11-label", "Web server"), TAG("pkcs11-id", "AAECAw") };
    kvp_key key = key_named("web", tags, 2);
    kvp_buf label = { 0 };
    kvp_buf id = { 0 };

    ck_assert_int_eq(kvp_entry_label(&key.entry, &label), KVP_OK);
    ck_assert_int_eq(kvp_entry_object_id(&key.entry, false, &id), KVP_OK);

    ck_assert_str_eq(kvp_buf_str(&label), "Web server");
    ck_assert_uint_eq(id.len, 4);
    ck_assert_mem_eq(id.data, "\x00\x01\x02\x03", 4);
    kvp_buf_clear(&label);
    kvp_buf_clear(&id);
}
END_TEST

START_TEST(a_tag_that_is_no_base64url_is_passed_over)
{
    kvp_tag tags[] = { TAG("pkcs11-id", "not+base64url") };
    kvp_key key = key_named("web", tags, 1);
    kvp_buf id = { 0 };
    ck_assert_int_eq(kvp_entry_object_id(&key.entry, false, &id), KVP_OK);
    ck_assert_str_eq(kvp_buf_str(&id), "web");
    kvp_buf_clear(&id);
}
END_TEST

START_TEST(a_long_id_is_the_start_of_its_hash)
{
    char name[128] = { 0 };
    uint8_t digest[32];
    memset(name, 'x', 100);
    kvp_key key = key_named(name, NULL, 0);
    kvp_buf id = { 0 };

    ck_assert_int_eq(kvp_entry_object_id(&key.entry, false, &id), KVP_OK);
    ck_assert_uint_eq(id.len, 100);
    kvp_buf_clear(&id);

    name[100] = 'x';
    ck_assert_int_eq(kvp_entry_object_id(&key.entry, false, &id), KVP_OK);
    ck_assert_int_eq(kvp_digest_once(KVP_HASH_SHA256, name, 101, digest), KVP_OK);
    ck_assert_uint_eq(id.len, 20);
    ck_assert_mem_eq(id.data, digest, 20);
    kvp_buf_clear(&id);
}
END_TEST

static const struct {
    const char *id;
    const char *name, *version; /* NULL: names no key */
} ids[] = {
    { "web", "web", "" },
    { "web/" V, "web", V },
    { "web/", NULL, NULL },
    { "web/123", NULL, NULL },
    { "/" V, NULL, NULL },
    { "web/" V "/x", NULL, NULL },
    { "\x01", NULL, NULL },
    { "", NULL, NULL },
};

START_TEST(an_id_names_a_key_or_a_version)
{
    kvp_key_ref ref;
    bool known = kvp_key_ref_from_id(ids[_i].id, strlen(ids[_i].id), &ref);
    ck_assert_msg(known == (ids[_i].name != NULL), "%s", ids[_i].id);
    if (known) {
        ck_assert_str_eq(ref.name, ids[_i].name);
        ck_assert_str_eq(ref.version, ids[_i].version);
    }
}
END_TEST

static const struct {
    const char *text;
    bool known;
    CK_OBJECT_CLASS cls;
} unique_ids[] = {
    { "web/" V ";type=private", true, CKO_PRIVATE_KEY },
    { "web/" V ";type=public", true, CKO_PUBLIC_KEY },
    { "web/" V ";type=secret-key", true, CKO_SECRET_KEY },
    { "web/" V ";type=", false, 0 },
    { "web/" V ";type=privat", false, 0 },
    { "web/" V ";type=cert", true, CKO_CERTIFICATE },
    { "web;type=data", true, CKO_DATA },
    { "web/" V ";type=data", false, 0 },
    { "web;type=cert", false, 0 },
    { "web/" V, false, 0 },
    { "web;type=private", false, 0 },
    { ";type=private", false, 0 },
    { "", false, 0 },
};

START_TEST(a_unique_id_names_version_and_class)
{
    kvp_key_ref ref;
    CK_OBJECT_CLASS cls;
    const char *text = unique_ids[_i].text;
    ck_assert_msg(kvp_key_ref_from_unique_id(text, strlen(text), &ref, &cls) ==
                      unique_ids[_i].known,
                  "%s", text);
    if (unique_ids[_i].known) {
        ck_assert_str_eq(ref.name, "web");
        ck_assert_str_eq(ref.version, cls == CKO_DATA ? "" : V);
        ck_assert_uint_eq(cls, unique_ids[_i].cls);
    }
}
END_TEST

START_TEST(a_key_identifier_belongs_to_its_vault)
{
    static const char mine[] = "https://Vault.test/keys/web/" V;
    static const char other[] = "https://vault.test.evil/keys/web/" V;
    static const char bare[] = "https://vault.test/keys/web";
    static const char another[] = "https://vault.test/certificates/web/" V;
    kvp_collection collection = KVP_SECRETS;
    kvp_key_ref ref;
    ck_assert(kvp_key_ref_from_key_id(FAKE_URL, mine, sizeof(mine) - 1, &ref, &collection));
    ck_assert_str_eq(ref.name, "web");
    ck_assert_str_eq(ref.version, V);
    ck_assert_int_eq(collection, KVP_KEYS);
    ck_assert(kvp_key_ref_from_key_id(FAKE_URL, another, sizeof(another) - 1, &ref, &collection));
    ck_assert_int_eq(collection, KVP_CERTIFICATES);
    ck_assert(!kvp_key_ref_from_key_id(FAKE_URL, other, sizeof(other) - 1, &ref, &collection));
    ck_assert(!kvp_key_ref_from_key_id(FAKE_URL, bare, sizeof(bare) - 1, &ref, &collection));
    ck_assert(!kvp_key_ref_from_key_id(FAKE_URL, mine, 10, &ref, &collection));
}
END_TEST

static const struct {
    const char *label;
    const char *start; /* of the name, before a random ending; NULL: the label itself */
} labels[] = {
    { "web", NULL },
    { "Web server (2026)", "Web-server-2026-" },
    { "  _x_  ", "x-" },
    { "\xc3\x9c\xc3\x9c", "key-" },
    { "", "key-" },
};

START_TEST(a_label_becomes_a_name)
{
    char name[KVP_NAME_MAX + 1];
    bool exact;
    const char *label = labels[_i].label;
    const char *start = labels[_i].start;

    ck_assert_int_eq(kvp_name_from_label(label, strlen(label), name, &exact), KVP_OK);

    ck_assert(kvp_name_is_valid(name, strlen(name)));
    ck_assert_int_eq(exact, start == NULL);
    if (!start) {
        ck_assert_str_eq(name, label);
    } else {
        ck_assert_msg(strncmp(name, start, strlen(start)) == 0, "%s", name);
        ck_assert_uint_eq(strlen(name), strlen(start) + 8);
    }
}
END_TEST

START_TEST(a_very_long_label_becomes_a_name_too)
{
    char label[300];
    char name[KVP_NAME_MAX + 1];
    bool exact;
    memset(label, 'y', sizeof(label));
    ck_assert_int_eq(kvp_name_from_label(label, sizeof(label), name, &exact), KVP_OK);
    ck_assert(!exact);
    ck_assert(kvp_name_is_valid(name, strlen(name)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record_name");
    TCase *tc = tcase_create("names");
    tcase_add_loop_test(tc, knows_what_a_vault_accepts_as_name, 0, KVP_ARRAY_LEN(names));
    tcase_add_test(tc, a_name_has_at_most_127_characters);
    tcase_add_test(tc, names_are_ordered_without_case);
    tcase_add_loop_test(tc, a_label_becomes_a_name, 0, KVP_ARRAY_LEN(labels));
    tcase_add_test(tc, a_very_long_label_becomes_a_name_too);
    suite_add_tcase(suite, tc);
    tc = tcase_create("labels and ids");
    tcase_add_test(tc, label_and_id_are_the_name);
    tcase_add_test(tc, an_older_version_says_so_in_its_id);
    tcase_add_test(tc, tags_override_label_and_id);
    tcase_add_test(tc, a_tag_that_is_no_base64url_is_passed_over);
    tcase_add_test(tc, a_long_id_is_the_start_of_its_hash);
    tcase_add_loop_test(tc, an_id_names_a_key_or_a_version, 0, KVP_ARRAY_LEN(ids));
    tcase_add_loop_test(tc, a_unique_id_names_version_and_class, 0, KVP_ARRAY_LEN(unique_ids));
    tcase_add_test(tc, a_key_identifier_belongs_to_its_vault);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
