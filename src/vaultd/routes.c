/* SPDX-License-Identifier: MIT */
/* The table of routes and the matching of paths. */
#include "vaultd/routes.h"

#include <string.h>

#define OPEN KVP_ROUTE_OPEN
#define BODY KVP_ROUTE_BODY
#define BOTH KVP_ROUTE_BOTH
#define HSM KVP_ROUTE_HSM
#define WEIGHED KVP_ROUTE_WEIGHED
#define FAULTS (KVP_ROUTE_BOTH | KVP_ROUTE_FAULTS)

/* An operation on a key has two paths, with and without version (wire reference, section 4). */
#define KEY_USE(word, operation, action, alternative, fn)                                          \
    { "POST", "keys/{name}/{version}/" word, operation, "keys/" action "/action", alternative,     \
      "keys/" action "/action", BOTH | BODY | WEIGHED, fn },                                                 \
    { "POST", "keys/{name}/" word, operation, "keys/" action "/action", alternative,               \
      "keys/" action "/action", BOTH | BODY | WEIGHED, fn }

const kvp_route kvp_routes[] = {
    { "POST", "{tenant}/oauth2/v2.0/token", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_token_v2 },
    { "POST", "{tenant}/oauth2/token", NULL, NULL, NULL, NULL, OPEN | BOTH, kvp_authority_token_v1 },
    { "GET", "{tenant}/v2.0/.well-known/openid-configuration", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_openid },
    { "GET", "{tenant}/.well-known/openid-configuration", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_openid },
    { "GET", "{tenant}/discovery/instance", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_instance },
    { "GET", "{tenant}/discovery/v2.0/keys", NULL, NULL, NULL, NULL, OPEN | BOTH,
      kvp_authority_signing_keys },

    { "GET", "keys", "KeyList", "keys/read", NULL, "keys/read/action", BOTH, kvp_keys_list },
    { "POST", "keys/{name}/create", "KeyCreate", "keys/create/action", NULL, "keys/create",
      BOTH | BODY | WEIGHED, kvp_keys_create },
    { "POST", "keys/{name}/rotate", "KeyRotate", "keys/rotate/action", NULL, "keys/rotate/action",
      BOTH | WEIGHED, kvp_keys_rotate },
    { "POST", "keys/restore", "KeyRestore", "keys/restore/action", NULL, "keys/restore/action",
      BOTH | BODY, kvp_keys_restore },
    { "POST", "keys/{name}/backup", "KeyBackup", "keys/backup/action", NULL, "keys/backup/action",
      BOTH, kvp_keys_backup },
    { "GET", "keys/{name}/rotationpolicy", "KeyRotationPolicyGet", "keyrotationpolicies/read", NULL,
      "keys/read/action", BOTH, kvp_keys_get_rotation_policy },
    { "PUT", "keys/{name}/rotationpolicy", "KeyRotationPolicySet", "keyrotationpolicies/write",
      NULL, "keys/write/action", BOTH | BODY, kvp_keys_put_rotation_policy },
    { "GET", "keys/{name}/versions", "KeyListVersions", "keys/read", NULL, "keys/read/action", BOTH,
      kvp_keys_versions },
    { "PUT", "keys/{name}", "KeyImport", "keys/import/action", NULL, "keys/import/action",
      BOTH | BODY | WEIGHED, kvp_keys_import },
    { "DELETE", "keys/{name}", "KeyDelete", "keys/delete", NULL, "keys/delete", BOTH,
      kvp_keys_delete },
    { "GET", "keys/{name}", "KeyGet", "keys/read", NULL, "keys/read/action", BOTH, kvp_keys_get },
    { "GET", "keys/{name}/{version}", "KeyGet", "keys/read", NULL, "keys/read/action", BOTH,
      kvp_keys_get },
    { "PATCH", "keys/{name}", "KeyUpdate", "keys/update/action", NULL, "keys/write/action",
      BOTH | BODY, kvp_keys_update },
    { "PATCH", "keys/{name}/{version}", "KeyUpdate", "keys/update/action", NULL,
      "keys/write/action", BOTH | BODY, kvp_keys_update },

    KEY_USE("release", "KeyRelease", "release", NULL, kvp_keys_release),
    KEY_USE("sign", "KeySign", "sign", NULL, kvp_keys_sign),
    KEY_USE("verify", "KeyVerify", "verify", "keys/read", kvp_keys_verify),
    KEY_USE("encrypt", "KeyEncrypt", "encrypt", "keys/read", kvp_keys_encrypt),
    KEY_USE("decrypt", "KeyDecrypt", "decrypt", NULL, kvp_keys_decrypt),
    KEY_USE("wrapkey", "KeyWrap", "wrap", "keys/read", kvp_keys_wrap),
    KEY_USE("unwrapkey", "KeyUnwrap", "unwrap", NULL, kvp_keys_unwrap),

    { "GET", "deletedkeys", "KeyListDeleted", "keys/read", NULL, "keys/deletedKeys/read/action",
      BOTH, kvp_keys_list_deleted },
    { "GET", "deletedkeys/{name}", "KeyGetDeleted", "keys/read", NULL,
      "keys/deletedKeys/read/action", BOTH, kvp_keys_get_deleted },
    { "DELETE", "deletedkeys/{name}", "KeyPurge", "keys/purge/action", NULL,
      "keys/deletedKeys/delete", BOTH, kvp_keys_purge },
    { "POST", "deletedkeys/{name}/recover", "KeyRecover", "keys/recover/action", NULL,
      "keys/deletedKeys/recover/action", BOTH, kvp_keys_recover },

    /* For administrators alone: actions that only their roles cover. */
    { "POST", ".faults", "FaultsAdd", "faults/write", NULL, "securitydomain/faults/write/action",
      FAULTS | BODY, kvp_faults_add },
    { "GET", ".faults", "FaultsList", "faults/list/action", NULL,
      "securitydomain/faults/read/action", FAULTS, kvp_faults_list },
    { "DELETE", ".faults", "FaultsDelete", "faults/delete", NULL,
      "securitydomain/faults/delete/action", FAULTS, kvp_faults_delete },

    /* Any role that may read keys may have random bytes; no role names an action of its own. */
    { "POST", "rng", "KeyRng", NULL, NULL, "keys/read/action", HSM | BODY, kvp_hsm_random },
};
const size_t kvp_route_count = KVP_ARRAY_LEN(kvp_routes);

