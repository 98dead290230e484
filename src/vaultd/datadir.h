/* SPDX-License-Identifier: MIT */
/*
 * The data directory: what lies in it, how an empty one is filled, how an old one is opened. The
 * order in which files are made lets an interrupted first start be repeated.
 */
#ifndef KVP_VAULTD_DATADIR_H
#define KVP_VAULTD_DATADIR_H

#include "vaultd/certs.h"
#include "vaultd/store.h"

#define KVP_DATADIR_LOCK "keyvaultd.lock"
#define KVP_DATADIR_STORE "keyvaultd.db"
#define KVP_DATADIR_STORAGE_KEY "storage.key"
#define KVP_DATADIR_AUTHORITY "ca.pem"
#define KVP_DATADIR_AUTHORITY_KEY "ca.key"
#define KVP_DATADIR_SERVER "server.pem"
#define KVP_DATADIR_SERVER_KEY "server.key"
#define KVP_DATADIR_CONF "kvpkcs11.conf"
#define KVP_DATADIR_LOG "log"
#define KVP_DATADIR_IDENTITY_ENV "identity.env"

typedef struct kvp_datadir {
    char *path;
    int lock_fd; /**< held by the one daemon of this directory; -1 for the admin sub-commands */
} kvp_datadir;

/**
 * Take @path for a daemon: made with mode 0700 if missing. KVP_ERR_REFUSED: another daemon has it,
 * or it is full of other things.
 */
kvp_status kvp_datadir_take(const char *path, kvp_datadir *ret_dir, kvp_error *reterr);
void kvp_datadir_clear(kvp_datadir *dir);
/** `DIR/NAME` in a new string. */
char *kvp_datadir_file(const kvp_datadir *dir, const char *name) KVP_WARN_UNUSED;

/**
 * Open the store, initialising an empty directory first. @kind: NULL = as stored, `vault` if new.
 * @url is what the new kvpkcs11.conf will name. A kind other than the stored one is
 * KVP_ERR_REFUSED.
 */
kvp_status kvp_datadir_open_store(const kvp_datadir *dir, const kvp_vault_kind *kind,
                                  const char *url, kvp_store **ret_store, kvp_vault_info *ret_vault,
                                  kvp_error *reterr);

/** The store of a directory that holds a vault, for admin sub-commands: no lock, no storage key. */
kvp_status kvp_datadir_admin_store(const char *path, kvp_store **ret_store,
                                   kvp_vault_info *ret_vault, kvp_error *reterr);

/** Read the directory's storage key and unlock @store with it, for sub-commands that touch objects.
 */
kvp_status kvp_datadir_unlock(const char *path, kvp_store *store, kvp_error *reterr);

/** The TLS certificate, made anew when it is missing, runs out, or lacks one of @hosts. */
kvp_status kvp_datadir_tls(const kvp_datadir *dir, const char *const *hosts, size_t host_count,
                           kvp_cert_pair *ret_pair, kvp_error *reterr);

/** Have kvpkcs11.conf name @url. A file that was removed is not made again: its secret is unknown.
 */
kvp_status kvp_datadir_retarget(const kvp_datadir *dir, const char *name, const char *url,
                                kvp_error *reterr);

/** A principal with a fresh client id and secret; the caller wipes @secret. */
kvp_status kvp_principal_make(const char *name, kvp_principal *ret, char secret[KVP_SECRET_SIZE],
                              kvp_error *reterr);

#endif
