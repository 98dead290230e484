/* SPDX-License-Identifier: MIT */
/* What credential sources share: environment, secret files, forms, authorities. */
#include "config.h"

#include "auth/internal.h"
#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SECRET_FILE 65536

const char *kvp_auth_getenv(const char *name)
{
    const char *value = secure_getenv(name);

    return value && value[0] != '\0' ? value : NULL;
}

static kvp_status read_all(int fd, const char *path, kvp_buf *ret, kvp_error *reterr)
{
    for (;;) {
        uint8_t chunk[4096];
        ssize_t got = read(fd, chunk, sizeof(chunk));
        kvp_status st = KVP_OK;

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return kvp_error_set(reterr, KVP_ERR_IO, "cannot read `%s`: %s", path,
                                 strerrordesc_np(errno));
        if (got == 0)
            return KVP_OK;
        st = kvp_buf_append(ret, chunk, (size_t)got);
        kvp_wipe(chunk, sizeof(chunk));
        if (st != KVP_OK)
            return kvp_error_set(reterr, st, "`%s` is larger than a secret can be", path);
    }
}

kvp_status kvp_secret_file_read(const char *path, kvp_buf *ret, kvp_error *reterr)
{
    kvp_buf content = KVP_BUF_INIT_SECRET(MAX_SECRET_FILE);
    struct stat info;
    kvp_status st;
    /* Not blocking: a FIFO of that name must not hold us up before we see what it is. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return kvp_error_set(reterr, KVP_ERR_IO, "cannot open `%s`: %s", path,
                             strerrordesc_np(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        st = kvp_error_set(reterr, KVP_ERR_IO, "`%s` is no regular file", path);
    else if (info.st_mode & (S_IROTH | S_IWOTH))
        st = kvp_error_set(reterr, KVP_ERR_REFUSED,
                           "`%s` holds a secret and is open to other users: chmod o-rw it", path);
    else
        st = read_all(fd, path, &content, reterr);
    close(fd);
    while (st == KVP_OK && content.len > 0 &&
           (content.data[content.len - 1] == '\n' || content.data[content.len - 1] == '\r'))
        content.data[--content.len] = '\0';
    if (st == KVP_OK && (content.len == 0 || strlen(kvp_buf_str(&content)) != content.len))
        st = kvp_error_set(reterr, KVP_ERR_IO, "`%s` holds no text", path);
    if (st != KVP_OK) {
        kvp_buf_clear(&content);
        return st;
    }
    kvp_buf_take(ret, &content);
    return KVP_OK;
}

static kvp_status add_encoded(kvp_buf *ret, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    kvp_status st = KVP_OK;

    for (const char *p = text; *p && st == KVP_OK; p++) {
        unsigned char c = (unsigned char)*p;
        char escaped[3] = { '%', hex[c >> 4], hex[c & 15] };
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';

        st = plain ? kvp_buf_append(ret, p, 1) : kvp_buf_append(ret, escaped, sizeof(escaped));
    }
    return st;
}

kvp_status kvp_form_add(kvp_buf *ret, const char *name, const char *value)
{
    kvp_status st = ret->len > 0 ? kvp_buf_append(ret, "&", 1) : KVP_OK;

    if (st == KVP_OK)
        st = kvp_buf_append_fmt(ret, "%s=", name);
    return st == KVP_OK ? add_encoded(ret, value) : st;
}

kvp_status kvp_authority_normalise(const char *authority, char **ret, kvp_error *reterr)
{
    bool bare = !strstr(authority, "://");
    size_t len = strlen(authority);
    char *copy;

    while (len > 0 && authority[len - 1] == '/')
        len--;
    copy =
        kvp_asprintf("%s%.*s", bare ? "https://" : "", (int)(len < 4096 ? len : 4096), authority);
    if (!copy)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "authority");
    if (!kvp_http_url_allowed(copy)) {
        kvp_free(copy);
        return kvp_error_set(
            reterr, KVP_ERR_CONFIG,
            "`authority` must be an https:// URL, for example https://login.microsoftonline.com");
    }
    *ret = copy;
    return KVP_OK;
}
