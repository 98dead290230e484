/* SPDX-License-Identifier: MIT */
/* Searching: what is found, and what it costs. */
#include "base/alloc.h"
#include "base/clock.h"
#include "tests/unit/token/object_fake.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fake_token *token;
static CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_BBOOL yes = CK_TRUE;
static CK_OBJECT_HANDLE found[600];

#define MAX KVP_ARRAY_LEN(found)
#define PROFILES 3 /* objects of every token */
#define FIND(attrs) fake_find(token, (attrs), KVP_ARRAY_LEN(attrs), found, MAX)

static void setup(void)
{
    token = fake_new(false);
    fake_add_rsa("alpha");
    fake_add_ec("beta");
    fake_add_ec("gamma");
    fake_sleep(120000); /* the keys are old enough for lists to be believed */
    fake_reset();
}

static void setup_hsm(void)
{
    token = fake_new(true);
    fake_add_rsa("alpha");
    fake_add_oct("aes", KVP_OP_ENCRYPT | KVP_OP_DECRYPT);
    fake_add_oct("mac", KVP_OP_SIGN | KVP_OP_VERIFY);
    fake_sleep(120000);
    fake_reset();
}

static void teardown(void)
{
    fake_free(token);
}

static void label_of(CK_OBJECT_HANDLE handle, char *ret, size_t size)
{
    size_t len = fake_get(token, handle, CKA_LABEL, ret, size - 1);
    ret[len] = '\0';
}

/* ---- lists ---- */

START_TEST(all_objects_are_one_list_and_no_get)
{
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 6);
    ck_assert_uint_eq(fake_requests.lists, 1);
    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

START_TEST(class_label_and_id_are_read_from_the_list)
{
    char label[128];
    uint8_t id[128];
    CK_OBJECT_CLASS cls;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    ck_assert_uint_eq(FIND(attrs), 3);

    label_of(found[1], label, sizeof(label));
    ck_assert_str_eq(label, "beta");
    ck_assert_uint_eq(fake_get(token, found[1], CKA_ID, id, sizeof(id)), 4);
    ck_assert_uint_eq(fake_get(token, found[1], CKA_CLASS, &cls, sizeof(cls)), sizeof(cls));
    ck_assert_uint_eq(cls, CKO_PRIVATE_KEY);
    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

START_TEST(searches_in_a_row_cost_one_list)
{
    CK_ATTRIBUTE by_private[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    CK_ATTRIBUTE by_public[] = { ATTR_VALUE(CKA_CLASS, public_class) };
    CK_ATTRIBUTE by_id[] = { ATTR_VALUE(CKA_CLASS, private_class), ATTR_TEXT(CKA_ID, "beta") };

    ck_assert_uint_eq(FIND(by_private), 3);
    ck_assert_uint_eq(FIND(by_public), 3);
    ck_assert_uint_eq(FIND(by_id), 1);
    ck_assert_uint_eq(FIND(by_private), 3);

    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

START_TEST(the_same_object_has_the_same_handle)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    ck_assert_uint_eq(FIND(attrs), 3);
    CK_OBJECT_HANDLE listed = found[1];
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(FIND(attrs), 3);
    ck_assert_uint_eq(found[1], listed);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "beta"), listed);
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "beta"), listed);
}
END_TEST

START_TEST(reading_one_listed_key_reads_its_neighbours)
{
    CK_KEY_TYPE type;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof(name), "key-%03d", i);
        fake_add_ec(name);
    }
    ck_assert_uint_eq(FIND(attrs), 43);
    fake_reset();

    for (size_t i = 0; i < 43; i++)
        fake_get(token, found[i], CKA_KEY_TYPE, &type, sizeof(type));

    ck_assert_uint_eq(fake_requests.batches, 2);
    ck_assert_uint_eq(fake_requests.gets, 43);
    ck_assert_uint_eq(fake_requests.lists, 0);
}
END_TEST

