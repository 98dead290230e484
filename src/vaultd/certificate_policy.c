/* SPDX-License-Identifier: MIT */
/* Certificate policies (wire reference, section 7): validation, defaults and order of members. */
#include "vaultd/certificate_policy.h"
#include "vaultd/certificate_policy_internal.h"

#include "vaultd/key_doc.h"
#include "vaultd/secret_doc.h"

#include <stdio.h>
#include <string.h>

#define ACTIONS_MAX 8
#define DEFAULT_MONTHS 12
#define DEFAULT_PERCENTAGE 80

bool kvp_issuer_is_self(const char *name)
{
    return kvp_ident_casecmp(name, "Self") == 0;
}

bool kvp_issuer_is_unknown(const char *name)
{
    return kvp_ident_casecmp(name, "Unknown") == 0;
}

json_t *kvp_policy_refused(kvp_exchange *ex, const char *property)
{
    kvp_refuse(ex, KVP_REFUSE_PROPERTY, property);
    return NULL;
}

json_t *kvp_policy_finished(kvp_exchange *ex, json_t *object, bool ok)
{
    if (ok)
        return object;
    json_decref(object);
    if (ex->status == 0)
        kvp_refuse(ex, KVP_REFUSE_INTERNAL);
    return NULL;
}

/* Put the members of @given that are not null over those of @base; both may be NULL. */
static json_t *overlay(const json_t *base, const json_t *given)
{
    json_t *merged = base ? json_copy((json_t *)(uintptr_t)base) : json_object();
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)given, name, value)
    {
        if (!json_is_null(value) && json_object_set(merged, name, value) != 0) {
            json_decref(merged);
            return NULL;
        }
    }
    return merged;
}

/* --- key_props -----------------------------------------------------------------------------------
 */

static bool read_curve(kvp_exchange *ex, const json_t *props, const char **crv, json_int_t *size)
{
    if (!kvp_member_string(ex, props, "crv", false, crv))
        return false;
    if (!*crv) /* a size may stand for the curve */
        *crv = *size == 384 ? "P-384" : *size == 521 ? "P-521" : "P-256";
    const kvp_engine_curve *curve = kvp_engine_curve_find(*crv);
    if (!curve || (*size != 0 && *size != (json_int_t)curve->bits)) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, curve ? "key_size" : "crv");
        return false;
    }
    *size = curve->bits;
    return true;
}

static json_t *key_props(kvp_exchange *ex, const json_t *props)
{
    const char *kty = "RSA", *crv = NULL;
    kvp_engine_kind kind;
    json_int_t size = 0;
    bool hsm, reuse = false;

    if (!kvp_member_string(ex, props, "kty", false, &kty) ||
        !kvp_member_integer(ex, props, "key_size", false, &size) ||
        !kvp_member_boolean(ex, props, "reuse_key", &reuse))
        return NULL;
    if (!kvp_key_type(kty, &kind, &hsm) || kind == KVP_ENGINE_OCT)
        return kvp_policy_refused(ex, "kty");
    bool exportable = !hsm;
    if (!kvp_member_boolean(ex, props, "exportable", &exportable))
        return NULL;
    if (hsm && exportable) /* what lives in an HSM does not leave it */
        return kvp_policy_refused(ex, "exportable");
    if (kind == KVP_ENGINE_EC && !read_curve(ex, props, &crv, &size))
        return NULL;
    if (kind == KVP_ENGINE_RSA && size == 0)
        size = 2048;
    if (kind == KVP_ENGINE_RSA && size != 2048 && size != 3072 && size != 4096)
        return kvp_policy_refused(ex, "key_size");
    json_t *result = json_pack("{s:b, s:s, s:I, s:b}", "exportable", exportable, "kty", kty,
                               "key_size", size, "reuse_key", reuse);
    return kvp_policy_finished(ex, result,
                               result && (!crv || kvp_json_add(result, "crv", json_string(crv))));
}

/* The key properties of a request over older ones; another type takes its size and curve along. */
static json_t *overlay_key_props(const json_t *base, const json_t *given)
{
    json_t *merged = overlay(base, given);
    const char *old = json_string_value(json_object_get(base, "kty"));
    const char *kty = json_string_value(json_object_get(merged, "kty"));

    if (merged && old && kty && strcmp(old, kty) != 0) {
        static const char *const names[] = { "key_size", "crv", "exportable" };
        for (size_t i = 0; i < KVP_ARRAY_LEN(names); i++) {
            if (json_is_null(json_object_get(given, names[i])) || !json_object_get(given, names[i]))
                json_object_del(merged, names[i]);
        }
    }
    return merged;
}

