/* SPDX-License-Identifier: MIT */
/*
 * The table of sub-commands, their words checked against it. They share the store with a running
 * daemon, which sees each change at its next request.
 */
#include "vaultd/admin.h"

#include "vaultd/datadir.h"

#include <string.h>

#define VAULT KVP_TAKES(KVP_OPTION_VAULT)
#define ROLE KVP_TAKES(KVP_OPTION_ROLE)
#define SCOPE KVP_TAKES(KVP_OPTION_SCOPE)
#define CREDENTIALS                                                                                \
    (KVP_TAKES(KVP_OPTION_CERTIFICATE) | KVP_TAKES(KVP_OPTION_ISSUER) |                            \
     KVP_TAKES(KVP_OPTION_SUBJECT) | KVP_TAKES(KVP_OPTION_AUDIENCE) | KVP_TAKES(KVP_OPTION_KEYS) | \
     KVP_TAKES(KVP_OPTION_NO_SECRET))

#define RECOVERY KVP_TAKES(KVP_OPTION_RECOVERY_LEVEL) | KVP_TAKES(KVP_OPTION_RECOVERABLE_DAYS)

const kvp_admin_command kvp_admin_commands[] = {
    { "principal", "add", "NAME", ROLE, SCOPE | VAULT | CREDENTIALS,
      "Add a principal and print how it signs in: a secret, unless --no-secret; a certificate of "
      "its own (PEM); tokens of another issuer, told by --issuer, --subject, --audience and --keys "
      "(JWKS or PEM).",
      kvp_admin_principal_add },
    { "principal", "list", "", 0, 0, "List principals with their roles in every vault.",
      kvp_admin_principal_list },
    { "principal", "remove", "NAME", 0, 0,
      "Remove a principal, by name or client id, with its roles and tokens.",
      kvp_admin_principal_remove },
    { "role", "list", "", 0, VAULT, "List the roles that a vault knows.", kvp_admin_role_list },
    { "role", "assign", "PRINCIPAL", ROLE, SCOPE | VAULT,
      "Give a principal a role, on the whole vault or at a scope such as /keys/NAME.",
      kvp_admin_role_assign },
    { "role", "revoke", "PRINCIPAL", ROLE, SCOPE | VAULT,
      "Take a role away, at one scope or at all; the next request is refused.",
      kvp_admin_role_revoke },
    { "role", "assignments", "", 0, VAULT, "List who has which role where in a vault.",
      kvp_admin_role_assignments },
    { "vault", "add", "NAME", 0, KVP_TAKES(KVP_OPTION_KIND) | RECOVERY,
      "Add a vault, reached as NAME.localhost.", kvp_admin_vault_add },
    { "vault", "set", "NAME", 0, RECOVERY,
      "Change what becomes of deleted objects: --recovery-level as the service calls it, such as "
      "Recoverable, which protects from purging for good, and --recoverable-days.",
      kvp_admin_vault_set },
    { "vault", "list", "", 0, 0, "List the vaults; the first is the default one.",
      kvp_admin_vault_list },
    { "vault", "remove", "NAME", 0, KVP_TAKES(KVP_OPTION_FORCE),
      "Remove a vault for good; one that still holds something only with --force.",
      kvp_admin_vault_remove },
    { "key", "list", "", 0, VAULT, "List the keys of a vault.", kvp_admin_list },
    { "key", "show", "NAME", 0, VAULT, "Show a key's newest version as JSON.", kvp_admin_show },
    { "key", "create", "NAME", 0,
      VAULT | KVP_TAKES(KVP_OPTION_KTY) | KVP_TAKES(KVP_OPTION_SIZE) | KVP_TAKES(KVP_OPTION_CRV),
      "Make a key (RSA of 2048 bits without further options) or a new version of it.",
      kvp_admin_key_create },
    { "key", "import", "NAME FILE", 0, VAULT | KVP_TAKES(KVP_OPTION_KTY),
      "Import a private key from a PEM or PKCS#8 file.", kvp_admin_key_import },
    { "key", "delete", "NAME", 0, VAULT, "Delete a key; it can be recovered.", kvp_admin_delete },
    { "secret", "list", "", 0, VAULT, "List the secrets of a vault, without their values.",
      kvp_admin_list },
    { "secret", "show", "NAME", 0, VAULT, "Show a secret with its value as JSON.", kvp_admin_show },
    { "secret", "set", "NAME", 0,
      VAULT | KVP_TAKES(KVP_OPTION_FILE) | KVP_TAKES(KVP_OPTION_CONTENT_TYPE),
      "Set a secret to what a file holds, or to what comes on standard input.",
      kvp_admin_secret_set },
    { "secret", "delete", "NAME", 0, VAULT, "Delete a secret; it can be recovered.",
      kvp_admin_delete },
    { "certificate", "list", "", 0, VAULT, "List the certificates of a vault.", kvp_admin_list },
    { "certificate", "show", "NAME", 0, VAULT, "Show a certificate's newest version as JSON.",
      kvp_admin_show },
    { "certificate", "import", "NAME FILE", 0, VAULT,
      "Import a certificate with its private key from a PEM or PKCS#12 file without password.",
      kvp_admin_certificate_import },
    { "certificate", "delete", "NAME", 0, VAULT, "Delete a certificate; it can be recovered.",
      kvp_admin_delete },
    { "audit", "show", "", 0, KVP_TAKES(KVP_OPTION_FOLLOW),
      "Print the usage log; with --follow also what comes.", kvp_admin_audit },
};
const size_t kvp_admin_command_count = KVP_ARRAY_LEN(kvp_admin_commands);

