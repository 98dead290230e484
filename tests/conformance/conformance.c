/* SPDX-License-Identifier: MIT */
/* Worlds and calls of the conformance suite; see functions.h. */
#include "functions.h"
#include "support/keyvaultd.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EC_NAME "cf-ec"
#define RSA_NAME "cf-rsa"

world main_world;

void conformance_without_threads(void)
{
    enum { SKIPPED = 77 }; /* of automake's test driver */

    if (!getenv("KVP_TESTS_WITH_THREADS"))
        return;
    fprintf(stderr, "skipped: nothing here runs in threads\n");
    exit(SKIPPED);
}

/* The list of 2.40, also for the helpers of tests/support, as C_GetInterface has it. */
static void take_interfaces(void)
{
    CK_UTF8CHAR name[] = "PKCS 11";
    CK_VERSION version = { 2, 40 };
    CK_INTERFACE *interface = NULL;

    module_load();
    if (p11_get_interface(name, &version, &interface, 0) != CKR_OK) {
        fprintf(stderr, "C_GetInterface has no 2.40\n");
        exit(1);
    }
    p11 = interface->pFunctionList;
}

/* The address of a local HSM tells nothing of its kind, so the configuration has to. */
static void say_kind(const char *kind)
{
    char said[32];
    FILE *file;

    keyvaultd_setting("kind", said, sizeof(said));
    if (said[0] || strcmp(kind, "vault") == 0)
        return;
    file = fopen(keyvaultd_conf(), "a");
    if (!file || fprintf(file, "kind = %s\n", kind) < 0 || fclose(file) != 0) {
        fprintf(stderr, "%s cannot be written\n", keyvaultd_conf());
        exit(1);
    }
}

void conformance_start(const char *kind)
{
    keyvaultd_allow_faults();
    keyvaultd_start(kind);
    say_kind(kind);
    take_interfaces();
    keyvaultd_create_key(EC_NAME, "EC", 0, "P-256");
    keyvaultd_create_key(RSA_NAME, "RSA", 2048, NULL);
}

/* ---- worlds ---- */

CK_ULONG world_secret_template(world *w, int which, CK_KEY_TYPE type)
{
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE types[2] = { CKK_AES, CKK_GENERIC_SECRET };
    static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE *attrs = w->attrs[which];

    attrs[0] = (CK_ATTRIBUTE){ CKA_CLASS, &class, sizeof(class) };
    attrs[1] = (CK_ATTRIBUTE){ CKA_KEY_TYPE, &types[type != CKK_AES], sizeof(CK_KEY_TYPE) };
    attrs[2] = (CK_ATTRIBUTE){ CKA_TOKEN, &no, sizeof(no) };
    attrs[3] = (CK_ATTRIBUTE){ CKA_EXTRACTABLE, &yes, sizeof(yes) };
    attrs[4] = (CK_ATTRIBUTE){ CKA_SENSITIVE, &no, sizeof(no) };
    return 5;
}

static CK_OBJECT_HANDLE secret(world *w, CK_KEY_TYPE type)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_ULONG count = world_secret_template(w, 1, type);

    w->attrs[1][count++] = (CK_ATTRIBUTE){ CKA_VALUE, w->data, DATA_LEN };
    assert_rv(CKR_OK, p11_3->C_CreateObject(w->session, w->attrs[1], count, &handle));
    return handle;
}

static CK_OBJECT_HANDLE vault_key(world *w, CK_OBJECT_CLASS class, const char *name)
{
    CK_OBJECT_HANDLE handle = module_find(w->session, class, name);
    CK_KEY_TYPE type;
    CK_ATTRIBUTE attr = { CKA_KEY_TYPE, &type, sizeof(type) };

    ck_assert_msg(handle != CK_INVALID_HANDLE, "no key %s", name);
    assert_rv(CKR_OK, p11_3->C_GetAttributeValue(w->session, handle, &attr, 1));
    return handle;
}

