/* SPDX-License-Identifier: MIT */
/* Role definitions of a Managed HSM: the built-in ones are shown, custom ones can be changed. */
#include "vaultd/rbac.h"

#include "base/alloc.h"
#include "vaultd/roles.h"
#include "vaultd/routes.h"

#include <stdio.h>
#include <string.h>

#define ACTION_PREFIX "Microsoft.KeyVault/managedHsm/"

/* Data actions that a custom role may have: those the published definition names, and those that
 * the service's own roles were seen to have. */
static const char *const data_actions[] = {
    "keys/read/action",
    "keys/write/action",
    "keys/deletedKeys/read/action",
    "keys/deletedKeys/recover/action",
    "keys/backup/action",
    "keys/restore/action",
    "roleAssignments/delete/action",
    "roleAssignments/read/action",
    "roleAssignments/write/action",
    "roleDefinitions/read/action",
    "roleDefinitions/write/action",
    "roleDefinitions/delete/action",
    "keys/encrypt/action",
    "keys/decrypt/action",
    "keys/wrap/action",
    "keys/unwrap/action",
    "keys/sign/action",
    "keys/verify/action",
    "keys/create",
    "keys/delete",
    "keys/export/action",
    "keys/release/action",
    "keys/import/action",
    "keys/rotate/action",
    "keys/derive/action",
    "keys/deletedKeys/delete",
    "securitydomain/download/action",
    "securitydomain/download/read",
    "securitydomain/upload/action",
    "securitydomain/upload/read",
    "securitydomain/transferkey/read",
    "backup/start/action",
    "restore/start/action",
    "backup/status/action",
    "restore/status/action",
    "rng/action",
    "settings/read/action",
    "settings/write/action",
};
static const char *const lists[] = { "actions", "dataActions", "notActions", "notDataActions" };

static json_t *document(const char *id, const char *name, const char *description, const char *type,
                        json_t *take_permissions, json_t *take_scopes)
{
    char full[160];

    snprintf(full, sizeof(full), KVP_RBAC_DEFINITION_PREFIX "%s", id);
    return json_pack("{s:s, s:s, s:{s:o, s:s, s:o, s:s, s:s}, s:s}", "id", full, "name", id,
                     "properties", "assignableScopes", take_scopes, "description", description,
                     "permissions", take_permissions, "roleName", name, "type", type, "type",
                     "Microsoft.Authorization/roleDefinitions");
}

static json_t *built_in_document(const kvp_role *role)
{
    json_t *actions = json_array();
    char full[160];

    for (size_t i = 0; i < KVP_ROLE_ACTIONS_MAX && role->actions[i]; i++) {
        snprintf(full, sizeof(full), ACTION_PREFIX "%s", role->actions[i]);
        json_array_append_new(actions, json_string(full));
    }
    return document(role->id, role->name, "", "AKVBuiltInRole",
                    json_pack("[{s:[], s:o, s:[], s:[]}]", "actions", "dataActions", actions,
                              "notActions", "notDataActions"),
                    json_pack("[s]", "/"));
}

static json_t *custom_document(const kvp_definition *definition)
{
    return document(definition->id, definition->name, definition->description, "CustomRole",
                    json_loads(definition->permissions_json, 0, NULL),
                    json_loads(definition->scopes_json, 0, NULL));
}

/* Whether a role passes `roleName eq` or `type eq`; the other filters leave all. */
static bool passes(const char *filter, const char *value, const char *name, const char *type)
{
    if (kvp_ident_casecmp(filter, "roleName") == 0)
        return kvp_ident_casecmp(value, name) == 0;
    return kvp_ident_casecmp(filter, "type") != 0 || kvp_ident_casecmp(value, type) == 0;
}

void kvp_rbac_list_definitions(kvp_exchange *ex)
{
    kvp_definition *custom = NULL;
    kvp_error error = { .status = KVP_OK };
    char filter[64], value[128];
    size_t count = 0;
    json_t *list = json_array();

    if (!kvp_rbac_read_filter(ex, filter, sizeof(filter), value, sizeof(value))) {
        json_decref(list);
        return;
    }
    for (size_t i = 0; i < kvp_role_count; i++) {
        const kvp_role *role = &kvp_roles[i];
        if (role->kind == KVP_VAULT_HSM && passes(filter, value, role->name, "AKVBuiltInRole"))
            json_array_append_new(list, built_in_document(role));
    }
    kvp_status status =
        kvp_store_definition_list(ex->daemon->store, &ex->daemon->vault, &custom, &count, &error);
    for (size_t i = 0; i < count; i++) {
        if (passes(filter, value, custom[i].name, "CustomRole"))
            json_array_append_new(list, custom_document(&custom[i]));
        kvp_definition_clear(&custom[i]);
    }
    kvp_free(custom);
    if (status == KVP_OK) {
        kvp_exchange_reply_take(ex, 200, json_pack("{s:o}", "value", list));
    } else {
        json_decref(list);
        kvp_exchange_failed(ex, &error);
    }
}