/* Compare one segment of @pattern with @segment; *pattern moves behind it. */
static bool match_segment(const char **pattern, const char *segment, const char **ret_name,
                          const char **ret_version)
{
    size_t len = strcspn(*pattern, "/");
    char literal[48];

    if (strncmp(*pattern, "{name}", len) == 0 || strncmp(*pattern, "{tenant}", len) == 0) {
        *ret_name = segment;
    } else if (strncmp(*pattern, "{version}", len) == 0) {
        *ret_version = segment;
    } else {
        if (len >= sizeof(literal))
            return false;
        memcpy(literal, *pattern, len);
        literal[len] = '\0';
        if (kvp_ident_casecmp(literal, segment) != 0)
            return false;
    }
    *pattern += len;
    if (**pattern == '/')
        (*pattern)++;
    return true;
}

static bool match_path(const char *pattern, const kvp_exchange *ex, const char **ret_name,
                       const char **ret_version)
{
    *ret_name = "";
    *ret_version = "";
    for (size_t i = 0; i < ex->segment_count; i++) {
        if (*pattern == '\0' || !match_segment(&pattern, ex->segments[i], ret_name, ret_version))
            return false;
    }
    return *pattern == '\0';
}

int kvp_route_match(kvp_exchange *ex, bool open)
{
    unsigned kind = kvp_exchange_is_hsm(ex) ? KVP_ROUTE_HSM : KVP_ROUTE_VAULT;
    int result = 404;

    if (ex->segment_count == 0 || ex->segment_count > KVP_EXCHANGE_SEGMENTS)
        return 404;
    for (size_t i = 0; i < kvp_route_count; i++) {
        const kvp_route *route = &kvp_routes[i];
        const char *name, *version;
        if (((route->flags & KVP_ROUTE_OPEN) != 0) != open || !(route->flags & kind) ||
            ((route->flags & KVP_ROUTE_FAULTS) && !ex->daemon->faults) ||
            !match_path(route->pattern, ex, &name, &version))
            continue;
        if (strcmp(route->method, ex->method) == 0) {
            ex->route = route;
            ex->name = name;
            ex->version = version;
            return 0;
        }
        result = 405;
    }
    return result;
}
