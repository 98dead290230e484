/* SPDX-License-Identifier: MIT */
/*
 * The module's life: C_Initialize, C_Finalize, and what fork does in between.
 *
 * Every call holds a reference while it runs. C_Finalize makes new calls fail at once and lets
 * those in flight end as they would; whoever lets go last tears the module down. C_Initialize may
 * meanwhile make another. Structures are kept for good and used again, so that counting needs no
 * lock: a call may look at the word of a module that was just finalized.
 *
 * After fork the child goes on with its parent's module (CKF_INTERFACE_FORK_SAFE). If it calls
 * C_Initialize, sessions end and all else stays: the configuration, since a worker may have lost
 * the right to read the file and the environment that named it, and what was learnt of the vaults.
 */
#include "base/alloc.h"
#include "crypto/ossl.h"
#include "token/module.h"
#include "token/object.h"

#include <stdatomic.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static kvp_lock initialise_lock; /* KVP_RANK_MODULE: one C_Initialize or C_Finalize at a time */
static kvp_status once_status;
static kvp_module *modules; /* all there ever were; guarded by initialise_lock */
static _Atomic(kvp_module *) current;

/*
 * For C_WaitForSlotEvent. Not a kvp_lock: nothing is guarded but the wait itself, and only the
 * operating system's threads can be waited for.
 */
static pthread_mutex_t wait_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t finalized = PTHREAD_COND_INITIALIZER;

/*
 * Calls that other threads of the parent had in flight do not exist in the child, nor does a thread
 * that waited there.
 */
static void in_child(void)
{
    static const pthread_mutex_t fresh_mutex = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_cond_t fresh_cond = PTHREAD_COND_INITIALIZER;
    kvp_module *module = atomic_load(&current);

    wait_mutex = fresh_mutex;
    finalized = fresh_cond;

    if (module)
        atomic_fetch_and(&module->state, KVP_MODULE_ALIVE);
}

static void set_up_once(void)
{
    once_status = kvp_fork_watch();
    if (once_status == KVP_OK)
        once_status = kvp_lock_init(&initialise_lock, KVP_RANK_MODULE);
    kvp_fork_on_child(in_child);
}

/* ---- references ---- */

kvp_module *kvp_module_ref(void)
{
    kvp_module *module = atomic_load_explicit(&current, memory_order_acquire);
    uint64_t state;

    if (!module)
        return NULL;
    state = atomic_load(&module->state);
    do {
        if (!(state & KVP_MODULE_ALIVE))
            return NULL;
    } while (!atomic_compare_exchange_weak(&module->state, &state, state + 1));
    return module;
}

static void tear_down(kvp_module *module)
{
    bool forget = kvp_ossl_gone();

    /* A session may have been opened while C_Finalize closed all others. */
    if (module->sessions.ref)
        kvp_session_close_matching(module, NULL);
    kvp_handle_table_clear(&module->sessions);
    for (size_t i = 0; i < module->slot_count; i++)
        kvp_slot_clear(&module->slots[i], forget);
    /* What may only be forgotten stays reachable: the structure is not used again then. */
    if (forget)
        return;
    kvp_free(module->slots);
    module->slots = NULL;
    module->slot_count = 0;
    kvp_audit_free(KVP_STEAL(module->audit));
    kvp_config_free(KVP_STEAL(module->config));
    atomic_store_explicit(&module->vacant, true, memory_order_release);
}

void kvp_module_unref(kvp_module *module)
{
    if (module && atomic_fetch_sub(&module->state, 1) == 1)
        tear_down(module);
}

/* ---- C_Initialize ---- */

/*
 * PKCS#11 v3.1 §5.4, C_Initialize: all four mutex functions or none. Without CKF_OS_LOCKING_OK they
 * must be used, with it we choose, and choose the operating system's.
 * CKF_LIBRARY_CANT_CREATE_OS_THREADS asks for nothing, we make no threads; flags of later versions
 * are no reason to fail. pReserved must be NULL, but NSS passes a module's parameters there,
 * together with both flags.
 */
static CK_RV check_args(const CK_C_INITIALIZE_ARGS *args, kvp_mutex_functions *ret_functions,
                        bool *ret_use_functions)
{
    const CK_FLAGS nss = CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK;
    int given;

    *ret_use_functions = false;
    if (!args)
        return CKR_OK;
    if (args->pReserved && (args->flags & nss) != nss)
        return CKR_ARGUMENTS_BAD;
    given = !!args->CreateMutex + !!args->DestroyMutex + !!args->LockMutex + !!args->UnlockMutex;
    if (given != 0 && given != 4)
        return CKR_ARGUMENTS_BAD;
    if (given == 4 && !(args->flags & CKF_OS_LOCKING_OK)) {
        ret_functions->create = args->CreateMutex;
        ret_functions->destroy = args->DestroyMutex;
        ret_functions->lock = args->LockMutex;
        ret_functions->unlock = args->UnlockMutex;
        *ret_use_functions = true;
    }
    return CKR_OK;
}

/* A zeroed structure: one that was torn down, or a new one. Expects the initialise lock. */
static kvp_module *obtain_structure(void)
{
    kvp_module *module;

    for (module = modules; module; module = module->next)
        if (atomic_exchange(&module->vacant, false))
            return module;
    module = kvp_calloc(1, sizeof(*module));
    if (module) {
        module->next = modules;
        modules = module;
    }
    return module;
}

