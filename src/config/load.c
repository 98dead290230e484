/* SPDX-License-Identifier: MIT */
/* Finding and reading the configuration: which file, or which environment variable, counts. */
#include "base/alloc.h"
#include "base/buf.h"
#include "config/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1024 * 1024)
#define FILE_NAME "kvpkcs11/kvpkcs11.conf"

static const char *reason(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return "there is no such file";
    case EACCES:
    case EPERM:
        return "permission denied";
    case ELOOP:
        return "too many symbolic links";
    default:
        return "it cannot be read";
    }
}

static kvp_status unreadable(kvp_config_problems *problems, const char *path, const char *why)
{
    return kvp_config_problem(problems, "%s:0: %s; allowed: a readable configuration file", path,
                              why);
}

static kvp_status read_all(int fd, kvp_buf *ret)
{
    for (;;) {
        uint8_t *at = kvp_buf_reserve(ret, 4096);
        ssize_t got;

        if (!at)
            return ret->len + 4096 > ret->max ? KVP_ERR_TOO_LARGE : KVP_ERR_NO_MEMORY;
        got = read(fd, at, 4096);
        if (got == 0)
            return KVP_OK;
        if (got > 0)
            ret->len += (size_t)got;
        else if (errno != EINTR)
            return KVP_ERR_IO;
    }
}

/* Parse what is open as @fd; that it cannot be read is a problem, not a failure. */
static kvp_status parse_fd(int fd, const char *path, kvp_config *config,
                           kvp_config_problems *problems)
{
    kvp_buf text = KVP_BUF_INIT_SECRET(FILE_MAX);
    bool exposed = false;
    char why[64];
    struct stat st;
    kvp_status result;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return unreadable(problems, path, "it is no regular file");
    exposed = kvp_config_is_exposed(&st, why);
    result = read_all(fd, &text);
    if (result == KVP_OK)
        result = kvp_config_parse(path, kvp_buf_str(&text), text.len, exposed ? why : NULL, config,
                                  problems);
    else if (result == KVP_ERR_TOO_LARGE)
        result = unreadable(problems, path, "it is larger than 1 MiB");
    else if (result == KVP_ERR_IO)
        result = unreadable(problems, path, "it cannot be read");
    kvp_buf_clear(&text);
    return result;
}

/*
 * Try @path. KVP_ERR_NOT_FOUND, unless it @must_exist: there is none, look on. A default file in a
 * directory that may not be searched counts as absent (a daemon that kept root's HOME); one that is
 * there and may not be opened is a problem.
 */
static kvp_status try_file(const char *path, bool must_exist, kvp_config *config,
                           kvp_config_problems *problems)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    kvp_status result;
    struct stat st;
    int error = errno;

    if (fd < 0 && !must_exist &&
        (error == ENOENT || error == ENOTDIR || (error == EACCES && stat(path, &st) != 0)))
        return KVP_ERR_NOT_FOUND;
    config->path = kvp_strdup(path);
    if (!config->path)
        result = KVP_ERR_NO_MEMORY;
    else if (fd < 0)
        result = unreadable(problems, path, reason(error));
    else
        result = parse_fd(fd, path, config, problems);
    if (fd >= 0)
        close(fd);
    return result;
}

/* @path from the root of the file system, so that it still holds after a chdir. */
static char *absolute(const char *path)
{
    char cwd[PATH_MAX];

    if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
        return kvp_strdup(path);
    return kvp_config_path(cwd, path);
}

static kvp_status try_explicit(const char *path, kvp_config *config, kvp_config_problems *problems)
{
    char *full = absolute(path);
    kvp_status st;

    if (!full)
        return KVP_ERR_NO_MEMORY;
    st = try_file(full, true, config, problems);
    kvp_free(full);
    return st;
}

static kvp_status try_below(const char *dir, const char *sub, kvp_config *config,
                            kvp_config_problems *problems)
{
    char *path = kvp_asprintf("%s%s/" FILE_NAME, dir, sub);
    kvp_status st;

    if (!path)
        return KVP_ERR_NO_MEMORY;
    st = try_file(path, false, config, problems);
    kvp_free(path);
    return st;
}

/* Set and not empty; nothing in a process that runs with more rights than its caller. */
static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);

    return value && *value ? value : NULL;
}

static kvp_status search(kvp_config *config, kvp_config_problems *problems)
{
    const char *explicit = environment("KVPKCS11_CONF");
    const char *xdg = environment("XDG_CONFIG_HOME");
    const char *home = environment("HOME");
    const char *urls = environment("KVPKCS11_VAULT_URL");
    kvp_status st = KVP_ERR_NOT_FOUND;

    if (explicit)
        return try_explicit(explicit, config, problems);
    /* A relative XDG_CONFIG_HOME is to be ignored (XDG Base Directory Specification). */
    if (xdg && *xdg == '/')
        st = try_below(xdg, "", config, problems);
    else if (home && *home == '/')
        st = try_below(home, "/.config", config, problems);
    if (st == KVP_ERR_NOT_FOUND)
        st = try_below(SYSCONFDIR, "", config, problems);
    if (st == KVP_ERR_NOT_FOUND)
        st = urls ? kvp_config_from_urls(urls, config, problems) : KVP_OK;
    return st;
}

/* The common end: hand over what there is, and say that there are problems. */
static kvp_status finish(kvp_status st, kvp_config *config, kvp_config **ret,
                         kvp_config_problems *problems, kvp_config_problems *ret_problems,
                         kvp_error *reterr)
{
    if (st != KVP_OK) {
        kvp_config_free(config);
        kvp_config_problems_clear(problems);
        return kvp_error_set(reterr, st, "reading the configuration");
    }
    *ret = config;
    if (problems->count > 0)
        st = kvp_error_set(reterr, KVP_ERR_CONFIG, "%s", problems->lines[0]);
    if (ret_problems)
        *ret_problems = *problems;
    else
        kvp_config_problems_clear(problems);
    return st;
}

kvp_status kvp_config_load(kvp_config **ret, kvp_config_problems *ret_problems, kvp_error *reterr)
{
    kvp_config *config = kvp_config_new();
    kvp_config_problems problems = { NULL, 0 };
    kvp_status st = config ? search(config, &problems) : KVP_ERR_NO_MEMORY;

    return finish(st, config, ret, &problems, ret_problems, reterr);
}

kvp_status kvp_config_load_file(const char *path, kvp_config **ret,
                                kvp_config_problems *ret_problems, kvp_error *reterr)
{
    kvp_config *config = kvp_config_new();
    kvp_config_problems problems = { NULL, 0 };
    kvp_status st = config ? try_explicit(path, config, &problems) : KVP_ERR_NO_MEMORY;

    return finish(st, config, ret, &problems, ret_problems, reterr);
}
