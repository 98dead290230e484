/* SPDX-License-Identifier: MIT */
/*
 * The objects of one slot: a shelf of records by name for each collection of the vault, issuers,
 * session objects, handles, and how long what the vault said is believed. For the object files of
 * this room; others use object.h.
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
 *
 * A collection that the identity may not list is taken as empty, and asked for again after
 * KVP_REFUSED_AGE_MS: most identities may use keys only. Older versions, where they are shown, are
 * listed again when there is a newer one, and after KVP_VERSIONS_AGE_MS.
 */
#ifndef KVP_TOKEN_OBJECT_STORE_H
#define KVP_TOKEN_OBJECT_STORE_H

#include "token/record.h"
#include "token/slot.h"

#define KVP_OBJECT_AGE_MS 5000
#define KVP_SETTLE_US ((int64_t)60 * 1000000)
#define KVP_REFUSED_AGE_MS 60000
#define KVP_VERSIONS_AGE_MS 60000
/** Names known to be absent that are remembered at a time. */
#define KVP_MISSING_MAX 64

/** What is known of one collection. */
typedef struct kvp_shelf {
    kvp_record **records;    /**< owned; current versions that are shown, by name without case */
    size_t count, size;
    int64_t listed_ms;       /**< when the listing that we believe was begun; INT64_MIN: none */
    int64_t refused_ms;      /**< when the vault last refused to list it; INT64_MIN: never */
    struct kvp_missing {
        char name[KVP_NAME_MAX + 1];
        int64_t checked_ms;
    } missing[KVP_MISSING_MAX];
    unsigned missing_next;
} kvp_shelf;

