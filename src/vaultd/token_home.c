/* SPDX-License-Identifier: MIT */
/* The token of a data directory, kept as settings of the default vault. */
#include "vaultd/token_home.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 4096

/* None of them is one of the service's settings. */
#define SETTING_MODULE "keyvaultd.hsm-module"
#define SETTING_PIN_FILE "keyvaultd.hsm-pin-file"
#define SETTING_TOKEN "keyvaultd.hsm-token"

/* @path as it is understood from any directory; a module without a slash is the loader's to find.
 */
static kvp_status make_absolute(const char *path, bool searched, char **ret, kvp_error *reterr)
{
    char here[TEXT_MAX];

    if (!path || *path == '/' || (searched && !strchr(path, '/')))
        *ret = kvp_strdup(path ? path : "");
    else if (!getcwd(here, sizeof(here)))
        return kvp_error_set(reterr, KVP_ERR_IO, "the current directory: %s", strerror(errno));
    else
        *ret = kvp_asprintf("%s/%s", here, path);
    if (*ret && strlen(*ret) < TEXT_MAX)
        return KVP_OK;
    kvp_free(*ret);
    *ret = NULL;
    return kvp_error_set(reterr, KVP_ERR_INVALID, "%.80s... is too long a path", path ? path : "");
}

static kvp_status remember(kvp_store *store, const kvp_vault_info *vault,
                           const kvp_options *options, kvp_error *reterr)
{
    char *module = NULL, *pin_file = NULL;
    const char *label = options->hsm_token ? options->hsm_token : "";
    kvp_status status = make_absolute(options->hsm_module, true, &module, reterr);

    if (status == KVP_OK)
        status = make_absolute(options->hsm_pin_file, false, &pin_file, reterr);
    if (status == KVP_OK)
        status = kvp_store_setting_put(store, vault, SETTING_MODULE, module, reterr);
    if (status == KVP_OK)
        status = kvp_store_setting_put(store, vault, SETTING_PIN_FILE, pin_file, reterr);
    if (status == KVP_OK)
        status = kvp_store_setting_put(store, vault, SETTING_TOKEN, label, reterr);
    kvp_free(module);
    kvp_free(pin_file);
    return status;
}

static kvp_status open_named(const kvp_options *options, kvp_token **ret_token, kvp_error *reterr)
{
    return kvp_token_open(options->hsm_module, options->hsm_pin_file, options->hsm_token, ret_token,
                          reterr);
}

kvp_status kvp_token_home_open(kvp_store *store, const kvp_vault_info *vault,
                               const kvp_options *options, kvp_token **ret_token, kvp_error *reterr)
{
    kvp_status status = KVP_OK;

    *ret_token = NULL;
    if (options->hsm_module)
        status = open_named(options, ret_token, reterr);
    if (status == KVP_OK)
        status = remember(store, vault, options, reterr);
    if (status != KVP_OK) {
        kvp_token_close(*ret_token);
        *ret_token = NULL;
    }
    return status;
}

/* A setting, "" when it was never made. */
static kvp_status recall(kvp_store *store, const kvp_vault_info *vault, const char *name,
                         char ret[TEXT_MAX], kvp_error *reterr)
{
    kvp_error error = { .status = KVP_OK };
    kvp_status status = kvp_store_setting_get(store, vault, name, ret, TEXT_MAX, &error);

    if (status == KVP_ERR_NOT_FOUND) {
        *ret = '\0';
        return KVP_OK;
    }
    if (status != KVP_OK && reterr)
        *reterr = error;
    return status;
}

kvp_status kvp_token_home_reopen(kvp_store *store, const kvp_options *options,
                                 kvp_token **ret_token, kvp_error *reterr)
{
    char module[TEXT_MAX], pin_file[TEXT_MAX], label[TEXT_MAX];
    kvp_vault_info vault;

    *ret_token = NULL;
    if (options->hsm_module)
        return open_named(options, ret_token, reterr);
    kvp_status status = kvp_store_vault(store, &vault, reterr);
    if (status == KVP_OK)
        status = recall(store, &vault, SETTING_MODULE, module, reterr);
    if (status == KVP_OK)
        status = recall(store, &vault, SETTING_PIN_FILE, pin_file, reterr);
    if (status == KVP_OK)
        status = recall(store, &vault, SETTING_TOKEN, label, reterr);
    if (status != KVP_OK || !*module)
        return status;
    return kvp_token_open(module, pin_file, *label ? label : NULL, ret_token, reterr);
}
