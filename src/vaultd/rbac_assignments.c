/* SPDX-License-Identifier: MIT */
/* Role assignments of a Managed HSM, and what they share with role definitions: scopes and filters.
 */
#include "vaultd/rbac.h"

#include "base/alloc.h"
#include "vaultd/roles.h"
#include "vaultd/routes.h"

#include <stdio.h>
#include <string.h>

void kvp_rbac_scope(const kvp_exchange *ex, char *dst, size_t size)
{
    const char *pattern = ex->route->pattern;

    if (strncmp(pattern, "providers/", 10) == 0)
        snprintf(dst, size, "/");
    else
        snprintf(dst, size, "/keys%s%s", *ex->name ? "/" : "", ex->name);
}

void kvp_rbac_failed(kvp_exchange *ex, kvp_refusal missing, const kvp_error *error)
{
    if (error->status == KVP_ERR_NOT_FOUND)
        kvp_refuse(ex, missing);
    else
        kvp_exchange_failed(ex, error);
}

bool kvp_rbac_read_filter(kvp_exchange *ex, char *name, size_t name_size, char *value,
                          size_t value_size)
{
    static const char *const calls[] = { "atScope", "atScopeAndBelow", "assignedTo" };
    char text[256];

    *name = *value = '\0';
    if (!kvp_exchange_query(ex, "$filter", text, sizeof(text)) || !*text)
        return true;
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    const char *rest = text + len, *quote, *end;
    bool call = *rest == '(';
    rest += call ? 1 : strspn(rest, " ");
    if (!call && strncmp(rest, "eq ", 3) == 0)
        rest += 3 + strspn(rest + 3, " ");
    quote = *rest == '\'' ? rest + 1 : NULL;
    end = quote ? strchr(quote, '\'') : NULL;
    bool ok = len > 0 && len < name_size;
    if (end) {
        ok = ok && (size_t)(end - quote) < value_size && strcmp(end + 1, call ? ")" : "") == 0;
        snprintf(value, value_size, "%.*s", (int)(end - quote), quote);
    } else {
        ok = ok && call && strcmp(rest, ")") == 0;
    }
    snprintf(name, name_size, "%.*s", (int)len, text);
    bool known =
        !call && (kvp_ident_casecmp(name, "principalId") == 0 ||
                  kvp_ident_casecmp(name, "roleName") == 0 || kvp_ident_casecmp(name, "type") == 0);
    for (size_t i = 0; i < KVP_ARRAY_LEN(calls) && call; i++)
        known = known || kvp_ident_casecmp(name, calls[i]) == 0;
    if (ok && known)
        return true;
    kvp_refuse(ex, KVP_REFUSE_PROPERTY, "$filter");
    return false;
}

static json_t *document(const kvp_assignment *assignment)
{
    char id[300], role[160];
    bool all = strcmp(assignment->scope, "/") == 0;

    snprintf(id, sizeof(id), "%s/providers/Microsoft.Authorization/roleAssignments/%s",
             all ? "" : assignment->scope, assignment->id);
    snprintf(role, sizeof(role), KVP_RBAC_DEFINITION_PREFIX "%s", assignment->role);
    return json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:s}", "id", id, "name", assignment->id,
                     "properties", "principalId", assignment->principal, "roleDefinitionId", role,
                     "scope", assignment->scope, "type", "Microsoft.Authorization/roleAssignments");
}

/* At the scope and above it; without `atScope()` also below it. */
static bool is_listed(const kvp_assignment *assignment, const char *scope, const char *filter,
                      const char *value)
{
    bool above = kvp_role_scope_covers(assignment->scope, scope);
    bool below = kvp_role_scope_covers(scope, assignment->scope);

    if (kvp_ident_casecmp(filter, "principalId") == 0 ||
        kvp_ident_casecmp(filter, "assignedTo") == 0)
        return (above || below) && kvp_ident_casecmp(assignment->principal, value) == 0;
    return kvp_ident_casecmp(filter, "atScope") == 0 ? above : above || below;
}

