/* SPDX-License-Identifier: MIT */
/*
 * What goes wrong in the vault, in its authority and on the way, as the application sees it: each
 * row of the error table that a vault can cause, through a function of each kind of call, by faults
 * that keyvaultd was told to have. That an error ends the operation is looked at as well.
 */
#include "functions.h"
#include "support/keyvaultd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EVERY_TIME 100000

static world *const w = &main_world;

/* ---- a function of each kind of call ---- */

static CK_RV use_key(void)
{
    CK_ULONG len = sizeof(w->out);
    world_mechanism(w, CKM_ECDSA_SHA256);
    assert_rv(CKR_OK, p11_3->C_SignInit(w->session, &w->mechanism, world_key(w, KEY_EC_PRIVATE)));
    CK_RV rv = p11_3->C_Sign(w->session, w->data, DATA_LEN, w->out, &len);
    if (rv != CKR_OK)
        assert_rv(CKR_OPERATION_NOT_INITIALIZED,
                  p11_3->C_Sign(w->session, w->data, DATA_LEN, w->out, &len));
    return rv;
}

static CK_RV change_object(void)
{
    CK_ATTRIBUTE attr = { CKA_LABEL, w->label, strlen(w->label) };
    return p11_3->C_SetAttributeValue(w->session, world_key(w, KEY_RSA_PRIVATE), &attr, 1);
}

static CK_RV create_key(void)
{
    return function_run(w, function_row_find("GenerateKeyPair"));
}

static CK_RV list_token(void)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE attr = { CKA_CLASS, &class, sizeof(class) };
    CK_OBJECT_HANDLE found[8];
    CK_ULONG count = 0;
    CK_RV rv = p11_3->C_FindObjectsInit(w->session, &attr, 1);
    if (rv != CKR_OK)
        return rv;
    rv = p11_3->C_FindObjects(w->session, found, 8, &count);
    assert_rv(CKR_OK, p11_3->C_SessionCancel(w->session, CKF_FIND_OBJECTS));
    return rv;
}

static const struct {
    const char *name, *operation; /* of the usage log */
    CK_RV (*call)(void);
} kinds[KVP_CALL_KIND_COUNT] = {
    [KVP_CALL_KEY] = { "C_Sign", "KeySign", use_key },
    [KVP_CALL_OBJECT] = { "C_SetAttributeValue", "KeyGet", change_object },
    [KVP_CALL_CREATE] = { "C_GenerateKeyPair", "KeyCreate", create_key },
    [KVP_CALL_TOKEN] = { "C_FindObjects", "KeyList", list_token },
};

/* ---- rows and faults ---- */

static json_t *on_operation(kvp_call_kind kind)
{
    return json_pack("{s:s}", "operation", kinds[kind].operation);
}

static json_t *answer_of(const kvp_error_row *row)
{
    const char *code = row->code ? row->code : "Anything";
    const char *inner = *code == '+' ? code + 1 : "None";
    int status = row->http_status ? row->http_status : 418;
    return json_pack("{s:i, s:{s:{s:s, s:s, s:{s:s}}}}", "status", status, "body", "error", "code",
                     *code == '+' ? "Forbidden" : code, "message", "as ordered", "innererror",
                     "code", inner);
}

static bool order_fault(const kvp_error_row *row, kvp_call_kind kind)
{
    int status = row->http_status ? row->http_status : 503;

    switch (row->status) {
    case KVP_ERR_HTTP:
        keyvaultd_fault(on_operation(kind), answer_of(row), EVERY_TIME);
        return true;
    case KVP_ERR_AUTH: /* the token that it has is refused, and the authority gives no other */
        keyvaultd_fault(on_operation(kind), json_pack("{s:i}", "status", 401), EVERY_TIME);
        keyvaultd_fault(json_pack("{s:s}", "path", "*/token"),
                        json_pack("{s:i, s:{s:s, s:s}}", "status", status, "body", "error",
                                  "invalid_client", "error_description", "as ordered"),
                        EVERY_TIME);
        return true;
    case KVP_ERR_NETWORK:
        keyvaultd_fault(on_operation(kind), json_pack("{s:s}", "action", "reset"), EVERY_TIME);
        return true;
    case KVP_ERR_TIMEOUT:
        keyvaultd_fault(on_operation(kind), json_pack("{s:i}", "delay_ms", 1500), EVERY_TIME);
        return true;
    case KVP_ERR_PARSE:
        keyvaultd_fault(on_operation(kind), json_pack("{s:s}", "action", "malformed"), EVERY_TIME);
        return true;
    default: /* not of the vault's making */
        return false;
    }
}

