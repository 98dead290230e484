/* SPDX-License-Identifier: MIT */
/*
 * One request and its answer, apart from how they travel: the HTTP front fills the upper half, the
 * handlers of the routes read it and fill the lower half. An exchange belongs to one thread.
 */
#ifndef KVP_VAULTD_EXCHANGE_H
#define KVP_VAULTD_EXCHANGE_H

#include "base/buf.h"
#include "vaultd/engine.h"
#include "vaultd/faults.h"
#include "vaultd/key_cache.h"
#include "vaultd/refusal.h"
#include "vaultd/store.h"
#include "vaultd/throttle.h"
#include "vaultd/usage_log.h"

#include <jansson.h>
#include <stdbool.h>

#define KVP_EXCHANGE_BODY_MAX ((size_t)512 * 1024) /**< bytes of a request body */
#define KVP_BACKUP_MAX ((size_t)8 * 1024 * 1024)   /**< bytes of a backup, before its base64url */
/** A body that brings a backup back is longer, and taken from those only who have a token. */
#define KVP_EXCHANGE_RESTORE_MAX (KVP_BACKUP_MAX / 3 * 4 + 4096)
#define KVP_EXCHANGE_SEGMENTS 6                    /**< of the longest path */
#define KVP_EXCHANGE_HEADERS 24
#define KVP_HOSTS_MAX 6
#define KVP_ID_SIZE 640 /**< of any identifier we write, with the NUL */

/** What all requests share; constant while requests are served. */
typedef struct kvp_daemon {
    kvp_store *store;
    kvp_key_cache *cache;
    kvp_usage_log *log;
    kvp_vault_info vault;           /**< the default one; in an exchange the one asked for */
    char hosts[KVP_HOSTS_MAX][256]; /**< names we are reached under, as a URL has them; the first is
                                       the canonical one */
    size_t host_count;
    unsigned port;
    int token_lifetime_s;
    int certificate_delay_s; /**< how long a self-signed certificate stays in progress */
    kvp_token *token;        /**< home of -HSM keys; NULL = they live as the others do */
    kvp_faults *faults;      /**< NULL = none can be ordered */
    kvp_throttle *throttle;  /**< NULL = nothing is throttled */
} kvp_daemon;

typedef struct kvp_route kvp_route;

typedef struct kvp_exchange {
    /** The daemon as this request sees it: its vault is the one that the Host names. */
    const kvp_daemon *daemon;
    kvp_daemon view; /**< what daemon points to */
    bool local;      /**< by an admin sub-command: whoever has the directory may all */

    /* What came. Owned strings; NULL = the header is absent. */
    char *method;
    char *target;        /**< path and query as they stood in the request line */
    char *host;          /**< Host */
    char *authorization; /**< wiped with the exchange */
    char *accept;        /**< Accept */
    char *user_agent;
    char *client_request_id;
    char peer[64]; /**< the client's address */
    bool peer_is_v6;
    const char *tls_version; /**< `TLS1_3`, "" without TLS */
    kvp_buf body;            /**< a secret buffer */
    bool body_too_large;     /**< body was not kept */

    /* What was read from it. Strings live in parts. */
    char base_url[300];  /**< `https://HOST[:PORT]` as the client sees us */
    char host_name[256]; /**< HOST of base_url */
    char *parts;         /**< owned, cut into segments and query */
    const char *segments[KVP_EXCHANGE_SEGMENTS];
    size_t segment_count;       /**< more than the array: no route has so many */
    const char *query;          /**< undecoded, "" if none */
    const kvp_route *route;     /**< NULL until one matched */
    const char *name, *version; /**< from the route's pattern, decoded; "" if none */
    char api_version[32];
    int api_rank;    /**< of kvp_api_rank, grows with newer versions */
    json_t *json;    /**< the body; an object, or NULL where the route takes none */
    kvp_grant grant; /**< valid once authenticated */
    bool authenticated;
    char assignment[KVP_UUID_SIZE]; /**< what authorized it */

    /* What goes back. */
    int status;               /**< 0 until decided */
    const char *content_type; /**< constant text; NULL = JSON */
    kvp_buf reply;            /**< a secret buffer: plaintexts pass through it */
    struct {
        const char *name;
        char *value;
    } headers[KVP_EXCHANGE_HEADERS];
    size_t header_count;
    char request_id[KVP_UUID_SIZE];
    char error_message[512];   /**< for the usage log */
    const char *algorithm;     /**< for the usage log; constant text */
    char subject[KVP_ID_SIZE]; /**< identifier of what was used, for the usage log */
    int64_t started_us;
    kvp_fault *fault; /**< owned; NULL in ordinary life */
} kvp_exchange;

