/* SPDX-License-Identifier: MIT */
/*
 * What module.c, slot.c and session.c share. Others know the module by slot.h alone.
 */
#ifndef KVP_TOKEN_MODULE_H
#define KVP_TOKEN_MODULE_H

#include "token/handle_table.h"
#include "token/slot.h"

struct kvp_module {
    /*
     * KVP_MODULE_ALIVE, and below it the number of calls in flight. The structure itself is never
     * freed, only used again, so that a call may look at this word while another thread finalizes.
     */
    _Atomic uint64_t state;
    _Atomic bool vacant;      /**< torn down: may be used again */
    kvp_module *next;         /**< in the list of all; guarded by the initialise lock */
    uint64_t fork_generation; /**< of the process that called C_Initialize; guarded likewise */
    kvp_config *config;
    kvp_audit *audit;
    kvp_slot *slots;
    size_t slot_count;
    kvp_handle_table sessions; /**< of all slots */
};

#define KVP_MODULE_ALIVE ((uint64_t)1 << 63)

/**
 * Fill a zeroed slot; a vault that cannot be made leaves its error in the slot. KVP_ERR_NO_MEMORY.
 */
kvp_status kvp_slot_init(kvp_slot *slot, kvp_module *module, CK_SLOT_ID id,
                         const kvp_config_vault *config);
/** @forget: the host has run OPENSSL_cleanup, what holds OpenSSL's objects is left alone. */
void kvp_slot_clear(kvp_slot *slot, bool forget);

/** Close every session of @slot, or of all slots when it is NULL. */
void kvp_session_close_matching(kvp_module *module, const kvp_slot *slot);
/** Reference counting for the handle table. */
void kvp_session_ref_item(void *session);

#endif
