/* SPDX-License-Identifier: MIT */
/* A table of what was read lately: a slot holds one thing, the next of the same slot replaces it.
 */
#include "vaultd/store_recent.h"

#include "base/alloc.h"
#include "base/lock.h"

#include <stddef.h>
#include <string.h>

#define SLOTS 4096
#define NAME_BYTES 256 /* of a key of the table; what has longer names is not kept */

/* SQLite's WAL-index format: two copies of a header of 48 bytes stand at the start of the first
 * block of 32 KiB; the byte at 12 says that they are initialised. */
#define INDEX_BLOCK 32768
#define INITIALISED_WORD 3

typedef enum sort { GRANT, VAULT, KEY } sort;

/** What something is found by. */
typedef struct name {
    unsigned char bytes[NAME_BYTES];
    size_t len; /* 0: it does not fit */
} name;

/** Constant while anybody refers to it. */
typedef struct entry {
    int refs; /* atomic */
    kvp_stamp stamp;
    name name;
    size_t len;
    _Alignas(max_align_t) unsigned char data[];
} entry;

struct kvp_recent {
    const volatile uint32_t *index; /* NULL: cannot be seen, and nothing is kept */
    kvp_lock lock;
    entry *slots[SLOTS];
    KVP_GUARDED_BY(lock)
};

/* The memory that SQLite mapped for @db. It stays where it is until the connection is closed; a
 * mapping of our own would need a descriptor, and closing that drops SQLite's locks (fcntl(2)). */
static const volatile uint32_t *find_index(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    volatile void *block = NULL;

    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file ||
        !file->pMethods || file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap(file, 0, INDEX_BLOCK, 0, &block) != SQLITE_OK)
        return NULL;
    return block;
}

kvp_recent *kvp_recent_new(sqlite3 *db)
{
    kvp_recent *recent = kvp_calloc(1, sizeof(*recent));

    if (recent && kvp_lock_init(&recent->lock, KVP_RANK_CACHE) != KVP_OK) {
        kvp_free(recent);
        return NULL;
    }
    if (recent)
        recent->index = find_index(db);
    return recent;
}

static void unref(entry *e)
{
    if (e && __atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL) == 0)
        kvp_free(e);
}

void kvp_recent_free(kvp_recent *recent)
{
    if (!recent)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        unref(recent->slots[i]);
    kvp_lock_clear(&recent->lock);
    kvp_free(recent);
}

/* A writer changes the second copy first; only when both, read the other way round, say the same
 * is the header whole. */
static void read_stamp(const kvp_recent *recent, kvp_stamp *ret)
{
    const volatile uint32_t *first = recent->index;
    uint32_t second[KVP_STAMP_WORDS];

    *ret = (kvp_stamp){ .known = false };
    if (!first)
        return;
    for (size_t i = 0; i < KVP_STAMP_WORDS; i++)
        ret->words[i] = __atomic_load_n(&first[i], __ATOMIC_ACQUIRE);
    for (size_t i = 0; i < KVP_STAMP_WORDS; i++)
        second[i] = __atomic_load_n(&first[KVP_STAMP_WORDS + i], __ATOMIC_ACQUIRE);
    const unsigned char *initialised = (const unsigned char *)&ret->words[INITIALISED_WORD];
    ret->known = *initialised && memcmp(ret->words, second, sizeof(second)) == 0;
}

static void add(name *n, const void *data, size_t len)
{
    if (n->len == 0 || len > sizeof(n->bytes) - n->len) {
        n->len = 0;
        return;
    }
    memcpy(n->bytes + n->len, data, len);
    n->len += len;
}

static void add_text(name *n, const char *text)
{
    add(n, text, strlen(text) + 1);
}

static void begin(name *n, sort what)
{
    n->bytes[0] = (unsigned char)what;
    n->len = 1;
}

/* FNV-1a */
static size_t slot_of(const name *n)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n->len; i++)
        hash = (hash ^ n->bytes[i]) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32) % SLOTS;
}

static bool is(const entry *e, const name *n, const kvp_stamp *stamp)
{
    return e && e->name.len == n->len && memcmp(e->name.bytes, n->bytes, n->len) == 0 &&
           memcmp(e->stamp.words, stamp->words, sizeof(stamp->words)) == 0;
}

/* What is kept of that name in the state of now, to be given back with unref; or NULL. */
static const entry *find(kvp_recent *recent, const name *n, kvp_stamp *ret_stamp)
{
    read_stamp(recent, ret_stamp);
    if (!ret_stamp->known || n->len == 0)
        return NULL;
    kvp_lock_take(&recent->lock);
    entry *e = recent->slots[slot_of(n)];
    if (is(e, n, ret_stamp))
        __atomic_add_fetch(&e->refs, 1, __ATOMIC_RELAXED);
    else
        e = NULL;
    kvp_lock_give(&recent->lock);
    return e;
}

/* An entry for @len bytes of the caller's, to be filled and handed to put(); NULL: not to be kept.
 */
static entry *prepare(const name *n, const kvp_stamp *stamp, size_t len)
{
    entry *e = stamp->known && n->len > 0 ? kvp_calloc(1, sizeof(*e) + len) : NULL;

    if (e) {
        e->refs = 1;
        e->stamp = *stamp;
        e->name = *n;
        e->len = len;
    }
    return e;
}

