/* SPDX-License-Identifier: MIT */
/* Searching again: what others changed meanwhile, logins, forks; and what it costs. */
#include "base/alloc.h"
#include "base/clock.h"
#include "tests/unit/token/object_fake.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fake_token *token;
static CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
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

static void teardown(void)
{
    fake_free(token);
}

static void label_of(CK_OBJECT_HANDLE handle, char *ret, size_t size)
{
    size_t len = fake_get(token, handle, CKA_LABEL, ret, size - 1);
    ret[len] = '\0';
}

static void version_of(CK_OBJECT_HANDLE handle, char ret[33])
{
    ck_assert_uint_eq(fake_get(token, handle, CKA_KVP_VERSION, ret, 32), 32);
    ret[32] = '\0';
}

/* ---- changes by others ---- */

START_TEST(a_rotation_is_a_new_object_and_the_old_handle_stays)
{
    char before[33];
    char after[33];
    char kept[33];
    CK_OBJECT_HANDLE old = fake_find_one(token, CKO_PRIVATE_KEY, "beta");
    version_of(old, before);
    fake_rotate("beta");
    fake_sleep(KVP_OBJECT_AGE_MS);

    CK_OBJECT_HANDLE fresh = fake_find_one(token, CKO_PRIVATE_KEY, "beta");

    version_of(fresh, after);
    version_of(old, kept);
    ck_assert_uint_ne(fresh, old);
    ck_assert_str_ne(before, after);
    ck_assert_str_eq(before, kept);
}
END_TEST

START_TEST(a_rotation_shows_up_in_a_listing_too)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    char version[33];
    ck_assert_uint_eq(FIND(attrs), 3);
    CK_OBJECT_HANDLE old = found[1];
    version_of(old, version);
    fake_rotate("beta");
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(FIND(attrs), 3);
    ck_assert_uint_ne(found[1], old);
}
END_TEST

/* List pages tell whole seconds: two versions of one second look the same there. */
START_TEST(a_rotation_in_the_second_of_creation_is_seen)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    char first[33];
    char second[33];
    fake_add_ec("young");
    ck_assert_uint_eq(FIND(attrs), 4);
    CK_OBJECT_HANDLE old = found[3];
    version_of(old, first);
    int64_t created = fake_key("young")->attributes.created;
    fake_rotate("young");
    fake_key("young")->attributes.created = created;
    fake_key("young")->attributes.updated = created;
    fake_sleep(KVP_OBJECT_AGE_MS);

    ck_assert_uint_eq(FIND(attrs), 4);

    ck_assert_uint_ne(found[3], old);
    version_of(found[3], second);
    ck_assert_str_ne(first, second);
}
END_TEST

START_TEST(an_older_version_is_found_by_its_own_id)
{
    char id[64];
    char version[33];
    CK_OBJECT_HANDLE old = fake_find_one(token, CKO_PRIVATE_KEY, "beta");
    version_of(old, version);
    fake_rotate("beta");
    fake_sleep(KVP_OBJECT_AGE_MS);
    fake_find_one(token, CKO_PRIVATE_KEY, "beta");
    snprintf(id, sizeof(id), "beta/%s", version);

    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class),
                             ATTR_BYTES(CKA_ID, id, strlen(id)) };
    ck_assert_uint_eq(FIND(attrs), 1);
    ck_assert_uint_eq(found[0], old);
}
END_TEST

START_TEST(an_older_version_is_found_in_a_new_process)
{
    char id[64];
    char version[33];
    kvp_copy_printable(version, sizeof(version), fake_key("beta")->version);
    fake_rotate("beta");
    snprintf(id, sizeof(id), "beta/%s", version);
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class),
                             ATTR_BYTES(CKA_ID, id, strlen(id)) };
    ck_assert_uint_eq(FIND(attrs), 1);
    char got[33];
    version_of(found[0], got);
    ck_assert_str_eq(got, version);
    ck_assert_uint_eq(fake_requests.lists, 0);
}
END_TEST

START_TEST(a_new_key_shows_up_after_the_age)
{
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 6);
    fake_add_ec("delta");
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 6);
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 8);
}
END_TEST

START_TEST(a_deleted_key_disappears_and_its_pinned_handle_stays_readable)
{
    char version[33];
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PUBLIC_KEY, "beta");
    fake_remove("beta");
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 4);
    version_of(handle, version);
}
END_TEST

START_TEST(a_key_that_vanished_before_it_was_read_has_no_handle)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    ck_assert_uint_eq(FIND(attrs), 3);
    CK_OBJECT_HANDLE handle = found[1];
    fake_remove("beta");
    ck_assert_rv(fake_get_rv(token, handle, CKA_KEY_TYPE), CKR_OBJECT_HANDLE_INVALID);
    ck_assert_rv(fake_get_rv(token, handle, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
    ck_assert_rv(fake_get_rv(token, found[2], CKA_KEY_TYPE), CKR_OK);
}
END_TEST

START_TEST(a_key_that_comes_back_has_its_old_handle)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "beta");
    CK_ATTRIBUTE attrs[] = { ATTR_TEXT(CKA_LABEL, "beta") };
    fake_set_enabled("beta", false);
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(FIND(attrs), 0);
    fake_set_enabled("beta", true);
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "beta"), handle);
}
END_TEST