/* --- secret_props, issuer ------------------------------------------------------------------------
 */

static json_t *secret_props(kvp_exchange *ex, const json_t *props)
{
    const char *type = KVP_X509_TYPE_PFX;

    if (!kvp_member_string(ex, props, "contentType", false, &type))
        return NULL;
    if (kvp_ident_casecmp(type, KVP_X509_TYPE_PFX) != 0 &&
        kvp_ident_casecmp(type, KVP_X509_TYPE_PEM) != 0)
        return kvp_policy_refused(ex, "contentType");
    json_t *result = json_pack("{s:s}", "contentType", type);
    return kvp_policy_finished(ex, result, result != NULL);
}

static json_t *issuer(kvp_exchange *ex, const json_t *given)
{
    const char *name = "Unknown", *cty = NULL;
    bool transparency = false;

    if (!kvp_member_string(ex, given, "name", false, &name) ||
        !kvp_member_string(ex, given, "cty", false, &cty) ||
        !kvp_member_boolean(ex, given, "cert_transparency", &transparency))
        return NULL;
    if (!kvp_ident_is_name(name))
        return kvp_policy_refused(ex, "issuer");
    json_t *result = json_pack("{s:s, s:s*}", "name", name, "cty", cty);
    bool ok = result && (!json_is_boolean(json_object_get(given, "cert_transparency")) ||
                         kvp_json_add(result, "cert_transparency", json_boolean(transparency)));
    return kvp_policy_finished(ex, result, ok);
}

/* --- x509_props ----------------------------------------------------------------------------------
 */

/* A copy of an array of at most @max strings; NULL after refusing. */
static json_t *strings(kvp_exchange *ex, const json_t *array, size_t max, const char *name)
{
    if (json_array_size(array) > max)
        return kvp_policy_refused(ex, name);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
            return kvp_policy_refused(ex, name);
    }
    json_t *copy = json_copy((json_t *)(uintptr_t)array);
    return kvp_policy_finished(ex, copy, copy != NULL);
}

static json_t *sans(kvp_exchange *ex, const json_t *given)
{
    json_t *result = json_object();
    bool ok = result != NULL;
    size_t count = 0;

    for (int kind = 0; kind < KVP_X509_SAN_KIND_COUNT && ok; kind++) {
        const char *name = kvp_x509_san_names[kind];
        const json_t *array = NULL;
        ok = kvp_member_array(ex, given, name, &array);
        if (!ok || !array)
            continue;
        count += json_array_size(array);
        json_t *copy = strings(ex, array, KVP_X509_NAMES_MAX, name);
        ok = copy && kvp_json_add(result, name, copy);
    }
    if (ok && count > KVP_X509_NAMES_MAX) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "sans");
        ok = false;
    }
    return kvp_policy_finished(ex, result, ok);
}

/* Known words in the order of the table; unknown ones refused. */
static json_t *usages(kvp_exchange *ex, const json_t *given)
{
    bool wanted[KVP_X509_USAGE_COUNT] = { false };
    json_t *result = json_array();
    bool ok = result != NULL;

    for (size_t i = 0; i < json_array_size(given) && ok; i++) {
        const char *word = json_string_value(json_array_get(given, i));
        size_t row = 0;
        while (word && row < KVP_X509_USAGE_COUNT &&
               kvp_ident_casecmp(kvp_x509_usages[row].name, word) != 0)
            row++;
        ok = word && row < KVP_X509_USAGE_COUNT;
        if (ok)
            wanted[row] = true;
        else
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, "key_usage");
    }
    for (size_t i = 0; i < KVP_X509_USAGE_COUNT && ok; i++)
        ok = !wanted[i] || json_array_append_new(result, json_string(kvp_x509_usages[i].name)) == 0;
    return kvp_policy_finished(ex, result, ok);
}

