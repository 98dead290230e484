/* SPDX-License-Identifier: MIT */
/*
 * The keeper: a thread that does from time to time what no request asks for, rotating keys by their
 * policies, purging what is due and issuing certificates that had to wait.
 */
#ifndef KVP_VAULTD_KEEPER_H
#define KVP_VAULTD_KEEPER_H

#include "vaultd/exchange.h"

typedef struct kvp_keeper kvp_keeper;

#define KVP_KEEPER_INTERVAL_MS 30000
#define KVP_KEEPER_QUICK_MS 200 /**< where certificates are waited for */

/** Do it once now, at the time of the clock. Failures are noted for the operator. */
void kvp_keeper_round(const kvp_daemon *daemon);

/**
 * Destroy in the token the objects of keys that were purged, except those that backups name. What
 * fails is noted and tried again with the next round.
 */
void kvp_keeper_sweep(const kvp_daemon *daemon);

/** Start a thread that makes a round every @interval_ms. @daemon must outlive it. KVP_ERR_INTERNAL,
 * KVP_ERR_NO_MEMORY. */
kvp_status kvp_keeper_start(const kvp_daemon *daemon, int interval_ms, kvp_keeper **ret_keeper,
                            kvp_error *reterr);
/** Stop and wait for a round under way. Accepts NULL. */
void kvp_keeper_stop(kvp_keeper *keeper);

#endif
