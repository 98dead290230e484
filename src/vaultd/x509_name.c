/* SPDX-License-Identifier: MIT */
/*
 * Distinguished names as text, the way the service reads and writes them: `KEY=value` separated by
 * commas, values with special characters in double quotes, the part that stands last in DER first
 * (recorded: a request for "C=US, ..., CN=x" begins with CN).
 */
#include "vaultd/x509.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <string.h>

#define PARTS_MAX 32
#define VALUE_MAX 512

typedef struct name_key {
    const char *text; /* as it is written; further spellings follow with the same nid */
    int nid;
    int type; /* 0: PrintableString if it fits, else UTF8String */
} name_key;

static const name_key keys[] = {
    { "CN", NID_commonName, 0 },
    { "O", NID_organizationName, 0 },
    { "OU", NID_organizationalUnitName, 0 },
    { "L", NID_localityName, 0 },
    { "S", NID_stateOrProvinceName, 0 },
    { "ST", NID_stateOrProvinceName, 0 },
    { "C", NID_countryName, V_ASN1_PRINTABLESTRING },
    { "E", NID_pkcs9_emailAddress, V_ASN1_IA5STRING },
    { "EMAIL", NID_pkcs9_emailAddress, V_ASN1_IA5STRING },
    { "EMAILADDRESS", NID_pkcs9_emailAddress, V_ASN1_IA5STRING },
    { "DC", NID_domainComponent, V_ASN1_IA5STRING },
    { "SN", NID_surname, 0 },
    { "G", NID_givenName, 0 },
    { "GN", NID_givenName, 0 },
    { "I", NID_initials, 0 },
    { "T", NID_title, 0 },
    { "STREET", NID_streetAddress, 0 },
    { "SERIALNUMBER", NID_serialNumber, V_ASN1_PRINTABLESTRING },
    { "PostalCode", NID_postalCode, 0 },
    { "UID", NID_userId, 0 },
};

typedef struct part {
    int nid, type;
    char value[VALUE_MAX];
    size_t len;
} part;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool find_key(const char *text, size_t len, part *ret)
{
    char dotted[64];

    for (size_t i = 0; i < KVP_ARRAY_LEN(keys); i++) {
        size_t same = 0;
        while (same < len && keys[i].text[same] && lower(keys[i].text[same]) == lower(text[same]))
            same++;
        if (same == len && keys[i].text[same] == '\0') {
            ret->nid = keys[i].nid;
            ret->type = keys[i].type;
            return true;
        }
    }
    /* OID.2.5.4.17, or the numbers alone; only types that OpenSSL knows have a nid. */
    if (len > 4 && lower(text[0]) == 'o' && lower(text[1]) == 'i' && lower(text[2]) == 'd' &&
        text[3] == '.') {
        text += 4;
        len -= 4;
    }
    if (len == 0 || len >= sizeof(dotted) || text[0] < '0' || text[0] > '2')
        return false;
    memcpy(dotted, text, len);
    dotted[len] = '\0';
    ret->nid = OBJ_txt2nid(dotted);
    ERR_clear_error();
    ret->type = 0;
    return ret->nid != NID_undef;
}

static bool put(part *p, char c)
{
    if (p->len + 1 >= sizeof(p->value))
        return false;
    p->value[p->len++] = c;
    p->value[p->len] = '\0';
    return true;
}

/* A value in double quotes, a quote inside written twice; *text stands behind the first quote. */
static bool read_quoted(const char **text, part *p)
{
    const char *s = *text;

    for (;; s++) {
        if (*s == '\0')
            return false;
        if (*s == '"' && *++s != '"')
            break;
        if (*s == '\0' || !put(p, *s))
            return false;
    }
    s += strspn(s, " ");
    *text = s;
    return *s == '\0' || *s == ',' || *s == ';';
}

static bool read_plain(const char **text, part *p)
{
    const char *s = *text;
    size_t keep = 0; /* blanks at the end are not part of the value unless escaped */

    for (; *s && *s != ',' && *s != ';'; s++) {
        bool escaped = *s == '\\';
        if (escaped && *++s == '\0')
            return false;
        if (!escaped && (*s == '"' || *s == '<' || *s == '>'))
            return false;
        if (!put(p, *s))
            return false;
        if (escaped || *s != ' ')
            keep = p->len;
    }
    p->len = keep;
    p->value[keep] = '\0';
    *text = s;
    return true;
}

