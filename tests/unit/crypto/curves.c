/* SPDX-License-Identifier: MIT */
/* The curve table, until the room that owns it is linked in. */
#include "jwk/jwk.h"

const kvp_curve_info kvp_curves[KVP_CURVE_COUNT] = {
    [KVP_CURVE_P256] = { "P-256", "prime256v1", 256, 32,
                         { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 }, 10 },
    [KVP_CURVE_P384] = { "P-384", "secp384r1", 384, 48,
                         { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 }, 7 },
    [KVP_CURVE_P521] = { "P-521", "secp521r1", 521, 66,
                         { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 }, 7 },
    [KVP_CURVE_P256K] = { "P-256K", "secp256k1", 256, 32,
                          { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a }, 7 },
};
