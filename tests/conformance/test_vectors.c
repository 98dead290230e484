/* SPDX-License-Identifier: MIT */
/*
 * Official test vectors through the module: those that Debian's python3-cryptography-vectors has of
 * NIST, of RSA Laboratories and of the RFCs, as vectors.py reads them. Keys that an application may
 * bring are session objects; private ones are imported into keyvaultd. Without the package the test
 * is skipped.
 */
#include "flow.h"
#include "functions.h"
#include "support/keyvaultd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VECTORS "/usr/lib/python3/dist-packages/cryptography_vectors"
#define SKIPPED 77 /* of automake's test driver */

/* ---- the lines ---- */

enum { FIELDS = 8, LINES_MAX = 20000 };

typedef struct field {
    const char *text;
    CK_BYTE *data;
    CK_ULONG len;
} field;

static char *lines[LINES_MAX];
static size_t line_count;
static char kind[32];
static field fields[FIELDS];
static const char *current;

static unsigned nibble(char c)
{
    return (unsigned)(c >= 'a' ? c - 'a' + 10 : c - '0') & 15;
}

/* What is no hexadecimal is a name; its bytes mean nothing. */
static void decode(field *f, char *text)
{
    size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;

    f->text = text;
    f->data = malloc(len + 1); /* one more: an empty one is somewhere too */
    f->len = len;
    for (size_t i = 0; i < len; i++)
        f->data[i] = (CK_BYTE)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
}

/* Split a copy of the line into fields; the copies live until the test's process ends. */
static void split(const char *line)
{
    char *copy = strdup(line), *save = NULL, *text = strtok_r(copy, " \n", &save);

    current = line;
    snprintf(kind, sizeof(kind), "%s", text);
    for (int i = 0; i < FIELDS; i++) {
        free(fields[i].data);
        fields[i] = (field){ NULL, NULL, 0 };
        text = strtok_r(NULL, " \n", &save);
        if (text)
            decode(&fields[i], text);
    }
    static char *last;
    free(last);
    last = copy;
}

#define MATCHES(good) ck_assert_msg((good), "%.300s", current)
#define ANSWERS(expected, expression)                                                              \
    do {                                                                                           \
        CK_RV answers_ = (expression);                                                             \
        ck_assert_msg(answers_ == (expected), "%s: %.300s", kvp_ckr_name(answers_), current);      \
    } while (0)

static bool is_fail(const field *f)
{
    return strcmp(f->text, "fail") == 0;
}

static bool same(const field *f, const void *data, size_t len)
{
    return f->len == len && memcmp(f->data, data, len) == 0;
}

/* ---- names of mechanisms ---- */

static const struct {
    const char *hash;
    CK_MECHANISM_TYPE digest, hmac, rsa, pss, ecdsa;
    CK_RSA_PKCS_MGF_TYPE mgf;
} hashes[] = {
    { "SHA1", CKM_SHA_1, CKM_SHA_1_HMAC, CKM_SHA1_RSA_PKCS, 0, CKM_ECDSA_SHA1, CKG_MGF1_SHA1 },
    { "SHA224", CKM_SHA224, CKM_SHA224_HMAC, CKM_SHA224_RSA_PKCS, 0, CKM_ECDSA_SHA224,
      CKG_MGF1_SHA224 },
    { "SHA256", CKM_SHA256, CKM_SHA256_HMAC, CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS,
      CKM_ECDSA_SHA256, CKG_MGF1_SHA256 },
    { "SHA384", CKM_SHA384, CKM_SHA384_HMAC, CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS,
      CKM_ECDSA_SHA384, CKG_MGF1_SHA384 },
    { "SHA512", CKM_SHA512, CKM_SHA512_HMAC, CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS,
      CKM_ECDSA_SHA512, CKG_MGF1_SHA512 },
    { "SHA3-224", CKM_SHA3_224, 0, 0, 0, 0, 0 },
    { "SHA3-256", CKM_SHA3_256, 0, 0, 0, 0, 0 },
    { "SHA3-384", CKM_SHA3_384, 0, 0, 0, 0, 0 },
    { "SHA3-512", CKM_SHA3_512, 0, 0, 0, 0, 0 },
};

