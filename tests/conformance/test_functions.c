/* SPDX-License-Identifier: MIT */
/*
 * What PKCS#11 says of every function, tried with every function: not initialised, sessions that
 * are none, NULL pointers, handles of nothing, operations that are missing or active already,
 * length queries and short buffers, sessions that are closed or read-only, two threads. What is
 * particular to one function is test_returns.c's.
 */
#include "functions.h"
#include "support/keyvaultd.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_HANDLE 0x7654321UL

static world *const w = &main_world;

/* ---- the rows themselves ---- */

START_TEST(every_function_of_the_module_has_a_row)
{
    for (size_t i = 0; i < defined_function_count; i++) {
        const defined_function *defined = &defined_functions[i];
        const function_row *row = function_row_find(defined->name);
        size_t parameters = 1;

        ck_assert_msg(row != NULL, "C_%s is not tested", defined->name);
        for (const char *p = defined->parameters; *p; p++)
            parameters += *p == ',';
        ck_assert_msg(strlen(row->arguments) == parameters, "C_%s has %zu parameters, its row %zu",
                      defined->name, parameters, strlen(row->arguments));
        ck_assert_uint_le(parameters, ARGUMENTS_MAX);
    }
}
END_TEST

START_TEST(there_are_104)
{
    ck_assert_uint_eq(defined_function_count, 104);
    ck_assert_uint_eq(function_row_count, 104);
}
END_TEST

/* ---- before and after ---- */

/* Arguments that were good in a session which is no more. */
static void expect_not_initialized(const char *when)
{
    for (size_t i = 0; i < function_row_count; i++) {
        const function_row *row = &function_rows[i];
        word v[ARGUMENTS_MAX];

        if (row->traits & ANYTIME)
            continue;
        function_fill(w, row, v);
        assert_row_rv(row, when, CKR_CRYPTOKI_NOT_INITIALIZED, row->call(v));
    }
}

START_TEST(nothing_works_before_initialize)
{
    w->session = 1;
    for (int i = 0; i < KEY_COUNT; i++)
        w->keys[i] = 1; /* there is none to be found yet */
    expect_not_initialized("before C_Initialize");
}
END_TEST

START_TEST(nothing_works_after_finalize)
{
    world_setup();
    for (int i = 1; i < KEY_COUNT; i++)
        world_key(w, (key_name)i);
    for (size_t i = 0; i < function_row_count; i++)
        if (function_rows[i].traits & STARTS)
            function_run(w, &function_rows[i]);
    assert_rv(CKR_OK, p11_3->C_Finalize(NULL));
    expect_not_initialized("after C_Finalize");
}
END_TEST

/* ---- good calls ---- */

static void a_good_call_is_answered(const function_row *row)
{
    assert_row_rv(row, "good", row->good, function_run(w, row));
}

static void a_login_changes_no_answer(const function_row *row)
{
    bool is_login = strncmp(row->name, "Log", 3) == 0;

    if (is_login)
        return;
    assert_rv(CKR_OK, p11_3->C_Login(w->session, CKU_USER, NULL, 0));
    assert_row_rv(row, "logged in", row->good, function_run(w, row));
}

static void a_read_only_session_writes_nothing(const function_row *row)
{
    world other;

    world_open(&other, 0);
    assert_row_rv(row, "read-only", row->traits & WRITES ? CKR_SESSION_READ_ONLY : row->good,
                  function_run(&other, row));
}

/* ---- arguments ---- */

/* Everything that could stand in the way is out of it: no operation is left from the last try. */
static void prepare(const function_row *row, word *v)
{
    world_cancel(w);
    if (strcmp(row->name, "Logout") == 0)
        p11_3->C_Logout(w->session);
    function_begin(w, row);
    function_fill(w, row, v);
}

static bool is_parallel(const function_row *row)
{
    return row->good == CKR_FUNCTION_NOT_PARALLEL;
}