void kvp_rbac_list_assignments(kvp_exchange *ex)
{
    kvp_assignment *all = NULL;
    kvp_error error = { .status = KVP_OK };
    char filter[64], value[128], scope[200];
    size_t count = 0;

    if (!kvp_rbac_read_filter(ex, filter, sizeof(filter), value, sizeof(value)))
        return;
    kvp_rbac_scope(ex, scope, sizeof(scope));
    if (kvp_store_assignment_list(ex->daemon->store, &ex->daemon->vault, &all, &count, &error) !=
        KVP_OK) {
        kvp_exchange_failed(ex, &error);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        if (is_listed(&all[i], scope, filter, value))
            json_array_append_new(list, document(&all[i]));
    }
    kvp_free(all);
    kvp_exchange_reply_take(ex, 200, json_pack("{s:o}", "value", list));
}

/* The assignment that the path names, at just that scope; false after answering. */
static bool find(kvp_exchange *ex, kvp_assignment *ret)
{
    kvp_error error = { .status = KVP_OK };
    char scope[200];

    kvp_rbac_scope(ex, scope, sizeof(scope));
    kvp_status status =
        kvp_store_assignment_get(ex->daemon->store, &ex->daemon->vault, ex->version, ret, &error);
    if (status == KVP_OK && kvp_ident_casecmp(ret->scope, scope) == 0)
        return true;
    if (status == KVP_OK)
        kvp_refuse(ex, KVP_REFUSE_ROLE_ASSIGNMENT);
    else
        kvp_rbac_failed(ex, KVP_REFUSE_ROLE_ASSIGNMENT, &error);
    return false;
}

void kvp_rbac_get_assignment(kvp_exchange *ex)
{
    kvp_assignment assignment;

    if (find(ex, &assignment))
        kvp_exchange_reply_take(ex, 200, document(&assignment));
}

void kvp_rbac_delete_assignment(kvp_exchange *ex)
{
    kvp_assignment assignment;
    kvp_error error = { .status = KVP_OK };

    if (!find(ex, &assignment))
        return;
    if (kvp_store_assignment_remove(ex->daemon->store, &ex->daemon->vault, assignment.id, &error) ==
        KVP_OK)
        kvp_exchange_reply_take(ex, 200, document(&assignment));
    else
        kvp_rbac_failed(ex, KVP_REFUSE_ROLE_ASSIGNMENT, &error);
}

/* Body and path into @ret; false after answering. */
static bool read_assignment(kvp_exchange *ex, kvp_assignment *ret)
{
    const json_t *properties;
    const char *role = "", *principal = "";
    bool exists = false;

    if (!kvp_member_object(ex, ex->json, "properties", &properties))
        return false;
    if (!properties) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "properties");
        return false;
    }
    if (!kvp_member_string(ex, properties, "roleDefinitionId", true, &role) ||
        !kvp_member_string(ex, properties, "principalId", true, &principal))
        return false;
    if (!kvp_ident_is_uuid(ex->version)) {
        kvp_refuse(ex, KVP_REFUSE_ROLE_VALUE, "Role assignment name must be a GUID");
        return false;
    }
    if (!kvp_ident_is_uuid(principal)) {
        kvp_refuse(ex, KVP_REFUSE_ROLE_VALUE, "The principal ID must be a GUID");
        return false;
    }
    const char *id = strrchr(role, '/');
    if (!kvp_rbac_definition_exists(ex, id ? id + 1 : role, &exists))
        return false;
    if (!exists) {
        kvp_refuse(ex, KVP_REFUSE_ROLE_DEFINITION);
        return false;
    }
    snprintf(ret->id, sizeof(ret->id), "%s", ex->version);
    snprintf(ret->principal, sizeof(ret->principal), "%s", principal);
    snprintf(ret->role, sizeof(ret->role), "%s", id ? id + 1 : role);
    kvp_rbac_scope(ex, ret->scope, sizeof(ret->scope));
    return true;
}

void kvp_rbac_put_assignment(kvp_exchange *ex)
{
    kvp_assignment assignment = { .id = "" };
    kvp_error error = { .status = KVP_OK };

    if (!read_assignment(ex, &assignment))
        return;
    kvp_status status =
        kvp_store_assignment_add(ex->daemon->store, &ex->daemon->vault, &assignment, &error);
    if (status == KVP_OK)
        kvp_exchange_reply_take(ex, 201, document(&assignment));
    else if (status == KVP_ERR_REFUSED)
        kvp_refuse(ex, KVP_REFUSE_ROLE_EXISTS);
    else
        kvp_exchange_failed(ex, &error);
}
