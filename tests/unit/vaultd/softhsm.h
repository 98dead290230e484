/* SPDX-License-Identifier: MIT */
/* A SoftHSM 2 token in a test vault's directory, for the tests of -HSM keys. */
#ifndef KVP_TEST_VAULTD_SOFTHSM_H
#define KVP_TEST_VAULTD_SOFTHSM_H

#include "support.h"
#include "vaultd/token_hsm.h"

#define KVP_TEST_SKIPPED 77 /**< what a test program returns that has nothing to run */

/** The path of the module, or NULL: SoftHSM is not installed. */
const char *kvp_softhsm_module(void);
/** Make the token `test` with the PIN in @vault's file `pin`, and open it as the vault's. */
void kvp_softhsm_make(kvp_test_vault *vault);
/** Open it (again). */
void kvp_softhsm_open(kvp_test_vault *vault);
/** Close the vault, then its token. */
void kvp_softhsm_close(kvp_test_vault *vault);
/** How many objects the token has. */
size_t kvp_softhsm_count(kvp_test_vault *vault);
void kvp_softhsm_write(const char *path, const char *text);

#endif