static void a_session_that_is_none_is_told_so(const function_row *row)
{
    CK_SESSION_HANDLE closed = module_open_session(0);
    CK_SESSION_HANDLE handles[] = { CK_INVALID_HANDLE, NO_HANDLE, closed, ~0UL };

    if (row->arguments[0] != 'h')
        return;
    assert_rv(CKR_OK, p11_3->C_CloseSession(closed));
    for (size_t i = 0; i < KVP_ARRAY_LEN(handles); i++) {
        word v[ARGUMENTS_MAX];

        prepare(row, v);
        v[0].u = handles[i];
        assert_row_rv(row, "no session", is_parallel(row) ? row->good : CKR_SESSION_HANDLE_INVALID,
                      row->call(v));
    }
}

static void a_closed_session_is_none(const function_row *row)
{
    word v[ARGUMENTS_MAX];

    if (row->arguments[0] != 'h')
        return;
    prepare(row, v);
    assert_rv(CKR_OK, p11_3->C_CloseSession(w->session));
    assert_row_rv(row, "closed", is_parallel(row) ? row->good : CKR_SESSION_HANDLE_INVALID,
                  row->call(v));
}

static void a_slot_that_is_none_is_told_so(const function_row *row)
{
    word v[ARGUMENTS_MAX];

    if (row->arguments[0] != 's')
        return;
    prepare(row, v);
    v[0].u = NO_HANDLE;
    assert_row_rv(row, "no slot", CKR_SLOT_ID_INVALID, row->call(v));
}

/* Pointers that must be there; data of no length need not be. */
static void a_pointer_to_nothing_is_a_bad_argument(const function_row *row)
{

    for (size_t i = 0; row->arguments[i]; i++) {
        word v[ARGUMENTS_MAX];

        if (!strchr("dlmr", row->arguments[i]))
            continue;
        prepare(row, v);
        if (row->arguments[i] == 'd' && v[i + 1].u == 0)
            continue;
        v[i].p = NULL;
        assert_row_rv(row, "NULL", CKR_ARGUMENTS_BAD, row->call(v));
    }
}

static const struct {
    char letter;
    CK_RV rv;
} handle_codes[] = {
    { 'k', CKR_KEY_HANDLE_INVALID },
    { 'o', CKR_OBJECT_HANDLE_INVALID },
    { 'w', CKR_WRAPPING_KEY_HANDLE_INVALID },
    { 'u', CKR_UNWRAPPING_KEY_HANDLE_INVALID },
};

static void a_handle_of_nothing_has_the_functions_own_code(const function_row *row)
{

    if (row->good != CKR_OK)
        return;
    for (size_t c = 0; c < KVP_ARRAY_LEN(handle_codes); c++) {
        const char *at = strchr(row->arguments, handle_codes[c].letter);
        word v[ARGUMENTS_MAX];

        if (!at)
            continue;
        prepare(row, v);
        v[at - row->arguments].u = NO_HANDLE;
        assert_row_rv(row, "no object", handle_codes[c].rv, row->call(v));
        prepare(row, v);
        v[at - row->arguments].u = CK_INVALID_HANDLE;
        assert_row_rv(row, "the handle 0", handle_codes[c].rv, row->call(v));
    }
}

static const struct {
    CK_MECHANISM_TYPE type;
    CK_ULONG len;
    CK_RV rv;
} wrong_mechanisms[] = {
    { CKM_RSA_X_509, 0, CKR_MECHANISM_INVALID },
    { CKM_VENDOR_DEFINED | 0x77, 0, CKR_MECHANISM_INVALID },
    { CK_UNAVAILABLE_INFORMATION, 0, CKR_MECHANISM_INVALID },
    { 0, 3, CKR_MECHANISM_PARAM_INVALID }, /* its own, with three bytes */
};

static void a_mechanism_that_does_not_fit_is_refused(const function_row *row)
{
    const char *at = strchr(row->arguments, 'm');

    if (!at || row->good != CKR_OK)
        return;
    for (size_t i = 0; i < KVP_ARRAY_LEN(wrong_mechanisms); i++) {
        word v[ARGUMENTS_MAX];
        CK_MECHANISM wrong = { wrong_mechanisms[i].type, w->iv, wrong_mechanisms[i].len };

        prepare(row, v);
        if (wrong.ulParameterLen)
            wrong.mechanism = row->mechanism;
        v[at - row->arguments].p = &wrong;
        assert_row_rv(row, kvp_ckm_name(wrong.mechanism), wrong_mechanisms[i].rv, row->call(v));
    }
}

