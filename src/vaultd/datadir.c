/* SPDX-License-Identifier: MIT */
/* The data directory: see the header. */
#include "vaultd/datadir.h"

#include "base/alloc.h"
#include "vaultd/client_conf.h"
#include "vaultd/files.h"
#include "vaultd/note.h"
#include "vaultd/roles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define VAULT_NAME "dev"
#define RECOVERABLE_DAYS 90

static void free_text(char **text)
{
    kvp_free(*text);
}

char *kvp_datadir_file(const kvp_datadir *dir, const char *name)
{
    return kvp_asprintf("%s/%s", dir->path, name);
}

static bool is_empty(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *entry;
    bool empty = true;

    while (d && (entry = readdir(d)) && empty)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (d)
        closedir(d);
    return empty;
}

static kvp_status make_directory(const char *path, kvp_error *reterr)
{
    if (mkdir(path, 0700) == 0)
        return KVP_OK;
    if (errno != EEXIST)
        return kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", path, strerror(errno));
    return KVP_OK;
}

static kvp_status take_lock(kvp_datadir *dir, const char *lock_path, kvp_error *reterr)
{
    char text[32] = "";

    dir->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (dir->lock_fd < 0)
        return kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", lock_path, strerror(errno));
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t len = read(dir->lock_fd, text, sizeof(text) - 1);
        text[len > 0 ? len : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return kvp_error_set(reterr, KVP_ERR_REFUSED,
                             "%s is in use by another keyvaultd (process %s)", dir->path, text);
    }
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(dir->lock_fd, 0) != 0 || write(dir->lock_fd, text, (size_t)len) != len)
        return kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", lock_path, strerror(errno));
    return KVP_OK;
}

kvp_status kvp_datadir_take(const char *path, kvp_datadir *ret_dir, kvp_error *reterr)
{
    kvp_datadir dir = { kvp_strdup(path), -1 };
    KVP_CLEANUP(free_text) char *lock_path = kvp_asprintf("%s/%s", path, KVP_DATADIR_LOCK);
    kvp_status status = dir.path && lock_path ? make_directory(path, reterr) : KVP_ERR_NO_MEMORY;

    if (status == KVP_OK && !kvp_file_exists(lock_path)) {
        if (!is_empty(path))
            status = kvp_error_set(reterr, KVP_ERR_REFUSED,
                                   "%s is not empty and is no data directory of keyvaultd", path);
        else if (chmod(path, 0700) != 0)
            status = kvp_error_set(reterr, KVP_ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (status == KVP_OK)
        status = take_lock(&dir, lock_path, reterr);
    if (status != KVP_OK) {
        kvp_datadir_clear(&dir);
        return status;
    }
    *ret_dir = dir;
    return KVP_OK;
}

void kvp_datadir_clear(kvp_datadir *dir)
{
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    kvp_free(dir->path);
    *dir = (kvp_datadir){ NULL, -1 };
}

/* Read or, where @make, make the 32 bytes. */
static kvp_status storage_key(const kvp_datadir *dir, bool make, kvp_seal *ret, kvp_error *reterr)
{
    KVP_CLEANUP(free_text) char *path = kvp_datadir_file(dir, KVP_DATADIR_STORAGE_KEY);
    kvp_buf text = KVP_BUF_INIT_SECRET(4096);
    kvp_status status = path ? kvp_file_read(path, &text, reterr) : KVP_ERR_NO_MEMORY;

    if (status == KVP_ERR_NOT_FOUND && make) {
        if (RAND_priv_bytes(ret->key, sizeof(ret->key)) != 1)
            return kvp_error_set(reterr, KVP_ERR_CRYPTO, "no random numbers");
        return kvp_file_write(path, ret->key, sizeof(ret->key), 0600, reterr);
    }
    if (status == KVP_ERR_NOT_FOUND)
        kvp_error_set(reterr, status,
                      "the storage key %s is missing: without it the keys in %s cannot be read",
                      path, dir->path);
    if (status == KVP_OK)
        status = kvp_file_check_private(path, reterr);
    if (status == KVP_OK && text.len != sizeof(ret->key))
        status = kvp_error_set(reterr, KVP_ERR_PARSE, "%s does not hold a storage key", path);
    if (status == KVP_OK)
        memcpy(ret->key, text.data, sizeof(ret->key));
    kvp_buf_clear(&text);
    return status;
}

kvp_status kvp_principal_make(const char *name, kvp_principal *ret, char secret[KVP_SECRET_SIZE],
                              kvp_error *reterr)
{
    kvp_principal principal = { .created = kvp_ident_now() };

    if (*name == '\0' || strlen(name) >= sizeof(principal.name))
        return kvp_error_set(reterr, KVP_ERR_INVALID, "a principal's name has 1 to %zu bytes",
                             sizeof(principal.name) - 1);
    kvp_copy_printable(principal.name, sizeof(principal.name), name);
    if (kvp_ident_uuid(principal.client_id) != KVP_OK ||
        kvp_ident_uuid(principal.object_id) != KVP_OK || kvp_ident_secret(secret) != KVP_OK ||
        kvp_ident_digest(secret, principal.secret_digest) != KVP_OK)
        return kvp_error_set(reterr, KVP_ERR_CRYPTO, "no random numbers");
    *ret = principal;
    return KVP_OK;
}

static kvp_status write_pair(const kvp_datadir *dir, const char *cert_name, const char *key_name,
                             const kvp_cert_pair *pair, kvp_error *reterr)
{
    KVP_CLEANUP(free_text) char *cert_path = kvp_datadir_file(dir, cert_name);
    KVP_CLEANUP(free_text) char *key_path = kvp_datadir_file(dir, key_name);

    if (!cert_path || !key_path)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "certificate");
    kvp_status status = kvp_file_write(key_path, pair->key.data, pair->key.len, 0600, reterr);
    if (status == KVP_OK)
        status =
            kvp_file_write(cert_path, pair->certificate.data, pair->certificate.len, 0644, reterr);
    return status;
}

static kvp_status read_pair(const kvp_datadir *dir, const char *cert_name, const char *key_name,
                            kvp_cert_pair *ret, kvp_error *reterr)
{
    KVP_CLEANUP(free_text) char *cert_path = kvp_datadir_file(dir, cert_name);
    KVP_CLEANUP(free_text) char *key_path = kvp_datadir_file(dir, key_name);

    if (!cert_path || !key_path)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "certificate");
    ret->key.secret = true;
    kvp_status status = kvp_file_read(cert_path, &ret->certificate, reterr);
    if (status == KVP_OK)
        status = kvp_file_read(key_path, &ret->key, reterr);
    return status;
}