CK_OBJECT_HANDLE world_key(world *w, key_name name)
{
    static const struct {
        CK_OBJECT_CLASS class;
        const char *label; /* NULL: of the session */
        CK_KEY_TYPE type;
    } keys[KEY_COUNT] = {
        [KEY_EC_PRIVATE] = { CKO_PRIVATE_KEY, EC_NAME, 0 },
        [KEY_EC_PUBLIC] = { CKO_PUBLIC_KEY, EC_NAME, 0 },
        [KEY_RSA_PRIVATE] = { CKO_PRIVATE_KEY, RSA_NAME, 0 },
        [KEY_RSA_PUBLIC] = { CKO_PUBLIC_KEY, RSA_NAME, 0 },
        [KEY_AES] = { CKO_SECRET_KEY, NULL, CKK_AES },
        [KEY_HMAC] = { CKO_SECRET_KEY, NULL, CKK_GENERIC_SECRET },
    };

    if (name != KEY_NONE && w->keys[name] == CK_INVALID_HANDLE)
        w->keys[name] = keys[name].label ? vault_key(w, keys[name].class, keys[name].label)
                                         : secret(w, keys[name].type);
    return w->keys[name];
}

void world_open(world *w, CK_FLAGS flags)
{
    static atomic_uint number;

    memset(w, 0, sizeof(*w));
    for (unsigned i = 0; i < DATA_LEN; i++)
        w->data[i] = (CK_BYTE)(i * 7 + 1);
    snprintf(w->label, sizeof(w->label), "cf-made-%d-%u", (int)getpid(), ++number);
    assert_rv(CKR_OK, p11_3->C_OpenSession(module_slot, CKF_SERIAL_SESSION | flags, NULL, NULL,
                                           &w->session));
}

/* C_CloseSession and its like may have been what was tested. */
void world_close(world *w)
{
    p11_3->C_CloseSession(w->session);
}

void world_setup(void)
{
    module_slot = module_initialize();
    world_open(&main_world, CKF_RW_SESSION);
    module_session = main_world.session;
}

void world_teardown(void)
{
    CK_RV rv = p11_3->C_Finalize(NULL);

    if (rv != CKR_CRYPTOKI_NOT_INITIALIZED)
        assert_rv(CKR_OK, rv);
}

void world_cancel(world *w)
{
    assert_rv(CKR_OK, p11_3->C_SessionCancel(w->session, ~0UL));
}

void world_mechanism(world *w, CK_MECHANISM_TYPE type)
{
    w->mechanism = (CK_MECHANISM){ type, NULL, 0 };
    if (type == CKM_AES_CBC) {
        memset(w->iv, 0, sizeof(w->iv));
        w->mechanism.pParameter = w->iv;
        w->mechanism.ulParameterLen = sizeof(w->iv);
    }
}

/* ---- calls ---- */

void function_fill(world *w, const function_row *row, word *v)
{
    static CK_VERSION version = { 3, 0 };

    memset(v, 0, ARGUMENTS_MAX * sizeof(*v));
    memset(&w->answer, 0, sizeof(w->answer));
    w->out_len = sizeof(w->out);
    w->message = (CK_GCM_MESSAGE_PARAMS){ w->iv, 12, 0, CKG_NO_GENERATE, w->message_tag, 128 };
    for (size_t i = 0; row->arguments[i]; i++) {
        switch (row->arguments[i]) {
        case 'h':
            v[i].u = w->session;
            break;
        case 's':
            v[i].u = module_slot;
            break;
        case 'm':
            world_mechanism(w, row->mechanism);
            v[i].p = &w->mechanism;
            break;
        case 'k':
        case 'o':
        case 'w':
        case 'u':
            v[i].u = world_key(w, row->key);
            break;
        case 'd':
            v[i].p = w->data;
            break;
        case 'n':
            v[i].u = DATA_LEN;
            break;
        case 'b':
            v[i].p = w->out;
            break;
        case 'l':
            v[i].p = &w->out_len;
            break;
        case 'r':
            v[i].p = &w->answer;
            break;
        case 'p':
            v[i].p = &version;
            break;
        default:
            break;
        }
    }
    if (row->fill)
        row->fill(w, v);
}

void function_begin(world *w, const function_row *row)
{
    for (size_t i = 0; i < KVP_ARRAY_LEN(row->after) && row->after[i]; i++) {
        const function_row *first = function_row_find(row->after[i]);

        ck_assert_msg(first != NULL, "no row %s", row->after[i]);
        word v[ARGUMENTS_MAX];
        function_fill(w, first, v);
        assert_row_rv(first, "on the way", first->good, first->call(v));
    }
}

CK_RV function_run(world *w, const function_row *row)
{
    word v[ARGUMENTS_MAX];

    function_begin(w, row);
    function_fill(w, row, v);
    return row->call(v);
}
