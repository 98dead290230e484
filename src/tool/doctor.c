/* SPDX-License-Identifier: MIT */
/* kvpkcs11 doctor: the order of the steps. */
#include "tool/doctor.h"
#include "tool/tool.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
    { "verbose", no_argument, NULL, 'v' },      { "json", no_argument, NULL, 'j' },
    { "config", required_argument, NULL, 'c' }, { "module", required_argument, NULL, 'm' },
    { "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
};

static const kvp_config_vault *find_vault(const kvp_config *config, const char *name)
{
    for (size_t i = 0; i < config->vault_count; i++)
        if (strcmp(config->vaults[i].name, name) == 0)
            return &config->vaults[i];
    return NULL;
}

/* All vaults, or those that are named; one that is named and not there is a failure. */
static void check_vaults(kvp_doctor *doctor, const kvp_config *config, char **names)
{
    if (!*names)
        for (size_t i = 0; i < config->vault_count; i++)
            kvp_doctor_vault(doctor, &config->vaults[i]);
    for (; *names; names++) {
        const kvp_config_vault *vault = find_vault(config, *names);

        if (vault)
            kvp_doctor_vault(doctor, vault);
        else
            kvp_doctor_check(
                doctor, KVP_CHECK_FAIL, "vault",
                "Name a section [vault:NAME] of the configuration; one with a mistake in "
                "it is left out.",
                "no usable section [vault:%s] is in the configuration", *names);
    }
}

int kvp_doctor_run(int argc, char **argv, FILE *out, FILE *err)
{
    kvp_doctor doctor = { .out = out };
    KVP_CLEANUP(kvp_config_freep) kvp_config *config = NULL;
    const char *config_path = NULL, *module = NULL;
    int option, status = KVP_EXIT_OK;

    while ((option = kvp_option_next(argc, argv, ":vjc:m:h", options, out, err, &status)) != -1) {
        switch (option) {
        case 'v':
            doctor.verbose = true;
            break;
        case 'j':
            doctor.json = true;
            break;
        case 'c':
            config_path = optarg;
            break;
        case 'm':
            module = optarg;
            break;
        default:
            return status;
        }
    }
    /* The module reads its configuration itself: it must be the same. */
    if (config_path && setenv("KVPKCS11_CONF", config_path, 1) != 0)
        return kvp_tool_fail(argv[0], err, "out of memory");

    kvp_doctor_start(&doctor);
    kvp_doctor_config(&doctor, config_path, &config);
    if (config) {
        kvp_doctor_logs(&doctor, config);
        check_vaults(&doctor, config, argv + optind);
    }
    kvp_doctor_module(&doctor, module, config);
    status = kvp_doctor_finish(&doctor);
    return status;
}