static kvp_status make_authority(const kvp_datadir *dir, kvp_error *reterr)
{
    kvp_cert_pair pair = { .certificate = KVP_BUF_INIT(0) };
    kvp_status status = kvp_cert_make_authority(&pair, reterr);

    if (status == KVP_OK)
        status = write_pair(dir, KVP_DATADIR_AUTHORITY, KVP_DATADIR_AUTHORITY_KEY, &pair, reterr);
    kvp_cert_pair_clear(&pair);
    return status;
}

static kvp_status write_conf(const kvp_datadir *dir, const kvp_vault_info *vault, const char *url,
                             const kvp_principal *principal, const char *secret, kvp_error *reterr)
{
    KVP_CLEANUP(free_text) char *path = kvp_datadir_file(dir, KVP_DATADIR_CONF);
    kvp_buf text = KVP_BUF_INIT_SECRET(0);
    kvp_status status =
        path ? kvp_client_conf_format(vault, url, principal->client_id, secret, &text)
             : KVP_ERR_NO_MEMORY;

    if (status == KVP_OK)
        status = kvp_file_write(path, text.data, text.len, 0600, reterr);
    kvp_buf_clear(&text);
    return status;
}

/* The store's own row comes last: until it is there, all of this is done again. */
static kvp_status initialise(const kvp_datadir *dir, kvp_store *store, kvp_vault_kind kind,
                             const char *url, kvp_error *reterr)
{
    kvp_vault_info vault = { .kind = kind,
                             .name = VAULT_NAME,
                             .recovery_level = "Recoverable+Purgeable",
                             .recoverable_days = RECOVERABLE_DAYS };
    kvp_principal admin;
    kvp_seal seal;
    char secret[KVP_SECRET_SIZE];
    kvp_status status = kvp_principal_make("administrator", &admin, secret, reterr);

    if (status == KVP_OK &&
        (kvp_ident_uuid(vault.tenant) != KVP_OK || kvp_ident_uuid(vault.subscription) != KVP_OK))
        status = kvp_error_set(reterr, KVP_ERR_CRYPTO, "no random numbers");
    if (status == KVP_OK)
        status = storage_key(dir, true, &seal, reterr);
    if (status == KVP_OK)
        status = make_authority(dir, reterr);
    if (status == KVP_OK)
        status = write_conf(dir, &vault, url, &admin, secret, reterr);
    if (status == KVP_OK)
        status = kvp_store_initialise(store, &seal, &vault, &admin, kvp_role_first[kind], reterr);
    kvp_wipe(secret, sizeof(secret));
    kvp_wipe(&seal, sizeof(seal));
    return status;
}