static int count_words(const char *text)
{
    int count = *text ? 1 : 0;

    for (; *text; text++)
        count += *text == ' ';
    return count;
}

/* Options that were given; in tests roles may stand alone in their array. */
static unsigned given(const kvp_options *options)
{
    unsigned mask = options->role_count > 0 ? ROLE : 0;

    for (int i = 0; i < KVP_OPTION_COUNT; i++)
        mask |= options->values[i] ? KVP_TAKES(i) : 0;
    return mask;
}

static bool check_options(const kvp_admin_command *command, unsigned mask, kvp_error *reterr)
{
    for (int i = 0; i < KVP_OPTION_COUNT; i++) {
        const kvp_option_row *row = &kvp_option_rows[i];
        if ((command->needs & ~mask) & KVP_TAKES(i)) {
            kvp_error_set(reterr, KVP_ERR_INVALID, "%s %s needs --%s %s", command->noun,
                          command->verb, row->name, row->value ? row->value : "");
            return false;
        }
        if ((mask & ~(command->needs | command->takes)) & KVP_TAKES(i)) {
            kvp_error_set(reterr, KVP_ERR_INVALID, "%s %s takes no --%s", command->noun,
                          command->verb, row->name);
            return false;
        }
    }
    return true;
}

static const kvp_admin_command *find(const kvp_options *options, kvp_error *reterr)
{
    const char *noun = options->words[0];
    const char *verb = options->word_count > 1 ? options->words[1] : "";

    for (size_t i = 0; i < kvp_admin_command_count; i++) {
        const kvp_admin_command *command = &kvp_admin_commands[i];
        if (strcmp(command->noun, noun) != 0 || strcmp(command->verb, verb) != 0)
            continue;
        if (options->word_count != 2 + count_words(command->operands)) {
            kvp_error_set(reterr, KVP_ERR_INVALID, "%s %s takes %s", noun, verb,
                          *command->operands ? command->operands : "no further words");
            return NULL;
        }
        return check_options(command, given(options), reterr) ? command : NULL;
    }
    kvp_error_set(reterr, KVP_ERR_INVALID, "unknown sub-command '%s%s%s'", noun, *verb ? " " : "",
                  verb);
    return NULL;
}

kvp_status kvp_admin_run(const kvp_options *options, FILE *out, kvp_error *reterr)
{
    kvp_admin admin = { .options = options, .out = out };
    const kvp_admin_command *command = find(options, reterr);
    const char *vault = options->values[KVP_OPTION_VAULT];

    if (!command)
        return KVP_ERR_INVALID;
    kvp_status status = kvp_datadir_admin_store(options->data, &admin.store, &admin.vault, reterr);
    if (status == KVP_OK && vault) {
        admin.vault_given = true;
        status = kvp_store_vault_find(admin.store, vault, &admin.vault, reterr);
    }
    if (status == KVP_OK)
        status = command->run(&admin, reterr);
    kvp_store_close(admin.store);
    if (status == KVP_OK && fflush(out) != 0)
        status = kvp_error_set(reterr, KVP_ERR_IO, "writing the output failed");
    return status;
}

static void print_option(FILE *out, int option, bool optional)
{
    const kvp_option_row *row = &kvp_option_rows[option];

    fprintf(out, " %s--%s%s%s%s%s", optional ? "[" : "", row->name, row->value ? " " : "",
            row->value ? row->value : "", optional ? "]" : "",
            option == KVP_OPTION_ROLE ? "..." : "");
}

static void print_command(FILE *out, const kvp_admin_command *command)
{
    fprintf(out, "keyvaultd --data DIR %s %s%s%s", command->noun, command->verb,
            *command->operands ? " " : "", command->operands);
    for (int i = 0; i < KVP_OPTION_COUNT; i++) {
        if (command->needs & KVP_TAKES(i))
            print_option(out, i, false);
    }
    for (int i = 0; i < KVP_OPTION_COUNT; i++) {
        if (command->takes & KVP_TAKES(i))
            print_option(out, i, true);
    }
    fprintf(out, "\n    %s\n", command->help);
}

void kvp_admin_help(const kvp_options *options, FILE *out)
{
    const char *noun = options->word_count > 0 ? options->words[0] : NULL;
    const char *verb = options->word_count > 1 ? options->words[1] : NULL;
    bool any = false;

    for (size_t i = 0; noun && i < kvp_admin_command_count; i++) {
        const kvp_admin_command *command = &kvp_admin_commands[i];
        if (strcmp(command->noun, noun) != 0 || (verb && strcmp(command->verb, verb) != 0))
            continue;
        print_command(out, command);
        any = true;
    }
    if (any)
        return;
    fputs(kvp_options_usage, out);
    for (size_t i = 0; i < kvp_admin_command_count; i++) {
        const kvp_admin_command *command = &kvp_admin_commands[i];
        if (i == 0 || strcmp(command->noun, kvp_admin_commands[i - 1].noun) != 0)
            fprintf(out, "%s  %s: %s", i ? "\n" : "", command->noun, command->verb);
        else
            fprintf(out, ", %s", command->verb);
    }
    fputs("\n", out);
}
