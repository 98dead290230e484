/* SPDX-License-Identifier: MIT */
/* Small private files: read whole, replaced whole. */
#ifndef KVP_VAULTD_FILES_H
#define KVP_VAULTD_FILES_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>

/** The whole content, appended to @ret. KVP_ERR_NOT_FOUND when there is no such file, else
 * KVP_ERR_IO. */
kvp_status kvp_file_read(const char *path, kvp_buf *ret, kvp_error *reterr);

/** Replace (or make) @path by rename: whoever reads sees the old or the new content; on disk at
 * return. */
kvp_status kvp_file_write(const char *path, const void *data, size_t len, unsigned mode,
                          kvp_error *reterr);

bool kvp_file_exists(const char *path);

/** KVP_ERR_REFUSED when others than the owner may read @path. */
kvp_status kvp_file_check_private(const char *path, kvp_error *reterr);

#endif
