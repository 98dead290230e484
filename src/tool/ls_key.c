/* SPDX-License-Identifier: MIT */
/* Keys and subjects in words; see ls_key.h. */
#include "tool/ls_key.h"

#include "base/alloc.h"
#include "jwk/jwk.h"
#include "tool/text.h"

#include <openssl/bio.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <string.h>

static unsigned long significant_bits(const CK_ATTRIBUTE *number)
{
    const unsigned char *bytes = number->pValue;
    size_t len = number->ulValueLen;
    unsigned long bits;

    while (len > 0 && *bytes == 0) {
        bytes++;
        len--;
    }
    bits = len * 8;
    for (unsigned top = len > 0 ? *bytes : 0x80; !(top & 0x80) && bits > 0; top <<= 1)
        bits--;
    return bits;
}

static char *rsa(const CK_ATTRIBUTE *attributes, size_t count)
{
    const CK_ATTRIBUTE *modulus = kvp_ls_attribute(attributes, count, CKA_MODULUS);
    CK_ULONG bits = 0;

    if (!kvp_ls_number(attributes, count, CKA_MODULUS_BITS, &bits) && modulus)
        bits = significant_bits(modulus);
    return bits ? kvp_asprintf("RSA %lu", bits) : kvp_strdup("RSA");
}

static char *ec(const CK_ATTRIBUTE *attributes, size_t count)
{
    const CK_ATTRIBUTE *params = kvp_ls_attribute(attributes, count, CKA_EC_PARAMS);
    const unsigned char *der;
    ASN1_OBJECT *oid;
    kvp_curve curve;
    char name[80];
    int len = 0;

    if (!params)
        return kvp_strdup("EC");
    curve = kvp_curve_from_oid(params->pValue, params->ulValueLen);
    if (curve != KVP_CURVE_NONE)
        return kvp_asprintf("EC %s", kvp_curves[curve].jwk_name);
    der = params->pValue;
    oid = d2i_ASN1_OBJECT(NULL, &der, (long)params->ulValueLen);
    if (oid)
        len = OBJ_obj2txt(name, sizeof(name), oid, 0);
    ASN1_OBJECT_free(oid);
    return len > 0 ? kvp_asprintf("EC %s", name) : kvp_strdup("EC");
}

static char *symmetric(const char *name, const CK_ATTRIBUTE *attributes, size_t count)
{
    CK_ULONG len = 0;

    if (kvp_ls_number(attributes, count, CKA_VALUE_LEN, &len) && len > 0 && len <= 8192)
        return kvp_asprintf("%s %lu", name, len * 8);
    return kvp_strdup(name);
}

char *kvp_ls_key(CK_OBJECT_CLASS object_class, const CK_ATTRIBUTE *attributes, size_t count)
{
    CK_ULONG type = 0;

    if ((object_class != CKO_PRIVATE_KEY && object_class != CKO_PUBLIC_KEY &&
         object_class != CKO_SECRET_KEY) ||
        !kvp_ls_number(attributes, count, CKA_KEY_TYPE, &type))
        return NULL;
    switch (type) {
    case CKK_RSA:
        return rsa(attributes, count);
    case CKK_EC:
        return ec(attributes, count);
    case CKK_AES:
        return symmetric("AES", attributes, count);
    case CKK_GENERIC_SECRET:
        return symmetric("secret", attributes, count);
    default:
        return kvp_asprintf("key type 0x%lx", type);
    }
}

char *kvp_ls_subject(const CK_ATTRIBUTE *attributes, size_t count)
{
    const CK_ATTRIBUTE *subject = kvp_ls_attribute(attributes, count, CKA_SUBJECT);
    const unsigned long form = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    const unsigned char *der;
    X509_NAME *name;
    char *result = NULL, *data = NULL;
    BIO *bio;

    if (!subject)
        return NULL;
    der = subject->pValue;
    name = d2i_X509_NAME(NULL, &der, (long)subject->ulValueLen);
    bio = BIO_new(BIO_s_mem());
    if (name && bio && X509_NAME_print_ex(bio, name, 0, form) >= 0) {
        long len = BIO_get_mem_data(bio, &data);

        if (len > 0)
            result = kvp_text_clean_dup(data, (size_t)len);
    }
    BIO_free(bio);
    X509_NAME_free(name);
    return result;
}