struct kvp_object_store {
    kvp_slot *slot;          /**< borrowed */
    kvp_lock lock;           /**< KVP_RANK_OBJECT; guards what follows */
    kvp_shelf shelves[KVP_COLLECTION_COUNT];
    kvp_record *others;      /**< older versions, gone and disabled entries, whose handles stay */
    kvp_record *issuers;     /**< certificates that came with others, each once (issuers.c) */
    bool chain_file_read;    /**< those of the configured file are among them */
    kvp_record *sessions;    /**< session objects, and profiles, which are not the vault's either */
    struct kvp_handle_entry {
        CK_OBJECT_HANDLE handle;
        kvp_object *object;
    } *handles;              /**< ascending */
    size_t handle_count, handle_size;
    int64_t changed_ms;      /**< when this process last changed something */
    /** Handles of the objects that one which was destroyed took along; see kvp_store_went_along. */
    CK_OBJECT_HANDLE along[32];
    size_t along_next;
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
kvp_record *kvp_record_new(kvp_object_store *store, kvp_record_kind kind, const char *name,
                           kvp_document *document);
void kvp_record_free(kvp_record *record);
/** Make @document (taken) the record's own; the old one is kept for those who read it. */
void kvp_record_publish_locked(kvp_record *record, kvp_document *document);
/** Which objects the record has, from its document and the kind of vault. */
void kvp_record_classify_locked(kvp_record *record);
/** Take the record out of every list and its handles out of the table; freed with the last pin. */
void kvp_record_kill_locked(kvp_record *record);
/** Whether an application has been given a handle of it. */
bool kvp_record_has_handle(const kvp_record *record);
/** Join keys with their certificates, where both are loaded and @record is one of them
 *  (object_pair.c). */
void kvp_record_pair_locked(kvp_object_store *store, kvp_record *record)
    KVP_REQUIRES(store->lock);
/** Link into @head. */
void kvp_record_link_locked(kvp_record **head, kvp_record *record);
void kvp_record_unlink_locked(kvp_record *record);

/** Freed after unlocking: records that ended, linked by next. Takes NULL. */
void kvp_trash_add(kvp_record **trash, kvp_record *record);
void kvp_trash_free(kvp_record *trash);

/* ---- shelves (object_shelf.c) ---- */
/** The current version of @name, or NULL. */
kvp_record *kvp_store_current_locked(kvp_object_store *store, kvp_collection collection,
                                     const char *name) KVP_REQUIRES(store->lock);
/** Another version of @name that is known, or NULL. */
kvp_record *kvp_store_other_locked(kvp_object_store *store, kvp_collection collection,
                                   const char *name, const char *version)
    KVP_REQUIRES(store->lock);
/** Put a record where its name stands; false when memory is short. */
bool kvp_shelf_insert_locked(kvp_object_store *store, kvp_record *record)
    KVP_REQUIRES(store->lock);
/** Take a record off its shelf. */
void kvp_shelf_remove_locked(kvp_record *record);
/**
 * The record is no longer what the vault shows under its name. Its handles stay while it has a
 * document, so that who found it can go on with that version; one that was only listed is nothing.
 */
void kvp_record_retire_locked(kvp_record *record, bool superseded, kvp_record **trash);
void kvp_missing_forget_locked(kvp_object_store *store, kvp_collection collection,
                               const char *name) KVP_REQUIRES(store->lock);
void kvp_missing_note_locked(kvp_object_store *store, kvp_collection collection, const char *name,
                             int64_t start_ms) KVP_REQUIRES(store->lock);

/* ---- what the vault said (object_listing.c, object_records.c) ---- */
/** Whether the configuration shows the entry, and the vault has it enabled. */
bool kvp_entry_is_shown(const kvp_object_store *store, const kvp_entry *entry);
/** Whether the bundle is surely what the list's item shows. */
bool kvp_document_is_settled(const kvp_document *document, const kvp_entry *item);

/**
 * Take in a whole listing of @collection that was begun at @start_ms. Empties @list.
 * KVP_ERR_NO_MEMORY leaves the store as it was.
 */
kvp_status kvp_store_merge(kvp_object_store *store, kvp_collection collection,
                           kvp_entry_list *list, int64_t start_ms);
/** The vault refused to list it: as if it were empty. Returns whether that is new. */
bool kvp_store_refused(kvp_object_store *store, kvp_collection collection, int64_t start_ms);
/** Take in the list of all versions of the name of @record, a pinned current one. Empties @list. */
kvp_status kvp_store_merge_versions(kvp_record *record, kvp_entry_list *list, int64_t start_ms);

/** When a bundle was asked for. */
typedef struct kvp_read_time {
    int64_t mono_ms, wall_us;
} kvp_read_time;
kvp_read_time kvp_read_time_now(void);

/**
 * Take in a bundle that was asked for at @when, as the current version of its name (@current) or as
 * the version that was named. Takes @entry. @ret is pinned; NULL when the entry is not shown
 * (disabled, or filtered by the configuration). KVP_ERR_NO_MEMORY.
 */
kvp_status kvp_store_put(kvp_object_store *store, kvp_entry *entry, bool current,
                         kvp_read_time when, kvp_record **ret);
/** The same for what is known of a current version without its bundle: a list's item. */
kvp_status kvp_store_put_item(kvp_object_store *store, kvp_entry *entry, int64_t start_ms,
                              kvp_record **ret);
/** The bundle of a pinned record that so far was only listed; keeps an earlier one. Takes @entry. */
kvp_status kvp_record_set_loaded(kvp_record *record, kvp_entry *entry, kvp_read_time when);
/** This process changed the entry and got this bundle for it. Takes @entry. */
kvp_status kvp_record_set_changed(kvp_record *record, kvp_entry *entry, kvp_read_time when);
/** The vault has no such name (any more), asked at @start_ms. */
void kvp_store_put_missing(kvp_object_store *store, kvp_collection collection, const char *name,
                           int64_t start_ms);
/** This process has changed something: a listing that is on its way is out of date. */
void kvp_store_changed(kvp_object_store *store);
/**
 * This process has deleted the entry, when the application destroyed @object: all its records and
 * handles end, and those of its other objects went along.
 */
void kvp_store_deleted(kvp_object_store *store, kvp_collection collection, const char *name,
                       const kvp_object *object);
/**
 * Whether @handle was of an object that went along with another, and nobody asked before. To
 * destroy it too is what an application does that deletes a key pair object by object.
 */
bool kvp_store_went_along(kvp_object_store *store, CK_OBJECT_HANDLE handle);

/* ---- what is known (object_known.c) ---- */
/** What is known about one name at this moment. */
typedef enum kvp_known {
    KVP_KNOWN_NOT,     /**< nothing, or too old: ask */
    KVP_KNOWN_PRESENT, /**< @ret is pinned */
    KVP_KNOWN_ABSENT
} kvp_known;
kvp_known kvp_store_known(kvp_object_store *store, kvp_collection collection,
                          const kvp_key_ref *ref, kvp_record **ret);
/** Whether the last listing is still believed. */
bool kvp_store_is_listed(kvp_object_store *store, kvp_collection collection);

/** Collections as bits, and what else a snapshot can take. */
#define KVP_COLLECTION_BIT(collection) (1U << (collection))
enum {
    KVP_SNAPSHOT_VERSIONS = 1 << KVP_COLLECTION_COUNT, /**< older versions of those collections */
    KVP_SNAPSHOT_ISSUERS = 1 << (KVP_COLLECTION_COUNT + 1),
    KVP_SNAPSHOT_SESSIONS = 1 << (KVP_COLLECTION_COUNT + 2), /**< and profiles */
};
/** Pin what @what names into @ret: current versions of collections, and the rest. */
kvp_status kvp_store_snapshot(kvp_object_store *store, unsigned what, kvp_record_list *ret);
/** Pin the records of these collections that the last listing could not settle. */
kvp_status kvp_store_unsettled(kvp_object_store *store, unsigned collections,
                               kvp_record_list *ret);
/** Pin the current records of these collections whose older versions are to be listed (again). */
kvp_status kvp_store_unversioned(kvp_object_store *store, unsigned collections,
                                 kvp_record_list *ret);

/**
 * Handles of the first @max token objects that match, beside any search of the application's
 * (find.c).
 */
CK_RV kvp_find_handles(kvp_call *call, kvp_session *session, const CK_ATTRIBUTE *attrs,
                       CK_ULONG count, CK_OBJECT_HANDLE *ret, size_t max, size_t *ret_count);

/* ---- reading (object_load.c) ---- */
/** A loaded bundle for each of @records that lacks one, in parallel; some may stay without. */
CK_RV kvp_records_load(kvp_call *call, kvp_object_store *store, kvp_record_list *records);

/**
 * The value of a data object's secret, moved into @ret (secret, empty): the one that was put back
 * by kvp_data_give_value a moment ago, else by a GET of the current version.
 */
CK_RV kvp_data_take_value(kvp_call *call, kvp_record *record, kvp_buf *ret);
/** Only the length was wanted, and the value will be next: keep it for that. Takes it out of @value. */
void kvp_data_give_value(kvp_record *record, kvp_buf *value);

/* ---- issuers (issuers.c) ---- */
/**
 * Have the issuers of the certificates in @certificates among store->issuers, as `chain` says where
 * from. What cannot be had is not there; no failure but that of the vault as a whole.
 */
CK_RV kvp_issuers_load(kvp_call *call, kvp_object_store *store,
                       const kvp_record_list *certificates);
/** Pin those issuers to which the certificates in @certificates lead, and that are none of them. */
kvp_status kvp_issuers_of(kvp_object_store *store, const kvp_record_list *certificates,
                          kvp_record_list *ret);

#endif