/* ---- operations ---- */

static void without_its_operation_it_is_not_initialized(const function_row *row)
{
    word v[ARGUMENTS_MAX];

    if (!(row->traits & OPERATION))
        return;
    function_fill(w, row, v);
    assert_row_rv(row, "no operation", CKR_OPERATION_NOT_INITIALIZED, row->call(v));
    function_begin(w, row);
    world_cancel(w);
    assert_row_rv(row, "cancelled", CKR_OPERATION_NOT_INITIALIZED, row->call(v));
}

static void an_operation_is_not_begun_twice(const function_row *row)
{
    word v[ARGUMENTS_MAX];

    if (!(row->traits & STARTS) || row->good != CKR_OK)
        return;
    function_fill(w, row, v);
    assert_row_rv(row, "first", CKR_OK, row->call(v));
    assert_row_rv(row, "again", CKR_OPERATION_ACTIVE, row->call(v));
    if (!(row->traits & SOMEWHERE))
        return;
    v[1].p = NULL;
    assert_row_rv(row, "no mechanism cancels", CKR_OK, row->call(v));
    v[1].p = &w->mechanism;
    assert_row_rv(row, "after that", CKR_OK, row->call(v));
}

static void an_error_ends_the_operation(const function_row *row)
{
    const char *at = strpbrk(row->arguments, "dl");
    word v[ARGUMENTS_MAX];

    if (!at || !(row->traits & ENDS))
        return;
    function_begin(w, row);
    function_fill(w, row, v);
    v[at - row->arguments].p = NULL;
    assert_row_rv(row, "NULL", CKR_ARGUMENTS_BAD, row->call(v));
    function_fill(w, row, v);
    assert_row_rv(row, "after an error", CKR_OPERATION_NOT_INITIALIZED, row->call(v));
}

/* ---- two mistakes at once ---- */

static const char *pointer_of(const function_row *row, const word *v)
{
    for (const char *p = row->arguments; *p; p++)
        if (strchr("dlr", *p) && (*p != 'd' || v[p - row->arguments + 1].u))
            return p;
    return NULL;
}

/* The order that docs/conformance.md gives: pointers, session, operation, object, mechanism. */
static void of_two_mistakes_the_first_is_told(const function_row *row)
{
    const char *key = strpbrk(row->arguments, "kwu");
    CK_MECHANISM unknown = { CKM_RSA_X_509, NULL, 0 };
    word v[ARGUMENTS_MAX];

    function_fill(w, row, v);
    const char *pointer = pointer_of(row, v);
    if (pointer && row->arguments[0] == 'h') {
        v[pointer - row->arguments].p = NULL;
        if (row->traits & OPERATION)
            assert_row_rv(row, "NULL and no operation", CKR_ARGUMENTS_BAD, row->call(v));
        v[0].u = NO_HANDLE;
        assert_row_rv(row, "NULL and no session", CKR_ARGUMENTS_BAD, row->call(v));
    }
    if (row->arguments[1] != 'm' || !key || row->good != CKR_OK)
        return;
    function_fill(w, row, v);
    v[1].p = &unknown;
    v[key - row->arguments].u = NO_HANDLE;
    v[0].u = NO_HANDLE;
    assert_row_rv(row, "no session and no key", CKR_SESSION_HANDLE_INVALID, row->call(v));
    v[0].u = w->session;
    CK_RV rv = row->call(v);
    ck_assert_msg(rv != CKR_MECHANISM_INVALID && rv != CKR_OK, "C_%s, no key and no mechanism: %s",
                  row->name, kvp_ckr_name(rv));
    if (!(row->traits & STARTS))
        return;
    assert_row_rv(row, "good", CKR_OK, function_run(w, row));
    assert_row_rv(row, "active and no key", CKR_OPERATION_ACTIVE, row->call(v));
}

/* ---- output ---- */

