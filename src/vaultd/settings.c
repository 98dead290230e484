/* SPDX-License-Identifier: MIT */
/* Settings of a Managed HSM: a row each. */
#include "vaultd/exchange.h"
#include "vaultd/routes.h"

#include <string.h>

typedef struct setting {
    const char *name, *type, *otherwise;
} setting;

static const setting settings[] = {
    { "AllowKeyManagementOperationsThroughARM", "boolean", "true" },
};

/* False after answering. */
static bool value_of(kvp_exchange *ex, const setting *row, char *value, size_t size)
{
    kvp_error error = { .status = KVP_OK };
    kvp_status status = kvp_store_setting_get(ex->daemon->store, &ex->daemon->vault, row->name,
                                              value, size, &error);

    if (status == KVP_OK)
        return true;
    if (status != KVP_ERR_NOT_FOUND) {
        kvp_exchange_failed(ex, &error);
        return false;
    }
    strncpy(value, row->otherwise, size - 1);
    value[size - 1] = '\0';
    return true;
}

static json_t *document(const setting *row, const char *value)
{
    return json_pack("{s:s, s:s, s:s}", "name", row->name, "type", row->type, "value", value);
}

static const setting *find(kvp_exchange *ex)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(settings); i++) {
        if (kvp_ident_casecmp(settings[i].name, ex->name) == 0)
            return &settings[i];
    }
    kvp_refuse(ex, KVP_REFUSE_SETTING, ex->name);
    return NULL;
}

void kvp_settings_list(kvp_exchange *ex)
{
    json_t *list = json_array();
    char value[64];

    for (size_t i = 0; i < KVP_ARRAY_LEN(settings); i++) {
        if (!value_of(ex, &settings[i], value, sizeof(value))) {
            json_decref(list);
            return;
        }
        json_array_append_new(list, document(&settings[i], value));
    }
    kvp_exchange_reply_take(ex, 200, json_pack("{s:o}", "settings", list));
}

void kvp_settings_get(kvp_exchange *ex)
{
    const setting *row = find(ex);
    char value[64];

    if (row && value_of(ex, row, value, sizeof(value)))
        kvp_exchange_reply_take(ex, 200, document(row, value));
}

void kvp_settings_update(kvp_exchange *ex)
{
    const setting *row = find(ex);
    kvp_error error = { .status = KVP_OK };
    const char *value = "";

    if (!row || !kvp_member_string(ex, ex->json, "value", true, &value))
        return;
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "value");
        return;
    }
    if (kvp_store_setting_put(ex->daemon->store, &ex->daemon->vault, row->name, value, &error) ==
        KVP_OK)
        kvp_exchange_reply_take(ex, 200, document(row, value));
    else
        kvp_exchange_failed(ex, &error);
}
