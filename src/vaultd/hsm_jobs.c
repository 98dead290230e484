/* SPDX-License-Identifier: MIT */
/*
 * What a Managed HSM does together with the cloud around it: full backup to a storage account and
 * the exchange of security domains. Here there is neither: requests are checked as far as they can
 * be and get the errors that the service has for them.
 */
#include "vaultd/exchange.h"
#include "vaultd/routes.h"

#include <stdio.h>
#include <string.h>

/* Errors of this part come without Activity ID and with `"innererror":null`, as recorded. */
static void bad_request(kvp_exchange *ex, const char *message)
{
    kvp_copy_printable(ex->error_message, sizeof(ex->error_message), message);
    kvp_exchange_reply_take(ex, 400,
                            json_pack("{s:{s:s, s:s, s:n}}", "error", "code", "BadRequest",
                                      "message", message, "innererror"));
}

/* @holder has storageResourceUri and token. */
static void refuse_storage(kvp_exchange *ex, const json_t *holder)
{
    const char *uri = "", *token = "";
    char message[400];

    if (!kvp_member_string(ex, holder, "storageResourceUri", true, &uri) ||
        !kvp_member_string(ex, holder, "token", false, &token))
        return;
    if (*token && !strstr(token, "se=")) {
        bad_request(ex, "The customer provided SAS token is malformed. The SAS token does not "
                        "contain the expiry field");
        return;
    }
    snprintf(message, sizeof(message), "The storage container %.200s cannot be reached", uri);
    bad_request(ex, message);
}

void kvp_hsm_backup(kvp_exchange *ex)
{
    refuse_storage(ex, ex->json);
}

void kvp_hsm_restore(kvp_exchange *ex)
{
    const json_t *parameters;

    if (!kvp_member_object(ex, ex->json, "sasTokenParameters", &parameters))
        return;
    if (!parameters)
        parameters = json_object_get(ex->json, "sasBackupParameters");
    if (parameters)
        refuse_storage(ex, parameters);
    else
        kvp_refuse(ex, KVP_REFUSE_PROPERTY, "sasTokenParameters");
}

/* No job was ever begun. */
void kvp_hsm_job_status(kvp_exchange *ex)
{
    char message[200];

    snprintf(message, sizeof(message), "Job %.100s was not found", ex->version);
    kvp_copy_printable(ex->error_message, sizeof(ex->error_message), message);
    kvp_exchange_reply_take(ex, 404,
                            json_pack("{s:{s:s, s:s, s:n}}", "error", "code", "JobNotFound",
                                      "message", message, "innererror"));
}

/* This HSM is in use from its first start on. */
void kvp_hsm_domain_status(kvp_exchange *ex)
{
    char url[KVP_ID_SIZE];

    snprintf(url, sizeof(url), "%s/securitydomain/%s/pending?api-version=%s", ex->base_url,
             ex->segments[1], ex->api_version);
    kvp_exchange_header(ex, "Azure-AsyncOperation", url);
    kvp_exchange_reply_take(
        ex, 200,
        json_pack("{s:s, s:s}", "status", "Success", "status_details", "The resource is active."));
}

void kvp_hsm_domain(kvp_exchange *ex)
{
    kvp_refuse(ex, KVP_REFUSE_SECURITY_DOMAIN);
}
