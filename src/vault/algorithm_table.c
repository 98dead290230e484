/* SPDX-License-Identifier: MIT */
/* The service's algorithms, a row each: its name for them and what sign takes (wire reference,
 * section 5). */
#include "vault/vault.h"

#define ROW(id, text, len) [KVP_ALG_##id] = { .name = (text), .digest_len = (len) }

static const struct {
    const char *name;
    size_t digest_len; /* 0: any, or not a signature */
} algorithms[] = {
    [KVP_ALG_NONE] = { .name = "" },
    ROW(RS256, "RS256", 32),
    ROW(RS384, "RS384", 48),
    ROW(RS512, "RS512", 64),
    ROW(RSNULL, "RSNULL", 0),
    ROW(PS256, "PS256", 32),
    ROW(PS384, "PS384", 48),
    ROW(PS512, "PS512", 64),
    ROW(ES256, "ES256", 32),
    ROW(ES384, "ES384", 48),
    ROW(ES512, "ES512", 64),
    ROW(ES256K, "ES256K", 32),
    ROW(HS256, "HS256", 0),
    ROW(HS384, "HS384", 0),
    ROW(HS512, "HS512", 0),
    ROW(RSA1_5, "RSA1_5", 0),
    ROW(RSA_OAEP, "RSA-OAEP", 0),
    ROW(RSA_OAEP_256, "RSA-OAEP-256", 0),
    ROW(A128CBC, "A128CBC", 0),
    ROW(A192CBC, "A192CBC", 0),
    ROW(A256CBC, "A256CBC", 0),
    ROW(A128CBCPAD, "A128CBCPAD", 0),
    ROW(A192CBCPAD, "A192CBCPAD", 0),
    ROW(A256CBCPAD, "A256CBCPAD", 0),
    ROW(A128GCM, "A128GCM", 0),
    ROW(A192GCM, "A192GCM", 0),
    ROW(A256GCM, "A256GCM", 0),
    ROW(A128KW, "A128KW", 0),
    ROW(A192KW, "A192KW", 0),
    ROW(A256KW, "A256KW", 0),
    ROW(AES_KEY_WRAP, "CKM_AES_KEY_WRAP", 0),
    ROW(AES_KEY_WRAP_PAD, "CKM_AES_KEY_WRAP_PAD", 0),
};

_Static_assert(KVP_ARRAY_LEN(algorithms) == KVP_ALG_COUNT, "every algorithm has its row");

const char *kvp_alg_name(kvp_alg alg)
{
    return (size_t)alg < KVP_ALG_COUNT ? algorithms[alg].name : "";
}

size_t kvp_alg_digest_len(kvp_alg alg)
{
    return (size_t)alg < KVP_ALG_COUNT ? algorithms[alg].digest_len : 0;
}
