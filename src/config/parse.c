/* SPDX-License-Identifier: MIT */
/*
 * The text of a configuration file into a kvp_config and a list of problems. inih splits the
 * `name = value` lines and cuts comments; what it would pass over in silence is caught by the
 * reader that feeds it: lines beyond its limit, lines that mean nothing, sections without settings,
 * control characters. Leading blanks are taken off each line, so inih never sees a continuation
 * line: a setting that happens to be indented is still a setting.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "config/internal.h"

#include <ini.h>
#include <string.h>
#include <sys/stat.h>

static const char vault_prefix[] = "vault:";

/* A vault while its section is read. */
typedef struct draft {
    kvp_config_vault vault;
    bool faulty;
    uint64_t seen;         /**< a bit a row of kvp_settings */
    int line_of[64];       /**< where it was seen */
} draft;

typedef enum section_kind {
    SECTION_NONE,
    SECTION_MODULE,
    SECTION_VAULT,
    SECTION_SKIPPED
} section_kind;

typedef struct parser {
    const char *path;
    char *dir;
    const char *private_reason;
    kvp_config *config;
    kvp_config_problems *problems;
    kvp_status failure;    /**< KVP_ERR_NO_MEMORY ends it all */
    const char *at, *end;
    int line;
    bool started;
    bool expecting;        /**< inih was given a line that must bring forth a setting */
    section_kind section;
    int module_line;       /**< of [kvpkcs11], 0 before it */
    uint64_t module_seen;
    draft **drafts;
    size_t draft_count;
} parser;

#define CURRENT(p) ((p)->drafts[(p)->draft_count - 1])

static void note(parser *p, kvp_status st)
{
    if (st != KVP_OK && p->failure == KVP_OK)
        p->failure = st;
}

/* One problem, at @line; what is being read then counts as faulty. */
#define PROBLEM(p, number, fmt, ...)                                                               \
    do {                                                                                           \
        note(p, kvp_config_problem((p)->problems, "%s:%d: " fmt, (p)->path, (number),              \
                                   __VA_ARGS__));                                                  \
        if ((p)->section == SECTION_VAULT)                                                         \
            CURRENT(p)->faulty = true;                                                             \
    } while (0)

/* ---- sections ---- */

static void begin_vault(parser *p, const char *name)
{
    draft **drafts;
    draft *fresh;

    p->section = SECTION_SKIPPED;
    if (*name == '\0' || strlen(name) > KVP_CONFIG_NAME_MAX) {
        PROBLEM(p, p->line, "[vault:%.80s]: a token label of %zu bytes; allowed: 1 to %d", name,
                strlen(name), KVP_CONFIG_NAME_MAX);
        return;
    }
    for (size_t i = 0; i < p->draft_count; i++)
        if (strcmp(p->drafts[i]->vault.name, name) == 0) {
            PROBLEM(p, p->line, "[vault:%s] is there already, in line %d; allowed: each name once",
                    name, p->drafts[i]->vault.line);
            return;
        }
    drafts = kvp_realloc(p->drafts, (p->draft_count + 1) * sizeof(*drafts));
    if (!drafts) {
        note(p, KVP_ERR_NO_MEMORY);
        return;
    }
    p->drafts = drafts;
    fresh = kvp_calloc(1, sizeof(*fresh));
    if (!fresh || kvp_config_vault_init(&fresh->vault, name) != KVP_OK) {
        kvp_free(fresh);
        note(p, KVP_ERR_NO_MEMORY);
        return;
    }
    fresh->vault.line = p->line;
    p->drafts[p->draft_count++] = fresh;
    p->section = SECTION_VAULT;
}

static void begin_section(parser *p, const char *name)
{
    if (strcmp(name, "kvpkcs11") == 0) {
        p->section = SECTION_SKIPPED;
        if (p->module_line) {
            PROBLEM(p, p->line, "[kvpkcs11] is there already, in line %d; allowed: one",
                    p->module_line);
            return;
        }
        p->module_line = p->line;
        p->section = SECTION_MODULE;
    } else if (strncmp(name, vault_prefix, sizeof(vault_prefix) - 1) == 0) {
        name += sizeof(vault_prefix) - 1;
        begin_vault(p, name + strspn(name, " \t"));
    } else {
        p->section = SECTION_SKIPPED;
        PROBLEM(p, p->line, "unknown section [%.80s]; allowed: [kvpkcs11], [vault:NAME]", name);
    }
}

