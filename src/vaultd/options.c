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
    "                 [--token-lifetime SECONDS] [--certificate-delay SECONDS]\n"
    "                 [--throttle] [--allow-faults]\n"
    "                 [--hsm-module MODULE --hsm-pin-file FILE [--hsm-token LABEL]]\n"
    "                 [--imds HOST:PORT --identity PRINCIPAL...]\n"
    "       keyvaultd --data DIR NOUN VERB ... (keyvaultd NOUN --help tells more)\n"
    "\n"
    "Serves a key vault that speaks the Key Vault REST API. An empty or missing DIR is\n"
    "filled first; it then holds ca.pem and a kvpkcs11.conf that is ready to use. The\n"
    "default address is " KVP_LISTEN_DEFAULT "; port 0 takes a free one. Once connections are\n"
    "accepted, one line 'ready https://HOST:PORT' is printed.\n"
    "\n"
    "  --data DIR                 the data directory\n"
    "  --listen HOST:PORT         where to serve\n"
    "  --kind vault|managed-hsm   what a new directory's first vault is\n"
    "  --token-lifetime SECONDS   of access tokens\n"
    "  --certificate-delay SECONDS  how long the service's own issuer takes (default: 0)\n"
    "  --throttle                 keep to the service's published limits of requests\n"
    "  --allow-faults             let an administrator order faults (POST /.faults), for tests\n"
    "  --hsm-module MODULE        keep the private halves of -HSM keys in a PKCS#11 token\n"
    "  --hsm-pin-file FILE        the token's PIN\n"
    "  --hsm-token LABEL          which token, if there are several\n"
    "  --imds HOST:PORT           serve managed identity tokens over http on this loopback\n"
    "                             address; DIR/identity.env says how clients find it\n"
    "  --identity PRINCIPAL       whose tokens those are; the first is the system's own\n"
    "\n"
    "Nouns that administer DIR, also while its daemon runs:\n";

enum {
    OPT_DATA = 256,
    OPT_LISTEN,
    OPT_LIFETIME,
    OPT_DELAY,
    OPT_IMDS,
    OPT_IDENTITY,
    OPT_FAULTS,
    OPT_THROTTLE,
    OPT_MODULE,
    OPT_PIN_FILE,
    OPT_TOKEN,
    OPT_HELP,
    OPT_VERSION,
    OPT_ROWS /* and so many more as kvp_option_rows has */
};

const kvp_option_row kvp_option_rows[KVP_OPTION_COUNT] = {
    [KVP_OPTION_ROLE] = { "role", "ROLE" },
    [KVP_OPTION_VAULT] = { "vault", "VAULT" },
    [KVP_OPTION_SCOPE] = { "scope", "SCOPE" },
    [KVP_OPTION_KIND] = { "kind", "vault|managed-hsm" },
    [KVP_OPTION_CERTIFICATE] = { "certificate", "FILE" },
    [KVP_OPTION_ISSUER] = { "issuer", "URL" },
    [KVP_OPTION_SUBJECT] = { "subject", "SUBJECT" },
    [KVP_OPTION_AUDIENCE] = { "audience", "AUDIENCE" },
    [KVP_OPTION_KEYS] = { "keys", "FILE" },
    [KVP_OPTION_NO_SECRET] = { "no-secret", NULL },
    [KVP_OPTION_KTY] = { "kty", "TYPE" },
    [KVP_OPTION_SIZE] = { "size", "BITS" },
    [KVP_OPTION_CRV] = { "crv", "CURVE" },
    [KVP_OPTION_FILE] = { "file", "FILE" },
    [KVP_OPTION_CONTENT_TYPE] = { "content-type", "TYPE" },
    [KVP_OPTION_FORCE] = { "force", NULL },
    [KVP_OPTION_FOLLOW] = { "follow", NULL },
    [KVP_OPTION_RECOVERY_LEVEL] = { "recovery-level", "LEVEL" },
    [KVP_OPTION_RECOVERABLE_DAYS] = { "recoverable-days", "DAYS" },
};

