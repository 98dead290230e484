/* SPDX-License-Identifier: MIT */
/* The daemon as a whole: from the command line to a running front, and back. */
#ifndef KVP_VAULTD_DAEMON_H
#define KVP_VAULTD_DAEMON_H

#include "vaultd/options.h"

typedef struct kvp_service kvp_service;

/** Open the data directory, listen and serve. Returns once connections are accepted. */
kvp_status kvp_service_start(const kvp_options *options, kvp_service **ret_service,
                             kvp_error *reterr);
/** Finish running requests and close everything. Accepts NULL. */
void kvp_service_stop(kvp_service *service);
/** `https://HOST:PORT`, borrowed. */
const char *kvp_service_url(const kvp_service *service);
/** Start new log files, after the old ones were renamed. */
kvp_status kvp_service_reopen_logs(kvp_service *service, kvp_error *reterr);

#endif