static size_t hash_of(const field *f)
{
    size_t i = 0;

    while (i < KVP_ARRAY_LEN(hashes) && strcmp(hashes[i].hash, f->text) != 0)
        i++;
    ck_assert_msg(i < KVP_ARRAY_LEN(hashes), "no hash: %.300s", current);
    return i;
}

/* ---- keys ---- */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY;
static CK_KEY_TYPE rsa_type = CKK_RSA, ec_type = CKK_EC;

static CK_OBJECT_HANDLE create(CK_ATTRIBUTE *template, CK_ULONG count)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;

    ANSWERS(CKR_OK, p11_3->C_CreateObject(module_session, template, count, &handle));
    return handle;
}

static CK_OBJECT_HANDLE rsa_public(const field *n, const field *e)
{
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &public_class, sizeof(public_class) },
        { CKA_KEY_TYPE, &rsa_type, sizeof(rsa_type) },
        { CKA_TOKEN, &no, sizeof(no) },
        { CKA_VERIFY, &yes, sizeof(yes) },
        { CKA_MODULUS, n->data, n->len },
        { CKA_PUBLIC_EXPONENT, e->data, e->len },
    };
    return create(template, KVP_ARRAY_LEN(template));
}

static const struct {
    const char *name;
    CK_BYTE oid[10];
    CK_ULONG oid_len;
} curves[] = {
    { "P-256", { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 }, 10 },
    { "P-384", { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 }, 7 },
    { "P-521", { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23 }, 7 },
    { "P-256K", { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a }, 7 },
};

static CK_RV ec_public(const field *curve, const field *x, const field *y, CK_OBJECT_HANDLE *ret)
{
    CK_BYTE point[160];
    size_t c = 0, body = 1 + 2 * x->len, head = body < 128 ? 2 : 3;

    while (c < KVP_ARRAY_LEN(curves) && strcmp(curves[c].name, curve->text) != 0)
        c++;
    MATCHES(c < KVP_ARRAY_LEN(curves) && head + body <= sizeof(point));
    point[0] = 0x04; /* DER OCTET STRING */
    point[1] = 0x81;
    point[head - 1] = (CK_BYTE)body;
    point[head] = 0x04; /* uncompressed */
    memcpy(point + head + 1, x->data, x->len);
    memcpy(point + head + 1 + x->len, y->data, y->len);
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &public_class, sizeof(public_class) },
        { CKA_KEY_TYPE, &ec_type, sizeof(ec_type) },
        { CKA_TOKEN, &no, sizeof(no) },
        { CKA_VERIFY, &yes, sizeof(yes) },
        { CKA_EC_PARAMS, (void *)(uintptr_t)curves[c].oid, curves[c].oid_len },
        { CKA_EC_POINT, point, head + body },
    };
    return p11_3->C_CreateObject(module_session, template, KVP_ARRAY_LEN(template), ret);
}

static CK_OBJECT_HANDLE of_the_vault(CK_OBJECT_CLASS class, const field *name)
{
    CK_OBJECT_HANDLE handle = module_find(module_session, class, name->text);

    MATCHES(handle != CK_INVALID_HANDLE);
    return handle;
}

/* ---- a function a kind of line ---- */

static CK_BYTE out[16384];
static CK_ULONG out_len;
static CK_ULONG *room(void)
{
    out_len = sizeof(out);
    return &out_len;
}

/* hash, message, digest */
static void digest(flow_split how)
{
    CK_MECHANISM mechanism = { hashes[hash_of(&fields[0])].digest, NULL, 0 };

    ANSWERS(CKR_OK, flow_digest(&mechanism, how, fields[1].data, fields[1].len, out, room()));
    MATCHES(same(&fields[2], out, out_len));
}

