/* SPDX-License-Identifier: MIT */
/*
 * Faults on order, for tests of clients (`--allow-faults`): an administrator queues them with
 * `POST /.faults`, the next requests that match use them up in the order of the queue. Without the
 * option there is no queue and no such path.
 *
 * One fault: {"match": {"method", "path", "operation"}, "times", "delay_ms", "action", "status",
 * "headers", "body", "when"}; all members may be left out. `path` is a glob over the whole path,
 * `operation` an operationName of the usage log. `action` is none (only the delay), status,
 * malformed, truncate or reset; with `status` it need not be given. `when` says for status and
 * reset whether the operation is done first: "before" (the default: it is not) or "after". Several
 * faults may be queued at once: {"faults": […]}.
 */
#ifndef KVP_VAULTD_FAULTS_H
#define KVP_VAULTD_FAULTS_H

#include "base/error.h"

#include <stdbool.h>

struct kvp_exchange;

typedef enum kvp_fault_action {
    KVP_FAULT_NONE,      /**< nothing but the delay */
    KVP_FAULT_STATUS,    /**< an answer of the order's own */
    KVP_FAULT_MALFORMED, /**< the true answer, its JSON broken */
    KVP_FAULT_TRUNCATE,  /**< half of the true answer's body, then the connection ends */
    KVP_FAULT_RESET,     /**< the connection is reset without an answer */
    KVP_FAULT_ACTION_COUNT
} kvp_fault_action;
extern const char *const kvp_fault_action_names[KVP_FAULT_ACTION_COUNT];

typedef struct kvp_faults kvp_faults;
kvp_faults *kvp_faults_new(void) KVP_WARN_UNUSED;
void kvp_faults_free(kvp_faults *faults);

/** A fault that one exchange took from the queue. */
typedef struct kvp_fault kvp_fault;
/** Accepts NULL. */
void kvp_fault_free(kvp_fault *fault);
/** What the front is to do with the connection: KVP_FAULT_TRUNCATE, KVP_FAULT_RESET, or none;
 * @fault may be NULL. */
kvp_fault_action kvp_fault_on_wire(const kvp_fault *fault);

/** Give the exchange its fault, if one is queued for it, and wait its delay. True: it has its
 * answer. */
bool kvp_faults_before(struct kvp_exchange *ex);
/** Spoil the answer as the exchange's fault says; after the headers were added. */
void kvp_faults_after(struct kvp_exchange *ex);

#endif
