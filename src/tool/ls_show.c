/* SPDX-License-Identifier: MIT */
/* Tokens and objects as a table for people and as JSON for programs. */
#include "tool/ls.h"

#include "base/alloc.h"
#include "token/call.h"
#include "tool/p11uri.h"
#include "tool/text.h"

#include <jansson.h>
#include <string.h>

const char *kvp_ls_class_word(CK_OBJECT_CLASS object_class)
{
    const char *word = kvp_p11uri_type(object_class);

    return word ? word : kvp_cko_name(object_class);
}

static kvp_status usage_words(const kvp_listed *object, kvp_buf *ret)
{
    kvp_status st = KVP_OK;

    for (size_t i = 0; kvp_usages[i].word && st == KVP_OK; i++)
        if (object->usage & 1U << i)
            st = kvp_text_join(ret, kvp_usages[i].word);
    return st;
}

static void show_dates(const kvp_listed *object, char *ret, size_t size)
{
    if (object->start[0] && object->end[0])
        snprintf(ret, size, "%s to %s", object->start, object->end);
    else if (object->start[0])
        snprintf(ret, size, "from %s", object->start);
    else if (object->end[0])
        snprintf(ret, size, "to %s", object->end);
    else
        ret[0] = '\0';
}

static kvp_status add_row(kvp_table *table, const kvp_listed *object)
{
    kvp_buf hex = KVP_BUF_INIT(KVP_BUF_MAX_DEFAULT), usage = KVP_BUF_INIT(256);
    char dates[32];
    kvp_status st = kvp_text_hex(&hex, object->id.data, object->id.len);

    show_dates(object, dates, sizeof(dates));
    if (st == KVP_OK)
        st = usage_words(object, &usage);
    if (st == KVP_OK) {
        const char *cells[] = {
            kvp_ls_class_word(object->object_class),
            object->label,
            kvp_buf_str(&hex),
            object->key,
            kvp_buf_str(&usage),
            dates,
        };
        st = kvp_table_add(table, cells);
    }
    if (st == KVP_OK && object->subject)
        st = kvp_table_note(table, object->subject);
    if (st == KVP_OK && object->problem)
        st = kvp_table_note(table, object->problem);
    if (st == KVP_OK)
        st = kvp_table_note(table, object->uri);
    kvp_buf_clear(&hex);
    kvp_buf_clear(&usage);
    return st;
}

kvp_status kvp_ls_show(const kvp_listed_token *tokens, size_t count, FILE *out)
{
    static const char *const heads[] = { "CLASS", "LABEL", "ID", "KEY", "USAGE", "VALID", NULL };
    kvp_status st = KVP_OK;

    for (size_t t = 0; t < count && st == KVP_OK; t++) {
        const kvp_listed_token *token = &tokens[t];
        kvp_table table;

        fprintf(out, "%stoken %s (%s, %s, serial number %s)\n    %s\n", t > 0 ? "\n" : "",
                token->label, token->manufacturer, token->model, token->serial, token->uri);
        if (token->login_required)
            fprintf(out, "    A login is needed before all of its objects are seen.\n");
        if (token->count == 0)
            fprintf(out, "    no objects\n");
        kvp_table_init(&table, heads);
        for (size_t i = 0; i < token->count && st == KVP_OK; i++)
            st = add_row(&table, &token->objects[i]);
        kvp_table_flush(&table, out);
        kvp_table_clear(&table);
    }
    return st;
}

/* A member that is left out where there is nothing to say. */
static int set_text(json_t *object, const char *name, const char *value)
{
    return value && value[0] ? json_object_set_new(object, name, json_string(value)) : 0;
}

static json_t *object_json(const kvp_listed *object)
{
    kvp_buf hex = KVP_BUF_INIT(KVP_BUF_MAX_DEFAULT);
    json_t *made = json_object(), *usage = json_array();
    int failed = kvp_text_hex(&hex, object->id.data, object->id.len) == KVP_OK ? 0 : -1;

    failed |= set_text(made, "class", kvp_ls_class_word(object->object_class));
    failed |= set_text(made, "label", object->label);
    failed |= set_text(made, "id", kvp_buf_str(&hex));
    failed |= set_text(made, "key", object->key);
    failed |= set_text(made, "subject", object->subject);
    for (size_t i = 0; kvp_usages[i].word; i++)
        if (object->usage & 1U << i)
            failed |= json_array_append_new(usage, json_string(kvp_usages[i].word));
    failed |= json_object_set(made, "usage", usage);
    failed |= set_text(made, "start_date", object->start);
    failed |= set_text(made, "end_date", object->end);
    failed |= set_text(made, "identifier", object->identifier);
    failed |= set_text(made, "version", object->version);
    if (object->identifier)
        failed |= json_object_set_new(made, "hsm", json_boolean(object->hsm));
    failed |= set_text(made, "uri", object->uri);
    failed |= set_text(made, "problem", object->problem);
    json_decref(usage);
    kvp_buf_clear(&hex);
    if (failed) {
        json_decref(made);
        return NULL;
    }
    return made;
}

static json_t *token_json(const kvp_listed_token *token)
{
    json_t *made = json_object(), *objects = json_array();
    int failed = set_text(made, "label", token->label);

    failed |= set_text(made, "manufacturer", token->manufacturer);
    failed |= set_text(made, "model", token->model);
    failed |= set_text(made, "serial", token->serial);
    failed |= set_text(made, "uri", token->uri);
    failed |= json_object_set_new(made, "login_required", json_boolean(token->login_required));
    for (size_t i = 0; i < token->count; i++)
        failed |= json_array_append_new(objects, object_json(&token->objects[i]));
    failed |= json_object_set(made, "objects", objects);
    json_decref(objects);
    if (failed) {
        json_decref(made);
        return NULL;
    }
    return made;
}

kvp_status kvp_ls_show_json(const char *module, const kvp_listed_token *tokens, size_t count,
                            FILE *out)
{
    json_t *made = json_object(), *list = json_array();
    char *clean = kvp_text_clean_dup(module, strlen(module));
    int failed = set_text(made, "module", clean);

    for (size_t i = 0; i < count; i++)
        failed |= json_array_append_new(list, token_json(&tokens[i]));
    failed |= json_object_set(made, "tokens", list);
    if (!failed) {
        failed = json_dumpf(made, out, JSON_INDENT(2));
        fputc('\n', out);
    }
    kvp_free(clean);
    json_decref(list);
    json_decref(made);
    return failed ? KVP_ERR_NO_MEMORY : KVP_OK;
}
