/* SPDX-License-Identifier: MIT */
/* Policies and what is real: the properties of an import written, a policy taken apart for use. */
#include "vaultd/certificate_policy.h"
#include "vaultd/certificate_policy_internal.h"
#include "vaultd/key_doc.h"
#include "vaultd/secret_doc.h"

#include <string.h>

static json_t *sans_of(const kvp_x509_facts *facts)
{
    json_t *result = json_object();
    bool ok = result != NULL;

    for (int kind = 0; kind < KVP_X509_SAN_KIND_COUNT && ok; kind++) {
        const char *name = kvp_x509_san_names[kind];
        /* The three that all versions know are always there (recorded). */
        if (kind < KVP_X509_SAN_URI)
            ok = kvp_json_add(result, name, json_array());
        for (size_t i = 0; i < facts->san_count && ok; i++) {
            if ((int)facts->sans[i].kind != kind)
                continue;
            if (!json_object_get(result, name))
                ok = kvp_json_add(result, name, json_array());
            ok = ok && json_array_append_new(json_object_get(result, name),
                                             json_string(facts->sans[i].value)) == 0;
        }
    }
    if (ok)
        return result;
    json_decref(result);
    return NULL;
}

json_t *kvp_policy_x509_of(const kvp_x509_facts *facts)
{
    json_t *ekus = json_array(), *words = json_array(), *names = NULL;
    bool ok = ekus && words;

    for (size_t i = 0; i < facts->eku_count && ok; i++)
        ok = json_array_append_new(ekus, json_string(facts->ekus[i])) == 0;
    for (size_t i = 0; i < KVP_X509_USAGE_COUNT && ok; i++)
        ok = !facts->usages[i] ||
             json_array_append_new(words, json_string(kvp_x509_usages[i].name)) == 0;
    if (ok && facts->san_count > 0)
        ok = (names = sans_of(facts)) != NULL;
    json_t *result = ok ? json_pack("{s:s%, s:O*, s:O, s:O, s:I, s:{s:b}}", "subject",
                                    kvp_buf_str(&facts->subject), facts->subject.len, "sans", names,
                                    "ekus", ekus, "key_usage", words, "validity_months",
                                    (json_int_t)facts->months, "basic_constraints", "ca", facts->ca)
                        : NULL;
    json_decref(ekus);
    json_decref(words);
    json_decref(names);
    return result;
}

json_t *kvp_policy_key_of(kvp_exchange *ex, const json_t *given, const kvp_engine_key *key)
{
    const char *kty = NULL;
    kvp_engine_kind kind = key->kind;
    bool hsm = false, reuse = false;

    if (given && (!kvp_member_string(ex, given, "kty", false, &kty) ||
                  !kvp_member_boolean(ex, given, "reuse_key", &reuse)))
        return NULL;
    if (kty && (!kvp_key_type(kty, &kind, &hsm) || kind != key->kind))
        return kvp_policy_refused(ex, "kty");
    bool exportable = !hsm;
    if (given && !kvp_member_boolean(ex, given, "exportable", &exportable))
        return NULL;
    if (hsm && exportable)
        return kvp_policy_refused(ex, "exportable");
    json_t *result = json_pack("{s:b, s:s, s:I, s:b, s:s*}", "exportable", exportable, "kty",
                               kty                           ? kty
                               : key->kind == KVP_ENGINE_RSA ? "RSA"
                                                             : "EC",
                               "key_size", (json_int_t)key->bits, "reuse_key", reuse, "crv",
                               key->curve ? key->curve->name : NULL);
    return kvp_policy_finished(ex, result, result != NULL);
}

static void use_x509(const json_t *props, kvp_x509_profile *profile)
{
    const json_t *names = json_object_get(props, "sans"), *ekus = json_object_get(props, "ekus");
    const json_t *words = json_object_get(props, "key_usage");

    profile->subject = json_string_value(json_object_get(props, "subject"));
    for (int kind = 0; kind < KVP_X509_SAN_KIND_COUNT; kind++) {
        const json_t *array = json_object_get(names, kvp_x509_san_names[kind]);
        for (size_t i = 0; i < json_array_size(array) && profile->san_count < KVP_X509_NAMES_MAX;
             i++) {
            profile->sans[profile->san_count].kind = (kvp_x509_san_kind)kind;
            profile->sans[profile->san_count++].value = json_string_value(json_array_get(array, i));
        }
    }
    for (size_t i = 0; i < json_array_size(ekus) && i < KVP_X509_EKUS_MAX; i++)
        profile->ekus[profile->eku_count++] = json_string_value(json_array_get(ekus, i));
    for (size_t i = 0; i < json_array_size(words); i++) {
        for (size_t row = 0; row < KVP_X509_USAGE_COUNT; row++) {
            if (strcmp(kvp_x509_usages[row].name, json_string_value(json_array_get(words, i))) == 0)
                profile->usages[row] = true;
        }
    }
    profile->months = (unsigned)json_integer_value(json_object_get(props, "validity_months"));
    profile->ca = json_is_true(json_object_get(json_object_get(props, "basic_constraints"), "ca"));
}

void kvp_policy_use_of(const json_t *policy, kvp_policy_use *ret)
{
    const json_t *key = json_object_get(policy, "key_props");
    const char *type =
        json_string_value(json_object_get(json_object_get(policy, "secret_props"), "contentType"));

    memset(ret, 0, sizeof(*ret));
    ret->kty = json_string_value(json_object_get(key, "kty"));
    ret->key_size = (unsigned)json_integer_value(json_object_get(key, "key_size"));
    ret->crv = json_string_value(json_object_get(key, "crv"));
    ret->exportable = json_is_true(json_object_get(key, "exportable"));
    ret->reuse_key = json_is_true(json_object_get(key, "reuse_key"));
    ret->pem = kvp_ident_casecmp(type, KVP_X509_TYPE_PEM) == 0;
    ret->issuer = json_string_value(json_object_get(json_object_get(policy, "issuer"), "name"));
    use_x509(json_object_get(policy, "x509_props"), &ret->profile);
}