static bool read_part(const char **text, part *p)
{
    const char *s = *text + strspn(*text, " ");
    size_t len = strcspn(s, "=,;");
    size_t key = len;

    p->len = 0;
    p->value[0] = '\0';
    if (s[len] != '=')
        return false;
    while (key > 0 && s[key - 1] == ' ')
        key--;
    if (!find_key(s, key, p))
        return false;
    s += len + 1;
    s += strspn(s, " ");
    if (*s == '"') {
        s++;
        if (!read_quoted(&s, p))
            return false;
    } else if (!read_plain(&s, p)) {
        return false;
    }
    *text = s;
    return p->len > 0;
}

static bool is_printable(const part *p)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  " '()+,-./:=?";

    return strspn(p->value, allowed) == p->len;
}

static bool is_utf8(const part *p)
{
    unsigned long code;
    size_t at = 0;

    while (at < p->len) {
        int step = UTF8_getc((const unsigned char *)p->value + at, (int)(p->len - at), &code);
        if (step <= 0)
            return false;
        at += (size_t)step;
    }
    return true;
}

static bool add_part(X509_NAME *name, const part *p)
{
    int type = p->type ? p->type : is_printable(p) ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;

    if ((type == V_ASN1_PRINTABLESTRING && !is_printable(p)) || !is_utf8(p) ||
        (p->nid == NID_countryName && p->len != 2)) /* RFC 5280 §A.1 */
        return false;
    for (size_t i = 0; type == V_ASN1_IA5STRING && i < p->len; i++) {
        if ((unsigned char)p->value[i] >= 0x80)
            return false;
    }
    return X509_NAME_add_entry_by_NID(name, p->nid, type, (const unsigned char *)p->value,
                                      (int)p->len, -1, 0) == 1;
}

kvp_status kvp_x509_name_parse(const char *text, X509_NAME **ret_name, kvp_error *reterr)
{
    X509_NAME *name = X509_NAME_new();
    part parts[PARTS_MAX];
    size_t count = 0;
    bool ok = true;

    if (!name)
        return kvp_engine_failed(reterr, "making a name");
    while (*text && ok) {
        ok = count < PARTS_MAX && read_part(&text, &parts[count]);
        count++;
        if (ok && *text) {
            text++;
            ok = *text != '\0'; /* nothing behind the separator */
        }
    }
    for (size_t i = count; i > 0 && ok; i--)
        ok = add_part(name, &parts[i - 1]);
    if (!ok) {
        X509_NAME_free(name);
        ERR_clear_error();
        return kvp_error_set(reterr, KVP_ERR_INVALID, "The subject is not a valid X500 name.");
    }
    *ret_name = name;
    return KVP_OK;
}

static kvp_status write_key(const X509_NAME_ENTRY *entry, kvp_buf *ret)
{
    const ASN1_OBJECT *object = X509_NAME_ENTRY_get_object(entry);
    int nid = OBJ_obj2nid(object);
    char dotted[80];

    for (size_t i = 0; i < KVP_ARRAY_LEN(keys); i++) {
        if (keys[i].nid == nid)
            return kvp_buf_append_fmt(ret, "%s=", keys[i].text);
    }
    if (OBJ_obj2txt(dotted, sizeof(dotted), object, 1) <= 0)
        return KVP_ERR_CRYPTO;
    return kvp_buf_append_fmt(ret, "OID.%s=", dotted);
}

static kvp_status write_value(const X509_NAME_ENTRY *entry, kvp_buf *ret)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    kvp_status status = KVP_OK;

    if (len < 0) {
        ERR_clear_error();
        return kvp_buf_append_str(ret, "?");
    }
    bool quote = len == 0 || utf8[0] == ' ' || utf8[len - 1] == ' ';
    for (int i = 0; i < len && !quote; i++)
        quote = strchr(",+=\"\n<>#;", utf8[i]) != NULL;
    if (quote)
        status = kvp_buf_append_str(ret, "\"");
    for (int i = 0; i < len && status == KVP_OK; i++) {
        /* A NUL inside would end the text for whoever reads it. */
        const char c = utf8[i] ? (char)utf8[i] : '?';
        status = kvp_buf_append(ret, &c, 1);
        if (status == KVP_OK && c == '"')
            status = kvp_buf_append(ret, &c, 1);
    }
    if (quote && status == KVP_OK)
        status = kvp_buf_append_str(ret, "\"");
    OPENSSL_free(utf8);
    return status;
}

kvp_status kvp_x509_name_write(const X509_NAME *name, kvp_buf *ret)
{
    kvp_status status = KVP_OK;
    int count = X509_NAME_entry_count(name);

    for (int i = count - 1; i >= 0 && status == KVP_OK; i--) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        if (i != count - 1)
            status = kvp_buf_append_str(ret, ", ");
        if (status == KVP_OK)
            status = write_key(entry, ret);
        if (status == KVP_OK)
            status = write_value(entry, ret);
    }
    return status;
}
