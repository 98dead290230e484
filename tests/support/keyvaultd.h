/* SPDX-License-Identifier: MIT */
/*
 * A keyvaultd of the test program's own, in a directory of its own, on a port that it chooses. One
 * starts in main and serves all tests; $KEYVAULTD names another program.
 */
#ifndef KVP_TESTS_SUPPORT_KEYVAULTD_H
#define KVP_TESTS_SUPPORT_KEYVAULTD_H

#include <jansson.h>
#include <stddef.h>

/**
 * Start it (@kind: `vault` or `managed-hsm`), wait until it is ready, set $KVPKCS11_CONF, and have
 * it stopped and its directory removed when the program ends. Ends the program if it does not
 * start.
 */
void keyvaultd_start(const char *kind);
/** From the next start on, obey keyvaultd_fault: the daemon's `--allow-faults`. */
void keyvaultd_allow_faults(void);
/**
 * Order @times faults of the next requests that match: @match is NULL for any, or an object as
 * faults.h of the daemon has it; @fault is the rest of the order (`{"status": 403}`). Takes both.
 */
void keyvaultd_fault(json_t *take_match, json_t *take_fault, int times);
/** Forget the faults that were not used up. */
void keyvaultd_no_faults(void);
/** Stop it now; what it stored stays. */
void keyvaultd_stop(void);
/** Start it again on the same data and port, after keyvaultd_stop. */
void keyvaultd_restart(void);

const char *keyvaultd_url(void);
/** Its data directory; keyvaultd_conf() is the configuration that it wrote for the module. */
const char *keyvaultd_dir(void);
const char *keyvaultd_conf(void);
/** A directory for a test's own files, removed at the end. */
const char *keyvaultd_scratch(void);

/**
 * Requests of @operation (`KeySign`; NULL: all) that its usage log has. Token requests do not
 * count.
 */
size_t keyvaultd_requests(const char *operation);

/** One line of a setting in the configuration that it wrote (`client_id`), copied to @ret. */
void keyvaultd_setting(const char *name, char *ret, size_t size);

/**
 * A REST call with the administrator's identity: @path from the root, without api-version. @body
 * may be NULL. Returns the HTTP status, the answer in @ret (to be decref'd; NULL allowed).
 */
int keyvaultd_rest(const char *method, const char *path, json_t *body, json_t **ret);

/** Create a key: @kty `RSA` or `EC`; @size bits or 0; @curve `P-256` or NULL. */
void keyvaultd_create_key(const char *name, const char *kty, int size, const char *curve);

#endif
