/* SPDX-License-Identifier: MIT */
/* Diagnostics of the daemon for its operator: one line on standard error. */
#ifndef KVP_VAULTD_NOTE_H
#define KVP_VAULTD_NOTE_H

#include "base/cleanup.h"

/** `keyvaultd: …`, a line by a single write. Holds no secret. Thread-safe. */
void kvp_note(const char *fmt, ...) KVP_PRINTF(1, 2);

#endif