static bool is_retried(const kvp_error_row *row)
{
    return row->status == KVP_ERR_NETWORK || row->status == KVP_ERR_TIMEOUT ||
           row->http_status == 429 || row->http_status >= 500 ||
           (row->status == KVP_ERR_AUTH && row->http_status == 0);
}

/* Whether a row before @row takes what is ordered for it, in a call of @kind. */
static bool is_taken_before(const kvp_error_row *row, kvp_call_kind kind)
{
    for (const kvp_error_row *r = kvp_error_rows; r < row; r++) {
        bool same_code = !r->code || (row->code && strcmp(r->code, row->code) == 0);
        if (r->status == row->status && same_code &&
            (r->http_status == row->http_status || r->http_status == 0) &&
            (r->kind < 0 || r->kind == (int)kind))
            return true;
    }
    return false;
}

static size_t row_count(void)
{
    size_t count = 0;

    while (kvp_error_rows[count].status != KVP_OK)
        count++;
    return count;
}

static void expect(const kvp_error_row *row, kvp_call_kind kind)
{
    if (!order_fault(row, kind))
        return;
    CK_RV rv = kinds[kind].call();
    ck_assert_msg(rv == row->rv, "%s, %s, HTTP %d %s: %s and not %s", kinds[kind].name,
                  kvp_status_name(row->status), row->http_status, row->code ? row->code : "",
                  kvp_ckr_name(rv), kvp_ckr_name(row->rv));
    keyvaultd_no_faults();
}

static void ready(void)
{
    world_key(w, KEY_EC_PRIVATE);
    world_key(w, KEY_RSA_PRIVATE);
}

/* The module is begun with a timeout of a second, for what is retried until then. */
static void shorten_timeout(void)
{
    char path[160], line[512];
    FILE *in = fopen(keyvaultd_conf(), "r"), *out;

    /* Beside the one that keyvaultd wrote, whose relative paths must hold. */
    snprintf(path, sizeof(path), "%s/short.conf", keyvaultd_dir());
    out = fopen(path, "w");
    ck_assert(in && out);
    while (fgets(line, sizeof(line), in))
        fputs(line, out);
    fputs("timeout = 1\n", out);
    fclose(in);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
    setenv("KVPKCS11_CONF", path, 1);
}

START_TEST(each_error_of_a_vault_is_what_its_row_says)
{
    const kvp_error_row *row = &kvp_error_rows[_i];
    bool walked = false;

    if (is_retried(row)) {
        assert_rv(CKR_DEVICE_ERROR, row->rv);
        shorten_timeout();
    }
    world_setup();
    ready();
    /* What is retried until the timeout takes a second: one kind of call each. */
    for (int i = 0; i < KVP_CALL_KIND_COUNT && !(walked && is_retried(row)); i++) {
        kvp_call_kind kind = (kvp_call_kind)((_i + i) % KVP_CALL_KIND_COUNT);
        if ((row->kind >= 0 && row->kind != (int)kind) || is_taken_before(row, kind))
            continue;
        expect(row, kind);
        walked = true;
    }
    ck_assert_msg(walked, "row %d of the error table can never apply", _i);
}
END_TEST

/* ---- the contract, which the table is to keep ---- */

static const struct {
    int status;
    const char *code;
    CK_RV key, object, create, token;
} contract[] = {
    { 400, "BadParameter", CKR_FUNCTION_FAILED, CKR_FUNCTION_FAILED, CKR_ATTRIBUTE_VALUE_INVALID,
      CKR_FUNCTION_FAILED },
    { 401, "Unauthorized", CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_FUNCTION_REJECTED,
      CKR_FUNCTION_REJECTED, CKR_FUNCTION_REJECTED },
    { 403, "Forbidden", CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_FUNCTION_REJECTED,
      CKR_FUNCTION_REJECTED, CKR_FUNCTION_REJECTED },
    { 404, "KeyNotFound", CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID, CKR_DEVICE_ERROR,
      CKR_DEVICE_ERROR },
    { 409, "Conflict", CKR_FUNCTION_REJECTED, CKR_FUNCTION_REJECTED, CKR_FUNCTION_REJECTED,
      CKR_FUNCTION_REJECTED },
};