/* A line that begins with [; @text is its copy, ended by NUL. */
static void section_line(parser *p, char *text)
{
    char *name = text + 1 + strspn(text + 1, " \t");
    char *close = strchr(name, ']');
    const char *rest;
    bool junk;
    size_t len;

    if (!close) {
        p->section = SECTION_SKIPPED;
        PROBLEM(p, p->line, "%s", "a section without its ]; allowed: [kvpkcs11], [vault:NAME]");
        return;
    }
    rest = close + 1 + strspn(close + 1, " \t");
    junk = *rest && *rest != ';' && *rest != '#';
    len = (size_t)(close - name);
    while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '\t'))
        len--;
    name[len] = '\0';
    begin_section(p, name);
    if (junk)
        PROBLEM(p, p->line, "%s", "something follows the section's ]; allowed: a comment");
}

/* ---- settings ---- */

static const kvp_setting *find_setting(const char *section, const char *name, size_t *ret_index)
{
    for (size_t i = 0; kvp_settings[i].name; i++)
        if (strcmp(kvp_settings[i].section, section) == 0 &&
            strcmp(kvp_settings[i].name, name) == 0) {
            *ret_index = i;
            return &kvp_settings[i];
        }
    return NULL;
}

/* Names of the section's settings, for the message about one that is unknown. */
static void list_names(const char *section, char *dst, size_t size)
{
    size_t used = 0;

    dst[0] = '\0';
    for (size_t i = 0; kvp_settings[i].name; i++) {
        size_t len = strlen(kvp_settings[i].name);

        if (strcmp(kvp_settings[i].section, section) != 0 || used + len + 3 > size)
            continue;
        if (used) {
            memcpy(dst + used, ", ", 2);
            used += 2;
        }
        memcpy(dst + used, kvp_settings[i].name, len + 1);
        used += len;
    }
}

static void apply(parser *p, const kvp_setting *setting, void *section, const char *value)
{
    kvp_error error = { 0 };
    kvp_status st;

    if (*value == '\0') {
        PROBLEM(p, p->line, "%s has no value; allowed: %s", setting->name, setting->values);
        return;
    }
    st = (kvp_status)setting->set(section, value, p->dir, &error);
    if (st == KVP_ERR_NO_MEMORY)
        note(p, st);
    else if (st != KVP_OK && kvp_config_is_secret(setting->name))
        PROBLEM(p, p->line, "%s: %s; allowed: %s", setting->name, error.message, setting->values);
    else if (st != KVP_OK)
        PROBLEM(p, p->line, "%s = %.80s%s%s; allowed: %s", setting->name, value,
                error.message[0] ? ": " : " is not allowed", error.message, setting->values);
}

/* inih's handler; its section is cut to 49 bytes, ours is the one that counts. */
static int on_setting(void *user, const char *ini_section, const char *name, const char *value)
{
    parser *p = user;
    bool in_vault = p->section == SECTION_VAULT;
    const char *section = in_vault ? "vault" : "kvpkcs11";
    const kvp_setting *setting;
    char names[512];
    uint64_t *seen;
    size_t index;
    (void)ini_section;

    p->expecting = false;
    if (p->section == SECTION_SKIPPED)
        return 1;
    if (p->section == SECTION_NONE) {
        PROBLEM(p, p->line, "%.80s stands before any section; allowed: [kvpkcs11], [vault:NAME]",
                name);
        return 1;
    }
    setting = find_setting(section, name, &index);
    if (!setting) {
        list_names(section, names, sizeof(names));
        PROBLEM(p, p->line, "unknown setting %.80s; allowed: %s", name, names);
        return 1;
    }
    seen = in_vault ? &CURRENT(p)->seen : &p->module_seen;
    if (*seen & ((uint64_t)1 << index) && strcmp(name, "keys") != 0) {
        PROBLEM(p, p->line, "%s is there already; allowed: once in a section", name);
        return 1;
    }
    *seen |= (uint64_t)1 << index;
    if (in_vault)
        CURRENT(p)->line_of[index] = p->line;
    apply(p, setting, in_vault ? (void *)&CURRENT(p)->vault : (void *)p->config, value);
    return 1;
}

/* ---- lines ---- */

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

/* The next line without its end and the blanks around it. */
static bool take_line(parser *p, const char **ret_text, size_t *ret_len)
{
    const char *end, *text = p->at;

    if (p->at == p->end || p->failure != KVP_OK)
        return false;
    end = memchr(p->at, '\n', (size_t)(p->end - p->at));
    p->at = end ? end + 1 : p->end;
    if (!end)
        end = p->end;
    p->line++;
    if (end > text && end[-1] == '\r')
        end--;
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *ret_text = text;
    *ret_len = (size_t)(end - text);
    return true;
}

