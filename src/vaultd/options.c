/* SPDX-License-Identifier: MIT */
/* Parsing the command line. */
#include "vaultd/options.h"

#include "vaultd/listen.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char kvp_options_usage[] =
    "usage: keyvaultd --data DIR [--listen HOST:PORT] [--kind vault|managed-hsm]\n"
    "                 [--token-lifetime SECONDS] [--throttle] [--allow-faults]\n"
    "                 [--hsm-module MODULE --hsm-pin-file FILE [--hsm-token LABEL]]\n"
    "       keyvaultd --data DIR principal add NAME --role ROLE [--role ROLE]...\n"
    "       keyvaultd --data DIR principal list\n"
    "       keyvaultd --data DIR principal remove NAME|CLIENT-ID\n"
    "       keyvaultd --data DIR role list\n"
    "\n"
    "Serves a key vault that speaks the Key Vault REST API. An empty or missing DIR is\n"
    "filled first; it then holds ca.pem and a kvpkcs11.conf that is ready to use. The\n"
    "default address is " KVP_LISTEN_DEFAULT "; port 0 takes a free one. Once connections are\n"
    "accepted, one line 'ready https://HOST:PORT' is printed.\n";

enum { OPT_DATA = 256, OPT_LISTEN, OPT_KIND, OPT_LIFETIME, OPT_ROLE, OPT_FAULTS, OPT_THROTTLE,
       OPT_MODULE, OPT_PIN_FILE, OPT_TOKEN, OPT_HELP, OPT_VERSION };

static const struct option long_options[] = {
    { "data", required_argument, NULL, OPT_DATA },
    { "listen", required_argument, NULL, OPT_LISTEN },
    { "kind", required_argument, NULL, OPT_KIND },
    { "token-lifetime", required_argument, NULL, OPT_LIFETIME },
    { "role", required_argument, NULL, OPT_ROLE },
    { "allow-faults", no_argument, NULL, OPT_FAULTS },
    { "throttle", no_argument, NULL, OPT_THROTTLE },
    { "hsm-module", required_argument, NULL, OPT_MODULE },
    { "hsm-pin-file", required_argument, NULL, OPT_PIN_FILE },
    { "hsm-token", required_argument, NULL, OPT_TOKEN },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

static kvp_status set_kind(kvp_options *o, const char *value, kvp_error *reterr)
{
    for (int i = 0; i < KVP_VAULT_KIND_COUNT; i++) {
        if (strcmp(kvp_vault_kind_names[i], value) == 0) {
            o->kind = (kvp_vault_kind)i;
            o->kind_given = true;
            return KVP_OK;
        }
    }
    return kvp_error_set(reterr, KVP_ERR_INVALID, "--kind is vault or managed-hsm, not '%s'", value);
}

static kvp_status set_lifetime(kvp_options *o, const char *value, kvp_error *reterr)
{
    char *end;

    errno = 0;
    long seconds = strtol(value, &end, 10);
    if (errno || end == value || *end || seconds < 1 || seconds > 31536000)
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "--token-lifetime is 1 to 31536000 seconds, not '%s'", value);
    o->token_lifetime_s = (int)seconds;
    return KVP_OK;
}

static kvp_status set_option(kvp_options *o, int option, const char *value, kvp_error *reterr)
{
    switch (option) {
    case OPT_DATA:
        o->data = value;
        return KVP_OK;
    case OPT_LISTEN:
        o->listen = value;
        return KVP_OK;
    case OPT_KIND:
        return set_kind(o, value, reterr);
    case OPT_LIFETIME:
        return set_lifetime(o, value, reterr);
    case OPT_ROLE:
        if (o->role_count == KVP_OPTIONS_ROLES_MAX)
            return kvp_error_set(reterr, KVP_ERR_INVALID, "too many roles");
        o->roles[o->role_count++] = value;
        return KVP_OK;
    case OPT_FAULTS:
        o->allow_faults = true;
        return KVP_OK;
    case OPT_THROTTLE:
        o->throttle = true;
        return KVP_OK;
    case OPT_MODULE:
        o->hsm_module = value;
        return KVP_OK;
    case OPT_PIN_FILE:
        o->hsm_pin_file = value;
        return KVP_OK;
    case OPT_TOKEN:
        o->hsm_token = value;
        return KVP_OK;
    case OPT_HELP:
        o->help = true;
        return KVP_OK;
    case OPT_VERSION:
        o->version = true;
        return KVP_OK;
    default:
        return KVP_ERR_INVALID;
    }
}

kvp_status kvp_options_parse(int argc, char **argv, kvp_options *ret, kvp_error *reterr)
{
    kvp_options o = { .listen = KVP_LISTEN_DEFAULT,
                      .token_lifetime_s = KVP_TOKEN_LIFETIME_DEFAULT };
    kvp_status status = KVP_OK;
    int option;

    optind = 0; /* start over, also for tests that parse twice */
    opterr = 0;
    while (status == KVP_OK && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?')
            status = kvp_error_set(reterr, KVP_ERR_INVALID, "'%s' is unknown or lacks its value",
                                   argv[optind - 1]);
        else
            status = set_option(&o, option, optarg, reterr);
    }
    if (status != KVP_OK)
        return status;
    o.words = (const char *const *)(argv + optind);
    o.word_count = argc - optind;
    if (!o.data && !o.help && !o.version)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "--data DIR is needed");
    if (!o.hsm_module != !o.hsm_pin_file || (o.hsm_token && !o.hsm_module))
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "--hsm-module and --hsm-pin-file go together, --hsm-token with them");
    *ret = o;
    return KVP_OK;
}