kvp_status kvp_datadir_open_store(const kvp_datadir *dir, const kvp_vault_kind *kind,
                                  const char *url, kvp_store **ret_store, kvp_vault_info *ret_vault,
                                  kvp_error *reterr)
{
    KVP_CLEANUP(kvp_store_freep) kvp_store *store = NULL;
    KVP_CLEANUP(free_text) char *path = kvp_datadir_file(dir, KVP_DATADIR_STORE);
    KVP_CLEANUP(free_text) char *key_path = kvp_datadir_file(dir, KVP_DATADIR_STORAGE_KEY);
    kvp_vault_info vault;
    kvp_seal seal;

    if (!path || !key_path)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "store");
    /* The store is made first, so a storage key without one means that it was lost. */
    if (!kvp_file_exists(path) && kvp_file_exists(key_path))
        return kvp_error_set(reterr, KVP_ERR_REFUSED, "%s has a storage key but %s is missing",
                             dir->path, KVP_DATADIR_STORE);
    kvp_status status = kvp_store_open(path, &store, reterr);
    if (status == KVP_OK)
        status = kvp_store_vault(store, &vault, reterr);
    if (status == KVP_ERR_NOT_FOUND) {
        status = initialise(dir, store, kind ? *kind : KVP_VAULT_STANDARD, url, reterr);
        if (status == KVP_OK)
            status = kvp_store_vault(store, &vault, reterr);
    }
    if (status == KVP_OK && kind && *kind != vault.kind)
        status = kvp_error_set(reterr, KVP_ERR_REFUSED, "%s holds a %s, not a %s", dir->path,
                               kvp_vault_kind_names[vault.kind], kvp_vault_kind_names[*kind]);
    if (status == KVP_OK)
        status = storage_key(dir, false, &seal, reterr);
    if (status == KVP_OK)
        status = kvp_store_unlock(store, &seal, reterr);
    kvp_wipe(&seal, sizeof(seal));
    if (status != KVP_OK)
        return status;
    *ret_store = KVP_STEAL(store);
    *ret_vault = vault;
    return KVP_OK;
}

kvp_status kvp_datadir_admin_store(const char *path, kvp_store **ret_store,
                                   kvp_vault_info *ret_vault, kvp_error *reterr)
{
    KVP_CLEANUP(kvp_store_freep) kvp_store *store = NULL;
    KVP_CLEANUP(free_text) char *file = kvp_asprintf("%s/%s", path, KVP_DATADIR_STORE);

    if (!file)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "store");
    if (!kvp_file_exists(file))
        return kvp_error_set(reterr, KVP_ERR_NOT_FOUND,
                             "%s holds no vault: start keyvaultd --data %s first", path, path);
    kvp_status status = kvp_store_open(file, &store, reterr);
    if (status == KVP_OK)
        status = kvp_store_vault(store, ret_vault, reterr);
    if (status == KVP_OK)
        *ret_store = KVP_STEAL(store);
    return status;
}

kvp_status kvp_datadir_unlock(const char *path, kvp_store *store, kvp_error *reterr)
{
    kvp_datadir dir = { kvp_strdup(path), -1 };
    kvp_seal seal;
    kvp_status status = dir.path ? storage_key(&dir, false, &seal, reterr) : KVP_ERR_NO_MEMORY;

    if (status == KVP_OK)
        status = kvp_store_unlock(store, &seal, reterr);
    kvp_wipe(&seal, sizeof(seal));
    kvp_datadir_clear(&dir);
    return status;
}

kvp_status kvp_datadir_tls(const kvp_datadir *dir, const char *const *hosts, size_t host_count,
                           kvp_cert_pair *ret_pair, kvp_error *reterr)
{
    kvp_cert_pair server = { .certificate = KVP_BUF_INIT(0) }, authority = server;
    kvp_status status = read_pair(dir, KVP_DATADIR_SERVER, KVP_DATADIR_SERVER_KEY, &server, reterr);

    if (status == KVP_ERR_NOT_FOUND ||
        (status == KVP_OK && !kvp_cert_serves(&server.certificate, hosts, host_count))) {
        kvp_cert_pair_clear(&server);
        status =
            read_pair(dir, KVP_DATADIR_AUTHORITY, KVP_DATADIR_AUTHORITY_KEY, &authority, reterr);
        if (status == KVP_OK)
            status = kvp_cert_make_server(&authority, hosts, host_count, &server, reterr);
        if (status == KVP_OK)
            status = write_pair(dir, KVP_DATADIR_SERVER, KVP_DATADIR_SERVER_KEY, &server, reterr);
        kvp_cert_pair_clear(&authority);
    }
    if (status == KVP_OK)
        *ret_pair = server;
    else
        kvp_cert_pair_clear(&server);
    return status;
}

kvp_status kvp_datadir_retarget(const kvp_datadir *dir, const char *name, const char *url,
                                kvp_error *reterr)
{
    KVP_CLEANUP(free_text) char *path = kvp_datadir_file(dir, KVP_DATADIR_CONF);
    kvp_buf text = KVP_BUF_INIT_SECRET(0), changed_text = KVP_BUF_INIT_SECRET(0);
    bool changed = false;
    kvp_status status = path ? kvp_file_read(path, &text, reterr) : KVP_ERR_NO_MEMORY;

    if (status == KVP_ERR_NOT_FOUND) {
        kvp_note("%s was removed and is not made again: it held a secret that only it knew", path);
        status = KVP_OK;
    } else if (status == KVP_OK) {
        status = kvp_client_conf_retarget(kvp_buf_str(&text), name, url, &changed_text, &changed);
        if (status == KVP_OK && changed)
            status = kvp_file_write(path, changed_text.data, changed_text.len, 0600, reterr);
    }
    kvp_buf_clear(&text);
    kvp_buf_clear(&changed_text);
    return status;
}