/* What is wrong with the configuration does not stop an application: it goes to the log. */
static kvp_status configure(kvp_module *module)
{
    kvp_config_problems problems = { NULL, 0 };
    kvp_error error = { 0 };
    kvp_status status = kvp_config_load(&module->config, &problems, &error);

    if (status == KVP_OK || status == KVP_ERR_CONFIG) {
        const kvp_config *config = module->config;

        status = config ? kvp_audit_new(&config->audit, &config->log, config->log_level,
                                        &module->audit, &error)
                        : KVP_ERR_INTERNAL;
    }
    if (status == KVP_OK)
        for (size_t i = 0; i < problems.count; i++)
            kvp_log(module->audit, KVP_LOG_ERROR, "configuration: %s", problems.lines[i]);
    kvp_config_problems_clear(&problems);
    return status;
}

static kvp_status make_slots(kvp_module *module)
{
    const kvp_config *config = module->config;
    kvp_status status = KVP_OK;

    module->slots = kvp_calloc(config->vault_count, sizeof(*module->slots));
    if (!module->slots)
        return KVP_ERR_NO_MEMORY;
    for (size_t i = 0; i < config->vault_count && status == KVP_OK; i++) {
        kvp_slot *slot = &module->slots[i];

        module->slot_count = i + 1;
        status = kvp_slot_init(slot, module, i, &config->vaults[i]);
        if (status == KVP_OK && !slot->vault)
            kvp_log(module->audit, KVP_LOG_ERROR, "configuration: [vault:%s] cannot be used: %s",
                    config->vaults[i].name, slot->vault_error.message);
    }
    return status;
}

static CK_RV start(const kvp_mutex_functions *functions)
{
    kvp_module *module = obtain_structure();
    kvp_status status;

    if (!module)
        return CKR_HOST_MEMORY;
    kvp_lock_use(functions);
    status = kvp_handle_table_init(&module->sessions, CKR_SESSION_HANDLE_INVALID,
                                   kvp_session_ref_item);
    if (status == KVP_OK)
        status = configure(module);
    if (status == KVP_OK)
        status = make_slots(module);
    if (status != KVP_OK) {
        kvp_lock_use(NULL);
        tear_down(module);
        return status == KVP_ERR_NO_MEMORY ? CKR_HOST_MEMORY : CKR_GENERAL_ERROR;
    }
    module->fork_generation = kvp_fork_generation();
    atomic_store(&module->state, KVP_MODULE_ALIVE);
    atomic_store_explicit(&current, module, memory_order_release);
    return CKR_OK;
}

CK_RV kvp_module_initialize(const CK_C_INITIALIZE_ARGS *args)
{
    kvp_mutex_functions functions;
    bool use_functions;
    kvp_module *module;
    CK_RV rv = check_args(args, &functions, &use_functions);

    if (rv != CKR_OK)
        return rv;
    pthread_once(&once, set_up_once);
    if (once_status != KVP_OK)
        return CKR_HOST_MEMORY;
    kvp_lock_take(&initialise_lock);
    module = atomic_load(&current);
    if (!module) {
        rv = start(use_functions ? &functions : NULL);
    } else if (module->fork_generation == kvp_fork_generation()) {
        rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
    } else {
        module->fork_generation = kvp_fork_generation();
        kvp_session_close_matching(module, NULL);
        for (size_t i = 0; i < module->slot_count; i++)
            kvp_object_store_restart(module->slots[i].objects);
    }
    kvp_lock_give(&initialise_lock);
    return rv;
}

/* ---- C_Finalize ---- */

static void give_wait_mutex(void *unused)
{
    (void)unused;
    pthread_mutex_unlock(&wait_mutex);
}

void kvp_module_wait_finalized(kvp_module *module)
{
    pthread_mutex_lock(&wait_mutex);
    pthread_cleanup_push(give_wait_mutex, NULL);
    while (atomic_load(&module->state) & KVP_MODULE_ALIVE)
        pthread_cond_wait(&finalized, &wait_mutex);
    pthread_cleanup_pop(1);
}

static void wake_waiting(void)
{
    pthread_mutex_lock(&wait_mutex);
    pthread_cond_broadcast(&finalized);
    pthread_mutex_unlock(&wait_mutex);
}

CK_RV kvp_module_finalize(void)
{
    kvp_module *module;

    pthread_once(&once, set_up_once);
    if (once_status != KVP_OK)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    kvp_lock_take(&initialise_lock);
    module = kvp_module_ref();
    if (module) {
        atomic_store(&current, NULL);
        atomic_fetch_and(&module->state, ~KVP_MODULE_ALIVE);
        kvp_lock_use(NULL);
    }
    kvp_lock_give(&initialise_lock);
    if (!module)
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    wake_waiting();
    kvp_session_close_matching(module, NULL);
    kvp_module_unref(module);
    return CKR_OK;
}

/* ---- what it has ---- */

kvp_audit *kvp_module_audit(kvp_module *module)
{
    return module->audit;
}

const kvp_config *kvp_module_config(const kvp_module *module)
{
    return module->config;
}

size_t kvp_module_slot_count(const kvp_module *module)
{
    return module->slot_count;
}

kvp_slot *kvp_module_slot(kvp_module *module, CK_SLOT_ID id)
{
    return id < module->slot_count ? &module->slots[id] : NULL;
}
