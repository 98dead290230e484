/* SPDX-License-Identifier: MIT */
/* Client assertions at the token endpoint: signed here with OpenSSL, right ones and wrong ones. */
#include "config.h"

#include "support.h"

#include "base/alloc.h"
#include "jwk/base64url.h"
#include "vaultd/assertion.h"
#include "vaultd/datadir.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ISSUER "https://issuer.example"
#define SUBJECT "system:serviceaccount:default:app"
#define AUDIENCE "api://AzureADTokenExchange"

static kvp_test_vault vault;
static EVP_PKEY *rsa, *ec;
static X509 *cert;
static kvp_principal app;

static char *pem_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *copy = kvp_strndup(data, (size_t)len);

    BIO_free(bio);
    return copy;
}

static void add_credential(bool federated, char *take_keys)
{
    kvp_credential c = { .federated = federated, .keys = take_keys };
    kvp_error error = { .status = KVP_OK };

    if (federated) {
        snprintf(c.issuer, sizeof(c.issuer), ISSUER);
        snprintf(c.subject, sizeof(c.subject), SUBJECT);
        snprintf(c.audience, sizeof(c.audience), AUDIENCE);
    }
    ck_assert_msg(kvp_assertion_check_keys(&c, &error) == KVP_OK, "%s", error.message);
    ck_assert_int_eq(kvp_store_credential_add(vault.daemon.store, app.id, &c, NULL), KVP_OK);
    kvp_free(take_keys);
}

static void make_certificate(long from, long until)
{
    BIO *bio = BIO_new(BIO_s_mem());

    cert = X509_new();
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), from);
    X509_gmtime_adj(X509_getm_notAfter(cert), until);
    X509_set_pubkey(cert, rsa);
    ck_assert_int_gt(X509_sign(cert, rsa, EVP_sha256()), 0);
    PEM_write_bio_X509(bio, cert);
    add_credential(false, pem_of(bio));
}

static void open_vault(long from, long until)
{
    const char *roles[] = { "12338af0-0e69-4776-bea7-57ae8d297424", NULL };
    char secret[KVP_SECRET_SIZE];

    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
    ck_assert_int_eq(kvp_principal_make("app", &app, secret, NULL), KVP_OK);
    ck_assert_int_eq(kvp_store_principal_add(vault.daemon.store, &vault.daemon.vault, &app, roles,
                                             "/", NULL, 0, NULL),
                     KVP_OK);
    ck_assert_int_eq(kvp_store_principal_find(vault.daemon.store, app.client_id, &app, NULL),
                     KVP_OK);
    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    make_certificate(from, until);
}

static void setup(void)
{
    open_vault(-60, 3600);
}

static void setup_expired(void)
{
    open_vault(-3600, -60);
}

static void teardown(void)
{
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    X509_free(cert);
    kvp_test_vault_close(&vault);
}

static void sign(const char *alg, const char *text, kvp_buf *ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    unsigned char sig[600];
    size_t len = sizeof(sig);

    ck_assert_int_eq(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, alg[0] == 'E' ? ec : rsa),
                     1);
    if (alg[0] == 'P') {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    }
    ck_assert_int_eq(EVP_DigestSign(ctx, sig, &len, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(ctx);
    if (alg[0] == 'E') {
        const unsigned char *der = sig;
        ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &der, (long)len);
        unsigned char raw[64];
        BN_bn2binpad(ECDSA_SIG_get0_r(parsed), raw, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(parsed), raw + 32, 32);
        ECDSA_SIG_free(parsed);
        ck_assert_int_eq(kvp_base64url_encode(raw, 64, ret), KVP_OK);
        return;
    }
    ck_assert_int_eq(kvp_base64url_encode(sig, len, ret), KVP_OK);
}

