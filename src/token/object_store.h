/* SPDX-License-Identifier: MIT */
/*
 * The objects of one slot: records by name, session objects, handles, and how long what the vault
 * said is believed. For the object files of this room; others use object.h.
 *
 * How old an answer may be. A listing, and each answer about one key, is believed for
 * KVP_OBJECT_AGE_MS: searches within it make no request, so that a client that searches by class,
 * by class and id, and again before each signature costs one request and no more. The first search
 * after it asks again: a rotation, a new key, a deletion or a changed tag shows up at the latest at
 * the first search that starts KVP_OBJECT_AGE_MS after it. What this process itself changes shows
 * at once. Handles never change their meaning, whatever their age: they are pinned to a version.
 *
 * A document is kept as long as list pages show nothing new about its key. They tell `created` and
 * `updated` in whole seconds and no version, so a document that was read within KVP_SETTLE_US of
 * the last change could hide a second one in the same second: it is read again with the next
 * listing.
 */
#ifndef KVP_TOKEN_OBJECT_STORE_H
#define KVP_TOKEN_OBJECT_STORE_H

#include "token/record.h"
#include "token/slot.h"

#define KVP_OBJECT_AGE_MS 5000
#define KVP_SETTLE_US ((int64_t)60 * 1000000)
/** Names known to be absent that are remembered at a time. */
#define KVP_MISSING_MAX 64

struct kvp_object_store {
    kvp_slot *slot;          /**< borrowed */
    kvp_lock lock;           /**< KVP_RANK_OBJECT; guards what follows */
    kvp_record **current;    /**< owned; current versions that are shown, by name without case */
    size_t count, size;
    kvp_record *others;      /**< older versions, gone and disabled keys, whose handles stay */
    kvp_record *sessions;    /**< session objects, and profiles, which are not the vault's either */
    struct kvp_handle_entry {
        CK_OBJECT_HANDLE handle;
        kvp_object *object;
    } *handles;              /**< ascending */
    size_t handle_count, handle_size;
    int64_t listed_ms;       /**< when the listing that we believe was begun; INT64_MIN: none */
    int64_t changed_ms;      /**< when this process last changed something */
    struct kvp_missing {
        char name[KVP_NAME_MAX + 1];
        int64_t checked_ms;
    } missing[KVP_MISSING_MAX];
    unsigned missing_next;
};

/** The credential is the PIN: nothing can be read before C_Login, and all is CKA_PRIVATE. */
bool kvp_slot_needs_login(const kvp_slot *slot);
/** Token and private objects are visible: no login is needed, or it was done. */
bool kvp_slot_is_open(kvp_slot *slot);
/** The vault, or NULL with call->error filled (the configuration's mistake). */
kvp_vault *kvp_slot_vault(kvp_call *call, kvp_slot *slot);

/** Refuse by a row of error_table.c with this @code; the row's CK_RV. */
CK_RV kvp_object_refuse(kvp_call *call, kvp_call_kind kind, const char *code, const char *fmt, ...)
    KVP_PRINTF(4, 5);

/* ---- pins (object_store.c); _locked: the store's lock is held ---- */
static inline void kvp_record_pin_locked(kvp_record *record)
{
    record->pins++;
}
void kvp_record_unpin(kvp_record *record);
/** Owned array of pinned records. */
typedef struct kvp_record_list {
    kvp_record **items;
    size_t count, size;
} kvp_record_list;
void kvp_record_list_clear(kvp_record_list *list);
/** Pins @record for the list. */
kvp_status kvp_record_list_add_locked(kvp_record_list *list, kvp_record *record) KVP_WARN_UNUSED;

/** The handle of an object, made at its first use; CK_INVALID_HANDLE when memory is short. */
CK_OBJECT_HANDLE kvp_object_handle_locked(kvp_object *object);
CK_OBJECT_HANDLE kvp_object_handle(kvp_object *object);

/** A snapshot of a pinned record's object. Takes the store's lock for its flags. */
void kvp_object_view(const kvp_object *object, kvp_view *ret);

