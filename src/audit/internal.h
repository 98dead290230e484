/* SPDX-License-Identifier: MIT */
/* What the files of this room share: sinks, and what every line begins with. */
#ifndef KVP_AUDIT_INTERNAL_H
#define KVP_AUDIT_INTERNAL_H

#include "audit/audit.h"
#include "base/lock.h"

#include <stdatomic.h>
#include <sys/types.h>

/** Longest line, its newline included. What is longer is cut (diagnostics) or dropped (audit). */
#define KVP_LINE_MAX 8192

typedef struct kvp_sink kvp_sink;

/** A kind of sink: one file each. Functions return 0 or an errno. */
typedef struct kvp_sink_ops {
    const char *default_path;
    /** A fresh close-on-exec descriptor in *ret_fd; NULL where there is nothing to open. */
    int (*open)(const char *path, int *ret_fd);
    /**
     * Write one line. @line has @len bytes with its newline; from @bare on it goes without its
     * time, for logs that keep their own. Must not block for long, raise SIGPIPE, or hold a lock.
     */
    int (*put)(kvp_sink *sink, int fd, kvp_log_level level, const char *line, size_t len,
               size_t bare);
    bool follows_path; /**< reopen when another file stands at the path (log rotation) */
} kvp_sink_ops;

extern const kvp_sink_ops kvp_sink_file, kvp_sink_stderr, kvp_sink_syslog, kvp_sink_journald;

struct kvp_sink {
    const kvp_sink_ops *ops;       /**< NULL: nobody reads */
    char *path;
    int facility;                  /**< for syslog and journald */
    kvp_lock lock;                 /**< KVP_RANK_LOG: around opening, never around writing */
    _Atomic int fd;                /**< -1: not open; its number never changes while it is ours */
    _Atomic uint64_t dev, ino;     /**< what fd is, so that we notice when it is something else */
    _Atomic int64_t next_look_ms;  /**< when to compare fd with the path again */
    int64_t next_open_ms KVP_GUARDED_BY(lock); /**< a failed open is not tried again before */
    int open_error KVP_GUARDED_BY(lock);
    _Atomic bool torn;             /**< the last line was cut short: begin the next one afresh */
    _Atomic bool impatient; /**< the reader was too slow: do not wait for it until it is back */
    _Atomic bool reported;         /**< that it fails has been said */
};

kvp_status kvp_sink_init(kvp_sink *sink, const kvp_sink_setting *setting, int facility);
void kvp_sink_clear(kvp_sink *sink);
/** Write one line, opening the sink first if need be. Returns 0 or an errno. */
int kvp_sink_put(kvp_sink *sink, kvp_log_level level, const char *line, size_t len, size_t bare);

/** write() all of it, shielding the host from SIGPIPE and SIGXFSZ. Returns 0 or an errno. */
int kvp_write_quietly(int fd, const char *data, size_t len, size_t *ret_written);
/** A connected datagram socket; and sending on it, which connects anew when its reader was. */
int kvp_datagram_open(const char *path, int *ret_fd);
int kvp_datagram_send(kvp_sink *sink, int fd, const char *data, size_t len);
/** syslog's severity (RFC 5424 §6.2.1). */
int kvp_severity(kvp_log_level level);

/** Overwrite what looks like a token or a secret in @text by `***`. */
void kvp_redact(char *text);

/** Who we are: the program's name, and the user's, as far as it is known without asking anybody. */
typedef struct kvp_user {
    uid_t uid;
    char name[40];
    struct kvp_user *next;
} kvp_user;

struct kvp_audit {
    kvp_sink audit, log;
    kvp_log_level level;
    char process[64];
    _Atomic(kvp_user *) users;     /**< names already looked up; grows only */
};

/** The effective user's name, or number; written to @ret (40 bytes). */
void kvp_user_name(kvp_audit *audit, char ret[40]);

/** Write @event as one line of JSON with a newline. Returns its length, 0 when it cannot be. */
size_t kvp_event_format(kvp_audit *audit, const kvp_audit_event *event, char *dst, size_t size);
/** Write a diagnostics line; returns its length, and in *ret_bare where its time ends. */
size_t kvp_log_format(const kvp_audit *audit, kvp_log_level level, char *dst, size_t size,
                      size_t *ret_bare, const char *fmt, va_list args) KVP_PRINTF(6, 0);

#endif