/* A built-in role by id alone: what stands in the path is never a name. */
static const kvp_role *built_in(const char *id)
{
    return kvp_ident_is_uuid(id) ? kvp_role_find(KVP_VAULT_HSM, id) : NULL;
}

bool kvp_rbac_definition_exists(kvp_exchange *ex, const char *id, bool *ret_exists)
{
    kvp_definition definition;
    kvp_error error = { .status = KVP_OK };
    kvp_status status = KVP_OK;

    *ret_exists = built_in(id) != NULL;
    if (*ret_exists)
        return true;
    status =
        kvp_store_definition_get(ex->daemon->store, &ex->daemon->vault, id, &definition, &error);
    if (status == KVP_OK)
        kvp_definition_clear(&definition);
    else if (status != KVP_ERR_NOT_FOUND)
        kvp_exchange_failed(ex, &error);
    *ret_exists = status == KVP_OK;
    return status == KVP_OK || status == KVP_ERR_NOT_FOUND;
}

void kvp_rbac_get_definition(kvp_exchange *ex)
{
    const kvp_role *role = built_in(ex->version);
    kvp_definition definition;
    kvp_error error = { .status = KVP_OK };

    if (role) {
        kvp_exchange_reply_take(ex, 200, built_in_document(role));
        return;
    }
    if (kvp_store_definition_get(ex->daemon->store, &ex->daemon->vault, ex->version, &definition,
                                 &error) != KVP_OK) {
        kvp_rbac_failed(ex, KVP_REFUSE_ROLE_DEFINITION, &error);
        return;
    }
    kvp_exchange_reply_take(ex, 200, custom_document(&definition));
    kvp_definition_clear(&definition);
}

void kvp_rbac_delete_definition(kvp_exchange *ex)
{
    kvp_definition definition;
    kvp_error error = { .status = KVP_OK };

    if (built_in(ex->version)) {
        kvp_refuse(ex, KVP_REFUSE_ROLE_BUILT_IN);
        return;
    }
    kvp_status status = kvp_store_definition_get(ex->daemon->store, &ex->daemon->vault, ex->version,
                                                 &definition, &error);
    if (status != KVP_OK) {
        kvp_rbac_failed(ex, KVP_REFUSE_ROLE_DEFINITION, &error);
        return;
    }
    status =
        kvp_store_definition_remove(ex->daemon->store, &ex->daemon->vault, ex->version, &error);
    if (status == KVP_OK)
        kvp_exchange_reply_take(ex, 200, custom_document(&definition));
    else
        kvp_rbac_failed(ex, KVP_REFUSE_ROLE_DEFINITION, &error);
    kvp_definition_clear(&definition);
}

static bool is_data_action(const char *text)
{
    size_t len = strlen(ACTION_PREFIX);
    char head[sizeof(ACTION_PREFIX)];

    snprintf(head, sizeof(head), "%.*s", (int)len, text);
    if (kvp_ident_casecmp(head, ACTION_PREFIX) != 0)
        return false;
    for (size_t i = 0; i < KVP_ARRAY_LEN(data_actions); i++) {
        if (kvp_ident_casecmp(data_actions[i], text + len) == 0)
            return true;
    }
    return false;
}

/* One list of a permission, copied into @to; false after refusing. */
static bool read_actions(kvp_exchange *ex, const json_t *permission, const char *name, json_t *to)
{
    const json_t *from, *action;
    size_t i;
    bool data = strstr(name, "ata") != NULL;

    if (!kvp_member_array(ex, permission, name, &from))
        return false;
    json_t *copy = json_array();
    json_array_foreach(from, i, action)
    {
        if (!json_is_string(action) || (data && !is_data_action(json_string_value(action)))) {
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, name);
            json_decref(copy);
            return false;
        }
        json_array_append_new(copy, json_string(json_string_value(action)));
    }
    return json_object_set_new(to, name, copy) == 0;
}

