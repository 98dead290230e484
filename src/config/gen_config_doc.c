/* SPDX-License-Identifier: MIT */
/*
 * Writes docs/configuration.md out from the settings table, so that the page cannot drift from it.
 */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

static const char intro[] =
    "# Configuration\n"
    "\n"
    "<!-- Written out from src/config/settings_table.c by `make update-config-doc`: change that. -->\n"
    "\n"
    "The module reads one file when an application initialises it, the first that there is of\n"
    "\n"
    "1. `$KVPKCS11_CONF`; if this is set, the file must be there,\n"
    "2. `$XDG_CONFIG_HOME/kvpkcs11/kvpkcs11.conf`, without that variable `~/.config/kvpkcs11/kvpkcs11.conf`,\n"
    "3. `kvpkcs11/kvpkcs11.conf` in the system's configuration directory, `/etc` in a distribution's package.\n"
    "\n"
    "With none of them, `KVPKCS11_VAULT_URL` (one or several URLs, separated by commas) configures vaults by\n"
    "itself, with the credential `default`; the token label is the first part of the host's name. With nothing\n"
    "at all, the module has no slots. A program that runs with more rights than its caller reads the system's\n"
    "file only.\n"
    "\n"
    "```ini\n"
    "[kvpkcs11]\n"
    "log = syslog\n"
    "\n"
    "[vault:prod]\n"
    "url        = https://contoso.vault.azure.net\n"
    "credential = managed-identity\n"
    "```\n"
    "\n"
    "Lines are `name = value` in a section. A comment begins with `;` or `#` at the start of a line, or with `;`\n"
    "after a blank; a value can therefore hold no such ` ;`. A line has at most 198 characters, comments apart.\n"
    "Relative paths are relative to the directory of the file that names them.\n"
    "\n"
    "Each `[vault:NAME]` section is one slot with one token. `NAME`, of 1 to 32 bytes, is the token's label.\n"
    "\n"
    "What is wrong goes to the log as one line, `FILE:LINE: what is wrong; allowed: what is`, and\n"
    "`kvpkcs11 doctor` prints it. A vault with a wrong setting is left out; the others work. A file with a\n"
    "`client_secret` in it, and those that `client_secret_file` and `client_certificate` name, must belong to\n"
    "the user or to root and be of no use to anybody else (mode 0600), or the vault is refused.\n";

/* A cell of a Markdown table: | would end it. */
static void put_cell(const char *text)
{
    for (; *text; text++)
        if (*text == '|')
            fputs("\\|", stdout);
        else
            putchar(*text);
}

static void put_section(const char *section, const char *title)
{
    printf("\n## %s\n\n| setting | allowed | default | |\n|---|---|---|---|\n", title);
    for (const kvp_setting *row = kvp_settings; row->name; row++) {
        if (strcmp(row->section, section) != 0)
            continue;
        printf("| `%s` | ", row->name);
        put_cell(row->values);
        fputs(" | ", stdout);
        put_cell(row->fallback);
        fputs(" | ", stdout);
        put_cell(row->sentence);
        puts(" |");
    }
}

int main(void)
{
    fputs(intro, stdout);
    put_section("kvpkcs11", "[kvpkcs11]");
    put_section("vault", "[vault:NAME]");
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
