/* SPDX-License-Identifier: MIT */
/*
 * Throttling as the service publishes it (wire reference, section 10): transactions per ten seconds
 * and vault, weighted by the key and enforced on their sum. A Managed HSM has no such limits.
 */
#ifndef KVP_VAULTD_THROTTLE_H
#define KVP_VAULTD_THROTTLE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct kvp_exchange;
struct kvp_key_record;

typedef struct kvp_throttle kvp_throttle;

#define KVP_THROTTLE_WINDOW_MS 10000

/** What is counted together. */
typedef enum kvp_throttle_pot {
    KVP_POT_HSM_CREATE,
    KVP_POT_HSM_USE,
    KVP_POT_SOFTWARE_CREATE,
    KVP_POT_SOFTWARE_USE,
    KVP_POT_SECRET_CREATE,
    KVP_POT_VAULT, /**< everything else */
    KVP_POT_COUNT
} kvp_throttle_pot;

/** A row a kind of key: how many transactions a pot has room for when all are of this kind. */
typedef struct kvp_throttle_row {
    const char *kty; /**< without `-HSM` */
    unsigned bits;   /**< 0 = any */
    unsigned limits[KVP_POT_SOFTWARE_USE + 1];
} kvp_throttle_row;
extern const kvp_throttle_row kvp_throttle_rows[];
extern const size_t kvp_throttle_row_count;

kvp_throttle *kvp_throttle_new(void) KVP_WARN_UNUSED;
void kvp_throttle_free(kvp_throttle *throttle);

/**
 * Take one transaction of which @limit fill the pot. Returns 0 when it may go on, else the seconds
 * to wait; what is refused is not counted. Thread-safe.
 */
int kvp_throttle_take(kvp_throttle *throttle, int64_t vault, kvp_throttle_pot pot, unsigned limit,
                      int64_t now_ms);

/** For requests about no key in particular. False after refusing with 429; true where nothing is
 * throttled. */
bool kvp_throttle_request(struct kvp_exchange *ex);
/** For making (@create) or using a key of type @kty and @bits. The same result. */
bool kvp_throttle_key(struct kvp_exchange *ex, const char *kty, unsigned bits, bool create);

#endif
