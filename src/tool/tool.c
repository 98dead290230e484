/* SPDX-License-Identifier: MIT */
/* Finding the subcommand, options that all of them have, and their complaints; see tool.h. */
#include "tool/tool.h"

#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#include "base/alloc.h"
#include "tool/text.h"

#include <stdarg.h>
#include <string.h>

#define PROGRAM "kvpkcs11"

const kvp_command *kvp_command_find(const char *name)
{
    for (const kvp_command *command = kvp_commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static void print_help(FILE *out)
{
    fprintf(out, "usage: " PROGRAM " COMMAND [OPTION...] [ARGUMENT...]\n\n"
                 "Companion of libkvpkcs11, the PKCS#11 module for keys in Azure Key Vault and "
                 "Managed HSM.\n\ncommands:\n");
    for (const kvp_command *command = kvp_commands; command->name; command++)
        fprintf(out, "  %-8s %s\n", command->name, command->summary);
    fprintf(out, "\n  --help     this text; " PROGRAM " COMMAND --help says more about a command\n"
                 "  --version  the version\n"
                 "\nExit status: 0 all is well, 1 something is wrong or could not be done, "
                 "2 the command line is wrong.\n");
}

void kvp_command_help(const kvp_command *command, FILE *out)
{
    fprintf(out, "usage: " PROGRAM " %s %s\n\n%s", command->name, command->synopsis, command->help);
}

static void complain(const char *argv0, FILE *err, const char *fmt, va_list args) KVP_PRINTF(3, 0);

static void complain(const char *argv0, FILE *err, const char *fmt, va_list args)
{
    char text[1024], *clean;

    vsnprintf(text, sizeof(text), fmt, args);
    clean = kvp_text_clean_dup(text, strlen(text));
    fprintf(err, "%s: %s\n", argv0, clean ? clean : "out of memory");
    kvp_free(clean);
}

int kvp_usage_error(const char *argv0, FILE *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    complain(argv0, err, fmt, args);
    va_end(args);
    fprintf(err, "Try `%s --help`.\n", argv0);
    return KVP_EXIT_USAGE;
}

int kvp_tool_fail(const char *argv0, FILE *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    complain(argv0, err, fmt, args);
    va_end(args);
    return KVP_EXIT_FAILED;
}

void kvp_option_start(void)
{
    optind = 0; /* glibc: start anew, forgetting what was scanned before */
    opterr = 0; /* its complaints go to stderr alone; ours go where we are told */
}

int kvp_option_next(int argc, char **argv, const char *short_options, const struct option *options,
                    FILE *out, FILE *err, int *ret_status)
{
    int option = getopt_long(argc, argv, short_options, options, NULL);
    const kvp_command *command;

    switch (option) {
    case 'h':
        command = kvp_command_find(argv[0] + strlen(PROGRAM " "));
        if (command)
            kvp_command_help(command, out);
        *ret_status = KVP_EXIT_OK;
        return KVP_OPTION_LEAVE;
    case ':':
        *ret_status = kvp_usage_error(argv[0], err, "%s needs a value", argv[optind - 1]);
        return KVP_OPTION_LEAVE;
    case '?':
        if (optopt > 0 && optopt < 256 && strncmp(argv[optind - 1], "--", 2) != 0)
            *ret_status = kvp_usage_error(argv[0], err, "there is no option -%c", optopt);
        else
            *ret_status = kvp_usage_error(argv[0], err,
                                          "the option %s is unknown, ambiguous or "
                                          "takes no value",
                                          argv[optind - 1]);
        return KVP_OPTION_LEAVE;
    default:
        return option;
    }
}

kvp_status kvp_tool_config(const char *argv0, const char *path, kvp_config **ret, FILE *err)
{
    kvp_config_problems problems = { NULL, 0 };
    kvp_error error;
    kvp_status st;

    kvp_error_clear(&error);
    st = path ? kvp_config_load_file(path, ret, &problems, &error)
              : kvp_config_load(ret, &problems, &error);
    for (size_t i = 0; i < problems.count; i++)
        kvp_tool_fail(argv0, err, "%s", problems.lines[i]);
    if (st != KVP_OK && problems.count == 0)
        kvp_tool_fail(argv0, err, "%s", error.message);
    kvp_config_problems_clear(&problems);
    return st;
}

/* A full disk or a closed pipe is no success. */
static int finish(int status, FILE *out, FILE *err)
{
    if (fflush(out) != 0 || ferror(out)) {
        fprintf(err, PROGRAM ": the output could not be written\n");
        return KVP_EXIT_FAILED;
    }
    return status;
}

int kvp_tool_main(int argc, char **argv, FILE *out, FILE *err)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    const kvp_command *command;
    char argv0[64];

    if (!word) {
        print_help(err);
        return KVP_EXIT_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        command = argc > 2 ? kvp_command_find(argv[2]) : NULL;
        if (command)
            kvp_command_help(command, out);
        else
            print_help(out);
        return finish(KVP_EXIT_OK, out, err);
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        fprintf(out, PROGRAM " %s\n", PACKAGE_VERSION);
        return finish(KVP_EXIT_OK, out, err);
    }
    command = kvp_command_find(word);
    if (!command)
        return kvp_usage_error(PROGRAM, err, "there is no %s %s",
                               word[0] == '-' ? "option" : "command", word);
    snprintf(argv0, sizeof(argv0), PROGRAM " %s", command->name);
    argv[1] = argv0;
    kvp_option_start();
    return finish(command->run(argc - 1, argv + 1, out, err), out, err);
}
