/* SPDX-License-Identifier: MIT */
/* The curves that Key Vault knows, a row each; what can be done with one is its users' business. */
#include "jwk/jwk.h"

#include <string.h>

const kvp_curve_info kvp_curves[KVP_CURVE_COUNT] = {
    [KVP_CURVE_P256] = { .jwk_name = "P-256", .openssl_name = "prime256v1", .bits = 256,
                         .coordinate_len = 32, .oid_der_len = 10,
                         .oid_der = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 } },
    [KVP_CURVE_P384] = { .jwk_name = "P-384", .openssl_name = "secp384r1", .bits = 384,
                         .coordinate_len = 48, .oid_der_len = 7,
                         .oid_der = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 } },
    [KVP_CURVE_P521] = { .jwk_name = "P-521", .openssl_name = "secp521r1", .bits = 521,
                         .coordinate_len = 66, .oid_der_len = 7,
                         .oid_der = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 } },
    [KVP_CURVE_P256K] = { .jwk_name = "P-256K", .openssl_name = "secp256k1", .bits = 256,
                          .coordinate_len = 32, .oid_der_len = 7,
                          .oid_der = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a } },
};

kvp_curve kvp_curve_from_jwk_name(const char *name)
{
    if (!name)
        return KVP_CURVE_NONE;
    for (kvp_curve c = KVP_CURVE_NONE + 1; c < KVP_CURVE_COUNT; c++)
        if (strcmp(kvp_curves[c].jwk_name, name) == 0)
            return c;
    /* Its name before api-version 7.0 (wire reference, section 1.3); imported keys still answer it. */
    return strcmp(name, "SECP256K1") == 0 ? KVP_CURVE_P256K : KVP_CURVE_NONE;
}

kvp_curve kvp_curve_from_oid(const void *der, size_t len)
{
    for (kvp_curve c = KVP_CURVE_NONE + 1; c < KVP_CURVE_COUNT && der; c++)
        if (kvp_curves[c].oid_der_len == len && memcmp(kvp_curves[c].oid_der, der, len) == 0)
            return c;
    return KVP_CURVE_NONE;
}