static void a_length_query_and_a_short_buffer_change_nothing(const function_row *row)
{
    const char *at = strchr(row->arguments, 'b');
    CK_ULONG needed, asked;
    word v[ARGUMENTS_MAX];

    if (!at || row->good != CKR_OK)
        return;
    size_t out = (size_t)(at - row->arguments);
    prepare(row, v);
    assert_row_rv(row, "good", CKR_OK, row->call(v));
    needed = w->out_len;

    prepare(row, v);
    size_t requests = keyvaultd_requests(NULL);
    v[out].p = NULL;
    w->out_len = 0;
    assert_row_rv(row, "length query", CKR_OK, row->call(v));
    asked = w->out_len;
    ck_assert_msg(asked >= needed, "C_%s asks for %lu bytes and needs %lu", row->name, asked,
                  needed);
    ck_assert_msg(asked <= 256, "C_%s asks for %lu bytes and needs %lu", row->name, asked, needed);
    v[out].p = w->out;
    if (needed) {
        w->out_len = 0;
        assert_row_rv(row, "no room", CKR_BUFFER_TOO_SMALL, row->call(v));
        ck_assert_uint_ge(w->out_len, needed);
        w->out_len = needed - 1;
        assert_row_rv(row, "a short buffer", CKR_BUFFER_TOO_SMALL, row->call(v));
        ck_assert_uint_ge(w->out_len, needed);
        ck_assert_uint_le(w->out_len, asked);
    }
    ck_assert_uint_eq(keyvaultd_requests(NULL), requests);
    assert_row_rv(row, "room enough", CKR_OK, row->call(v));
    ck_assert_uint_eq(w->out_len, needed);
    ck_assert_msg(keyvaultd_requests(NULL) <= requests + 1, "C_%s makes several requests",
                  row->name);
}

/* ---- two threads ---- */

typedef struct party {
    const function_row *row;
    world world;
    bool own_world;
    int times;
    CK_RV answers[8];
} party;

static void *take_part(void *user)
{
    party *p = user;

    for (int i = 0; i < p->times; i++) {
        word v[ARGUMENTS_MAX];

        if (p->own_world) {
            world_cancel(&p->world);
            function_begin(&p->world, p->row);
        }
        function_fill(&p->world, p->row, v);
        p->answers[i] = p->row->call(v);
    }
    return NULL;
}

static void run_parties(party *parties)
{
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_part, &parties[i]), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

static bool spoils_its_world(const function_row *row)
{
    return strcmp(row->name, "CloseSession") == 0 || strcmp(row->name, "DestroyObject") == 0 ||
           strcmp(row->name, "Logout") == 0;
}

static void two_threads_with_a_session_each(const function_row *row)
{
    static party parties[2];
    bool own_world = !(row->traits & ALONE);

    for (int i = 0; i < 2; i++) {
        parties[i].row = row;
        parties[i].own_world = own_world;
        parties[i].times =
            own_world && !spoils_its_world(row) && strcmp(row->name, "GenerateKeyPair") != 0 ? 4
                                                                                             : 1;
        if (own_world)
            world_open(&parties[i].world, CKF_RW_SESSION);
    }
    if (strcmp(row->name, "Logout") == 0) /* the token's login is one: it cannot be done twice */
        assert_rv(CKR_OK, p11_3->C_Login(w->session, CKU_USER, NULL, 0));
    if (strcmp(row->name, "Logout") == 0)
        parties[0].own_world = parties[1].own_world = false;
    run_parties(parties);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < parties[i].times; j++)
            if (row->other == CKR_OK || parties[i].answers[j] != row->other)
                assert_row_rv(row, "from two threads", row->good, parties[i].answers[j]);
}

/*
 * An application that shares a session has to take turns by itself (PKCS#11 v3.1 §5.2); what is
 * asked for is that nothing breaks: each answer is one that the functions have for such a state.
 */