START_TEST(refusals_have_the_codes_of_the_contract)
{
    kvp_error_row row = { KVP_ERR_HTTP, contract[_i].status, contract[_i].code, -1, CKR_OK, "" };
    const CK_RV answers[] = { [KVP_CALL_KEY] = contract[_i].key,
                              [KVP_CALL_OBJECT] = contract[_i].object,
                              [KVP_CALL_CREATE] = contract[_i].create,
                              [KVP_CALL_TOKEN] = contract[_i].token };

    ready();
    for (int kind = 0; kind < KVP_CALL_KIND_COUNT; kind++) {
        row.rv = answers[kind];
        expect(&row, (kvp_call_kind)kind);
    }
}
END_TEST

/* Each function that has the vault use a key tells its refusal, and is over then. */
static void expect_refusals(const function_row *row)
{
    word v[ARGUMENTS_MAX];

    for (size_t i = 0; i < KVP_ARRAY_LEN(contract); i++) {
        world_cancel(w);
        function_begin(w, row);
        function_fill(w, row, v);
        keyvaultd_fault(on_operation(KVP_CALL_KEY),
                        json_pack("{s:i, s:{s:{s:s, s:s}}}", "status", contract[i].status, "body",
                                  "error", "code", contract[i].code, "message", "as ordered"),
                        EVERY_TIME);
        assert_row_rv(row, contract[i].code, contract[i].key, row->call(v));
        keyvaultd_no_faults();
        if (row->traits & ENDS)
            assert_row_rv(row, "after that", CKR_OPERATION_NOT_INITIALIZED, row->call(v));
    }
}

START_TEST(a_refusal_reaches_whoever_asked)
{
    int asking = 0;

    for (size_t i = 0; i < function_row_count; i++) {
        if (!(function_rows[i].traits & REMOTE))
            continue;
        expect_refusals(&function_rows[i]);
        asking++;
    }
    ck_assert_int_ge(asking, 5);
}
END_TEST

static const char *const passing[] = {
    "{\"status\": 429, \"headers\": {\"Retry-After\": \"0\"}}",
    "{\"status\": 500}",
    "{\"status\": 503}",
    "{\"action\": \"reset\"}",
    "{\"action\": \"truncate\"}",
    "{\"status\": 401}",
};

START_TEST(what_passes_is_not_seen)
{
    ready();
    keyvaultd_fault(on_operation(KVP_CALL_KEY), json_loads(passing[_i], 0, NULL), 1);
    assert_rv(CKR_OK, use_key());
    keyvaultd_no_faults();
}
END_TEST

START_TEST(a_key_that_is_gone_is_no_key)
{
    CK_OBJECT_HANDLE key;
    CK_ULONG len = sizeof(w->out);

    keyvaultd_create_key("cf-gone", "EC", 0, "P-256");
    key = module_find(w->session, CKO_PRIVATE_KEY, "cf-gone");
    world_mechanism(w, CKM_ECDSA_SHA256);
    assert_rv(CKR_OK, p11_3->C_SignInit(w->session, &w->mechanism, key));
    ck_assert_int_eq(keyvaultd_rest("DELETE", "/keys/cf-gone", NULL, NULL), 200);
    assert_rv(CKR_KEY_HANDLE_INVALID, p11_3->C_Sign(w->session, w->data, DATA_LEN, w->out, &len));
}
END_TEST

/* ---- the suite ---- */

int main(void)
{
    Suite *suite = suite_create("errors");
    TCase *table = tcase_create("table"), *others = tcase_create("others");

    conformance_without_threads();
    conformance_start("vault");
    tcase_add_checked_fixture(table, NULL, world_teardown);
    tcase_add_loop_test(table, each_error_of_a_vault_is_what_its_row_says, 0, (int)row_count());
    suite_add_tcase(suite, table);
    tcase_add_checked_fixture(others, world_setup, world_teardown);
    tcase_add_loop_test(others, refusals_have_the_codes_of_the_contract, 0,
                        (int)KVP_ARRAY_LEN(contract));
    tcase_add_test(others, a_refusal_reaches_whoever_asked);
    tcase_add_loop_test(others, what_passes_is_not_seen, 0, (int)KVP_ARRAY_LEN(passing));
    tcase_add_test(others, a_key_that_is_gone_is_no_key);
    suite_add_tcase(suite, others);
    return module_run_suite(suite);
}
