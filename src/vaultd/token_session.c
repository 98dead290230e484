/* SPDX-License-Identifier: MIT */
/* The PKCS#11 module: loading, login, and a small pool of sessions. */
#include "vaultd/token_internal.h"

#include "base/alloc.h"
#include "vaultd/files.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#define SESSIONS_MAX 8
#define SLOTS_MAX 64

struct kvp_token {
    void *library;
    CK_FUNCTION_LIST *f;
    CK_SLOT_ID slot;
    bool initialized;
    pthread_mutex_t mutex; /* guards what follows; not held while the module works */
    pthread_cond_t freed;
    CK_SESSION_HANDLE idle[SESSIONS_MAX];
    size_t idle_count, open_count;
    CK_SESSION_HANDLE login; /* kept open: with the last session the login would end */
};

CK_FUNCTION_LIST *kvp_token_functions(const kvp_token *token)
{
    return token->f;
}

kvp_status kvp_token_failed(kvp_error *reterr, const char *what, CK_RV rv)
{
    if (rv == CKR_MECHANISM_INVALID)
        return kvp_error_set(reterr, KVP_ERR_CRYPTO, "%s: the token offers no mechanism for it",
                             what);
    return kvp_error_set(reterr, KVP_ERR_CRYPTO, "%s: the token says 0x%lx", what,
                         (unsigned long)rv);
}

static kvp_status load_module(kvp_token *token, const char *module, kvp_error *reterr)
{
    CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
    CK_RV (*get_list)(CK_FUNCTION_LIST **) = NULL;

    token->library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    if (!token->library)
        return kvp_error_set(reterr, KVP_ERR_IO, "%s", dlerror());
    void *symbol = dlsym(token->library, "C_GetFunctionList");
    memcpy(&get_list, &symbol, sizeof(get_list)); /* ISO C has no cast for it */
    if (!get_list || get_list(&token->f) != CKR_OK)
        return kvp_error_set(reterr, KVP_ERR_IO, "%s is no PKCS#11 module", module);
    CK_RV rv = token->f->C_Initialize(&args);
    if (rv != CKR_OK)
        return kvp_token_failed(reterr, "C_Initialize", rv);
    token->initialized = true;
    return KVP_OK;
}

/* Labels are padded with blanks to 32 characters (PKCS#11 v3.1 §3.2). */
static bool has_label(const CK_TOKEN_INFO *info, const char *label)
{
    size_t len = strlen(label);

    if (len > sizeof(info->label) || memcmp(info->label, label, len) != 0)
        return false;
    for (; len < sizeof(info->label); len++) {
        if (info->label[len] != ' ')
            return false;
    }
    return true;
}

static kvp_status find_slot(kvp_token *token, const char *label, kvp_error *reterr)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    size_t found = 0;
    CK_RV rv = token->f->C_GetSlotList(CK_TRUE, slots, &count);

    if (rv != CKR_OK)
        return kvp_token_failed(reterr, "C_GetSlotList", rv);
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        if (token->f->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
            !(info.flags & CKF_TOKEN_INITIALIZED) || (label && !has_label(&info, label)))
            continue;
        token->slot = slots[i];
        found++;
    }
    if (found == 1)
        return KVP_OK;
    return kvp_error_set(reterr, KVP_ERR_IO,
                         found ? "more than one token fits: --hsm-token names the one to use"
                               : "the module has no such token");
}

static kvp_status open_session(kvp_token *token, CK_SESSION_HANDLE *ret, kvp_error *reterr)
{
    CK_RV rv =
        token->f->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, ret);

    return rv == CKR_OK ? KVP_OK : kvp_token_failed(reterr, "C_OpenSession", rv);
}

static kvp_status log_in(kvp_token *token, const char *pin_file, kvp_error *reterr)
{
    kvp_buf pin = KVP_BUF_INIT_SECRET(4096);
    kvp_status status = kvp_file_read(pin_file, &pin, reterr);

    if (status == KVP_OK)
        status = open_session(token, &token->login, reterr);
    if (status == KVP_OK) {
        size_t len = strcspn(kvp_buf_str(&pin), "\r\n");
        CK_RV rv = token->f->C_Login(token->login, CKU_USER, pin.data, len);
        if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
            status = kvp_token_failed(reterr, "C_Login", rv);
    }
    kvp_buf_clear(&pin);
    return status;
}

kvp_status kvp_token_open(const char *module, const char *pin_file, const char *label,
                          kvp_token **ret_token, kvp_error *reterr)
{
    kvp_token *token = kvp_calloc(1, sizeof(*token));

    if (!token)
        return kvp_error_set(reterr, KVP_ERR_NO_MEMORY, "token");
    pthread_mutex_init(&token->mutex, NULL);
    pthread_cond_init(&token->freed, NULL);
    kvp_status status = load_module(token, module, reterr);
    if (status == KVP_OK)
        status = find_slot(token, label, reterr);
    if (status == KVP_OK)
        status = log_in(token, pin_file, reterr);
    if (status != KVP_OK) {
        kvp_token_close(token);
        return status;
    }
    *ret_token = token;
    return KVP_OK;
}

void kvp_token_close(kvp_token *token)
{
    if (!token)
        return;
    if (token->initialized) {
        token->f->C_CloseAllSessions(token->slot);
        token->f->C_Finalize(NULL);
    }
    if (token->library)
        dlclose(token->library);
    pthread_mutex_destroy(&token->mutex);
    pthread_cond_destroy(&token->freed);
    kvp_free(token);
}

kvp_status kvp_token_take(kvp_token *token, CK_SESSION_HANDLE *ret, kvp_error *reterr)
{
    pthread_mutex_lock(&token->mutex);
    while (token->idle_count == 0 && token->open_count == SESSIONS_MAX)
        pthread_cond_wait(&token->freed, &token->mutex);
    bool kept = token->idle_count > 0;
    if (kept)
        *ret = token->idle[--token->idle_count];
    else
        token->open_count++;
    pthread_mutex_unlock(&token->mutex);
    if (kept)
        return KVP_OK;
    kvp_status status = open_session(token, ret, reterr);
    if (status != KVP_OK) {
        pthread_mutex_lock(&token->mutex);
        token->open_count--;
        pthread_cond_signal(&token->freed);
        pthread_mutex_unlock(&token->mutex);
    }
    return status;
}

void kvp_token_give(kvp_token *token, CK_SESSION_HANDLE session, CK_RV rv)
{
    /* After a failure an operation may still be active in it: a fresh one is simpler than to know.
     */
    if (rv != CKR_OK)
        token->f->C_CloseSession(session);
    pthread_mutex_lock(&token->mutex);
    if (rv == CKR_OK)
        token->idle[token->idle_count++] = session;
    else
        token->open_count--;
    pthread_cond_signal(&token->freed);
    pthread_mutex_unlock(&token->mutex);
}