static void two_threads_with_one_session(const function_row *row)
{
    static party parties[2];

    if ((row->traits & ALONE))
        return;
    function_begin(w, row);
    world_key(w, row->key); /* a search of its own, which is not what is tested */
    world_key(w, KEY_HMAC);
    for (int i = 0; i < 2; i++) {
        parties[i].row = row;
        parties[i].world = *w;
        parties[i].own_world = false;
        parties[i].times = 4;
        snprintf(parties[i].world.label, sizeof(parties[i].world.label), "cf-two-%d-%d",
                 (int)getpid(), i);
    }
    run_parties(parties);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            switch (parties[i].answers[j]) {
            case CKR_OPERATION_ACTIVE:
            case CKR_OPERATION_NOT_INITIALIZED:
            case CKR_SESSION_HANDLE_INVALID:  /* after C_CloseSession */
            case CKR_OBJECT_HANDLE_INVALID:   /* after C_DestroyObject */
            case CKR_ATTRIBUTE_VALUE_INVALID: /* a second key of the same name */
            case CKR_USER_NOT_LOGGED_IN:
            case CKR_USER_ALREADY_LOGGED_IN:
            case CKR_SAVED_STATE_INVALID: /* none could be saved in between */
            case CKR_SIGNATURE_INVALID:   /* both verified one message: each saw a part of it */
                break;
            default:
                assert_row_rv(row, "in one session", row->good, parties[i].answers[j]);
            }
    assert_rv(strcmp(row->name, "CloseSession") == 0 ? CKR_SESSION_HANDLE_INVALID : CKR_OK,
              p11_3->C_SessionCancel(w->session, ~0UL));
}

/* ---- the suite ---- */

/* Sessions, login and operations of the case before are gone. */
static void start_afresh(void)
{
    if (p11_3->C_CloseAllSessions(module_slot) == CKR_CRYPTOKI_NOT_INITIALIZED)
        module_slot = module_initialize();
    world_open(w, CKF_RW_SESSION);
    module_session = w->session;
}

/* One process for all cases of a function: starting one costs more than they do. */
static void run_cases(const function_row *row, void (*const cases[])(const function_row *),
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        start_afresh();
        cases[i](row);
    }
}

START_TEST(each_function_keeps_the_rules_of_all)
{
    static void (*const cases[])(const function_row *) = {
        a_good_call_is_answered,
        a_login_changes_no_answer,
        a_read_only_session_writes_nothing,
        a_session_that_is_none_is_told_so,
        a_closed_session_is_none,
        a_slot_that_is_none_is_told_so,
        a_pointer_to_nothing_is_a_bad_argument,
        a_handle_of_nothing_has_the_functions_own_code,
        a_mechanism_that_does_not_fit_is_refused,
        without_its_operation_it_is_not_initialized,
        an_operation_is_not_begun_twice,
        an_error_ends_the_operation,
        of_two_mistakes_the_first_is_told,
        a_length_query_and_a_short_buffer_change_nothing,
    };

    run_cases(&function_rows[_i], cases, KVP_ARRAY_LEN(cases));
}
END_TEST

START_TEST(each_function_is_called_by_two_threads)
{
    static void (*const cases[])(const function_row *) = { two_threads_with_a_session_each,
                                                           two_threads_with_one_session };

    run_cases(&function_rows[_i], cases, KVP_ARRAY_LEN(cases));
}
END_TEST

int main(void)
{
    const int rows = (int)function_row_count;
    Suite *suite = suite_create("functions");
    TCase *table = tcase_create("table"), *each = tcase_create("each"),
          *threads = tcase_create("threads");

    conformance_start("vault");
    tcase_add_test(table, every_function_of_the_module_has_a_row);
    tcase_add_test(table, there_are_104);
    tcase_add_test(table, nothing_works_before_initialize);
    tcase_add_test(table, nothing_works_after_finalize);
    suite_add_tcase(suite, table);
    tcase_add_unchecked_fixture(each, functions_prepare, NULL);
    tcase_add_checked_fixture(each, world_setup, world_teardown);
    /* A build for ThreadSanitizer is there for what runs in threads. */
    if (!getenv("KVP_TESTS_WITH_THREADS"))
        tcase_add_loop_test(each, each_function_keeps_the_rules_of_all, 0, rows);
    suite_add_tcase(suite, each);
    tcase_add_unchecked_fixture(threads, functions_prepare, NULL);
    tcase_add_checked_fixture(threads, world_setup, world_teardown);
    tcase_add_loop_test(threads, each_function_is_called_by_two_threads, 0, rows);
    suite_add_tcase(suite, threads);
    return module_run_suite(suite);
}