static const struct option own_options[] = {
    { "data", required_argument, NULL, OPT_DATA },
    { "listen", required_argument, NULL, OPT_LISTEN },
    { "token-lifetime", required_argument, NULL, OPT_LIFETIME },
    { "certificate-delay", required_argument, NULL, OPT_DELAY },
    { "imds", required_argument, NULL, OPT_IMDS },
    { "identity", required_argument, NULL, OPT_IDENTITY },
    { "allow-faults", no_argument, NULL, OPT_FAULTS },
    { "throttle", no_argument, NULL, OPT_THROTTLE },
    { "hsm-module", required_argument, NULL, OPT_MODULE },
    { "hsm-pin-file", required_argument, NULL, OPT_PIN_FILE },
    { "hsm-token", required_argument, NULL, OPT_TOKEN },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
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
    return kvp_error_set(reterr, KVP_ERR_INVALID, "--kind is vault or managed-hsm, not '%s'",
                         value);
}

/* A number of seconds from @least to @most. */
static kvp_status set_seconds(int *ret, const char *name, const char *value, long least, long most,
                              kvp_error *reterr)
{
    char *end;

    errno = 0;
    long seconds = strtol(value, &end, 10);
    if (errno || end == value || *end || seconds < least || seconds > most)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "--%s is %ld to %ld seconds, not '%s'", name,
                             least, most, value);
    *ret = (int)seconds;
    return KVP_OK;
}

/* An option of kvp_option_rows. */
static kvp_status set_row(kvp_options *o, kvp_option row, const char *value, kvp_error *reterr)
{
    o->values[row] = value ? value : "";
    if (row == KVP_OPTION_KIND)
        return set_kind(o, value, reterr);
    if (row != KVP_OPTION_ROLE)
        return KVP_OK;
    if (o->role_count == KVP_OPTIONS_ROLES_MAX)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "too many roles");
    o->roles[o->role_count++] = value;
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
    case OPT_LIFETIME:
        return set_seconds(&o->token_lifetime_s, "token-lifetime", value, 1, 31536000, reterr);
    case OPT_DELAY:
        return set_seconds(&o->certificate_delay_s, "certificate-delay", value, 0, 86400, reterr);
    case OPT_IMDS:
        o->imds = value;
        return KVP_OK;
    case OPT_IDENTITY:
        if (o->identity_count == KVP_IDENTITIES_MAX)
            return kvp_error_set(reterr, KVP_ERR_INVALID, "too many identities");
        o->identities[o->identity_count++] = value;
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
        return set_row(o, (kvp_option)(option - OPT_ROWS), value, reterr);
    }
}

kvp_status kvp_options_parse(int argc, char **argv, kvp_options *ret, kvp_error *reterr)
{
    enum { OWN = KVP_ARRAY_LEN(own_options) };
    struct option all[OWN + KVP_OPTION_COUNT + 1] = { { NULL, 0, NULL, 0 } };
    kvp_options o = { .listen = KVP_LISTEN_DEFAULT,
                      .token_lifetime_s = KVP_TOKEN_LIFETIME_DEFAULT };
    kvp_status status = KVP_OK;
    int option;

    memcpy(all, own_options, sizeof(own_options));
    for (int i = 0; i < KVP_OPTION_COUNT; i++)
        all[OWN + i] = (struct option){ kvp_option_rows[i].name, kvp_option_rows[i].value != NULL,
                                        NULL, OPT_ROWS + i };
    optind = 0; /* start over, also for tests that parse twice */
    opterr = 0;
    while (status == KVP_OK && (option = getopt_long(argc, argv, "", all, NULL)) != -1) {
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
    if (!o.imds != (o.identity_count == 0))
        return kvp_error_set(reterr, KVP_ERR_INVALID, "--imds and --identity need each other");
    if (!o.hsm_module != !o.hsm_pin_file || (o.hsm_token && !o.hsm_module))
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "--hsm-module and --hsm-pin-file go together, --hsm-token with them");
    *ret = o;
    return KVP_OK;
}
