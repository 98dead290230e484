/* SPDX-License-Identifier: MIT */
/*
 * Writes docs/conformance.md out from the table of functions and that of mechanisms, so that the
 * page cannot drift from them. A sentence about a function stands here, once, by its name.
 */
#include "base/cleanup.h"
#include "token/mech_ops.h"

#include <stdio.h>
#include <string.h>

static const char intro[] =
    "# Conformance\n"
    "\n"
    "<!-- Written out by `make update-conformance-doc` from src/cryptoki/functions.def,\n"
    "     src/token/mechanism_table.c and the sentences of src/cryptoki/gen_conformance_doc.c:\n"
    "     change those. -->\n"
    "\n"
    "What `libkvpkcs11.so` does of PKCS#11 2.40, 3.0, 3.1 and 3.2 (OASIS). `C_GetInterfaceList` "
    "serves\n"
    "`PKCS 11` in these four versions, the newest first, each with `CKF_INTERFACE_FORK_SAFE`: "
    "sessions,\n"
    "handles and operations go on in a forked child, with or without `C_Initialize` there.\n"
    "`C_GetFunctionList` gives 2.40. No entry of a list is NULL.\n"
    "\n"
    "What holds for every function:\n"
    "\n"
    "- Of several mistakes the first of this order is told: not initialised, pointers, slot or "
    "session,\n"
    "  a session or token that may not be written, login, an operation that is active or is not, "
    "the\n"
    "  object, its type, its use, the mechanism and its parameter, the length of the data, the "
    "room for\n"
    "  the output. A mechanism that no token has comes before the key's type.\n"
    "- A length query and a buffer that is too small make no request and change nothing. Every "
    "other\n"
    "  error of a function of an operation ends the operation, `CKR_ARGUMENTS_BAD` too; of the "
    "message\n"
    "  functions it ends the message.\n"
    "- (NULL, 0) is empty data.\n"
    "- An operation in another thread's hands is `CKR_OPERATION_ACTIVE`.\n"
    "\n"
    "Where it differs from the letter of the standard: a read/write session is granted on a token "
    "with\n"
    "`CKF_WRITE_PROTECTED` (OpenSSH and Java open no other kind), and what would write is refused "
    "when\n"
    "it is tried; a mechanism that works on one block of data takes it in parts as well; a bad "
    "pointer\n"
    "is told before a bad session (§5.1.7 of 3.2 has it the other way round).\n";

/** What there is to say about a function; most need nothing. */
typedef struct note {
    const char *name;
    const char *text;
} note;