START_TEST(a_template_that_needs_documents_reads_them_in_one_batch)
{
    CK_KEY_TYPE ec = CKK_EC;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, public_class), ATTR_VALUE(CKA_KEY_TYPE, ec) };
    ck_assert_uint_eq(FIND(attrs), 2);
    ck_assert_uint_eq(fake_requests.lists, 1);
    ck_assert_uint_eq(fake_requests.batches, 1);
    ck_assert_uint_eq(FIND(attrs), 2);
    ck_assert_uint_eq(fake_requests.batches, 1);
}
END_TEST

START_TEST(documents_are_kept_while_the_list_shows_nothing_new)
{
    CK_KEY_TYPE ec = CKK_EC;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, public_class), ATTR_VALUE(CKA_KEY_TYPE, ec) };
    ck_assert_uint_eq(FIND(attrs), 2);
    fake_reset();
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(FIND(attrs), 2);
    ck_assert_uint_eq(fake_requests.lists, 1);
    ck_assert_uint_eq(fake_requests.gets, 0);
}
END_TEST

START_TEST(disabled_and_hidden_keys_are_not_shown)
{
    char *globs[] = { (char *)(uintptr_t) "*a", NULL };
    fake_set_enabled("beta", false);
    fake_add_ec("delta-9");
    token->config.keys = globs;
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 4);
    token->config.keys = NULL;
}
END_TEST

START_TEST(a_token_tells_its_profiles_without_a_request)
{
    static const CK_PROFILE_ID ids[PROFILES] = { CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER,
                                                 CKP_AUTHENTICATION_TOKEN };
    CK_OBJECT_CLASS profile_class = CKO_PROFILE;
    CK_PROFILE_ID id = CKP_INVALID_ID;
    kvp_call call = fake_call();
    CK_ATTRIBUTE label[] = { ATTR_TEXT(CKA_LABEL, "mine") };
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, profile_class), ATTR_VALUE(CKA_TOKEN, yes) };
    ck_assert_uint_eq(FIND(attrs), PROFILES);
    for (size_t i = 0; i < PROFILES; i++) {
        fake_get(token, found[i], CKA_PROFILE_ID, &id, sizeof(id));
        ck_assert_uint_eq(id, ids[i]);
    }
    CK_ATTRIBUTE unique[] = { ATTR_TEXT(CKA_UNIQUE_ID, "profile-2;type=profile") };
    ck_assert_uint_eq(FIND(unique), 1);
    fake_get(token, found[0], CKA_PROFILE_ID, &id, sizeof(id));
    ck_assert_uint_eq(id, CKP_EXTENDED_PROVIDER);
    ck_assert_uint_eq(FIND(attrs), PROFILES);
    ck_assert_rv(kvp_object_destroy(&call, &token->session, found[0]), CKR_ACTION_PROHIBITED);
    ck_assert_rv(kvp_object_set_attributes(&call, &token->session, found[0], label, 1),
                 CKR_ACTION_PROHIBITED);
    kvp_object_store_restart(token->slot.objects);
    ck_assert_uint_eq(FIND(attrs), PROFILES);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

START_TEST(impossible_templates_make_no_request)
{
    CK_OBJECT_CLASS trust = 0xce534353UL;
    CK_ATTRIBUTE by_class[] = { ATTR_VALUE(CKA_CLASS, trust) };
    CK_ATTRIBUTE by_trust[] = { ATTR_VALUE(CKA_TRUSTED, yes) };
    CK_ATTRIBUTE secret[] = { ATTR_VALUE(CKA_CLASS, secret_class) };
    ck_assert_uint_eq(FIND(by_class), 0);
    ck_assert_uint_eq(FIND(by_trust), 0);
    ck_assert_uint_eq(FIND(secret), 0);
    ck_assert_uint_eq(fake_total(), 0);
}
END_TEST

/* ---- exact searches ---- */

START_TEST(an_exact_label_is_one_get_and_no_list)
{
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "beta") };
    ck_assert_uint_eq(FIND(attrs), 2);
    ck_assert_uint_eq(fake_requests.gets, 1);
    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