/** New record with @document (taken, freed on failure), not yet in any list. NULL: no memory. */
kvp_record *kvp_record_new(kvp_object_store *store, const char *name, kvp_document *document);
void kvp_record_free(kvp_record *record);
/** Make @document (taken) the record's own; the old one is kept for those who read it. */
void kvp_record_publish_locked(kvp_record *record, kvp_document *document);
/** Which objects the record has, from its document and the kind of vault. */
void kvp_record_classify_locked(kvp_record *record);
/** Take the record out of every list and its handles out of the table; freed with the last pin. */
void kvp_record_kill_locked(kvp_record *record);
/** Link into @head. */
void kvp_record_link_locked(kvp_record **head, kvp_record *record);
void kvp_record_unlink_locked(kvp_record *record);

/* ---- what the vault said (object_records.c) ---- */
/** The current version of @name, or NULL. */
kvp_record *kvp_store_current_locked(kvp_object_store *store, const char *name)
    KVP_REQUIRES(store->lock);
/** Another version of @name that has handles, or NULL. */
kvp_record *kvp_store_other_locked(kvp_object_store *store, const char *name, const char *version)
    KVP_REQUIRES(store->lock);

/**
 * Take in a whole listing that was begun at @start_ms. Empties @list. KVP_ERR_NO_MEMORY leaves the
 * store as it was.
 */
kvp_status kvp_store_merge(kvp_object_store *store, kvp_entry_list *list, int64_t start_ms);

/** When a bundle was asked for. */
typedef struct kvp_read_time {
    int64_t mono_ms, wall_us;
} kvp_read_time;
kvp_read_time kvp_read_time_now(void);

/**
 * Take in a bundle that was asked for at @when, as the current version of its name (@current) or as
 * the version that was named. Takes @key. @ret is pinned; NULL when the key is not shown (disabled,
 * or filtered by the configuration). KVP_ERR_NO_MEMORY.
 */
kvp_status kvp_store_put(kvp_object_store *store, kvp_key *key, bool current, kvp_read_time when,
                         kvp_record **ret);
/** The bundle of a pinned record that so far was only listed; keeps an earlier one. Takes @key. */
kvp_status kvp_record_set_loaded(kvp_record *record, kvp_key *key, kvp_read_time when);
/** This process changed the key and got this bundle for it. Takes @key. */
kvp_status kvp_record_set_changed(kvp_record *record, kvp_key *key, kvp_read_time when);
/** The vault has no such name (any more), asked at @start_ms. */
void kvp_store_put_missing(kvp_object_store *store, const char *name, int64_t start_ms);
/** This process has changed something: a listing that is on its way is out of date. */
void kvp_store_changed(kvp_object_store *store);
/** This process has deleted the key: all its records and handles end. */
void kvp_store_deleted(kvp_object_store *store, const char *name);

/** What is known about one name at this moment. */
typedef enum kvp_known {
    KVP_KNOWN_NOT,     /**< nothing, or too old: ask */
    KVP_KNOWN_PRESENT, /**< @ret is pinned */
    KVP_KNOWN_ABSENT
} kvp_known;
kvp_known kvp_store_known(kvp_object_store *store, const kvp_key_ref *ref, kvp_record **ret);
/** Whether the last listing is still believed. */
bool kvp_store_is_listed(kvp_object_store *store);
/** Pin every current version (@token), every session object and profile (@sessions) into @ret. */
kvp_status kvp_store_snapshot(kvp_object_store *store, bool token, bool sessions,
                              kvp_record_list *ret);
/** Pin the records that the last listing could not settle. */
kvp_status kvp_store_unsettled(kvp_object_store *store, kvp_record_list *ret);

/**
 * Handles of the first @max token objects that match, beside any search of the application's
 * (find.c).
 */
CK_RV kvp_find_handles(kvp_call *call, kvp_session *session, const CK_ATTRIBUTE *attrs,
                       CK_ULONG count, CK_OBJECT_HANDLE *ret, size_t max, size_t *ret_count);

/* ---- reading (object_load.c) ---- */
/** A loaded bundle for each of @records that lacks one, in parallel; some may stay without. */
CK_RV kvp_records_load(kvp_call *call, kvp_object_store *store, kvp_record_list *records);

#endif
