/* SPDX-License-Identifier: MIT */
/* Throttling: one window of ten seconds per vault and pot, opened by the first transaction in it.
 */
#include "vaultd/throttle.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/lock.h"
#include "vaultd/exchange.h"
#include "vaultd/routes.h"

#include <stdio.h>
#include <string.h>

/* What a pot holds: every published limit divides it, so that the weights are whole numbers. */
#define POT 12000
#define SECRET_CREATE 300
#define VAULT_OTHER 4000

const kvp_throttle_row kvp_throttle_rows[] = {
    { "RSA", 2048, { 10, 2000, 20, 4000 } }, { "RSA", 3072, { 10, 500, 20, 1000 } },
    { "RSA", 4096, { 10, 250, 20, 500 } },   { "EC", 0, { 10, 2000, 20, 4000 } },
    { "RSA", 0, { 10, 2000, 20, 4000 } }, /* imported sizes that are not published */
    { "oct", 0, { 10, 2000, 20, 4000 } },
};
const size_t kvp_throttle_row_count = KVP_ARRAY_LEN(kvp_throttle_rows);

/** A vault that was asked something. */
typedef struct vault_pots {
    int64_t vault;
    struct {
        int64_t opened_ms;
        unsigned used;
    } pots[KVP_POT_COUNT];
    struct vault_pots *next;
} vault_pots;

struct kvp_throttle {
    kvp_lock lock;
    vault_pots *vaults;
    KVP_GUARDED_BY(lock)
};

kvp_throttle *kvp_throttle_new(void)
{
    kvp_throttle *throttle = kvp_calloc(1, sizeof(*throttle));

    if (throttle && kvp_lock_init(&throttle->lock, KVP_RANK_CACHE) != KVP_OK) {
        kvp_free(throttle);
        return NULL;
    }
    return throttle;
}

void kvp_throttle_free(kvp_throttle *throttle)
{
    if (!throttle)
        return;
    while (throttle->vaults) {
        vault_pots *next = throttle->vaults->next;
        kvp_free(throttle->vaults);
        throttle->vaults = next;
    }
    kvp_lock_clear(&throttle->lock);
    kvp_free(throttle);
}

static vault_pots *pots_of(kvp_throttle *throttle, int64_t vault)
{
    for (vault_pots *v = throttle->vaults; v; v = v->next) {
        if (v->vault == vault)
            return v;
    }
    vault_pots *fresh = kvp_calloc(1, sizeof(*fresh));
    if (!fresh)
        return NULL;
    fresh->vault = vault;
    for (int i = 0; i < KVP_POT_COUNT; i++)
        fresh->pots[i].opened_ms = INT64_MIN / 2;
    fresh->next = throttle->vaults;
    throttle->vaults = fresh;
    return fresh;
}

int kvp_throttle_take(kvp_throttle *throttle, int64_t vault, kvp_throttle_pot pot, unsigned limit,
                      int64_t now_ms)
{
    unsigned weight = POT / limit;
    int wait_s = 0;

    kvp_lock_take(&throttle->lock);
    vault_pots *v = pots_of(throttle, vault);
    if (v) {
        int64_t age = now_ms - v->pots[pot].opened_ms;
        if (age >= KVP_THROTTLE_WINDOW_MS) {
            v->pots[pot].opened_ms = now_ms;
            v->pots[pot].used = 0;
            age = 0;
        }
        if (v->pots[pot].used + weight > POT)
            wait_s = (int)((KVP_THROTTLE_WINDOW_MS - age + 999) / 1000);
        else
            v->pots[pot].used += weight;
    }
    kvp_lock_give(&throttle->lock);
    return wait_s;
}

static bool take(kvp_exchange *ex, kvp_throttle_pot pot, unsigned limit)
{
    char seconds[16];
    int wait_s = kvp_throttle_take(ex->daemon->throttle, ex->daemon->vault.id, pot, limit,
                                   kvp_clock_mono_ms());

    if (wait_s == 0)
        return true;
    snprintf(seconds, sizeof(seconds), "%d", wait_s);
    kvp_refuse(ex, KVP_REFUSE_THROTTLED);
    kvp_exchange_header(ex, "Retry-After", seconds);
    return false;
}

bool kvp_throttle_request(kvp_exchange *ex)
{
    if (!ex->daemon->throttle || kvp_exchange_is_hsm(ex) || (ex->route->flags & KVP_ROUTE_WEIGHED))
        return true;
    if (strcmp(ex->method, "PUT") == 0 && strncmp(ex->route->pattern, "secrets/", 8) == 0)
        return take(ex, KVP_POT_SECRET_CREATE, SECRET_CREATE);
    return take(ex, KVP_POT_VAULT, VAULT_OTHER);
}

bool kvp_throttle_key(kvp_exchange *ex, const char *kty, unsigned bits, bool create)
{
    size_t len = strcspn(kty, "-");
    kvp_throttle_pot pot = kty[len] ? (create ? KVP_POT_HSM_CREATE : KVP_POT_HSM_USE)
                                    : (create ? KVP_POT_SOFTWARE_CREATE : KVP_POT_SOFTWARE_USE);

    if (!ex->daemon->throttle || kvp_exchange_is_hsm(ex))
        return true;
    for (size_t i = 0; i < kvp_throttle_row_count; i++) {
        const kvp_throttle_row *row = &kvp_throttle_rows[i];
        if (strlen(row->kty) == len && strncmp(row->kty, kty, len) == 0 &&
            (row->bits == 0 || row->bits == bits))
            return take(ex, pot, row->limits[pot]);
    }
    return true;
}
