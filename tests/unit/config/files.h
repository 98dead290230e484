/* SPDX-License-Identifier: MIT */
/* A directory with configuration files for each test of the config room. */
#ifndef KVP_TESTS_CONFIG_FILES_H
#define KVP_TESTS_CONFIG_FILES_H

#include "config/config.h"

#include <sys/types.h>

/** What the last load gave. */
extern kvp_config *config;
extern kvp_config_problems problems;
extern kvp_error error;
extern char dir[128];

/** Fixture: a fresh directory that is also HOME, and none of the module's variables set. */
void make_dir(void);
void drop_dir(void);
/** The path of a file in it; good for the next three calls. */
const char *in_dir(const char *name);
void write_bytes(const char *path, const char *text, size_t len, mode_t mode);

/** Write test.conf and load it. */
kvp_status load_bytes(const char *text, size_t len);
kvp_status load(const char *text);
/** Load @text, which is fine. */
void load_good(const char *text);
/** Load @text, and expect that exactly one problem is in @line and says @what. */
void load_bad(const char *text, int line, const char *what);
void unload(void);

#endif