START_TEST(an_exact_id_with_usage_is_one_get)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class), ATTR_TEXT(CKA_ID, "beta"),
                             ATTR_VALUE(CKA_SIGN, yes) };
    ck_assert_uint_eq(FIND(attrs), 1);
    ck_assert_uint_eq(fake_total(), 1);
    ck_assert_uint_eq(FIND(attrs), 1);
    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

START_TEST(a_key_that_was_found_is_asked_for_again_after_its_age)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "beta");
    fake_sleep(KVP_OBJECT_AGE_MS - 1);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "beta"), handle);
    ck_assert_uint_eq(fake_total(), 1);
    fake_sleep(1);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "beta"), handle);
    ck_assert_uint_eq(fake_requests.gets, 2);
    ck_assert_uint_eq(fake_total(), 2);
}
END_TEST

START_TEST(a_name_that_is_not_there_is_looked_for_by_tag_once)
{
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "nobody") };
    ck_assert_uint_eq(FIND(attrs), 0);
    ck_assert_uint_eq(fake_requests.gets, 1);
    ck_assert_uint_eq(fake_requests.lists, 1);
    ck_assert_uint_eq(FIND(attrs), 0);
    ck_assert_uint_eq(fake_total(), 2);
}
END_TEST

START_TEST(a_label_tag_is_found_by_the_list_and_then_by_one_get)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class),
                             ATTR_TEXT(CKA_LABEL, "Web server") };
    fake_set_tag("beta", KVP_TAG_LABEL, "Web server");
    ck_assert_uint_eq(FIND(attrs), 1);
    CK_OBJECT_HANDLE handle = found[0];
    ck_assert_uint_eq(fake_requests.lists, 1);
    fake_reset();

    fake_sleep(120000);
    ck_assert_uint_eq(FIND(attrs), 1);

    ck_assert_uint_eq(found[0], handle);
    ck_assert_uint_eq(fake_requests.gets, 1);
    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

START_TEST(a_key_does_not_answer_to_its_name_when_a_tag_renames_it)
{
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "beta") };
    fake_set_tag("beta", KVP_TAG_LABEL, "other");
    ck_assert_uint_eq(FIND(attrs), 0);
}
END_TEST

START_TEST(an_id_tag_of_any_bytes_is_found)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class),
                             ATTR_BYTES(CKA_ID, "\x00\x01\x02\x03", 4) };
    fake_set_tag("gamma", KVP_TAG_ID, "AAECAw");
    ck_assert_uint_eq(FIND(attrs), 1);
    char label[16];
    label_of(found[0], label, sizeof(label));
    ck_assert_str_eq(label, "gamma");
}
END_TEST

START_TEST(label_and_id_tag_together_are_one_get)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class), ATTR_TEXT(CKA_LABEL, "gamma"),
                             ATTR_BYTES(CKA_ID, "\x00\x01\x02\x03", 4) };
    fake_set_tag("gamma", KVP_TAG_ID, "AAECAw");
    ck_assert_uint_eq(FIND(attrs), 1);
    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

START_TEST(the_hash_of_a_long_name_is_found)
{
    char name[121] = { 0 };
    uint8_t digest[32];
    memset(name, 'n', 120);
    fake_add_ec(name);
    ck_assert_int_eq(kvp_digest_once(KVP_HASH_SHA256, name, 120, digest), KVP_OK);
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class), ATTR_BYTES(CKA_ID, digest, 20) };
    ck_assert_uint_eq(FIND(attrs), 1);
    fake_sleep(120000);
    fake_reset();
    ck_assert_uint_eq(FIND(attrs), 1);
    ck_assert_uint_eq(fake_requests.lists, 0);
}
END_TEST

START_TEST(a_unique_id_of_the_current_version_is_one_get)
{
    char id[256];
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PUBLIC_KEY, "beta");
    size_t len = fake_get(token, handle, CKA_UNIQUE_ID, id, sizeof(id));
    fake_sleep(KVP_OBJECT_AGE_MS);
    fake_reset();
    CK_ATTRIBUTE attrs[] = { ATTR_BYTES(CKA_UNIQUE_ID, id, len) };
    ck_assert_uint_eq(FIND(attrs), 1);
    ck_assert_uint_eq(found[0], handle);
    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

