/* SPDX-License-Identifier: MIT */
/* The ready-to-use kvpkcs11.conf in the data directory. */
#ifndef KVP_VAULTD_CLIENT_CONF_H
#define KVP_VAULTD_CLIENT_CONF_H

#include "base/buf.h"
#include "vaultd/store.h"

/** The text of a new file; @ret should be secret, it holds @client_secret. */
kvp_status kvp_client_conf_format(const kvp_vault_info *vault, const char *url,
                                  const char *client_id, const char *client_secret, kvp_buf *ret);

/**
 * @text with the values of `url` and `authority` in section [vault:@name] set to @url and the rest
 * untouched. *ret_changed says whether anything differed.
 */
kvp_status kvp_client_conf_retarget(const char *text, const char *name, const char *url,
                                    kvp_buf *ret, bool *ret_changed);

#endif
