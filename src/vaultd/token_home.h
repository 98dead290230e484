/* SPDX-License-Identifier: MIT */
/* Which token a data directory's -HSM keys live in: told to the daemon, remembered for the
 * sub-commands. */
#ifndef KVP_VAULTD_TOKEN_HOME_H
#define KVP_VAULTD_TOKEN_HOME_H

#include "vaultd/options.h"
#include "vaultd/token_hsm.h"

/**
 * Open the token that @options name, NULL if they name none, and remember in the store whose
 * default vault is @vault which it was. Errors of kvp_token_open and of the store.
 */
kvp_status kvp_token_home_open(kvp_store *store, const kvp_vault_info *vault,
                               const kvp_options *options, kvp_token **ret_token,
                               kvp_error *reterr);
/** Open the token that @options name, else the one remembered; NULL if there is neither. */
kvp_status kvp_token_home_reopen(kvp_store *store, const kvp_options *options,
                                 kvp_token **ret_token, kvp_error *reterr);

#endif
