/* SPDX-License-Identifier: MIT */
/* Checking client assertions: which credential, whose signature, which claims. Keys:
 * assertion_keys.c. */
#include "vaultd/assertion.h"

#include "base/alloc.h"
#include "jwk/base64url.h"
#include "vaultd/assertion_internal.h"

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#define SKEW_S 60            /* a client's clock may run ahead of ours by so much */
#define LIFETIME_MAX_S 86400 /* of an assertion: what was used must be remembered until its end */

KVP_DEFINE_FREEP(EVP_MD_CTX, EVP_MD_CTX_free);
KVP_DEFINE_FREEP(ECDSA_SIG, ECDSA_SIG_free);

/** A row an algorithm of JWS (RFC 7518 §3.1) that is taken. */
typedef struct algorithm {
    const char *name;
    int key_type;
    bool pss;
    bool own, federated; /* for which sort of credential */
} algorithm;

static const algorithm algorithms[] = {
    { "RS256", EVP_PKEY_RSA, false, true, true },
    { "PS256", EVP_PKEY_RSA, true, true, true },
    { "ES256", EVP_PKEY_EC, false, false, true },
};

/** A JWT taken apart. */
typedef struct token {
    json_t *header, *claims;
    const char *signed_text; /* borrowed: header and claims as they stood */
    size_t signed_len;
    kvp_buf signature;
    const algorithm *alg;
} token;

static void token_clear(token *t)
{
    json_decref(t->header);
    json_decref(t->claims);
    kvp_buf_clear(&t->signature);
}

