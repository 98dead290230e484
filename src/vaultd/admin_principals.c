/* SPDX-License-Identifier: MIT */
/* principal add, list, remove. */
#include "vaultd/admin.h"

#include "base/alloc.h"
#include "vaultd/assertion.h"
#include "vaultd/datadir.h"
#include "vaultd/files.h"
#include "vaultd/roles.h"

#include <stdio.h>
#include <string.h>

#define CREDENTIALS_MAX 2
#define EXCHANGE_AUDIENCE "api://AzureADTokenExchange"

static kvp_status read_text(const char *path, char **ret, kvp_error *reterr)
{
    kvp_buf text = KVP_BUF_INIT((size_t)256 * 1024);
    kvp_status status = kvp_file_read(path, &text, reterr);

    if (status == KVP_OK && !(*ret = kvp_strdup(kvp_buf_str(&text))))
        status = kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "%s", path);
    if (status == KVP_ERR_NOT_FOUND)
        kvp_error_set(reterr, status, "there is no file %s", path);
    kvp_buf_clear(&text);
    return status;
}

static kvp_status copy_option(const kvp_options *options, kvp_option option, const char *otherwise,
                              char *dst, size_t size, kvp_error *reterr)
{
    const char *value = options->values[option] ? options->values[option] : otherwise;

    if (!value || !*value)
        return kvp_error_set(reterr, KVP_ERR_INVALID,
                             "tokens of another issuer need --issuer, --subject and --keys");
    if (strlen(value) >= size)
        return kvp_error_set(reterr, KVP_ERR_INVALID, "--%s is too long",
                             kvp_option_rows[option].name);
    snprintf(dst, size, "%s", value);
    return KVP_OK;
}

static kvp_status read_federated(const kvp_options *options, kvp_credential *ret, kvp_error *reterr)
{
    kvp_credential c = { .federated = true };
    kvp_status status =
        copy_option(options, KVP_OPTION_ISSUER, NULL, c.issuer, sizeof(c.issuer), reterr);

    if (status == KVP_OK)
        status =
            copy_option(options, KVP_OPTION_SUBJECT, NULL, c.subject, sizeof(c.subject), reterr);
    if (status == KVP_OK)
        status = copy_option(options, KVP_OPTION_AUDIENCE, EXCHANGE_AUDIENCE, c.audience,
                             sizeof(c.audience), reterr);
    if (status == KVP_OK && !options->values[KVP_OPTION_KEYS])
        status = kvp_error_set(reterr, KVP_ERR_INVALID, "--issuer needs --keys FILE");
    if (status == KVP_OK)
        status = read_text(options->values[KVP_OPTION_KEYS], &c.keys, reterr);
    if (status == KVP_OK)
        status = kvp_assertion_check_keys(&c, reterr);
    if (status != KVP_OK)
        kvp_free(c.keys);
    else
        *ret = c;
    return status;
}

/* What the options say besides the secret; all of it is read before anything is stored. */
static kvp_status read_credentials(const kvp_options *options, kvp_credential *list, size_t *count,
                                   kvp_error *reterr)
{
    const char *certificate = options->values[KVP_OPTION_CERTIFICATE];
    kvp_status status = KVP_OK;

    if (certificate) {
        status = read_text(certificate, &list[*count].keys, reterr);
        if (status == KVP_OK)
            (*count)++;
        if (status == KVP_OK)
            status = kvp_assertion_check_keys(&list[0], reterr);
    }
    if (status == KVP_OK &&
        (options->values[KVP_OPTION_ISSUER] || options->values[KVP_OPTION_SUBJECT] ||
         options->values[KVP_OPTION_KEYS] || options->values[KVP_OPTION_AUDIENCE])) {
        status = read_federated(options, &list[*count], reterr);
        if (status == KVP_OK)
            (*count)++;
    }
    return status;
}

kvp_status kvp_admin_principal_add(kvp_admin *admin, kvp_error *reterr)
{
    const kvp_options *options = admin->options;
    char ids[KVP_OPTIONS_ROLES_MAX][KVP_UUID_SIZE], secret[KVP_SECRET_SIZE];
    const char *roles[KVP_OPTIONS_ROLES_MAX + 1] = { NULL }, *scope;
    kvp_credential credentials[CREDENTIALS_MAX] = { { .federated = false } };
    kvp_principal principal;
    size_t count = 0;
    kvp_status status = kvp_admin_scope(admin, &scope, reterr);

    for (size_t i = 0; i < options->role_count && status == KVP_OK; i++) {
        status = kvp_admin_role_id(admin, options->roles[i], ids[i], reterr);
        roles[i] = ids[i];
    }
    if (status == KVP_OK)
        status = read_credentials(options, credentials, &count, reterr);
    if (status == KVP_OK)
        status = kvp_principal_make(options->words[2], &principal, secret, reterr);
    if (status == KVP_OK)
        status = kvp_store_principal_add(admin->store, &admin->vault, &principal, roles, scope,
                                         credentials, count, reterr);
    if (status == KVP_OK) {
        fprintf(admin->out, "tenant = %s\nclient_id = %s\n", admin->vault.tenant,
                principal.client_id);
        /* The only time the secret is seen: what is stored is its digest. */
        if (!options->values[KVP_OPTION_NO_SECRET])
            fprintf(admin->out, "client_secret = %s\n", secret);
    }
    kvp_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < CREDENTIALS_MAX; i++)
        kvp_free(credentials[i].keys);
    return status;
}

typedef struct listing {
    kvp_admin *admin;
    kvp_vault_info *vaults;
    size_t vault_count;
    kvp_status status;
    kvp_error *reterr;
} listing;

/* A line for each role of @principal in @vault; how many. */
static size_t print_roles(listing *l, const kvp_principal *principal, const kvp_vault_info *vault)
{
    kvp_assignment *all = NULL;
    size_t count = 0, printed = 0;

    l->status = kvp_store_assignment_list(l->admin->store, vault, &all, &count, l->reterr);
    for (size_t i = 0; i < count; i++) {
        const kvp_role *role = kvp_role_find(vault->kind, all[i].role);
        if (kvp_ident_casecmp(all[i].principal, principal->object_id) != 0)
            continue;
        fprintf(l->admin->out, "%s\t%s\t%s\t%s\t%s\n", principal->name, principal->client_id,
                role ? role->name : all[i].role, vault->name, all[i].scope);
        printed++;
    }
    kvp_free(all);
    return printed;
}

static void print_principal(void *arg, const kvp_principal *principal)
{
    listing *l = arg;
    size_t printed = 0;

    for (size_t i = 0; i < l->vault_count && l->status == KVP_OK; i++)
        printed += print_roles(l, principal, &l->vaults[i]);
    if (printed == 0)
        fprintf(l->admin->out, "%s\t%s\t\n", principal->name, principal->client_id);
}

kvp_status kvp_admin_principal_list(kvp_admin *admin, kvp_error *reterr)
{
    listing l = { .admin = admin, .status = KVP_OK, .reterr = reterr };
    kvp_status status = kvp_store_vault_list(admin->store, &l.vaults, &l.vault_count, reterr);

    if (status == KVP_OK)
        status = kvp_store_principal_list(admin->store, print_principal, &l, reterr);
    kvp_free(l.vaults);
    return status == KVP_OK ? l.status : status;
}

kvp_status kvp_admin_principal_remove(kvp_admin *admin, kvp_error *reterr)
{
    return kvp_store_principal_remove(admin->store, admin->options->words[2], reterr);
}
