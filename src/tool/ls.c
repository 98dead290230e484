/* SPDX-License-Identifier: MIT */
/* kvpkcs11 ls: what applications will see. */
#include "tool/ls.h"
#include "tool/tool.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' },
    { "module", required_argument, NULL, 'm' },
    { "json", no_argument, NULL, 'j' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

typedef struct ls_run {
    const char *argv0, *token;
    FILE *err;
    kvp_library library;
    CK_SLOT_ID *slots;
    size_t slot_count;
    kvp_listed_token *tokens;
    size_t count;
    bool failed; /* some of it could not be read; the rest is shown */
} ls_run;

static kvp_status read_tokens(ls_run *run, kvp_error *reterr)
{
    kvp_status st = kvp_library_slots(&run->library, true, &run->slots, &run->slot_count, reterr);

    if (st != KVP_OK || run->slot_count == 0)
        return st;
    run->tokens = kvp_calloc(run->slot_count, sizeof(*run->tokens));
    if (!run->tokens)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "tokens");
    for (size_t i = 0; i < run->slot_count; i++) {
        kvp_listed_token *token = &run->tokens[run->count];

        st = kvp_ls_read_token(&run->library, run->slots[i], token, reterr);
        if (st != KVP_OK)
            return st;
        if (run->token && strcmp(run->token, token->raw_label) != 0) {
            kvp_listed_token_clear(token);
            continue;
        }
        run->count++;
        st = kvp_ls_read_objects(&run->library, run->slots[i], token, reterr);
        if (st == KVP_ERR_NO_MEMORY)
            return st;
        if (st != KVP_OK) {
            kvp_tool_fail(run->argv0, run->err, "token %s: %s (`kvpkcs11 doctor` may say why)",
                          token->label, reterr->message);
            run->failed = true;
        }
        for (size_t o = 0; o < token->count; o++)
            if (token->objects[o].problem)
                run->failed = true;
    }
    return KVP_OK;
}

static void clear(ls_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        kvp_listed_token_clear(&run->tokens[i]);
    kvp_free(run->tokens);
    kvp_free(run->slots);
    kvp_library_close(&run->library);
}

/* No token at all: is there no slot either, or are there vaults that cannot be used? */
static void explain_nothing(const ls_run *run)
{
    KVP_CLEANUP(kvp_freep) CK_SLOT_ID *slots = NULL;
    size_t count = 0;

    if (kvp_library_slots(&run->library, false, &slots, &count, NULL) == KVP_OK && count > 0)
        kvp_tool_fail(run->argv0, run->err,
                      "there is no token: none of %zu vault%s can be used as "
                      "configured (`kvpkcs11 doctor` says why)",
                      count, count == 1 ? "" : "s");
    else
        kvp_tool_fail(run->argv0, run->err,
                      "there is no token: no vault is configured (`kvpkcs11 "
                      "doctor -v` shows where a configuration is looked for)");
}

static int show(ls_run *run, const char *module, bool json, FILE *out)
{
    kvp_status st;

    if (run->token && run->count == 0)
        return kvp_tool_fail(run->argv0, run->err, "there is no token `%s`; there are %zu others",
                             run->token, run->slot_count);
    if (run->slot_count == 0)
        explain_nothing(run);
    st = json ? kvp_ls_show_json(module, run->tokens, run->count, out)
              : kvp_ls_show(run->tokens, run->count, out);
    if (st != KVP_OK)
        return kvp_tool_fail(run->argv0, run->err, "out of memory");
    return run->failed || run->slot_count == 0 ? KVP_EXIT_FAILED : KVP_EXIT_OK;
}

int kvp_ls_run(int argc, char **argv, FILE *out, FILE *err)
{
    ls_run run = { .argv0 = argv[0], .err = err };
    KVP_CLEANUP(kvp_freep) char *module = NULL;
    bool json = false;
    int option, status = KVP_EXIT_OK;
    kvp_error error;
    kvp_status st;

    while ((option = kvp_option_next(argc, argv, ":c:m:jh", options, out, err, &status)) != -1) {
        if (option == 'c' && setenv("KVPKCS11_CONF", optarg, 1) != 0) {
            return kvp_tool_fail(argv[0], err, "out of memory");
        } else if (option == 'm') {
            kvp_free(module);
            module = kvp_strdup(optarg);
        } else if (option == 'j') {
            json = true;
        } else if (option != 'c') {
            return status;
        }
    }
    if (argc - optind > 1)
        return kvp_usage_error(argv[0], err, "at most one token can be named");
    run.token = argv[optind];
    if (!module)
        module = kvp_library_default_path();
    if (!module)
        return kvp_tool_fail(argv[0], err, "out of memory");

    kvp_error_clear(&error);
    st = kvp_library_open(module, &run.library, &error);
    if (st == KVP_OK)
        st = kvp_library_start(&run.library, &error);
    if (st == KVP_OK)
        st = read_tokens(&run, &error);
    status = st == KVP_OK ? show(&run, module, json, out)
                          : kvp_tool_fail(argv[0], err, "%s", error.message);
    clear(&run);
    return status;
}
