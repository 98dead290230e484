/* SPDX-License-Identifier: MIT */
/*
 * Random number generation functions (PKCS#11 v3.1 §5.20). A vault has no generator: numbers are
 * made here, without a request, as NSS and pkcs11-provider ask for some in every process. A Managed
 * HSM has one, and who opens its token and asks gets what it makes.
 */
#include "cryptoki/enter.h"
#include "crypto/crypto.h"

/*
 * The seed goes into the generator that C_GenerateRandom uses: here the kernel's. That of a Managed
 * HSM takes none, and saying so costs nobody: NSS 3.87 seeds each token once and looks at no
 * result, SunPKCS11 mixes the seed in by itself.
 */
CK_RV C_SeedRandom(CK_SESSION_HANDLE handle, CK_BYTE_PTR seed, CK_ULONG seed_len)
{
    KVP_ENTER(call, "C_SeedRandom");
    KVP_ARGUMENTS(call, seed || !seed_len);
    KVP_SESSION(session, call, handle);
    if (session->slot->config->managed_hsm || kvp_random_seed(seed, seed_len) != KVP_OK)
        return kvp_leave(&call, CKR_RANDOM_SEED_NOT_SUPPORTED);
    return kvp_leave(&call, CKR_OK);
}

static CK_RV generate(kvp_call *call, kvp_slot *slot, void *ret, size_t len)
{
    kvp_status status;
    if (slot->config->managed_hsm && slot->vault) {
        call->remote = true;
        status = kvp_vault_random(slot->vault, ret, len, &call->trace, &call->error);
    } else {
        status = kvp_random(ret, len);
        if (status != KVP_OK)
            kvp_error_set(&call->error, status, "no random numbers are to be had");
    }
    return status == KVP_OK ? CKR_OK : kvp_call_fail(call, KVP_CALL_TOKEN);
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE handle, CK_BYTE_PTR random_data, CK_ULONG random_len)
{
    KVP_ENTER(call, "C_GenerateRandom");
    KVP_ARGUMENTS(call, random_data || !random_len);
    KVP_SESSION(session, call, handle);
    if (random_len == 0)
        return kvp_leave(&call, CKR_OK);
    return kvp_leave(&call, generate(&call, session->slot, random_data, random_len));
}