/*
 * inih's reader. inih gets a line of settings as it stands and an empty one for everything else,
 * and its line number is not used. The line before is wiped: it may have held a secret.
 */
static char *read_line(char *dst, int size, void *stream)
{
    parser *p = stream;
    const char *text;
    size_t len, max = (size_t)size - 2; /* a newline and NUL: inih must never think a line cut */

    if (p->started)
        kvp_wipe(dst, (size_t)size);
    p->started = true;
    if (p->expecting)
        PROBLEM(p, p->line, "%s", "a line without =; allowed: NAME = VALUE, [SECTION], ; COMMENT");
    p->expecting = false;
    if (!take_line(p, &text, &len))
        return NULL;
    if (len > 0 && *text != ';' && *text != '#') {
        if (has_control(text, len)) {
            PROBLEM(p, p->line, "%s", "a control character; allowed: text in UTF-8");
            len = 0;
        } else if (len > max) {
            PROBLEM(p, p->line, "a line longer than %zu characters; allowed: %zu", max, max);
            len = 0;
        }
    } else {
        len = 0;
    }
    memcpy(dst, text, len);
    dst[len] = '\0';
    if (len > 0 && *text == '[') {
        section_line(p, dst);
        len = 0;
    }
    p->expecting = len > 0;
    dst[len] = '\n';
    dst[len + 1] = '\0';
    return dst;
}

/* ---- what depends on several settings ---- */

static int line_of(const draft *d, const char *name)
{
    size_t index = 0;

    return find_setting("vault", name, &index) ? d->line_of[index] : 0;
}

/* A file that holds a secret and exists already must be private. */
static void check_private(parser *p, draft *d, const char *setting, const char *path)
{
    struct stat st;
    char why[64];

    if (!path || stat(path, &st) != 0 || !kvp_config_is_exposed(&st, why))
        return;
    d->faulty = true;
    note(p, kvp_config_problem(p->problems,
                               "%s:%d: %s = %s: %s; allowed: mode 0600, owned by you or root",
                               p->path, line_of(d, setting), setting, path, why));
}

static void finish_draft(parser *p, draft *d)
{
    const kvp_config_vault *v = &d->vault;

    if (!v->url && !line_of(d, "url"))
        note(p, kvp_config_problem(p->problems, "%s:%d: [vault:%s] has no url; allowed: one url",
                                   p->path, v->line, v->name));
    if (v->client_secret && v->client_secret_file) {
        d->faulty = true;
        note(p, kvp_config_problem(
                    p->problems,
                    "%s:%d: client_secret_file beside client_secret; allowed: one of them", p->path,
                    line_of(d, "client_secret_file")));
    }
    if (v->client_secret && p->private_reason) {
        d->faulty = true;
        note(p,
             kvp_config_problem(p->problems,
                                "%s:%d: client_secret in this file: %s; allowed: mode 0600, owned "
                                "by you or root",
                                p->path, line_of(d, "client_secret"), p->private_reason));
    }
    check_private(p, d, "client_secret_file", v->client_secret_file);
    check_private(p, d, "client_certificate", v->client_certificate);
    if (d->faulty || !v->url)
        return;
    kvp_config_vault_settle(&d->vault);
    note(p, kvp_config_take_vault(p->config, &d->vault));
}

kvp_status kvp_config_parse(const char *path, const char *text, size_t len,
                            const char *private_reason, kvp_config *config,
                            kvp_config_problems *problems)
{
    static const char bom[] = "\xef\xbb\xbf";
    const char *slash = strrchr(path, '/');
    parser p = { .path = path, .private_reason = private_reason, .config = config,
                 .problems = problems, .at = text, .end = text + len };

    if (!slash)
        p.dir = kvp_strdup(".");
    else
        p.dir = kvp_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!p.dir)
        return KVP_ERR_NO_MEMORY;
    if (len >= 3 && memcmp(text, bom, 3) == 0)
        p.at += 3;
    /* Its result is the line of an error; each has become a problem of ours. */
    if (ini_parse_stream(read_line, &p, on_setting, &p) == -2)
        note(&p, KVP_ERR_NO_MEMORY);
    p.section = SECTION_NONE;
    for (size_t i = 0; i < p.draft_count; i++) {
        if (p.failure == KVP_OK)
            finish_draft(&p, p.drafts[i]);
        kvp_config_vault_clear(&p.drafts[i]->vault);
        kvp_free(p.drafts[i]);
    }
    kvp_free(p.drafts);
    kvp_free(p.dir);
    return p.failure;
}