START_TEST(a_key_identifier_finds_the_pair)
{
    char id[256];
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PUBLIC_KEY, "beta");
    size_t len = fake_get(token, handle, CKA_KVP_KEY_ID, id, sizeof(id));
    CK_ATTRIBUTE attrs[] = { ATTR_BYTES(CKA_KVP_KEY_ID, id, len) };
    ck_assert_uint_eq(FIND(attrs), 2);
}
END_TEST

START_TEST(a_disabled_key_is_not_found_by_name)
{
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "beta") };
    fake_set_enabled("beta", false);
    ck_assert_uint_eq(FIND(attrs), 0);
}
END_TEST

/* ---- failures ---- */

START_TEST(a_failing_list_fails_the_search_and_ends_it)
{
    kvp_call call = fake_call();
    CK_ULONG count;
    fake_fail(503, 1);
    ck_assert_rv(kvp_find_init(&call, &token->session, NULL, 0), CKR_DEVICE_ERROR);
    ck_assert_int_eq(call.error.http_status, 503);
    ck_assert_str_eq(call.operation, "FindObjects");
    ck_assert_rv(kvp_find_next(&call, &token->session, found, MAX, &count),
                 CKR_OPERATION_NOT_INITIALIZED);
}
END_TEST

START_TEST(a_refused_get_fails_the_search)
{
    kvp_call call = fake_call();
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "beta") };
    fake_fail(403, 1);
    ck_assert_rv(kvp_find_init(&call, &token->session, attrs, 1), CKR_FUNCTION_REJECTED);
}
END_TEST

/* An access policy of "get" and "sign" alone: no list. */
START_TEST(who_may_not_list_finds_by_name_alone)
{
    kvp_call call = fake_call();
    CK_ATTRIBUTE nobody[] = { ATTR_TEXT(CKA_LABEL, "nobody") };
    CK_ATTRIBUTE by_class[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    CK_ATTRIBUTE by_tag[] = { ATTR_TEXT(CKA_LABEL, "Web server") };
    fake_forbid_lists(true);
    ck_assert_uint_ne(fake_find_one(token, CKO_PRIVATE_KEY, "beta"), CK_INVALID_HANDLE);
    ck_assert_uint_eq(FIND(nobody), 0);
    ck_assert_rv(kvp_find_init(&call, &token->session, by_class, 1), CKR_FUNCTION_REJECTED);
    ck_assert_rv(kvp_find_init(&call, &token->session, by_tag, 1), CKR_FUNCTION_REJECTED);
}
END_TEST

/* Most identities may use keys and nothing else: they must not lose them for that. */
START_TEST(who_may_use_keys_only_sees_keys)
{
    kvp_call call = fake_call();
    CK_OBJECT_CLASS certificate_class = CKO_CERTIFICATE;
    CK_ATTRIBUTE by_class[] = { ATTR_VALUE(CKA_CLASS, certificate_class) };
    CK_ATTRIBUTE by_label[] = { ATTR_VALUE(CKA_CLASS, certificate_class),
                                ATTR_TEXT(CKA_LABEL, "alpha") };
    fake_forbid_others(true);
    token->config.certificates = token->config.secrets = true;

    ck_assert_rv(kvp_find_init(&call, &token->session, NULL, 0), CKR_OK);
    ck_assert_rv(kvp_find_final(&call, &token->session), CKR_OK);
    ck_assert_ptr_nonnull(strstr(call.note, "secrets (HTTP 403)"));
    ck_assert_uint_eq(fake_requests.lists, 3);
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 6);
    ck_assert_uint_eq(FIND(by_class), 0);
    ck_assert_uint_eq(fake_requests.lists, 3);
    /* Not asked again with each listing, and told once. */
    fake_sleep(KVP_OBJECT_AGE_MS);
    call = fake_call();
    ck_assert_rv(kvp_find_init(&call, &token->session, NULL, 0), CKR_OK);
    ck_assert_rv(kvp_find_final(&call, &token->session), CKR_OK);
    ck_assert_uint_eq(fake_requests.lists, 4);
    ck_assert_str_eq(call.note, "");
    ck_assert_uint_eq(FIND(by_label), 0);

    fake_forbid_others(false);
    fake_sleep(KVP_REFUSED_AGE_MS);
    ck_assert_uint_eq(FIND(by_class), 0);
    ck_assert_uint_eq(fake_requests.lists, 6);
    token->config.certificates = token->config.secrets = false;
}
END_TEST

