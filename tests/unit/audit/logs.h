/* SPDX-License-Identifier: MIT */
/* A directory and a pair of logs for each test of the audit room. */
#ifndef KVP_TESTS_AUDIT_LOGS_H
#define KVP_TESTS_AUDIT_LOGS_H

#include "audit/audit.h"

extern char dir[128];
extern kvp_audit *audit;
extern char content[200000]; /**< what read_file read last */
extern const kvp_audit_event sign_event;

/** Fixture: a fresh directory; and freeing the logs and the files of this room's tests. */
void make_dir(void);
void drop_dir(void);
/** The path of a file in it; good for the thread's next seven calls. */
char *in_dir(const char *name);
/** Make `audit`, with a log to files named audit and log, or of other kinds. */
void start(kvp_sink_kind audit_kind, char *audit_path, kvp_sink_kind log_kind, char *log_path);
void start_files(void);
const char *read_file(const char *path);
size_t count_lines(const char *text);

#endif
