/* SPDX-License-Identifier: MIT */
/* Doctor's first steps: the configuration file, and the files that it names. Local, no request. */
#include "tool/doctor.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "kvpkcs11/kvpkcs11.conf"
#define SOON_SECONDS (14LL * 86400)

/* ---- where it comes from ---- */

static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);

    return value && *value ? value : NULL;
}

static void candidate(kvp_doctor *doctor, const char *what, const char *dir, const char *file)
{
    char path[4096];
    bool there;

    snprintf(path, sizeof(path), "%s%s", dir, file);
    there = access(path, F_OK) == 0;
    kvp_doctor_detail(doctor, "looked for: %s (%s): %s", path, what, there ? "found" : "not there");
}

/* The order of kvp_config_load. What it took is what counts; this only explains it. */
static void show_search(kvp_doctor *doctor)
{
    const char *explicit = environment("KVPKCS11_CONF");
    const char *xdg = environment("XDG_CONFIG_HOME");
    const char *home = environment("HOME");

    if (explicit) {
        candidate(doctor, "$KVPKCS11_CONF", explicit, "");
        return;
    }
    kvp_doctor_detail(doctor, "looked for: $KVPKCS11_CONF: not set");
    if (xdg && *xdg == '/')
        candidate(doctor, "$XDG_CONFIG_HOME", xdg, "/" FILE_NAME);
    else if (home && *home == '/')
        candidate(doctor, "$HOME", home, "/.config/" FILE_NAME);
    candidate(doctor, "the system's", SYSCONFDIR, "/" FILE_NAME);
    kvp_doctor_detail(doctor, "looked for: $KVPKCS11_VAULT_URL: %s",
                      environment("KVPKCS11_VAULT_URL") ? "set" : "not set");
}

/* Whether others than its owner and root may write to it. */
static bool is_writable_by_others(const struct stat *st)
{
    return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static void check_file(kvp_doctor *doctor, const kvp_config *config)
{
    struct stat st;

    if (stat(config->path, &st) != 0)
        return; /* that it cannot be opened is among the problems */
    if (is_writable_by_others(&st))
        kvp_doctor_check(doctor, KVP_CHECK_WARN, "configuration",
                         "Take the permission away: chmod go-w. Who may write to it decides which "
                         "server gets your tokens.",
                         "others may write to %s (mode %04o)", config->path,
                         (unsigned)(st.st_mode & 07777));
    kvp_doctor_detail(doctor, "%s: mode %04o, owner %lu, group %lu", config->path,
                      (unsigned)(st.st_mode & 07777), (unsigned long)st.st_uid,
                      (unsigned long)st.st_gid);
}

void kvp_doctor_config(kvp_doctor *doctor, const char *path, kvp_config **ret)
{
    kvp_config_problems problems = { NULL, 0 };
    kvp_error error;
    kvp_status st;

    kvp_error_clear(&error);
    st = path ? kvp_config_load_file(path, ret, &problems, &error)
              : kvp_config_load(ret, &problems, &error);
    for (size_t i = 0; i < problems.count; i++)
        kvp_doctor_check(doctor, KVP_CHECK_FAIL, "configuration",
                         i > 0 ? NULL
                               : "Correct these lines: what they say is not used, nor is a "
                                 "vault whose section has a mistake.",
                         "%s", problems.lines[i]);
    if (st != KVP_OK && problems.count == 0)
        kvp_doctor_failed(doctor, "configuration", NULL, &error);
    if (*ret && (*ret)->path)
        kvp_doctor_check(doctor, KVP_CHECK_OK, "configuration", NULL, "%s: %zu vault%s can be used",
                         (*ret)->path, (*ret)->vault_count, (*ret)->vault_count == 1 ? "" : "s");
    else if (*ret && (*ret)->vault_count > 0)
        kvp_doctor_check(doctor, KVP_CHECK_OK, "configuration", NULL,
                         "no file, $KVPKCS11_VAULT_URL names %zu vault%s", (*ret)->vault_count,
                         (*ret)->vault_count == 1 ? "" : "s");
    else if (*ret && problems.count == 0)
        kvp_doctor_check(doctor, KVP_CHECK_FAIL, "configuration",
                         "Write a file with a section [vault:NAME] and its url, or set "
                         "KVPKCS11_VAULT_URL; -v shows where a file is looked for.",
                         "there is none: applications see no token");
    if (!path)
        show_search(doctor);
    if (*ret && (*ret)->path)
        check_file(doctor, *ret);
    kvp_config_problems_clear(&problems);
}

/* ---- logs ---- */

/* Whether @path can be appended to, or made. Says why not in @why. Makes nothing. */
static bool can_append(const char *path, struct stat *ret_st, bool *ret_exists, const char **why)
{
    char dir[4096];
    char *slash;
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error = errno;

    *ret_exists = fd >= 0 && fstat(fd, ret_st) == 0;
    if (fd >= 0) {
        close(fd);
        return true;
    }
    *why = strerror(error);
    if (error != ENOENT || strlen(path) >= sizeof(dir))
        return false;
    snprintf(dir, sizeof(dir), "%s", path);
    slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir ? 1 : 0] = '\0';
    if (access(slash ? dir : ".", W_OK | X_OK) == 0)
        return true;
    *why = errno == ENOENT ? "its directory does not exist" : "its directory may not be written to";
    return false;
}