/* A JWT of both documents, which are taken, signed as @alg says. */
static char *jwt_of(const char *alg, json_t *header, json_t *claims)
{
    kvp_buf text = KVP_BUF_INIT(0), part = KVP_BUF_INIT(0);
    json_t *both[] = { header, claims };

    for (int i = 0; i < 2; i++) {
        char *json = json_dumps(both[i], JSON_COMPACT);
        ck_assert_int_eq(kvp_base64url_encode(json, strlen(json), &part), KVP_OK);
        ck_assert_int_eq(kvp_buf_append_fmt(&text, "%s%s", i ? "." : "", kvp_buf_str(&part)),
                         KVP_OK);
        kvp_buf_clear(&part);
        free(json);
        json_decref(both[i]);
    }
    sign(alg, kvp_buf_str(&text), &part);
    ck_assert_int_eq(kvp_buf_append_fmt(&text, ".%s", kvp_buf_str(&part)), KVP_OK);
    char *jwt = kvp_strdup(kvp_buf_str(&text));
    kvp_buf_clear(&part);
    kvp_buf_clear(&text);
    return jwt;
}

static json_t *thumbprint(const EVP_MD *md)
{
    unsigned char digest[64];
    unsigned len = 0;
    kvp_buf text = KVP_BUF_INIT(0);

    X509_digest(cert, md, digest, &len);
    ck_assert_int_eq(kvp_base64url_encode(digest, len, &text), KVP_OK);
    json_t *string = json_string(kvp_buf_str(&text));
    kvp_buf_clear(&text);
    return string;
}

static json_t *claims_of(const char *audience, const char *jti)
{
    char aud[200];
    json_int_t now = kvp_ident_now();

    snprintf(aud, sizeof(aud), "https://127.0.0.1:8443/%s%s", vault.daemon.vault.tenant, audience);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "aud", aud, "iss", app.client_id, "sub",
                     app.client_id, "jti", jti, "nbf", now, "exp", now + 300);
}

static json_t *header_of(const char *alg)
{
    return alg[0] == 'P' ? json_pack("{s:s, s:o}", "alg", alg, "x5t#S256", thumbprint(EVP_sha256()))
                         : json_pack("{s:s, s:o}", "alg", alg, "x5t", thumbprint(EVP_sha1()));
}

/* Sign in with @take_jwt; the AADSTS number, 0 for a token that works. */
static long sign_in(char *take_jwt)
{
    char *form = kvp_asprintf(
        "client_id=%s&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        "&client_assertion=%s&grant_type=client_credentials&scope=https://127.0.0.1/.default",
        app.client_id, take_jwt);
    char *path = kvp_asprintf("/%s/oauth2/v2.0/token", vault.daemon.vault.tenant);
    kvp_exchange *ex = kvp_test_request(&vault, "POST", path, NULL, form);
    json_t *answer = json_loads(kvp_buf_str(&ex->reply), 0, NULL);
    long code = (long)json_integer_value(json_array_get(json_object_get(answer, "error_codes"), 0));

    if (ex->status == 200) {
        kvp_exchange *use =
            kvp_test_request(&vault, "GET", "/keys", kvp_test_text(answer, "access_token"), NULL);
        ck_assert_int_eq(use->status, 200);
        kvp_exchange_free(use);
        code = 0;
    } else {
        ck_assert_int_ne(code, 0);
    }
    json_decref(answer);
    kvp_exchange_free(ex);
    kvp_free(path);
    kvp_free(form);
    kvp_free(take_jwt);
    return code;
}

START_TEST(an_assertion_signed_with_the_certificates_key_gets_a_token)
{
    static const char *const algs[] = { "PS256", "RS256" };
    static const char *const audiences[] = { "/oauth2/v2.0/token", "/oauth2/token", "/v2.0" };

    for (size_t a = 0; a < 2; a++) {
        for (size_t i = 0; i < 3; i++) {
            char jti[16];
            snprintf(jti, sizeof(jti), "%zu-%zu", a, i);
            ck_assert_int_eq(
                sign_in(jwt_of(algs[a], header_of(algs[a]), claims_of(audiences[i], jti))), 0);
        }
    }
}
END_TEST

