/* SPDX-License-Identifier: MIT */
/*
 * DigestInfo: what CKM_RSA_PKCS is given when the application has hashed by itself. A hash is only
 * recognised on its exact prefix and its exact total length, with the NULL parameters that signers
 * write; everything else is no DigestInfo to us and is signed as it stands.
 */
#include "crypto/crypto.h"

#include <string.h>

#define MAX_PREFIX 19

typedef struct digest_info {
    uint8_t prefix[MAX_PREFIX];
    size_t prefix_len;
} digest_info;

/* SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.2.arc, NULL }, OCTET STRING } around len bytes. */
#define NIST(arc, len)                                                                             \
    {                                                                                              \
        { 0x30, 17 + (len), 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,      \
          0x02, (arc), 0x05, 0x00, 0x04, (len) },                                                  \
            19                                                                                     \
    }

static const digest_info infos[KVP_HASH_COUNT] = {
    [KVP_HASH_SHA1] = { { 0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05,
                          0x00, 0x04, 20 },
                        15 },
    [KVP_HASH_SHA224] = NIST(4, 28),   [KVP_HASH_SHA256] = NIST(1, 32),
    [KVP_HASH_SHA384] = NIST(2, 48),   [KVP_HASH_SHA512] = NIST(3, 64),
    [KVP_HASH_SHA3_224] = NIST(7, 28), [KVP_HASH_SHA3_256] = NIST(8, 32),
    [KVP_HASH_SHA3_384] = NIST(9, 48), [KVP_HASH_SHA3_512] = NIST(10, 64),
};

kvp_hash kvp_digest_info_parse(const uint8_t *data, size_t len, const uint8_t **ret_digest)
{
    for (int hash = KVP_HASH_NONE + 1; data && hash < KVP_HASH_COUNT; hash++) {
        const digest_info *info = &infos[hash];

        if (len != info->prefix_len + kvp_hash_len((kvp_hash)hash) ||
            memcmp(data, info->prefix, info->prefix_len) != 0)
            continue;
        *ret_digest = data + info->prefix_len;
        return (kvp_hash)hash;
    }
    return KVP_HASH_NONE;
}

kvp_status kvp_digest_info_build(kvp_hash hash, const uint8_t *digest, kvp_buf *ret)
{
    size_t len = kvp_hash_len(hash);
    size_t prefix_len;
    uint8_t *at;

    if (len == 0)
        return KVP_ERR_INVALID;
    prefix_len = infos[hash].prefix_len;
    at = kvp_buf_reserve(ret, prefix_len + len);
    if (!at)
        return KVP_ERR_NO_MEMORY;
    memcpy(at, infos[hash].prefix, prefix_len);
    memcpy(at + prefix_len, digest, len);
    at[prefix_len + len] = '\0';
    ret->len += prefix_len + len;
    return KVP_OK;
}
