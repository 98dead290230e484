/* SPDX-License-Identifier: MIT */
/* CKA_EC_POINT: a DER OCTET STRING around the uncompressed point (PKCS#11 v3.1 §6.3.3). */
#include "crypto/crypto.h"

#include <string.h>

#define UNCOMPRESSED 0x04
#define OCTET_STRING 0x04
#define LONG_FORM_1 0x81 /* one length byte follows */

static size_t curve_width(kvp_curve curve)
{
    return (unsigned)curve < KVP_CURVE_COUNT ? kvp_curves[curve].coordinate_len : 0;
}

/* Tag and length of an OCTET STRING of @len bytes; P-521's 133 need the long form. */
static size_t put_header(uint8_t *at, size_t len)
{
    size_t used = 0;

    at[used++] = OCTET_STRING;
    if (len >= 0x80)
        at[used++] = LONG_FORM_1;
    at[used++] = (uint8_t)len;
    return used;
}

kvp_status kvp_ec_point_encode(kvp_curve curve, const void *x, const void *y, kvp_buf *ret)
{
    size_t width = curve_width(curve);
    size_t point_len = 1 + 2 * width;
    uint8_t header[4];
    size_t header_len;
    uint8_t *at;

    if (width == 0)
        return KVP_ERR_INVALID;
    header_len = put_header(header, point_len);
    header[header_len++] = UNCOMPRESSED;
    at = kvp_buf_reserve(ret, header_len + 2 * width);
    if (!at)
        return KVP_ERR_NO_MEMORY;
    memcpy(at, header, header_len);
    memcpy(at + header_len, x, width);
    memcpy(at + header_len + width, y, width);
    at[header_len + 2 * width] = '\0';
    ret->len += header_len + 2 * width;
    return KVP_OK;
}

kvp_status kvp_ec_point_decode(kvp_curve curve, const void *der, size_t len, const uint8_t **ret_x,
                               const uint8_t **ret_y)
{
    size_t width = curve_width(curve);
    size_t point_len = 1 + 2 * width;
    const uint8_t *at = der;
    uint8_t header[3];
    size_t header_len;

    if (width == 0 || !der)
        return KVP_ERR_INVALID;
    header_len = put_header(header, point_len);
    if (len == header_len + point_len && memcmp(at, header, header_len) == 0)
        at += header_len;
    else if (len != point_len)
        return KVP_ERR_PARSE;
    if (*at != UNCOMPRESSED)
        return KVP_ERR_PARSE;
    *ret_x = at + 1;
    *ret_y = at + 1 + width;
    return KVP_OK;
}