START_TEST(a_vault_that_could_not_be_made_fails_searches_that_need_it)
{
    kvp_call call = fake_call();
    kvp_vault *vault = token->slot.vault;
    CK_ATTRIBUTE trusted[] = { ATTR_VALUE(CKA_TRUSTED, yes) };
    token->slot.vault = NULL;
    kvp_error_set(&token->slot.vault_error, KVP_ERR_CONFIG, "no such credential");
    ck_assert_rv(kvp_find_init(&call, &token->session, NULL, 0), CKR_DEVICE_ERROR);
    ck_assert_str_eq(call.error.message, "no such credential");
    ck_assert_uint_eq(fake_find(token, trusted, 1, found, MAX), 0);
    token->slot.vault = vault;
}
END_TEST

START_TEST(one_search_at_a_time_and_the_second_costs_nothing)
{
    kvp_call call = fake_call();
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "beta") };
    ck_assert_rv(kvp_find_init(&call, &token->session, attrs, 1), CKR_OK);
    ck_assert_rv(kvp_find_init(&call, &token->session, attrs, 1), CKR_OPERATION_ACTIVE);
    ck_assert_uint_eq(fake_total(), 1);
    ck_assert_rv(kvp_find_final(&call, &token->session), CKR_OK);
    ck_assert_rv(kvp_find_final(&call, &token->session), CKR_OPERATION_NOT_INITIALIZED);
}
END_TEST

START_TEST(results_come_in_pieces_and_do_not_change)
{
    kvp_call call = fake_call();
    CK_ULONG count;
    size_t total = 0;
    ck_assert_rv(kvp_find_init(&call, &token->session, NULL, 0), CKR_OK);
    fake_add_ec("delta");
    do {
        ck_assert_rv(kvp_find_next(&call, &token->session, found + total, 1, &count), CKR_OK);
        total += count;
    } while (count);
    ck_assert_uint_eq(total, PROFILES + 6);
    ck_assert_rv(kvp_find_final(&call, &token->session), CKR_OK);
}
END_TEST

START_TEST(bad_pointers_are_refused)
{
    kvp_call call = fake_call();
    CK_ATTRIBUTE attrs[] = { { CKA_LABEL, NULL, 4 } };
    ck_assert_rv(kvp_find_init(&call, &token->session, attrs, 1), CKR_ARGUMENTS_BAD);
    ck_assert_rv(kvp_find_final(&call, &token->session), CKR_OPERATION_NOT_INITIALIZED);
}
END_TEST

/* ---- Managed HSM ---- */