/* hash, key, message, MAC */
static void hmac(flow_split how)
{
    CK_MECHANISM mechanism = { hashes[hash_of(&fields[0])].hmac, NULL, 0 };
    CK_OBJECT_HANDLE key = flow_secret(CKK_GENERIC_SECRET, fields[1].data, fields[1].len);

    ANSWERS(CKR_OK, flow_sign(&mechanism, key, how, fields[2].data, fields[2].len, out, room()));
    MATCHES(same(&fields[3], out, out_len));
    ANSWERS(CKR_OK, flow_verify(&mechanism, key, how, fields[2].data, fields[2].len, fields[3].data,
                                fields[3].len));
    /* neither a shortened nor a lengthened one */
    ANSWERS(CKR_SIGNATURE_LEN_RANGE,
            flow_verify(&mechanism, key, how, fields[2].data, fields[2].len, out, out_len - 1));
    ANSWERS(CKR_SIGNATURE_LEN_RANGE,
            flow_verify(&mechanism, key, how, fields[2].data, fields[2].len, out, out_len + 1));
}

/* key, IV, plaintext, ciphertext */
static void cbc(flow_split how)
{
    CK_MECHANISM mechanism = { CKM_AES_CBC, fields[1].data, fields[1].len };
    CK_OBJECT_HANDLE key = flow_secret(CKK_AES, fields[0].data, fields[0].len);

    ANSWERS(CKR_OK, flow_encrypt(&mechanism, key, how, fields[2].data, fields[2].len, out, room()));
    MATCHES(same(&fields[3], out, out_len));
    ANSWERS(CKR_OK, flow_decrypt(&mechanism, key, how, fields[3].data, fields[3].len, out, room()));
    MATCHES(same(&fields[2], out, out_len));
}

/* key, IV, additional data, ciphertext, tag, plaintext or fail */
static void gcm(flow_split how)
{
    CK_BYTE whole[256];
    CK_ULONG len = fields[3].len + fields[4].len;
    CK_GCM_PARAMS params = { fields[1].data, fields[1].len, fields[1].len * 8,
                             fields[2].data, fields[2].len, fields[4].len * 8 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };
    CK_OBJECT_HANDLE key = flow_secret(CKK_AES, fields[0].data, fields[0].len);

    MATCHES(len <= sizeof(whole));
    memcpy(whole, fields[3].data, fields[3].len);
    memcpy(whole + fields[3].len, fields[4].data, fields[4].len);
    if (is_fail(&fields[5])) {
        ANSWERS(CKR_ENCRYPTED_DATA_INVALID,
                flow_decrypt(&mechanism, key, SPLIT_ONE_CALL, whole, len, out, room()));
        return;
    }
    ANSWERS(CKR_OK, flow_decrypt(&mechanism, key, how, whole, len, out, room()));
    MATCHES(same(&fields[5], out, out_len));
    ANSWERS(CKR_OK, flow_encrypt(&mechanism, key, how, fields[5].data, fields[5].len, out, room()));
    MATCHES(out_len == len && memcmp(out, whole, len) == 0);
}

/* key, wrapped key, key or fail */
static void keywrap(CK_MECHANISM_TYPE type)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_OBJECT_HANDLE key = flow_secret(CKK_AES, fields[0].data, fields[0].len), made;

    if (is_fail(&fields[2])) {
        ANSWERS(CKR_WRAPPED_KEY_INVALID,
                flow_unwrap(&mechanism, key, fields[1].data, fields[1].len, &made));
        return;
    }
    ANSWERS(CKR_OK, flow_unwrap(&mechanism, key, fields[1].data, fields[1].len, &made));
    MATCHES(same(&fields[2], out, flow_value(made, out, sizeof(out))));
    ANSWERS(CKR_OK, p11_3->C_WrapKey(module_session, &mechanism, key, made, out, room()));
    MATCHES(same(&fields[1], out, out_len));
}

static void kw(flow_split how)
{
    (void)how;
    keywrap(CKM_AES_KEY_WRAP);
}

static void kwp(flow_split how)
{
    (void)how;
    keywrap(CKM_AES_KEY_WRAP_PAD);
}

/* What a verification is to answer: of keys below 2048 bits the module will have nothing. */
static CK_RV verdict(const field *n, const field *result)
{
    if (n && n->len < 256)
        return CKR_KEY_SIZE_RANGE;
    return result->text[0] == 'P' ? CKR_OK : CKR_SIGNATURE_INVALID;
}