static json_t *decode_json(const char *text, size_t len)
{
    kvp_buf bytes = KVP_BUF_INIT(KVP_ASSERTION_MAX);
    json_t *object = NULL;

    if (kvp_base64url_decode(text, len, &bytes) == KVP_OK)
        object = json_loadb(kvp_buf_str(&bytes), bytes.len, JSON_REJECT_DUPLICATES, NULL);
    kvp_buf_clear(&bytes);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

/* Exactly three parts (RFC 7515 §7.1), a known algorithm, no extension we would have to understand.
 */
static bool take_apart(const char *jwt, token *t)
{
    const char *first = strchr(jwt, '.');
    const char *second = first ? strchr(first + 1, '.') : NULL;

    if (!second || strchr(second + 1, '.') || strlen(jwt) > KVP_ASSERTION_MAX)
        return false;
    t->header = decode_json(jwt, (size_t)(first - jwt));
    t->claims = decode_json(first + 1, (size_t)(second - first - 1));
    t->signed_text = jwt;
    t->signed_len = (size_t)(second - jwt);
    if (!t->header || !t->claims || json_object_get(t->header, "crit") ||
        kvp_base64url_decode(second + 1, strlen(second + 1), &t->signature) != KVP_OK)
        return false;
    for (size_t i = 0; i < KVP_ARRAY_LEN(algorithms); i++) {
        if (strcmp(algorithms[i].name, text_of(t->header, "alg")) == 0)
            t->alg = &algorithms[i];
    }
    return t->alg != NULL;
}

/* JWS has r || s of fixed width (RFC 7518 §3.4), OpenSSL wants DER. */
static bool ecdsa_to_der(const kvp_buf *raw, unsigned char **ret_der, size_t *ret_len)
{
    KVP_CLEANUP(ECDSA_SIG_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r, *s;

    if (raw->len != 64 || !sig)
        return false;
    r = BN_bin2bn(raw->data, 32, NULL);
    s = BN_bin2bn(raw->data + 32, 32, NULL);
    if (!r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return false;
    }
    int len = i2d_ECDSA_SIG(sig, ret_der);
    *ret_len = len > 0 ? (size_t)len : 0;
    return len > 0;
}

static bool signed_by(const token *t, EVP_PKEY *pkey)
{
    KVP_CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    unsigned char *der = NULL;
    const unsigned char *sig = t->signature.data;
    size_t sig_len = t->signature.len;

    if (!ctx || EVP_PKEY_get_base_id(pkey) != t->alg->key_type || sig_len == 0)
        return false;
    if (t->alg->key_type == EVP_PKEY_EC) {
        if (EVP_PKEY_get_bits(pkey) != 256 || !ecdsa_to_der(&t->signature, &der, &sig_len))
            return false;
        sig = der;
    }
    bool ok =
        EVP_DigestVerifyInit(ctx, &pctx, EVP_sha256(), NULL, pkey) == 1 &&
        (!t->alg->pss || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                          EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
        EVP_DigestVerify(ctx, sig, sig_len, (const unsigned char *)t->signed_text, t->signed_len) ==
            1;
    OPENSSL_free(der);
    ERR_clear_error();
    return ok;
}

static bool in_list(const char *const *list, const char *text)
{
    for (; *list; list++) {
        if (kvp_ident_casecmp(*list, text) == 0)
            return true;
    }
    return false;
}

/* `aud` is a string or an array of strings (RFC 7519 §4.1.3). */
static bool audience_is(const json_t *claims, const char *const *audiences)
{
    const json_t *aud = json_object_get(claims, "aud"), *one;
    bool found = json_is_string(aud) && in_list(audiences, json_string_value(aud));
    size_t i;

    json_array_foreach(aud, i, one) found =
        found || (json_is_string(one) && in_list(audiences, json_string_value(one)));
    return found;
}

static bool time_is_right(const json_t *claims, int64_t now, bool own)
{
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
    int64_t end = (int64_t)json_number_value(exp);

    return json_is_number(exp) && end > now && (!own || end <= now + LIFETIME_MAX_S) &&
           (!nbf || (json_is_number(nbf) && (int64_t)json_number_value(nbf) <= now + SKEW_S));
}

/* The one use of a `jti`; it is the principal's own, so two may choose the same. */
static kvp_status use_up(kvp_store *store, const kvp_principal *principal, const token *t,
                         kvp_error *reterr)
{
    char *text = kvp_asprintf("%s/%s", principal->client_id, text_of(t->claims, "jti"));
    uint8_t digest[32];
    kvp_status status = text ? kvp_ident_digest(text, digest) : KVP_ERR_NO_MEMORY;

    kvp_free(text);
    if (status != KVP_OK)
        return kvp_error_set(reterr, status, "assertion");
    return kvp_store_assertion_use(
        store, digest, (int64_t)json_number_value(json_object_get(t->claims, "exp")) + SKEW_S,
        reterr);
}

static kvp_status refused(kvp_signin_failure why, kvp_signin_failure *ret_why, kvp_error *reterr)
{
    *ret_why = why;
    return kvp_error_set(reterr, KVP_ERR_REFUSED, "the client assertion is refused");
}

/* Signed with the key of a certificate that the principal has. */
static kvp_status check_own(kvp_store *store, const kvp_principal *principal, const token *t,
                            const kvp_assertion_case *what, const kvp_credential *credentials,
                            size_t count, kvp_signin_failure *ret_why, kvp_error *reterr)
{
    bool known = false, right = false;

    if (kvp_ident_casecmp(text_of(t->claims, "sub"), what->client_id) != 0)
        return refused(KVP_SIGNIN_ASSERTION_CLIENT, ret_why, reterr);
    for (size_t i = 0; i < count && !right; i++) {
        KVP_CLEANUP(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
        if (credentials[i].federated)
            continue;
        pkey = kvp_assertion_certificate_key(credentials[i].keys, text_of(t->header, "x5t"),
                                             text_of(t->header, "x5t#S256"));
        known = known || pkey;
        right = pkey && t->alg->own && signed_by(t, pkey);
    }
    if (!right)
        return refused(known ? KVP_SIGNIN_ASSERTION_SIGNATURE : KVP_SIGNIN_ASSERTION_CERTIFICATE,
                       ret_why, reterr);
    if (!audience_is(t->claims, what->audiences))
        return refused(KVP_SIGNIN_ASSERTION_AUDIENCE, ret_why, reterr);
    if (!time_is_right(t->claims, what->now, true))
        return refused(KVP_SIGNIN_ASSERTION_TIME, ret_why, reterr);
    if (!*text_of(t->claims, "jti"))
        return refused(KVP_SIGNIN_ASSERTION_REPLAY, ret_why, reterr);
    kvp_status status = use_up(store, principal, t, reterr);
    if (status == KVP_ERR_REFUSED)
        *ret_why = KVP_SIGNIN_ASSERTION_REPLAY;
    return status;
}

/* Signed by another issuer. The nearest miss decides what is answered. */
static kvp_status check_federated(const token *t, const kvp_assertion_case *what,
                                  const kvp_credential *credentials, size_t count,
                                  kvp_signin_failure *ret_why, kvp_error *reterr)
{
    kvp_signin_failure why = KVP_SIGNIN_FEDERATED_ISSUER;

    for (size_t i = 0; i < count; i++) {
        const kvp_credential *c = &credentials[i];
        const char *const audiences[] = { c->audience, NULL };
        if (!c->federated || strcmp(c->issuer, text_of(t->claims, "iss")) != 0)
            continue;
        if (strcmp(c->subject, text_of(t->claims, "sub")) != 0) {
            why = KVP_SIGNIN_FEDERATED_SUBJECT;
            continue;
        }
        if (!audience_is(t->claims, audiences)) {
            why = KVP_SIGNIN_FEDERATED_AUDIENCE;
            continue;
        }
        KVP_CLEANUP(EVP_PKEY_freep)
        EVP_PKEY *pkey =
            kvp_assertion_issuer_key(c->keys, text_of(t->header, "kid"), t->alg->key_type);
        if (!pkey || !t->alg->federated || !signed_by(t, pkey)) {
            why = KVP_SIGNIN_ASSERTION_SIGNATURE;
            continue;
        }
        if (time_is_right(t->claims, what->now, false))
            return KVP_OK;
        why = KVP_SIGNIN_ASSERTION_TIME;
    }
    return refused(why, ret_why, reterr);
}

/* What the sentence of @why names: a claim of the assertion, or the client. */
static const char *detail_of(kvp_signin_failure why, const token *t, const char *client_id)
{
    switch ((int)why) {
    case KVP_SIGNIN_FEDERATED_ISSUER:
        return text_of(t->claims, "iss");
    case KVP_SIGNIN_FEDERATED_SUBJECT:
    case KVP_SIGNIN_ASSERTION_CLIENT:
        return text_of(t->claims, "sub");
    case KVP_SIGNIN_FEDERATED_AUDIENCE:
    case KVP_SIGNIN_ASSERTION_AUDIENCE:
        return text_of(t->claims, "aud");
    default:
        return client_id;
    }
}

kvp_status kvp_assertion_check(kvp_store *store, const kvp_principal *principal,
                               const kvp_assertion_case *what, kvp_signin_failure *ret_why,
                               char *detail, size_t size, kvp_error *reterr)
{
    token t = { .signature = KVP_BUF_INIT(4096) };
    kvp_credential *credentials = NULL;
    size_t count = 0;
    kvp_status status = KVP_OK;

    if (!take_apart(what->jwt, &t))
        status = refused(KVP_SIGNIN_ASSERTION_FORM, ret_why, reterr);
    if (status == KVP_OK)
        status = kvp_store_credential_list(store, principal->id, &credentials, &count, reterr);
    if (status == KVP_OK) {
        bool own = kvp_ident_casecmp(text_of(t.claims, "iss"), what->client_id) == 0;
        status = own ? check_own(store, principal, &t, what, credentials, count, ret_why, reterr)
                     : check_federated(&t, what, credentials, count, ret_why, reterr);
    }
    if (status == KVP_ERR_REFUSED)
        snprintf(detail, size, "%s", detail_of(*ret_why, &t, what->client_id));
    kvp_store_credentials_free(credentials, count);
    token_clear(&t);
    return status;
}