static void check_log(kvp_doctor *doctor, const char *name, const kvp_sink_setting *sink)
{
    static const char *const words[] = {
        [KVP_SINK_NONE] = "none",     [KVP_SINK_FILE] = "file",
        [KVP_SINK_SYSLOG] = "syslog", [KVP_SINK_JOURNALD] = "journald",
        [KVP_SINK_STDERR] = "stderr",
    };
    const char *why = "";
    struct stat st;
    bool exists;

    if (sink->kind != KVP_SINK_FILE) {
        kvp_doctor_check(doctor, KVP_CHECK_OK, name, NULL, "goes to: %s", words[sink->kind]);
        return;
    }
    if (!can_append(sink->path, &st, &exists, &why)) {
        kvp_doctor_check(
            doctor, KVP_CHECK_FAIL, name,
            "Make the directory, or let the users of the module write to the file; what "
            "cannot be written is lost.",
            "%s cannot be written by user %lu: %s", sink->path, (unsigned long)geteuid(), why);
        return;
    }
    if (exists && (st.st_mode & S_IWOTH))
        kvp_doctor_check(doctor, KVP_CHECK_WARN, name,
                         "Take the permission away (chmod o-w), or let a group have it.",
                         "everyone may write to %s (mode %04o)", sink->path,
                         (unsigned)(st.st_mode & 07777));
    else
        kvp_doctor_check(doctor, KVP_CHECK_OK, name, NULL, "%s can be written%s", sink->path,
                         exists ? "" : " (it does not exist yet)");
}

void kvp_doctor_logs(kvp_doctor *doctor, const kvp_config *config)
{
    check_log(doctor, "audit", &config->audit);
    check_log(doctor, "log", &config->log);
}

/* ---- files of a vault ---- */

static bool check_readable(kvp_doctor *doctor, const char *setting, const char *path)
{
    int fd;

    if (!path)
        return true;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        kvp_doctor_check(doctor, KVP_CHECK_FAIL, setting,
                         "Correct the path (a relative one is relative to the configuration file), "
                         "or let this user read the file.",
                         "%s: %s (user %lu)", path, strerror(errno), (unsigned long)geteuid());
        return false;
    }
    close(fd);
    return true;
}

/* Days from now until @when; negative when it is over. */
static int days_until(const ASN1_TIME *when)
{
    int days = 0, seconds = 0;

    if (ASN1_TIME_diff(&days, &seconds, NULL, when) != 1)
        return -1;
    return days < 0 || seconds < 0 ? days - 1 : days;
}

/* The certificates of a PEM file: are there any, and how long are they good for. */
static bool check_certificates(kvp_doctor *doctor, const char *setting, const char *path)
{
    FILE *file = path ? fopen(path, "re") : NULL;
    X509 *certificate;
    size_t count = 0;
    int least = 0;

    if (!file)
        return check_readable(doctor, setting, path);
    while ((certificate = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        int days = days_until(X509_get0_notAfter(certificate));

        if (count == 0 || days < least)
            least = days;
        X509_free(certificate);
        count++;
    }
    ERR_clear_error();
    fclose(file);
    if (count == 0) {
        kvp_doctor_check(doctor, KVP_CHECK_FAIL, setting, "Name a file in PEM form.",
                         "%s holds no certificate (-----BEGIN CERTIFICATE-----)", path);
        return false;
    }
    if (least < 0)
        kvp_doctor_check(doctor, KVP_CHECK_WARN, setting, "Put a new certificate into the file.",
                         "%s holds a certificate that has expired", path);
    else if (least < SOON_SECONDS / 86400)
        kvp_doctor_check(doctor, KVP_CHECK_WARN, setting,
                         "Put a new certificate into the file soon.",
                         "a certificate in %s expires in %d days", path, least);
    else
        kvp_doctor_detail(doctor, "%s = %s: %zu certificate%s, good for %d days at least", setting,
                          path, count, count == 1 ? "" : "s", least);
    return true;
}

bool kvp_doctor_vault_files(kvp_doctor *doctor, const kvp_config_vault *vault)
{
    bool good = check_certificates(doctor, "ca_file", vault->ca_file);

    good &= check_readable(doctor, "client_secret_file", vault->client_secret_file);
    good &= check_certificates(doctor, "client_certificate", vault->client_certificate);
    good &= check_readable(doctor, "token_file", vault->token_file);
    if (vault->chain == KVP_CHAIN_FILE)
        check_certificates(doctor, "chain", vault->chain_file);
    return good;
}