static bool add_ekus(kvp_exchange *ex, const json_t *props, json_t *result)
{
    const json_t *array;

    if (!kvp_member_array(ex, props, "ekus", &array))
        return false;
    return kvp_json_add(result, "ekus",
                        array ? strings(ex, array, KVP_X509_EKUS_MAX, "ekus")
                              : json_pack("[ss]", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"));
}

static bool add_usages(kvp_exchange *ex, const json_t *props, json_t *result)
{
    const json_t *array;

    if (!kvp_member_array(ex, props, "key_usage", &array))
        return false;
    return kvp_json_add(result, "key_usage",
                        array ? usages(ex, array)
                              : json_pack("[ss]", "digitalSignature", "keyEncipherment"));
}

static bool add_rest(kvp_exchange *ex, const json_t *props, json_t *result)
{
    json_int_t months = DEFAULT_MONTHS;
    const json_t *constraints = NULL;
    bool ca = false;

    if (!kvp_member_integer(ex, props, "validity_months", false, &months) ||
        !kvp_member_object(ex, props, "basic_constraints", &constraints) ||
        (constraints && !kvp_member_boolean(ex, constraints, "ca", &ca)))
        return false;
    if (months < 1 || months > KVP_X509_MONTHS_MAX) {
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "validity_months");
        return false;
    }
    return kvp_json_add(result, "validity_months", json_integer(months)) &&
           kvp_json_add(result, "basic_constraints", json_pack("{s:b}", "ca", ca));
}

static json_t *x509_props(kvp_exchange *ex, const json_t *props)
{
    const char *subject = "";
    const json_t *names = NULL;
    json_t *result = json_object();
    bool ok = kvp_member_string(ex, props, "subject", false, &subject) &&
              kvp_member_object(ex, props, "sans", &names) &&
              kvp_json_add(result, "subject", json_string(subject)) &&
              (!names || kvp_json_add(result, "sans", sans(ex, names))) &&
              add_ekus(ex, props, result) && add_usages(ex, props, result) &&
              add_rest(ex, props, result);

    return kvp_policy_finished(ex, result, ok);
}

/* --- lifetime_actions ----------------------------------------------------------------------------
 */

static json_t *lifetime_action(kvp_exchange *ex, const json_t *given, json_int_t months)
{
    static const char *const types[] = { "AutoRenew", "EmailContacts" };
    const json_t *trigger = NULL, *action = NULL;
    const char *type = NULL;
    json_int_t percentage = 0, days = 0;

    if (!kvp_member_object(ex, given, "trigger", &trigger) ||
        !kvp_member_object(ex, given, "action", &action))
        return NULL;
    if (!trigger || !action)
        return kvp_policy_refused(ex, "lifetime_actions");
    if (!kvp_member_integer(ex, trigger, "lifetime_percentage", false, &percentage) ||
        !kvp_member_integer(ex, trigger, "days_before_expiry", false, &days) ||
        !kvp_member_string(ex, action, "action_type", true, &type))
        return NULL;
    size_t row = 0;
    while (row < KVP_ARRAY_LEN(types) && kvp_ident_casecmp(types[row], type) != 0)
        row++;
    if (row == KVP_ARRAY_LEN(types))
        return kvp_policy_refused(ex, "action_type");
    if ((percentage != 0) == (days != 0))
        return kvp_policy_refused(ex, "trigger");
    if (percentage < 0 || percentage > 99)
        return kvp_policy_refused(ex, "lifetime_percentage");
    if (days < 0 || days > months * 27)
        return kvp_policy_refused(ex, "days_before_expiry");
    json_t *result = json_pack("{s:{s:I}, s:{s:s}}", "trigger",
                               percentage ? "lifetime_percentage" : "days_before_expiry",
                               percentage ? percentage : days, "action", "action_type", types[row]);
    return kvp_policy_finished(ex, result, result != NULL);
}

static json_t *lifetime_actions(kvp_exchange *ex, const json_t *given, const char *issuer_name,
                                json_int_t months)
{
    if (!given) {
        /* Who knows no issuer cannot renew (recorded). */
        json_t *result = json_pack(
            "[{s:{s:i}, s:{s:s}}]", "trigger", "lifetime_percentage", DEFAULT_PERCENTAGE, "action",
            "action_type", kvp_issuer_is_unknown(issuer_name) ? "EmailContacts" : "AutoRenew");
        return kvp_policy_finished(ex, result, result != NULL);
    }
    if (json_array_size(given) > ACTIONS_MAX)
        return kvp_policy_refused(ex, "lifetime_actions");
    json_t *result = json_array();
    bool ok = result != NULL;
    for (size_t i = 0; i < json_array_size(given) && ok; i++) {
        const json_t *item = json_array_get(given, i);
        if (!json_is_object(item)) {
            kvp_refuse(ex, KVP_REFUSE_PROPERTY, "lifetime_actions");
            ok = false;
            break;
        }
        json_t *action = lifetime_action(ex, item, months);
        ok = action && json_array_append_new(result, action) == 0;
    }
    return kvp_policy_finished(ex, result, ok);
}

/* --- whole policies ------------------------------------------------------------------------------
 */

/* The sections of @policy, checked to be objects. */
typedef struct sections {
    const json_t *key, *secret, *x509, *issuer, *actions;
} sections;

static bool read_sections(kvp_exchange *ex, const json_t *policy, sections *ret)
{
    memset(ret, 0, sizeof(*ret));
    return !policy || (kvp_member_object(ex, policy, "key_props", &ret->key) &&
                       kvp_member_object(ex, policy, "secret_props", &ret->secret) &&
                       kvp_member_object(ex, policy, "x509_props", &ret->x509) &&
                       kvp_member_object(ex, policy, "issuer", &ret->issuer) &&
                       kvp_member_array(ex, policy, "lifetime_actions", &ret->actions));
}

/* Read one section with @read after putting @given over @base, and add it to @result. */
static bool add_section(kvp_exchange *ex, json_t *result, const char *name,
                        json_t *(*read)(kvp_exchange *, const json_t *),
                        json_t *(*merge)(const json_t *, const json_t *), const json_t *base,
                        const json_t *given)
{
    json_t *merged = merge(base, given);
    bool ok = merged && kvp_json_add(result, name, read(ex, merged));

    json_decref(merged);
    return ok;
}

static bool add_actions(kvp_exchange *ex, json_t *result, const json_t *given, json_t *issuer_json)
{
    const char *name = json_string_value(json_object_get(issuer_json, "name"));
    const json_t *x509 = json_object_get(result, "x509_props");
    json_int_t months = json_integer_value(json_object_get(x509, "validity_months"));

    return issuer_json &&
           kvp_json_add(result, "lifetime_actions", lifetime_actions(ex, given, name, months)) &&
           json_object_set(result, "issuer", issuer_json) == 0;
}

static bool check(kvp_exchange *ex, const json_t *policy)
{
    kvp_policy_use use;
    kvp_error error = { .status = KVP_OK };

    kvp_policy_use_of(policy, &use);
    if (kvp_x509_check(&use.profile, &error) == KVP_OK)
        return true;
    if (error.status == KVP_ERR_INVALID)
        kvp_refuse(ex, KVP_REFUSE_CERTIFICATE, error.message);
    else
        kvp_exchange_failed(ex, &error);
    return false;
}

/*
 * A copy of the X.509 properties of a request with only the sorts of names its version knows: older
 * ones do not know the last two, and what is unknown is ignored. NULL for NULL and without memory.
 */
static json_t *known_names(const kvp_exchange *ex, const json_t *given)
{
    json_t *copy = json_deep_copy(given), *names = json_object_get(copy, "sans");

    for (int kind = KVP_X509_SAN_URI; kind < KVP_X509_SAN_KIND_COUNT; kind++) {
        if (!kvp_exchange_since(ex, "2025-06-01-preview"))
            json_object_del(names, kvp_x509_san_names[kind]);
    }
    return copy;
}

json_t *kvp_policy_read(kvp_exchange *ex, const json_t *given, const json_t *base)
{
    json_t *result = json_object();
    sections new, old;

    if (!read_sections(ex, given, &new) || !read_sections(ex, base, &old)) {
        json_decref(result);
        return NULL;
    }
    json_t *x509 = known_names(ex, new.x509);
    json_t *issuer_json = issuer(ex, new.issuer ? new.issuer : old.issuer);
    bool ok =
        issuer_json && (x509 || !new.x509) &&
        add_section(ex, result, "key_props", key_props, overlay_key_props, old.key, new.key) &&
        add_section(ex, result, "secret_props", secret_props, overlay, old.secret, new.secret) &&
        add_section(ex, result, "x509_props", x509_props, overlay, old.x509, x509) &&
        add_actions(ex, result, new.actions ? new.actions : old.actions, issuer_json) &&
        check(ex, result);
    json_decref(x509);
    json_decref(issuer_json);
    return kvp_policy_finished(ex, result, ok);
}

json_t *kvp_policy_of_import(kvp_exchange *ex, const json_t *given, const kvp_engine_key *key,
                             const kvp_x509_facts *facts, bool pem)
{
    json_t *result = json_object(), *form = NULL;
    sections s;

    if (!read_sections(ex, given, &s)) {
        json_decref(result);
        return NULL;
    }
    form = json_pack("{s:s}", "contentType", pem ? KVP_X509_TYPE_PEM : KVP_X509_TYPE_PFX);
    json_t *issuer_json = issuer(ex, s.issuer);
    bool ok = issuer_json && kvp_json_add(result, "key_props", kvp_policy_key_of(ex, s.key, key)) &&
              add_section(ex, result, "secret_props", secret_props, overlay, form, s.secret) &&
              kvp_json_add(result, "x509_props", kvp_policy_x509_of(facts)) &&
              add_actions(ex, result, s.actions, issuer_json);
    json_decref(form);
    json_decref(issuer_json);
    return kvp_policy_finished(ex, result, ok);
}
