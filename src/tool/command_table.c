/* SPDX-License-Identifier: MIT */
/* The subcommands: a row each. */
#include "tool/tool.h"

const kvp_command kvp_commands[] = {
    { "doctor", "check a set-up step by step, and say what to do about what is wrong",
      "[-v] [--json] [--config FILE] [--module FILE] [VAULT...]",
      "Checks the configuration and the files it names, each vault (or those that are named:\n"
      "their sections) from its name's address to the permission to read keys, and the module.\n"
      "Each check is a line: ok, warn (it works, with a drawback) or FAIL, and advice below it.\n\n"
      "  -v, --verbose        also where a configuration is looked for, and other detail\n"
      "  -c, --config FILE    this configuration, instead of the one applications find\n"
      "  -m, --module FILE    this module, instead of the installed one\n"
      "  -j, --json           print the result as a JSON object\n\n"
      "Exit status: 0 nothing failed, 1 something did, 2 the command line is wrong.\n",
      kvp_doctor_run },
    { "ls", "show what applications will see: tokens and their objects",
      "[--json] [--config FILE] [--module FILE] [TOKEN]",
      "Loads the module as an application does, and lists tokens and objects, each with its\n"
      "PKCS#11 URI; only those of TOKEN if it is given.\n\n"
      "  -c, --config FILE    this configuration, instead of the one applications find\n"
      "  -m, --module FILE    this module (any PKCS#11 module), instead of the installed one\n"
      "  -j, --json           print a JSON object\n",
      kvp_ls_run },
    { "uri", "convert between Key Vault identifiers and PKCS#11 URIs",
      "[--config FILE] [--type TYPE] IDENTIFIER|URI...",
      "Prints the PKCS#11 URI (RFC 7512) of a Key Vault identifier,\n"
      "https://HOST/keys/NAME[/VERSION], or the identifier of such a URI. Tokens are named by the\n"
      "configuration. No request is made: where a tag gives an object another label or id,\n"
      "`kvpkcs11 ls` shows them.\n\n"
      "  -c, --config FILE    this configuration, instead of the one applications find\n"
      "  -t, --type TYPE      type= of the URI: private (what a key gets), public, cert,\n"
      "                       secret-key, data\n",
      kvp_uri_run },
    { "log", "show the audit log, and follow it",
      "[-f] [--since TIME] [--token TOKEN] [--object GLOB] [--failed] [--json]",
      "Prints the records of the audit log that the configuration names, a line each.\n\n"
      "  -f, --follow         go on with what is written from now on, across rotation\n"
      "  -s, --since TIME     only from then on: 2026-01-31, \"2026-01-31 12:00\" (UTC),\n"
      "                       2026-01-31T12:00:00+01:00, or ago: 90s, 15m, 2h, 3d, 1w\n"
      "  -t, --token TOKEN    only of this token\n"
      "  -o, --object GLOB    only where the object's name, or its identifier, fits\n"
      "  -x, --failed         only what did not answer CKR_OK\n"
      "  -j, --json           print the records as they are, a JSON object a line\n"
      "  -c, --config FILE    this configuration, instead of the one applications find\n"
      "  -F, --file FILE      this audit log, whatever the configuration says\n",
      kvp_log_run },
    { NULL, NULL, NULL, NULL, NULL },
};
