/* SPDX-License-Identifier: MIT */
/* Doctor's last step: the module, as an application loads it. No request is made by it. */
#include "tool/doctor.h"

#include "base/alloc.h"
#include "tool/library.h"

#include <string.h>

#define ADVICE_INSTALL "Install libkvpkcs11, or name the module's file with --module."
#define ADVICE_DEPENDENCY                                                                          \
    "The message says what the loader missed: a library that is not installed, or another "        \
    "system's "                                                                                    \
    "module."

static void check_info(kvp_doctor *doctor, const kvp_library *library)
{
    char *description, *manufacturer;
    CK_INFO info;
    kvp_error error;
    CK_RV rv;

    memset(&info, 0, sizeof(info));
    rv = library->f->C_GetInfo(&info);
    if (rv != CKR_OK) {
        kvp_library_failed("C_GetInfo", rv, &error);
        kvp_doctor_failed(doctor, "module", NULL, &error);
        return;
    }
    description = kvp_library_field(info.libraryDescription, sizeof(info.libraryDescription));
    manufacturer = kvp_library_field(info.manufacturerID, sizeof(info.manufacturerID));
    kvp_doctor_check(doctor, KVP_CHECK_OK, "module", NULL, "%s %u.%u (%s), PKCS#11 %u.%u",
                     description ? description : "", info.libraryVersion.major,
                     info.libraryVersion.minor, manufacturer ? manufacturer : "",
                     info.cryptokiVersion.major, info.cryptokiVersion.minor);
    kvp_free(description);
    kvp_free(manufacturer);
}

/* Whether @label is among the tokens of @slots. */
static bool has_token(const kvp_library *library, const CK_SLOT_ID *slots, size_t count,
                      const char *label)
{
    bool found = false;

    for (size_t i = 0; i < count && !found; i++) {
        CK_TOKEN_INFO info;
        char *text;

        if (library->f->C_GetTokenInfo(slots[i], &info) != CKR_OK)
            continue;
        text = kvp_library_raw_field(info.label, sizeof(info.label));
        found = text && strcmp(text, label) == 0;
        kvp_free(text);
    }
    return found;
}

static void check_slots(kvp_doctor *doctor, const kvp_library *library, const kvp_config *config)
{
    KVP_CLEANUP(kvp_freep) CK_SLOT_ID *slots = NULL;
    size_t count = 0, missing = 0;
    kvp_error error;

    kvp_error_clear(&error);
    if (kvp_library_slots(library, true, &slots, &count, &error) != KVP_OK) {
        kvp_doctor_failed(doctor, "slots", NULL, &error);
        return;
    }
    for (size_t i = 0; config && i < config->vault_count; i++)
        if (!has_token(library, slots, count, config->vaults[i].name)) {
            missing++;
            kvp_doctor_check(doctor, KVP_CHECK_FAIL, "slots",
                             "The module found another configuration (-v shows where one is looked "
                             "for), or could not use this section: its log says why.",
                             "no token %s is shown for its section", config->vaults[i].name);
        }
    if (missing == 0)
        kvp_doctor_check(doctor, KVP_CHECK_OK, "slots", NULL, "%zu token%s shown", count,
                         count == 1 ? " is" : "s are");
}

void kvp_doctor_module(kvp_doctor *doctor, const char *path, const kvp_config *config)
{
    KVP_CLEANUP(kvp_freep) char *fallback = path ? NULL : kvp_library_default_path();
    kvp_library library = { NULL, NULL, false };
    kvp_error error;

    if (!path)
        path = fallback ? fallback : "libkvpkcs11.so";
    kvp_error_clear(&error);
    if (kvp_library_open(path, &library, &error) != KVP_OK) {
        kvp_doctor_failed(doctor, "module",
                          strstr(error.message, "No such file") && strstr(error.message, path)
                              ? ADVICE_INSTALL
                              : ADVICE_DEPENDENCY,
                          &error);
        return;
    }
    kvp_doctor_check(doctor, KVP_CHECK_OK, "module", NULL, "%s can be loaded", path);
    if (kvp_library_start(&library, &error) != KVP_OK) {
        kvp_doctor_failed(doctor, "module", "The module's log says why.", &error);
    } else {
        check_info(doctor, &library);
        check_slots(doctor, &library, config);
    }
    kvp_library_close(&library);
}