START_TEST(an_assertion_works_once)
{
    char *jwt = jwt_of("PS256", header_of("PS256"), claims_of("/oauth2/v2.0/token", "once"));

    ck_assert_int_eq(sign_in(kvp_strdup(jwt)), 0);
    ck_assert_int_eq(sign_in(kvp_strdup(jwt)), 50013);
    kvp_test_vault_restart(&vault);
    ck_assert_int_eq(sign_in(jwt), 50013);
    ck_assert_int_eq(
        sign_in(jwt_of("PS256", header_of("PS256"), claims_of("/oauth2/v2.0/token", "twice"))), 0);
}
END_TEST

/* Claims or header with one thing changed, and the number that is answered. */
static const struct {
    const char *what, *member, *json;
    long code;
} wrong[] = {
    { "claims", "aud", "\"https://login.microsoftonline.com/x/oauth2/v2.0/token\"", 700023 },
    { "claims", "aud", "null", 700023 },
    { "claims", "exp", "1", 700024 },
    { "claims", "exp", "null", 700024 },
    { "claims", "exp", "99999999999", 700024 },
    { "claims", "nbf", "99999999999", 700024 },
    { "claims", "nbf", "\"now\"", 700024 },
    { "claims", "jti", "null", 50013 },
    { "claims", "sub", "\"somebody else\"", 700021 },
    { "claims", "iss", "\"https://elsewhere.example\"", 700211 },
    { "header", "alg", "\"none\"", 50027 },
    { "header", "alg", "\"HS256\"", 50027 },
    { "header", "alg", "\"RS256\"", 700027 },
    { "header", "alg", "\"ES256\"", 700027 },
    { "header", "crit", "[\"exp\"]", 50027 },
    { "header", "x5t#S256", "\"AAAA\"", 700027 },
    { "header", "x5t#S256", "null", 700027 },
    { "header", "x5t", "\"AAAA\"", 700027 },
};

START_TEST(a_wrong_assertion_is_refused)
{
    json_t *header = header_of("PS256"), *claims = claims_of("/oauth2/v2.0/token", "j");
    json_t *target = wrong[_i].what[0] == 'h' ? header : claims;

    json_object_set_new(target, wrong[_i].member,
                        json_loads(wrong[_i].json, JSON_DECODE_ANY, NULL));
    long code = sign_in(jwt_of("PS256", header, claims));

    ck_assert_msg(code == wrong[_i].code, "%s %s: %ld", wrong[_i].what, wrong[_i].member, code);
}
END_TEST

START_TEST(what_is_no_jwt_is_malformed)
{
    static const char *const junk[] = {
        "x", "..", "a.b.c", "e30.e30.", "e30.e30.AAAA", "W10.W10.AA", "e30.e30.AA.AA", "!!!.###.$$$"
    };

    ck_assert_int_eq(sign_in(kvp_strdup(junk[_i])), 50027);
}
END_TEST

START_TEST(a_changed_claim_breaks_the_signature)
{
    char *jwt = jwt_of("PS256", header_of("PS256"), claims_of("/oauth2/v2.0/token", "j"));
    char *other = jwt_of("PS256", header_of("PS256"), claims_of("/oauth2/v2.0/token", "k"));

    /* The signature of one behind the claims of the other. */
    char *mixed = kvp_asprintf("%.*s%s", (int)(strrchr(jwt, '.') - jwt), jwt, strrchr(other, '.'));
    kvp_free(jwt);
    kvp_free(other);

    ck_assert_int_eq(sign_in(mixed), 700027);
}
END_TEST

START_TEST(an_expired_certificate_signs_nobody_in)
{
    ck_assert_int_eq(
        sign_in(jwt_of("PS256", header_of("PS256"), claims_of("/oauth2/v2.0/token", "j"))), 700027);
}
END_TEST

static json_t *number(EVP_PKEY *pkey, const char *param)
{
    BIGNUM *bn = NULL;
    unsigned char bytes[300];

    ck_assert_int_eq(EVP_PKEY_get_bn_param(pkey, param, &bn), 1);
    int len = param[0] == 'q' ? BN_bn2binpad(bn, bytes, 32) : BN_bn2bin(bn, bytes);
    BN_free(bn);
    char *text = kvp_test_base64(bytes, (size_t)len);
    json_t *string = json_string(text);
    kvp_free(text);
    return string;
}