/* hash, n, e, message, signature, salt length, P or F */
static void rsa_verify(flow_split how)
{
    CK_MECHANISM mechanism = { hashes[hash_of(&fields[0])].rsa, NULL, 0 };

    ANSWERS(verdict(&fields[1], &fields[6]),
            flow_verify(&mechanism, rsa_public(&fields[1], &fields[2]), how, fields[3].data,
                        fields[3].len, fields[4].data, fields[4].len));
}

static void pss_verify(flow_split how)
{
    size_t hash = hash_of(&fields[0]);
    CK_RSA_PKCS_PSS_PARAMS params = { hashes[hash].digest, hashes[hash].mgf,
                                      strtoul(fields[5].text, NULL, 10) };
    CK_MECHANISM sha = { hashes[hash].digest, NULL, 0 },
                 mechanism = { CKM_RSA_PKCS_PSS, &params, sizeof(params) };
    CK_OBJECT_HANDLE key = rsa_public(&fields[1], &fields[2]);

    ANSWERS(CKR_OK, flow_digest(&sha, how, fields[3].data, fields[3].len, out, room()));
    ANSWERS(verdict(&fields[1], &fields[6]),
            flow_verify(&mechanism, key, how, out, out_len, fields[4].data, fields[4].len));
    if (!hashes[hash].pss)
        return;
    mechanism.mechanism = hashes[hash].pss;
    ANSWERS(verdict(&fields[1], &fields[6]),
            flow_verify(&mechanism, key, how, fields[3].data, fields[3].len, fields[4].data,
                        fields[4].len));
}

/* hash, name of the key, message, signature */
static void rsa_sign(flow_split how)
{
    CK_MECHANISM mechanism = { hashes[hash_of(&fields[0])].rsa, NULL, 0 };

    ANSWERS(CKR_OK, flow_sign(&mechanism, of_the_vault(CKO_PRIVATE_KEY, &fields[1]), how,
                              fields[2].data, fields[2].len, out, room()));
    MATCHES(same(&fields[3], out, out_len));
}

/* hash of OAEP or PKCS1, name of the key, message, ciphertext */
static void rsa_decrypt(flow_split how)
{
    CK_RSA_PKCS_OAEP_PARAMS params = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &params, sizeof(params) };

    if (strcmp(fields[0].text, "SHA256") == 0) {
        params.hashAlg = CKM_SHA256;
        params.mgf = CKG_MGF1_SHA256;
    } else if (strcmp(fields[0].text, "PKCS1") == 0) {
        mechanism = (CK_MECHANISM){ CKM_RSA_PKCS, NULL, 0 };
    }
    ANSWERS(CKR_OK, flow_decrypt(&mechanism, of_the_vault(CKO_PRIVATE_KEY, &fields[1]), how,
                                 fields[3].data, fields[3].len, out, room()));
    MATCHES(same(&fields[2], out, out_len));
}

/* hash, curve, x, y, message, r and s, P or F */
static void ecdsa_verify(flow_split how)
{
    CK_MECHANISM mechanism = { hashes[hash_of(&fields[0])].ecdsa, NULL, 0 };
    CK_OBJECT_HANDLE key;
    CK_RV rv = ec_public(&fields[1], &fields[2], &fields[3], &key);

    /* A point that was changed may be off the curve: then there is no key. */
    if (rv == CKR_ATTRIBUTE_VALUE_INVALID && fields[6].text[0] == 'F')
        return;
    ANSWERS(CKR_OK, rv);
    ANSWERS(verdict(NULL, &fields[6]), flow_verify(&mechanism, key, how, fields[4].data,
                                                   fields[4].len, fields[5].data, fields[5].len));
}

/* hash, name of the key, message; the nonce is the vault's, so there is nothing to compare with */
static void ecdsa_sign(flow_split how)
{
    CK_MECHANISM mechanism = { hashes[hash_of(&fields[0])].ecdsa, NULL, 0 };

    ANSWERS(CKR_OK, flow_sign(&mechanism, of_the_vault(CKO_PRIVATE_KEY, &fields[1]), how,
                              fields[2].data, fields[2].len, out, room()));
    ANSWERS(CKR_OK, flow_verify(&mechanism, of_the_vault(CKO_PUBLIC_KEY, &fields[1]), how,
                                fields[2].data, fields[2].len, out, out_len));
}

