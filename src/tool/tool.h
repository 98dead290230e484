/* SPDX-License-Identifier: MIT */
/*
 * The companion command. A row of kvp_commands is a subcommand, a file each; this header has what
 * they share: exit statuses, option parsing, and where the configuration and the module are.
 */
#ifndef KVP_TOOL_TOOL_H
#define KVP_TOOL_TOOL_H

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

enum {
    KVP_EXIT_OK = 0,
    KVP_EXIT_FAILED = 1, /**< it was done, and the answer is bad, or could not be done */
    KVP_EXIT_USAGE = 2,
};

/**
 * A subcommand. @run gets its own arguments: argv[0] is `kvpkcs11 NAME`. It writes what was asked
 * for to @out and complaints to @err, and returns an exit status.
 */
typedef struct kvp_command {
    const char *name;
    const char *summary;   /**< one line for `kvpkcs11 --help` */
    const char *synopsis;  /**< `[-v] [--config FILE] [VAULT...]` */
    const char *help;      /**< the rest of `kvpkcs11 NAME --help` */
    int (*run)(int argc, char **argv, FILE *out, FILE *err);
} kvp_command;
extern const kvp_command kvp_commands[]; /**< ended by a NULL name */
const kvp_command *kvp_command_find(const char *name);

/** Runs the command line; flushes @out, and fails if that could not be written. Exit status. */
int kvp_tool_main(int argc, char **argv, FILE *out, FILE *err);

/** What --help of @command prints. */
void kvp_command_help(const kvp_command *command, FILE *out);

/** A row each, in command_table.c. */
int kvp_doctor_run(int argc, char **argv, FILE *out, FILE *err);
int kvp_ls_run(int argc, char **argv, FILE *out, FILE *err);
int kvp_uri_run(int argc, char **argv, FILE *out, FILE *err);
int kvp_log_run(int argc, char **argv, FILE *out, FILE *err);

/**
 * The next option, as getopt_long gives it; `--help` of every command is answered here.
 * Returns -1 after the last one, KVP_OPTION_LEAVE with *ret_status set when the command shall end
 * at once (help was printed, or the option is unknown or lacks its argument).
 */
#define KVP_OPTION_LEAVE (-2)
int kvp_option_next(int argc, char **argv, const char *short_options, const struct option *options,
                    FILE *out, FILE *err, int *ret_status);
/** Before the first kvp_option_next of a command. */
void kvp_option_start(void);

/** Print `kvpkcs11 NAME: TEXT` and how to get help; returns KVP_EXIT_USAGE. */
int kvp_usage_error(const char *argv0, FILE *err, const char *fmt, ...) KVP_PRINTF(3, 4);

/** `kvpkcs11 NAME: TEXT`, with control characters made harmless. Returns KVP_EXIT_FAILED. */
int kvp_tool_fail(const char *argv0, FILE *err, const char *fmt, ...) KVP_PRINTF(3, 4);

/**
 * The configuration of @path, or, where that is NULL, the one that applications would find.
 * Problems are printed to @err as they are; *ret is what could be understood (never NULL on KVP_OK
 * or KVP_ERR_CONFIG).
 */
kvp_status kvp_tool_config(const char *argv0, const char *path, kvp_config **ret, FILE *err);

#endif