static const note notes[] = {
    { "Initialize",
      "the application's mutexes, the operating system's or neither; again in a forked "
      "child" },
    { "Finalize", "at any time; calls in flight end as they would" },
    { "InitToken", "`CKR_FUNCTION_NOT_SUPPORTED`: a vault is set up by its cloud's administrator" },
    { "InitPIN", "`CKR_FUNCTION_NOT_SUPPORTED`: a vault has no PIN" },
    { "SetPIN", "`CKR_FUNCTION_NOT_SUPPORTED`: a vault has no PIN" },
    { "OpenSession", "`CKF_ASYNC_SESSION` is `CKR_SESSION_ASYNC_NOT_SUPPORTED`" },
    { "SessionCancel", "each flag names its operation, the message flags theirs" },
    { "GetOperationState",
      "digests of up to 64 KiB so far; `CKR_STATE_UNSAVEABLE` for longer ones, "
      "after `C_DigestKey`, and for operations with keys" },
    { "SetOperationState", "in any session of the same state with the same token, in any process" },
    { "Login", "granted where the token needs none; a vault knows no `CKU_SO`" },
    { "LoginUser", "as C_Login, the name is not used" },
    { "WaitForSlotEvent", "slots never change: waits for C_Finalize, or `CKR_NO_EVENT`" },
    { "DigestKey", "session keys; `CKR_KEY_INDIGESTIBLE` for keys of the vault" },
    { "SignRecover", "CKM_RSA_PKCS" },
    { "VerifyRecover", "CKM_RSA_PKCS" },
    { "WrapKey", "session keys that are extractable" },
    { "UnwrapKey", "makes session keys" },
    { "DeriveKey", "`CKR_MECHANISM_INVALID`: the service derives no keys" },
    { "SeedRandom",
      "into the kernel's generator; `CKR_RANDOM_SEED_NOT_SUPPORTED` by a Managed HSM's" },
    { "GenerateRandom", "the kernel's generator; a Managed HSM's where there is one" },
    { "MessageEncryptInit", "CKM_AES_GCM" },
    { "EncryptMessageNext",
      "with a session key the text comes as it goes in, with an HSM's key all of "
      "it with the last part" },
    { "MessageDecryptInit", "CKM_AES_GCM" },
    { "DecryptMessageNext", "the text comes with the last part, when the tag was seen" },
    { "MessageEncryptFinal", "`CKR_OPERATION_ACTIVE` within a message" },
    { "MessageDecryptFinal", "`CKR_OPERATION_ACTIVE` within a message" },
    { "MessageSignInit", "every mechanism that signs" },
    { "MessageSignFinal", "`CKR_OPERATION_ACTIVE` within a message" },
    { "MessageVerifyInit", "every mechanism that verifies" },
    { "MessageVerifyFinal", "`CKR_OPERATION_ACTIVE` within a message" },
    { "EncapsulateKey", "`CKR_MECHANISM_INVALID`: the service has no such mechanism" },
    { "DecapsulateKey", "`CKR_MECHANISM_INVALID`: the service has no such mechanism" },
    { "VerifySignatureInit",
      "every mechanism that verifies; a signature of a wrong length is refused "
      "at once" },
    { "GetSessionValidationFlags", "no validation is claimed: no flag is set" },
    { "AsyncComplete", "`CKR_OPERATION_NOT_INITIALIZED`: nothing is asynchronous" },
    { "AsyncGetID", "`CKR_OPERATION_NOT_INITIALIZED`: nothing is asynchronous" },
    { "AsyncJoin", "`CKR_SAVED_STATE_INVALID`: no identifier was ever given away" },
    { "WrapKeyAuthenticated", "CKM_AES_GCM with a session key" },
    { "UnwrapKeyAuthenticated", "CKM_AES_GCM with a session key" },
};

/** A row of functions.def. */
typedef struct function {
    const char *name, *since, *how;
} function;

#define SINCE_2_40 "2.40"
#define SINCE_3_0 "3.0"
#define SINCE_3_2 "3.2"
static const function functions[] = {
#define KVP_FN(version, status, function, params) { #function, SINCE_##version, #status },
#include "cryptoki/functions.def"
};

static const char *note_of(const char *name)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(notes); i++)
        if (strcmp(notes[i].name, name) == 0)
            return notes[i].text;
    return "";
}

static bool is_function(const char *name)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            return true;
    return false;
}

static void put_functions(void)
{
    printf("\n## Functions\n"
           "\n"
           "**yes**: does what the standard says. **refused**: checks what it is given, then says "
           "that\n"
           "no token can do it. **legacy**: answers `CKR_FUNCTION_NOT_PARALLEL`, as the standard "
           "wants.\n"
           "\n"
           "| function | since | status | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < KVP_ARRAY_LEN(functions); i++) {
        const function *f = &functions[i];
        const char *status = strcmp(f->how, "REAL") == 0      ? "yes"
                             : strcmp(f->how, "REFUSED") == 0 ? "refused"
                                                              : "legacy";
        printf("| `C_%s` | %s | %s | %s |\n", f->name, f->since, status, note_of(f->name));
    }
}

/* ---- mechanisms ---- */

static void put_keys(const kvp_mechanism *row)
{
    const char *type = row->key_type == CKK_RSA   ? "RSA"
                       : row->key_type == CKK_EC  ? "EC"
                       : row->key_type == CKK_AES ? "AES"
                                                  : "secret";
    /* The standard counts keys of AES and HMAC in bytes, the others in bits. */
    bool bytes = kvp_mechanism_is_symmetric(row) && row->type != CKM_GENERIC_SECRET_KEY_GEN;
    if (row->key_type == CK_UNAVAILABLE_INFORMATION)
        printf(" | ");
    else
        printf("%s, %lu to %lu %s | ", type, row->min_bits, row->max_bits,
               bytes ? "bytes" : "bits");
}