/* `permissions`, with every list there; NULL after refusing. */
static json_t *read_permissions(kvp_exchange *ex, const json_t *properties)
{
    const json_t *from, *permission;
    size_t i;

    if (!kvp_member_array(ex, properties, "permissions", &from))
        return NULL;
    json_t *all = json_array();
    json_array_foreach(from, i, permission)
    {
        json_t *one = json_object();
        bool ok = json_is_object(permission);
        if (!ok)
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, "permissions");
        for (size_t j = 0; j < KVP_ARRAY_LEN(lists) && ok; j++)
            ok = read_actions(ex, permission, lists[j], one);
        if (!ok) {
            json_decref(one);
            json_decref(all);
            return NULL;
        }
        json_array_append_new(all, one);
    }
    return all;
}

/* `assignableScopes`, `["/"]` when absent; NULL after refusing. */
static json_t *read_scopes(kvp_exchange *ex, const json_t *properties)
{
    const json_t *from, *scope;
    size_t i;

    if (!kvp_member_array(ex, properties, "assignableScopes", &from))
        return NULL;
    if (!from || json_array_size(from) == 0)
        return json_pack("[s]", "/");
    json_array_foreach(from, i, scope)
    {
        if (!json_is_string(scope) ||
            !kvp_role_scope_valid(KVP_VAULT_HSM, json_string_value(scope))) {
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, "assignableScopes");
            return NULL;
        }
    }
    return json_copy((json_t *)(uintptr_t)from);
}

static char *text_of(json_t *take)
{
    kvp_buf text = KVP_BUF_INIT(0);
    char *copy = take && kvp_json_write(take, false, &text) == KVP_OK
                     ? kvp_strdup(kvp_buf_str(&text))
                     : NULL;

    json_decref(take);
    kvp_buf_clear(&text);
    return copy;
}

/* False after answering. */
static bool read_definition(kvp_exchange *ex, kvp_definition *ret)
{
    const json_t *properties;
    const char *name = "", *description = "", *type = "CustomRole";

    if (!kvp_member_object(ex, ex->json, "properties", &properties))
        return false;
    if (!properties) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "properties");
        return false;
    }
    if (!kvp_member_string(ex, properties, "roleName", false, &name) ||
        !kvp_member_string(ex, properties, "description", false, &description) ||
        !kvp_member_string(ex, properties, "type", false, &type))
        return false;
    const kvp_role *same = *name ? kvp_role_find(KVP_VAULT_HSM, name) : NULL;
    if (built_in(ex->version) || (same && kvp_ident_casecmp(same->name, name) == 0)) {
        kvp_refuse(ex, KVP_REFUSE_ROLE_BUILT_IN);
        return false;
    }
    if (!kvp_ident_is_uuid(ex->version)) {
        kvp_refuse(ex, KVP_REFUSE_ROLE_VALUE, "Role definition name must be a GUID");
        return false;
    }
    json_t *permissions = read_permissions(ex, properties);
    json_t *scopes = permissions ? read_scopes(ex, properties) : NULL;
    if (!permissions || !scopes) {
        json_decref(permissions);
        return false;
    }
    snprintf(ret->id, sizeof(ret->id), "%s", ex->version);
    ret->name = kvp_strdup(*name ? name : ex->version);
    ret->description = kvp_strdup(description);
    ret->permissions_json = text_of(permissions);
    ret->scopes_json = text_of(scopes);
    if (ret->name && ret->description && ret->permissions_json && ret->scopes_json)
        return true;
    kvp_exchange_failed(ex,
                        &(kvp_error){ .status = KVP_ERR_NO_MEMORY, .message = "role definition" });
    return false;
}

void kvp_rbac_put_definition(kvp_exchange *ex)
{
    kvp_definition definition = { .id = "" };
    kvp_error error = { .status = KVP_OK };

    if (read_definition(ex, &definition)) {
        if (kvp_store_definition_put(ex->daemon->store, &ex->daemon->vault, &definition, &error) ==
            KVP_OK)
            kvp_exchange_reply_take(ex, 201, custom_document(&definition));
        else
            kvp_exchange_failed(ex, &error);
    }
    kvp_definition_clear(&definition);
}