/* The issuer's keys as a JWKS (_i 0) or as PEM. */
static void federate(bool jwks, EVP_PKEY *pkey)
{
    if (!jwks) {
        BIO *bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PUBKEY(bio, pkey);
        add_credential(true, pem_of(bio));
        return;
    }
    json_t *set =
        json_pack("{s:[{s:s, s:s, s:o, s:o}, {s:s, s:s, s:s, s:o, s:o}]}", "keys", "kty", "RSA",
                  "kid", "r1", "n", number(rsa, "n"), "e", number(rsa, "e"), "kty", "EC", "kid",
                  "e1", "crv", "P-256", "x", number(ec, "qx"), "y", number(ec, "qy"));
    char *text = json_dumps(set, 0);
    add_credential(true, kvp_strdup(text));
    free(text);
    json_decref(set);
}

static json_t *federated_claims(const char *issuer, const char *subject, const char *audience)
{
    return json_pack("{s:s, s:s, s:[s, s], s:I}", "iss", issuer, "sub", subject, "aud", "other",
                     audience, "exp", (json_int_t)kvp_ident_now() + 3600);
}

START_TEST(a_token_of_another_issuer_signs_in_as_often_as_it_is_read)
{
    static const struct {
        bool jwks;
        const char *alg, *kid;
    } rows[] = { { true, "RS256", "r1" },
                 { true, "ES256", "e1" },
                 { false, "RS256", "any" },
                 { false, "ES256", "any" },
                 { true, "ES256", NULL } };

    federate(rows[_i].jwks, rows[_i].alg[0] == 'E' ? ec : rsa);
    json_t *header = json_pack("{s:s, s:s*}", "alg", rows[_i].alg, "kid", rows[_i].kid);
    char *jwt = jwt_of(rows[_i].alg, header, federated_claims(ISSUER, SUBJECT, AUDIENCE));

    ck_assert_int_eq(sign_in(kvp_strdup(jwt)), 0);
    ck_assert_int_eq(sign_in(jwt), 0);
}
END_TEST

START_TEST(a_token_that_nobody_trusts_is_refused)
{
    static const struct {
        const char *issuer, *subject, *audience, *kid;
        long code;
    } rows[] = {
        { "https://other.example", SUBJECT, AUDIENCE, "r1", 700211 },
        { ISSUER, "system:serviceaccount:default:other", AUDIENCE, "r1", 700213 },
        { ISSUER, SUBJECT, "api://other", "r1", 700212 },
        { ISSUER, SUBJECT, AUDIENCE, "unknown", 700027 },
    };
    federate(true, rsa);
    char *jwt = jwt_of("RS256", json_pack("{s:s, s:s}", "alg", "RS256", "kid", rows[_i].kid),
                       federated_claims(rows[_i].issuer, rows[_i].subject, rows[_i].audience));

    ck_assert_int_eq(sign_in(jwt), rows[_i].code);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("assertion");
    TCase *own = tcase_create("own"), *expired = tcase_create("expired");
    TCase *federated = tcase_create("federated");

    tcase_add_checked_fixture(own, setup, teardown);
    tcase_set_timeout(own, 60);
    tcase_add_test(own, an_assertion_signed_with_the_certificates_key_gets_a_token);
    tcase_add_test(own, an_assertion_works_once);
    tcase_add_loop_test(own, a_wrong_assertion_is_refused, 0, (int)KVP_ARRAY_LEN(wrong));
    tcase_add_loop_test(own, what_is_no_jwt_is_malformed, 0, 8);
    tcase_add_test(own, a_changed_claim_breaks_the_signature);
    suite_add_tcase(suite, own);
    tcase_add_checked_fixture(expired, setup_expired, teardown);
    tcase_add_test(expired, an_expired_certificate_signs_nobody_in);
    suite_add_tcase(suite, expired);
    tcase_add_checked_fixture(federated, setup, teardown);
    tcase_add_loop_test(federated, a_token_of_another_issuer_signs_in_as_often_as_it_is_read, 0, 5);
    tcase_add_loop_test(federated, a_token_that_nobody_trusts_is_refused, 0, 4);
    suite_add_tcase(suite, federated);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
