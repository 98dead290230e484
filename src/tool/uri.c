/* SPDX-License-Identifier: MIT */
/* kvpkcs11 uri: identifiers to PKCS#11 URIs and back. */
#include "tool/identifier.h"
#include "tool/tool.h"

#include "base/alloc.h"

static const struct option options[] = {
    { "config", required_argument, NULL, 'c' },
    { "type", required_argument, NULL, 't' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

typedef struct uri_run {
    const char *argv0;
    const kvp_config *config;
    bool has_class;
    CK_OBJECT_CLASS object_class;
    FILE *out, *err;
} uri_run;

static int to_uri(const uri_run *run, const char *text)
{
    kvp_identifier identifier = { NULL, KVP_KEYS, NULL, NULL };
    const kvp_config_vault *vault;
    kvp_p11uri uri = { 0 };
    char *line = NULL;
    kvp_error error;
    kvp_status st;

    kvp_error_clear(&error);
    st = kvp_identifier_parse(text, &identifier, &error);
    if (st != KVP_OK)
        return kvp_tool_fail(run->argv0, run->err, "%s", error.message);
    vault = kvp_identifier_vault(run->config, identifier.url);
    st = kvp_identifier_to_uri(&identifier, vault, &uri, &error);
    if (st == KVP_OK && run->has_class)
        uri.object_class = run->object_class;
    if (st == KVP_OK)
        st = kvp_p11uri_format(&uri, &line, &error);
    if (st == KVP_OK)
        fprintf(run->out, "%s\n", line);
    else
        kvp_tool_fail(run->argv0, run->err, "%s", error.message);
    if (st == KVP_OK && !vault)
        kvp_tool_fail(run->argv0, run->err,
                      "note: no configured vault has the URL %s, so token= is "
                      "left out",
                      identifier.url);
    else if (st == KVP_OK && identifier.version[0] && vault->versions_all)
        kvp_tool_fail(run->argv0, run->err,
                      "note: this is right for an older version; the current "
                      "one has the id= of the name alone");
    else if (st == KVP_OK && identifier.version[0])
        kvp_tool_fail(run->argv0, run->err,
                      "note: the URI names the current version, for the vault "
                      "%s shows no other (versions = all does)",
                      vault->name);
    kvp_free(line);
    kvp_p11uri_clear(&uri);
    kvp_identifier_clear(&identifier);
    return st == KVP_OK ? KVP_EXIT_OK : KVP_EXIT_FAILED;
}

static int to_identifier(const uri_run *run, const char *text)
{
    kvp_identifier identifier = { NULL, KVP_KEYS, NULL, NULL };
    kvp_p11uri uri = { 0 };
    char *line = NULL;
    kvp_error error;
    kvp_status st;

    kvp_error_clear(&error);
    st = kvp_p11uri_parse(text, &uri, &error);
    if (st == KVP_OK)
        st = kvp_identifier_from_uri(&uri, run->config, &identifier, &error);
    if (st == KVP_OK) {
        line = kvp_identifier_format(&identifier);
        if (!line)
            st = kvp_error_set(&error, KVP_ERR_NO_MEMORY, "out of memory");
    }
    if (st == KVP_OK)
        fprintf(run->out, "%s\n", line);
    else
        kvp_tool_fail(run->argv0, run->err, "%s", error.message);
    kvp_free(line);
    kvp_p11uri_clear(&uri);
    kvp_identifier_clear(&identifier);
    return st == KVP_OK ? KVP_EXIT_OK : KVP_EXIT_FAILED;
}

int kvp_uri_run(int argc, char **argv, FILE *out, FILE *err)
{
    uri_run run = { .argv0 = argv[0], .out = out, .err = err };
    const char *config_path = NULL;
    KVP_CLEANUP(kvp_config_freep) kvp_config *config = NULL;
    int option, status = KVP_EXIT_OK;
    kvp_status st;

    while ((option = kvp_option_next(argc, argv, ":c:t:h", options, out, err, &status)) != -1) {
        if (option == 'c') {
            config_path = optarg;
        } else if (option == 't') {
            run.has_class = kvp_p11uri_type_class(optarg, &run.object_class);
            if (!run.has_class)
                return kvp_usage_error(argv[0], err,
                                       "--type is one of private, public, cert, "
                                       "secret-key, data");
        } else {
            return status;
        }
    }
    if (optind == argc)
        return kvp_usage_error(argv[0], err, "an identifier or a URI is needed");

    st = kvp_tool_config(argv[0], config_path, &config, err);
    if (st != KVP_OK && !config)
        return KVP_EXIT_FAILED;
    run.config = config;
    for (int i = optind; i < argc; i++) {
        int one = kvp_p11uri_is(argv[i]) ? to_identifier(&run, argv[i]) : to_uri(&run, argv[i]);

        if (one != KVP_EXIT_OK)
            status = one;
    }
    return status;
}
