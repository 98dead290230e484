/* SPDX-License-Identifier: MIT */
/* Secret bundles and list items (wire reference, section 6), and backups of secrets and
 * certificates. */
#ifndef KVP_VAULTD_SECRET_DOC_H
#define KVP_VAULTD_SECRET_DOC_H

#include "vaultd/exchange.h"
#include "vaultd/store_objects.h"

/** Answer 200 with a bundle, and have the usage log name the secret. @value NULL: without it. */
void kvp_secret_answer(kvp_exchange *ex, const kvp_secret_record *record, const kvp_buf *value);
json_t *kvp_secret_item(const kvp_exchange *ex, const kvp_secret_record *record, bool with_version);
/** Answer for a failed look-up: 404 in the words for live or deleted secrets, or 500. */
void kvp_secret_missing(kvp_exchange *ex, kvp_key_state state, const kvp_error *error);

/** What all objects of a vault say about themselves; not @levels: without the recovery level. */
typedef struct kvp_common_attributes {
    bool enabled;
    int64_t not_before, expires, created, updated;
} kvp_common_attributes;
json_t *kvp_common_attributes_json(const kvp_exchange *ex, const kvp_common_attributes *attributes,
                                   bool levels);
/** Add a member; NULL for @take (no memory) fails. */
bool kvp_json_add(json_t *object, const char *name, json_t *take);
/** Add a member from JSON text, nothing if that is NULL. */
bool kvp_json_add_text(json_t *object, const char *name, const char *json);
/** recoveryId, deletedDate and scheduledPurgeDate in front, if @deleted is a time. */
bool kvp_json_add_deletion(const kvp_exchange *ex, json_t *object, const char *collection,
                           const char *name, int64_t deleted, int64_t purge);
/** `NAME[/VERSION]` of the path, cut to size, for refusals. */
void kvp_path_id(const kvp_exchange *ex, char *dst, size_t size);
/** Whether the path's name stands for anything, living or deleted: of one that does not a vault
 * says the same, whether it was looked for among the deleted ones or not (recorded). */
bool kvp_name_is_taken(kvp_exchange *ex, kvp_object_kind kind);

/* backup.c */
/** Answer `{"value":…}` with @document, which is taken, sealed with the storage key. */
void kvp_backup_answer(kvp_exchange *ex, kvp_object_kind kind, json_t *document);
/** The document of the request's `value`; NULL after refusing. */
json_t *kvp_backup_read(kvp_exchange *ex, kvp_object_kind kind);

#endif