/* Who does what a pair of flags names: the first with a private key, the second with a public one.
 */
static void put_pair(const kvp_mechanism *row, CK_FLAGS private, CK_FLAGS public)
{
    const char *text = "";
    if (row->flags & (private | public)) {
        if (!kvp_mechanism_is_symmetric(row))
            text = "device, here";
        else if (row->ops->remote && !(private == CKF_UNWRAP && row->ops->wraps_local_only))
            text = "both";
        else
            text = "here";
    }
    printf("%s | ", text);
}

static void put_mechanism(const kvp_mechanism *row, kvp_slot *vault, kvp_slot *hsm)
{
    CK_MECHANISM_INFO on_vault, on_hsm;
    CK_FLAGS messages = CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_SIGN;
    CK_FLAGS generate = CKF_GENERATE | CKF_GENERATE_KEY_PAIR;

    printf("| `%s` | ", row->name);
    put_keys(row);
    put_pair(row, CKF_SIGN, CKF_VERIFY);
    put_pair(row, CKF_SIGN_RECOVER, CKF_VERIFY_RECOVER);
    put_pair(row, CKF_DECRYPT, CKF_ENCRYPT);
    put_pair(row, CKF_UNWRAP, CKF_WRAP);
    printf("%s | ", !(row->flags & messages)         ? ""
                    : row->flags & CKF_MULTI_MESSAGE ? "yes, in parts"
                                                     : "yes");
    printf("%s | ", row->flags & CKF_DIGEST ? "here" : "");
    printf("%s | ", !(row->flags & generate)             ? ""
                    : row->flags & CKF_GENERATE_KEY_PAIR ? "device"
                                                         : "both");
    if (kvp_mechanism_info(vault, row->type, &on_vault) != CKR_OK)
        on_vault.flags = 0;
    if (kvp_mechanism_info(hsm, row->type, &on_hsm) != CKR_OK)
        on_hsm.flags = 0;
    printf("%s |\n", on_vault.flags & CKF_HW ? "yes" : on_hsm.flags & CKF_HW ? "HSM" : "");
}

static void put_mechanisms(void)
{
    kvp_config_vault vault_config = { .managed_hsm = false }, hsm_config = { .managed_hsm = true };
    kvp_slot vault = { .config = &vault_config }, hsm = { .config = &hsm_config };

    printf("\n## Mechanisms\n"
           "\n"
           "Every token lists all of them. **device**: one request, the key stays where it is. "
           "**here**:\n"
           "in the application's process, without a request. **device, here**: the first with the "
           "private\n"
           "key, the second with the public one. **both**: by a Managed HSM with its own symmetric "
           "keys,\n"
           "here with keys of the session. The last column is `CKF_HW`: on all tokens, or on those "
           "of a\n"
           "Managed HSM alone.\n"
           "\n"
           "| mechanism | keys | sign, verify | with recovery | decrypt, encrypt | unwrap, wrap | "
           "messages "
           "| digest | generate | hardware |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < kvp_mechanism_count; i++)
        put_mechanism(&kvp_mechanisms[i], &vault, &hsm);
    printf("\nElliptic curves are P-256, P-256K, P-384 and P-521 by name, points uncompressed\n"
           "(`CKF_EC_F_P`, `CKF_EC_NAMEDCURVE`, `CKF_EC_UNCOMPRESS`). What a mechanism's parameter "
           "can ask\n"
           "for and the service cannot do is `CKR_MECHANISM_PARAM_INVALID`, never something else "
           "instead:\n"
           "a PSS salt that is not as long as the hash, MGF1 with another hash, an OAEP label, an "
           "IV of the\n"
           "application's for encryption by GCM in the HSM. PSS signatures of others are verified "
           "here, with\n"
           "any salt and MGF1. `CKA_ALLOWED_MECHANISMS` of a key lists what can be begun "
           "with it.\n");
}

int main(void)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(notes); i++)
        if (!is_function(notes[i].name)) {
            fprintf(stderr, "there is no function C_%s\n", notes[i].name);
            return 1;
        }
    fputs(intro, stdout);
    put_functions();
    put_mechanisms();
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