static void put(kvp_recent *recent, entry *take)
{
    kvp_lock_take(&recent->lock);
    entry **slot = &recent->slots[slot_of(&take->name)];
    entry *old = *slot;
    *slot = take;
    kvp_lock_give(&recent->lock);
    unref(old);
}

static void keep(kvp_recent *recent, const name *n, const kvp_stamp *stamp, const void *data,
                 size_t len)
{
    entry *e = prepare(n, stamp, len);

    if (!e)
        return;
    memcpy(e->data, data, len);
    put(recent, e);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static name name_grant(const uint8_t digest[32], const kvp_vault_info *vault)
{
    name n;

    begin(&n, GRANT);
    add(&n, &vault->id, sizeof(vault->id));
    add(&n, digest, 32);
    return n;
}

bool kvp_recent_grant(kvp_recent *recent, const uint8_t digest[32], const kvp_vault_info *vault,
                      kvp_stamp *ret_stamp, kvp_grant *ret)
{
    name n = name_grant(digest, vault);
    const entry *e = find(recent, &n, ret_stamp);

    if (!e)
        return false;
    memcpy(ret, e->data, e->len);
    unref((entry *)(uintptr_t)e);
    return true;
}

void kvp_recent_keep_grant(kvp_recent *recent, const uint8_t digest[32],
                           const kvp_vault_info *vault, const kvp_stamp *stamp,
                           const kvp_grant *grant)
{
    name n = name_grant(digest, vault);

    /* assignment_count stands before the array, so that the end can be left out. */
    keep(recent, &n, stamp, grant,
         offsetof(kvp_grant, assignments) +
             grant->assignment_count * sizeof(grant->assignments[0]));
}

/* --- vaults ---------------------------------------------------------------------------------- */

static name name_vault(const char *text)
{
    name n;

    begin(&n, VAULT);
    add_text(&n, text);
    return n;
}

bool kvp_recent_vault(kvp_recent *recent, const char *text, kvp_stamp *ret_stamp,
                      kvp_vault_info *ret)
{
    name n = name_vault(text);
    const entry *e = find(recent, &n, ret_stamp);

    if (!e)
        return false;
    memcpy(ret, e->data, sizeof(*ret));
    unref((entry *)(uintptr_t)e);
    return true;
}

void kvp_recent_keep_vault(kvp_recent *recent, const char *text, const kvp_stamp *stamp,
                           const kvp_vault_info *info)
{
    name n = name_vault(text);

    keep(recent, &n, stamp, info, sizeof(*info));
}

/* --- keys: the record, then its strings, each with its NUL ----------------------------------- */

#define STRINGS 4

static void strings_of(kvp_key_record *record, char **ret[STRINGS])
{
    ret[0] = &record->public_json;
    ret[1] = &record->ops_json;
    ret[2] = &record->tags_json;
    ret[3] = &record->policy_json;
}

static name name_key(const kvp_vault_info *vault, const char *text, const char *version)
{
    name n;

    begin(&n, KEY);
    add(&n, &vault->id, sizeof(vault->id));
    add_text(&n, text);
    add_text(&n, version ? version : "");
    return n;
}

bool kvp_recent_key(kvp_recent *recent, const kvp_vault_info *vault, const char *text,
                    const char *version, kvp_stamp *ret_stamp, kvp_key_record *ret)
{
    name n = name_key(vault, text, version);
    const entry *e = find(recent, &n, ret_stamp);
    kvp_key_record record;
    char **strings[STRINGS];
    bool whole = true;

    if (!e)
        return false;
    memcpy(&record, e->data, sizeof(record));
    strings_of(&record, strings);
    const char *p = (const char *)e->data + sizeof(record);
    for (size_t i = 0; i < STRINGS; i++) {
        if (!*strings[i])
            continue;
        *strings[i] = kvp_strdup(p);
        whole = whole && *strings[i];
        p += strlen(p) + 1;
    }
    unref((entry *)(uintptr_t)e);
    if (whole)
        *ret = record;
    else
        kvp_key_record_clear(&record);
    return whole;
}

void kvp_recent_keep_key(kvp_recent *recent, const kvp_vault_info *vault, const char *text,
                         const char *version, const kvp_stamp *stamp, const kvp_key_record *record)
{
    name n = name_key(vault, text, version);
    kvp_key_record copy = *record;
    char **strings[STRINGS];
    size_t len = sizeof(copy);

    strings_of(&copy, strings);
    for (size_t i = 0; i < STRINGS; i++)
        len += *strings[i] ? strlen(*strings[i]) + 1 : 0;
    entry *e = prepare(&n, stamp, len);
    if (!e)
        return;
    memcpy(e->data, &copy, sizeof(copy)); /* its pointers only tell which strings there are */
    unsigned char *p = e->data + sizeof(copy);
    for (size_t i = 0; i < STRINGS; i++) {
        size_t size = *strings[i] ? strlen(*strings[i]) + 1 : 0;
        if (size > 0)
            memcpy(p, *strings[i], size);
        p += size;
    }
    put(recent, e);
}
