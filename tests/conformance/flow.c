/* SPDX-License-Identifier: MIT */
/* Whole operations, in as many parts as wanted; see flow.h. */
#include "flow.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

const char *const flow_split_names[SPLIT_COUNT] = {
    "one call", "one update", "the first byte alone", "the last byte alone", "blocks", "odd parts"
};

/* The length of the part after @done bytes; @number counts parts from 0. */
static size_t part_len(flow_split split, size_t number, size_t done, size_t len)
{
    size_t left = len - done, wanted = left;

    switch (split) {
    case SPLIT_FIRST_BYTE:
        wanted = number == 0 ? 1 : number == 1 ? 0 : left;
        break;
    case SPLIT_LAST_BYTE:
        wanted = left > 1 ? left - 1 : left;
        break;
    case SPLIT_BLOCKS:
        wanted = 16;
        break;
    case SPLIT_ODD:
        wanted = number + 1;
        break;
    default:
        break;
    }
    return wanted < left ? wanted : left;
}

static CK_BYTE *bytes(const void *data)
{
    return (CK_BYTE *)(uintptr_t)data;
}

typedef CK_RV (*once_fn)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR);
typedef CK_RV (*update_fn)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR);
typedef CK_RV (*feed_fn)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG);
typedef CK_RV (*final_fn)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR);

static CK_RV with_output(once_fn once, update_fn update, final_fn final, flow_split split,
                         const void *in, size_t len, CK_BYTE *out, CK_ULONG *out_len)
{
    CK_ULONG room = *out_len, made = 0;
    size_t done = 0;

    if (split == SPLIT_ONE_CALL)
        return once(module_session, bytes(in), len, out, out_len);
    for (size_t number = 0; number == 0 || done < len; number++) {
        size_t part = part_len(split, number, done, len);
        CK_ULONG got = room - made;
        CK_RV rv = update(module_session, bytes(in) + done, part, out + made, &got);
        if (rv != CKR_OK)
            return rv;
        done += part;
        made += got;
    }
    *out_len = room - made;
    CK_RV rv = final(module_session, out + made, out_len);
    *out_len += made;
    return rv;
}

static CK_RV feed_all(feed_fn feed, flow_split split, const void *in, size_t len)
{
    size_t done = 0;

    for (size_t number = 0; number == 0 || done < len; number++) {
        size_t part = part_len(split, number, done, len);
        CK_RV rv = feed(module_session, bytes(in) + done, part);
        if (rv != CKR_OK)
            return rv;
        done += part;
    }
    return CKR_OK;
}

CK_RV flow_encrypt(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, flow_split split, const void *in,
                   size_t len, void *out, CK_ULONG *out_len)
{
    CK_RV rv = p11_3->C_EncryptInit(module_session, mechanism, key);
    if (rv == CKR_OK)
        rv = with_output(p11_3->C_Encrypt, p11_3->C_EncryptUpdate, p11_3->C_EncryptFinal, split, in,
                         len, out, out_len);
    return rv;
}

CK_RV flow_decrypt(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, flow_split split, const void *in,
                   size_t len, void *out, CK_ULONG *out_len)
{
    CK_RV rv = p11_3->C_DecryptInit(module_session, mechanism, key);
    if (rv == CKR_OK)
        rv = with_output(p11_3->C_Decrypt, p11_3->C_DecryptUpdate, p11_3->C_DecryptFinal, split, in,
                         len, out, out_len);
    return rv;
}

CK_RV flow_digest(CK_MECHANISM *mechanism, flow_split split, const void *in, size_t len, void *out,
                  CK_ULONG *out_len)
{
    CK_RV rv = p11_3->C_DigestInit(module_session, mechanism);
    if (rv == CKR_OK && split == SPLIT_ONE_CALL)
        return p11_3->C_Digest(module_session, bytes(in), len, out, out_len);
    if (rv == CKR_OK)
        rv = feed_all(p11_3->C_DigestUpdate, split, in, len);
    return rv == CKR_OK ? p11_3->C_DigestFinal(module_session, out, out_len) : rv;
}

CK_RV flow_sign(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, flow_split split, const void *in,
                size_t len, void *sig, CK_ULONG *sig_len)
{
    CK_RV rv = p11_3->C_SignInit(module_session, mechanism, key);
    if (rv == CKR_OK && split == SPLIT_ONE_CALL)
        return p11_3->C_Sign(module_session, bytes(in), len, sig, sig_len);
    if (rv == CKR_OK)
        rv = feed_all(p11_3->C_SignUpdate, split, in, len);
    return rv == CKR_OK ? p11_3->C_SignFinal(module_session, sig, sig_len) : rv;
}

CK_RV flow_verify(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, flow_split split, const void *in,
                  size_t len, const void *sig, size_t sig_len)
{
    CK_RV rv = p11_3->C_VerifyInit(module_session, mechanism, key);
    if (rv == CKR_OK && split == SPLIT_ONE_CALL)
        return p11_3->C_Verify(module_session, bytes(in), len, bytes(sig), sig_len);
    if (rv == CKR_OK)
        rv = feed_all(p11_3->C_VerifyUpdate, split, in, len);
    return rv == CKR_OK ? p11_3->C_VerifyFinal(module_session, bytes(sig), sig_len) : rv;
}

/* ---- session keys ---- */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;

CK_OBJECT_HANDLE flow_secret(CK_KEY_TYPE type, const void *value, size_t len)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &secret_class, sizeof(secret_class) },
        { CKA_KEY_TYPE, &type, sizeof(type) },
        { CKA_TOKEN, &no, sizeof(no) },
        { CKA_SENSITIVE, &no, sizeof(no) },
        { CKA_EXTRACTABLE, &yes, sizeof(yes) },
        { CKA_VALUE, bytes(value), len },
    };

    assert_rv(CKR_OK,
              p11_3->C_CreateObject(module_session, template, KVP_ARRAY_LEN(template), &handle));
    return handle;
}

CK_RV flow_unwrap(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, const void *wrapped, size_t len,
                  CK_OBJECT_HANDLE *ret)
{
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &secret_class, sizeof(secret_class) },
        { CKA_KEY_TYPE, &generic, sizeof(generic) },
        { CKA_TOKEN, &no, sizeof(no) },
        { CKA_SENSITIVE, &no, sizeof(no) },
        { CKA_EXTRACTABLE, &yes, sizeof(yes) },
    };

    return p11_3->C_UnwrapKey(module_session, mechanism, key, bytes(wrapped), len, template,
                              KVP_ARRAY_LEN(template), ret);
}

size_t flow_value(CK_OBJECT_HANDLE key, void *ret, size_t size)
{
    CK_ATTRIBUTE attr = { CKA_VALUE, ret, size };

    assert_rv(CKR_OK, p11_3->C_GetAttributeValue(module_session, key, &attr, 1));
    return attr.ulValueLen;
}