static const struct {
    const char *kind;
    size_t least; /* so many there must be */
    void (*run)(flow_split how);
} kinds[] = {
    { "digest", 1000, digest },
    { "hmac", 30, hmac },
    { "cbc", 600, cbc },
    { "gcm", 8000, gcm },
    { "kw", 600, kw },
    { "kwp", 600, kwp },
    { "rsa-verify", 900, rsa_verify },
    { "pss-verify", 900, pss_verify },
    { "rsa-sign", 30, rsa_sign },
    { "rsa-decrypt", 80, rsa_decrypt },
    { "ecdsa-sign", 20, ecdsa_sign },
    { "ecdsa-verify", 500, ecdsa_verify },
};

START_TEST(the_official_vectors_are_met)
{
    static const flow_split ways[] = { SPLIT_ONE_CALL, SPLIT_BLOCKS, SPLIT_FIRST_BYTE };
    size_t done = 0;

    for (size_t i = 0; i < line_count; i++) {
        size_t len = strlen(kinds[_i].kind);
        if (strncmp(lines[i], kinds[_i].kind, len) != 0 || lines[i][len] != ' ')
            continue;
        split(lines[i]);
        kinds[_i].run(ways[done++ % KVP_ARRAY_LEN(ways)]);
        if (done % 200 == 0) { /* with the session go the keys that it was brought */
            assert_rv(CKR_OK, p11_3->C_CloseSession(module_session));
            module_session = module_open_session(CKF_RW_SESSION);
        }
    }
    ck_assert_msg(done >= kinds[_i].least, "only %zu of %s", done, kinds[_i].kind);
}
END_TEST

START_TEST(an_empty_message_is_one)
{
    bool found = false;

    for (size_t i = 0; i < line_count && !found; i++) {
        split(lines[i]);
        found = (strcmp(kind, "digest") == 0 && fields[1].len == 0);
        if (found)
            for (flow_split how = 0; how < SPLIT_COUNT; how++)
                digest(how);
    }
    ck_assert(found);
}
END_TEST

/* ---- the suite ---- */

static void import_key(const char *line)
{
    char name[64], path[96];
    json_t *body;

    sscanf(line, "import %63s", name);
    snprintf(path, sizeof(path), "/keys/%s", name);
    body = json_pack("{s:o}", "key", json_loads(strchr(line, '{'), 0, NULL));
    int status = body ? keyvaultd_rest("PUT", path, body, NULL) : 0;
    json_decref(body);
    if (status != 200) {
        fprintf(stderr, "importing %s: HTTP %d\n", name, status);
        exit(1);
    }
}

static void read_lines(const char *directory)
{
    char command[512];
    size_t size = 0;
    FILE *pipe;

    snprintf(command, sizeof(command), "python3 '%s' '%s'",
             KVP_SOURCE_DIR "/tests/conformance/vectors.py", directory);
    pipe = popen(command, "r");
    while (pipe && line_count < LINES_MAX && getline(&lines[line_count], &size, pipe) > 0) {
        if (strncmp(lines[line_count], "import ", 7) == 0)
            import_key(lines[line_count]);
        line_count++;
        size = 0;
    }
    if (!pipe || pclose(pipe) != 0 || line_count == LINES_MAX) {
        fprintf(stderr, "%s failed\n", command);
        exit(1);
    }
}

int main(void)
{
    const char *directory = getenv("KVP_VECTORS");
    Suite *suite = suite_create("vectors");
    TCase *tcase = tcase_create("vectors");

    if (!directory)
        directory = VECTORS;
    if (access(directory, R_OK) != 0) {
        fprintf(stderr, "skipped: there is no %s (Debian: python3-cryptography-vectors)\n",
                directory);
        return SKIPPED;
    }
    conformance_without_threads();
    conformance_start("vault");
    read_lines(directory);
    tcase_add_checked_fixture(tcase, module_setup, module_teardown);
    tcase_add_loop_test(tcase, the_official_vectors_are_met, 0, (int)KVP_ARRAY_LEN(kinds));
    tcase_add_test(tcase, an_empty_message_is_one);
    suite_add_tcase(suite, tcase);
    return module_run_suite(suite);
}