START_TEST(a_managed_hsm_shows_pairs_and_secret_keys)
{
    CK_ATTRIBUTE secrets[] = { ATTR_VALUE(CKA_CLASS, secret_class) };
    CK_KEY_TYPE type;
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 4);
    ck_assert_uint_eq(fake_requests.lists, 1);
    ck_assert_uint_eq(fake_requests.batches, 1);
    ck_assert_uint_eq(FIND(secrets), 2);
    fake_get(token, found[0], CKA_KEY_TYPE, &type, sizeof(type));
    ck_assert_uint_eq(type, CKK_AES);
    fake_get(token, found[1], CKA_KEY_TYPE, &type, sizeof(type));
    ck_assert_uint_eq(type, CKK_GENERIC_SECRET);
    ck_assert_rv(fake_get_rv(token, found[0], CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    ck_assert_rv(fake_get_rv(token, found[0], CKA_VALUE_LEN), CKR_ATTRIBUTE_TYPE_INVALID);
}
END_TEST

START_TEST(an_exact_label_on_a_managed_hsm_is_one_get)
{
    fake_find_one(token, CKO_SECRET_KEY, "aes");
    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

/* ---- memory ---- */

START_TEST(short_memory_fails_the_search_and_nothing_else)
{
    for (long n = 0; n < 400; n++) {
        kvp_call call = fake_call();
        fake_sleep(KVP_OBJECT_AGE_MS);
        kvp_lock_take(&token->slot.objects->lock);
        kvp_lock_give(&token->slot.objects->lock);
        kvp_alloc_fail_after(n);
        CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "Nobody at all") };
        CK_RV rv = kvp_find_init(&call, &token->session, attrs, 1);
        kvp_alloc_fail_after(-1);
        if (rv == CKR_OK) {
            ck_assert_rv(kvp_find_final(&call, &token->session), CKR_OK);
            ck_assert_int_gt(n, 10);
            break;
        }
    }
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("find");
    TCase *tc = tcase_create("lists");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, all_objects_are_one_list_and_no_get);
    tcase_add_test(tc, class_label_and_id_are_read_from_the_list);
    tcase_add_test(tc, searches_in_a_row_cost_one_list);
    tcase_add_test(tc, the_same_object_has_the_same_handle);
    tcase_add_test(tc, reading_one_listed_key_reads_its_neighbours);
    tcase_add_test(tc, a_template_that_needs_documents_reads_them_in_one_batch);
    tcase_add_test(tc, documents_are_kept_while_the_list_shows_nothing_new);
    tcase_add_test(tc, disabled_and_hidden_keys_are_not_shown);
    tcase_add_test(tc, a_token_tells_its_profiles_without_a_request);
    tcase_add_test(tc, impossible_templates_make_no_request);
    suite_add_tcase(suite, tc);
    tc = tcase_create("exact");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_exact_label_is_one_get_and_no_list);
    tcase_add_test(tc, an_exact_id_with_usage_is_one_get);
    tcase_add_test(tc, a_key_that_was_found_is_asked_for_again_after_its_age);
    tcase_add_test(tc, a_name_that_is_not_there_is_looked_for_by_tag_once);
    tcase_add_test(tc, a_label_tag_is_found_by_the_list_and_then_by_one_get);
    tcase_add_test(tc, a_key_does_not_answer_to_its_name_when_a_tag_renames_it);
    tcase_add_test(tc, an_id_tag_of_any_bytes_is_found);
    tcase_add_test(tc, label_and_id_tag_together_are_one_get);
    tcase_add_test(tc, the_hash_of_a_long_name_is_found);
    tcase_add_test(tc, a_unique_id_of_the_current_version_is_one_get);
    tcase_add_test(tc, a_key_identifier_finds_the_pair);
    tcase_add_test(tc, a_disabled_key_is_not_found_by_name);
    suite_add_tcase(suite, tc);
    tc = tcase_create("failures");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_failing_list_fails_the_search_and_ends_it);
    tcase_add_test(tc, a_refused_get_fails_the_search);
    tcase_add_test(tc, who_may_not_list_finds_by_name_alone);
    tcase_add_test(tc, who_may_use_keys_only_sees_keys);
    tcase_add_test(tc, a_vault_that_could_not_be_made_fails_searches_that_need_it);
    tcase_add_test(tc, one_search_at_a_time_and_the_second_costs_nothing);
    tcase_add_test(tc, results_come_in_pieces_and_do_not_change);
    tcase_add_test(tc, bad_pointers_are_refused);
    tcase_add_test(tc, short_memory_fails_the_search_and_nothing_else);
    suite_add_tcase(suite, tc);
    tc = tcase_create("managed hsm");
    tcase_add_checked_fixture(tc, setup_hsm, teardown);
    tcase_add_test(tc, a_managed_hsm_shows_pairs_and_secret_keys);
    tcase_add_test(tc, an_exact_label_on_a_managed_hsm_is_one_get);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