kvp_exchange *kvp_exchange_new(const kvp_daemon *daemon);
void kvp_exchange_free(kvp_exchange *ex);
KVP_DEFINE_FREEP(kvp_exchange, kvp_exchange_free);

/**
 * Fill the upper half of @ex as one of the daemon's own, or of an administrator's who holds the
 * data directory: from nobody, from nowhere, authenticated. False: no memory.
 */
bool kvp_exchange_make_own(kvp_exchange *ex, const char *method, const char *target,
                           const char *host);

/** Read base_url, segments and query from target and host. False: no memory, or a malformed escape.
 */
bool kvp_exchange_parse(kvp_exchange *ex);

/* vaults.c */
/**
 * Read from Host which of our names the client used (base_url, host_name) and which vault it wants:
 * `NAME.HOST` is the vault NAME, one of our names alone is the default vault, and so is a name that
 * is none of ours. False: there is no vault NAME, or the store cannot be read; @ret_error tells.
 */
bool kvp_exchange_select_vault(kvp_exchange *ex, kvp_error *ret_error);
/** Copy the first label of @host when the rest is one of @daemon's DNS names; false when it is not.
 */
bool kvp_daemon_vault_label(const kvp_daemon *daemon, const char *host, char *dst, size_t size);

/**
 * The whole life of a request: authenticate, find the route, check, authorize, handle; then the
 * headers every answer has and the line in the usage log. Never fails: what goes wrong is an
 * answer.
 */
void kvp_exchange_run(kvp_exchange *ex);

/** The decoded value of query parameter @name in @dst; false if absent, too long or malformed. */
bool kvp_exchange_query(const kvp_exchange *ex, const char *name, char *dst, size_t size);
/** Undo %XX (and, for forms, '+') in place; false on a malformed escape or an encoded NUL. */
bool kvp_exchange_unescape(char *text, bool form);

/** Add a header of the answer; @name is constant text. Copies @value; failure makes the answer a
 * 500. */
void kvp_exchange_header(kvp_exchange *ex, const char *name, const char *value);

/** Answer with a document, which is taken. NULL (out of memory) answers 500. */
void kvp_exchange_reply_take(kvp_exchange *ex, int status, json_t *document);

/** Answer 500 for a failure inside, with a line for the operator; 404 where @error says not found
 * is the caller's. */
void kvp_exchange_failed(kvp_exchange *ex, const kvp_error *error);

/** Whether the vault is a Managed HSM. */
bool kvp_exchange_is_hsm(const kvp_exchange *ex);
/** Whether the request's api-version is @version or newer. */
bool kvp_exchange_since(const kvp_exchange *ex, const char *version);

/* Members of a JSON object. Each returns false after refusing the request: a member of the wrong
 * type, or a required one that is absent. JSON null counts as absent. Outputs keep their value when
 * an optional member is absent. */
bool kvp_member_string(kvp_exchange *ex, const json_t *object, const char *name, bool required,
                       const char **ret);
bool kvp_member_integer(kvp_exchange *ex, const json_t *object, const char *name, bool required,
                        json_int_t *ret);
bool kvp_member_boolean(kvp_exchange *ex, const json_t *object, const char *name, bool *ret);
/** base64url; @ret is a buffer of the caller's, empty after a refusal. */
bool kvp_member_bytes(kvp_exchange *ex, const json_t *object, const char *name, bool required,
                      kvp_buf *ret);
/** Borrowed; NULL when absent. */
bool kvp_member_object(kvp_exchange *ex, const json_t *object, const char *name,
                       const json_t **ret);
bool kvp_member_array(kvp_exchange *ex, const json_t *object, const char *name, const json_t **ret);

/** Text of @document, compact, appended to @ret; keys sorted for a Managed HSM, else in their
 * order. */
kvp_status kvp_json_write(const json_t *document, bool sorted, kvp_buf *ret);
/** A JSON string of @len bytes as base64url; NULL without memory. */
json_t *kvp_json_base64url(const void *data, size_t len);

/** The rank of an api-version, 0 for one we do not know; later ones have higher ranks. */
int kvp_api_rank(const char *version);
extern const char *const kvp_api_versions[];
extern const size_t kvp_api_version_count;

/* bearer.c */
/** Check the token; true, or a 401 with its challenge. */
bool kvp_exchange_authenticate(kvp_exchange *ex);
/** How long the body may be, judged by what came before it: method, target and authorization. */
size_t kvp_exchange_body_limit(const kvp_exchange *ex);
/** The audience a token for this host must be for: `https://HOST`, or its parent domain. */
void kvp_exchange_resource(const char *host, char *dst, size_t size);
/** Whether @audience is that of one of our hosts. */
bool kvp_daemon_owns_audience(const kvp_daemon *daemon, const char *audience);

#endif