START_TEST(a_changed_tag_shows_up_after_the_age)
{
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class) };
    char label[32];
    CK_KEY_TYPE type;
    ck_assert_uint_eq(FIND(attrs), 3);
    CK_OBJECT_HANDLE handle = found[1];
    fake_get(token, handle, CKA_KEY_TYPE, &type, sizeof(type));
    fake_set_tag("beta", KVP_TAG_LABEL, "renamed");
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(FIND(attrs), 3);
    ck_assert_uint_eq(found[1], handle);
    label_of(handle, label, sizeof(label));
    ck_assert_str_eq(label, "renamed");
}
END_TEST

START_TEST(many_rotations_leave_every_handle_good)
{
    CK_OBJECT_HANDLE handles[20];
    char version[33];
    char last[33] = "";
    for (size_t i = 0; i < KVP_ARRAY_LEN(handles); i++) {
        handles[i] = fake_find_one(token, CKO_PRIVATE_KEY, "beta");
        fake_rotate("beta");
        fake_sleep(KVP_OBJECT_AGE_MS);
    }
    for (size_t i = 0; i < KVP_ARRAY_LEN(handles); i++) {
        version_of(handles[i], version);
        ck_assert_str_ne(version, last);
        memcpy(last, version, sizeof(last));
    }
}
END_TEST

/* ---- login ---- */

START_TEST(a_token_with_a_pin_shows_nothing_before_login)
{
    token->config.credential = kvp_strdup("pin");
    ck_assert_uint_eq(fake_find(token, NULL, 0, found, MAX), PROFILES + 0);
    ck_assert_uint_eq(fake_total(), 0);

    token->slot.logged_in = true;
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "beta");
    ck_assert_rv(fake_get_rv(token, handle, CKA_KEY_TYPE), CKR_OK);

    token->slot.logged_in = false;
    ck_assert_rv(fake_get_rv(token, handle, CKA_KEY_TYPE), CKR_OBJECT_HANDLE_INVALID);
}
END_TEST

/* ---- after fork ---- */

START_TEST(a_child_that_initialises_finds_the_key_without_a_request)
{
    CK_OBJECT_HANDLE handle = fake_find_one(token, CKO_PRIVATE_KEY, "beta");
    fake_sleep(3600000);
    fake_reset();
    kvp_object_store_restart(token->slot.objects);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "beta"), handle);
    ck_assert_uint_eq(fake_total(), 0);
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(fake_find_one(token, CKO_PRIVATE_KEY, "beta"), handle);
    ck_assert_uint_eq(fake_total(), 1);
}
END_TEST

/* ---- older versions ---- */

/* A Managed HSM's listings do not tell which objects a key is, so bundles are read. */
START_TEST(older_versions_of_an_hsm_are_shown_too)
{
    fake_token *hsm = fake_new(true);
    CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, secret_class) };
    hsm->config.versions_all = true;
    fake_add_oct("aes", KVP_OP_ENCRYPT | KVP_OP_DECRYPT);
    fake_sleep(1000);
    fake_rotate("aes");
    fake_sleep(120000);

    ck_assert_uint_eq(fake_find(hsm, attrs, 1, found, MAX), 2);
    ck_assert_uint_ne(found[0], found[1]);
    fake_remove("aes");
    fake_sleep(KVP_OBJECT_AGE_MS);
    ck_assert_uint_eq(fake_find(hsm, attrs, 1, found, MAX), 0);
    fake_free(hsm);
}
END_TEST

/* Both were made in one second: only the bundle tells which is the current one. */
START_TEST(versions_of_one_second_are_told_apart)
{
    char ids[2][128];
    CK_ATTRIBUTE attrs[] = { ATTR_VALUE(CKA_CLASS, private_class), ATTR_TEXT(CKA_LABEL, "twice") };
    token->config.versions_all = true;
    fake_add_ec("twice");
    fake_rotate("twice");
    fake_sleep(120000);

    ck_assert_uint_eq(FIND(attrs), 2);
    for (size_t i = 0; i < 2; i++) {
        size_t len = fake_get(token, found[i], CKA_ID, ids[i], sizeof(ids[i]) - 1);
        ids[i][len] = '\0';
    }
    ck_assert_str_eq(ids[0], "twice");
    ck_assert_int_eq(strncmp(ids[1], "twice/", 6), 0);
    char current[33];
    version_of(found[0], current);
    ck_assert_str_eq(current, fake_key("twice")->version);
    ck_assert_str_ne(ids[1] + 6, current);
    token->config.versions_all = false;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("find_changes");
    TCase *tc = tcase_create("changes");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_rotation_is_a_new_object_and_the_old_handle_stays);
    tcase_add_test(tc, a_rotation_shows_up_in_a_listing_too);
    tcase_add_test(tc, a_rotation_in_the_second_of_creation_is_seen);
    tcase_add_test(tc, an_older_version_is_found_by_its_own_id);
    tcase_add_test(tc, an_older_version_is_found_in_a_new_process);
    tcase_add_test(tc, a_new_key_shows_up_after_the_age);
    tcase_add_test(tc, a_deleted_key_disappears_and_its_pinned_handle_stays_readable);
    tcase_add_test(tc, a_key_that_vanished_before_it_was_read_has_no_handle);
    tcase_add_test(tc, a_key_that_comes_back_has_its_old_handle);
    tcase_add_test(tc, a_changed_tag_shows_up_after_the_age);
    tcase_add_test(tc, many_rotations_leave_every_handle_good);
    tcase_add_test(tc, versions_of_one_second_are_told_apart);
    suite_add_tcase(suite, tc);
    tc = tcase_create("login and fork");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_token_with_a_pin_shows_nothing_before_login);
    tcase_add_test(tc, older_versions_of_an_hsm_are_shown_too);
    tcase_add_test(tc, a_child_that_initialises_finds_the_key_without_a_request);
    suite_add_tcase(suite, tc);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
