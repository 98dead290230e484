/* SPDX-License-Identifier: MIT */
/*
 * Sealing of private key material before it is stored: AES-256-GCM with the storage key. The
 * associated text says what is sealed and where it belongs, so that a row that was moved or whose
 * public half was exchanged does not open.
 */
#ifndef KVP_VAULTD_SEAL_H
#define KVP_VAULTD_SEAL_H

#include "base/buf.h"
#include "base/error.h"

#define KVP_SEAL_KEY_LEN 32

typedef struct kvp_seal {
    uint8_t key[KVP_SEAL_KEY_LEN];
} kvp_seal;

/** Append nonce, ciphertext and tag to @ret. KVP_ERR_CRYPTO, KVP_ERR_NO_MEMORY. Thread-safe. */
kvp_status kvp_seal_close(const kvp_seal *seal, const char *belongs_to, const void *plain,
                          size_t len, kvp_buf *ret, kvp_error *reterr);

/** The opposite, into a secret buffer. KVP_ERR_MISMATCH: another key, another place, or changed. */
kvp_status kvp_seal_open(const kvp_seal *seal, const char *belongs_to, const void *sealed,
                         size_t len, kvp_buf *ret, kvp_error *reterr);

#endif
