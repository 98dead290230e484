/* SPDX-License-Identifier: MIT */
/* keyvaultd: a self-hosted vault that speaks the Key Vault REST API. */
#include "config.h"

#include "vaultd/admin.h"
#include "vaultd/daemon.h"
#include "vaultd/note.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Blocked in every thread: main alone takes these, one at a time, when it asks for them. */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int serve(const kvp_options *options)
{
    kvp_error error = { .status = KVP_OK };
    kvp_service *service = NULL;
    sigset_t set;
    int caught = 0;

    block_signals(&set);
    if (kvp_service_start(options, &service, &error) != KVP_OK) {
        kvp_note("%s", error.message);
        return EXIT_FAILED;
    }
    printf("ready %s\n", kvp_service_url(service));
    if (fflush(stdout) != 0)
        kvp_note("nobody could be told that the service is ready");
    while (sigwait(&set, &caught) == 0 && caught == SIGHUP) {
        if (kvp_service_reopen_logs(service, &error) != KVP_OK)
            kvp_note("%s", error.message);
    }
    kvp_service_stop(service);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    kvp_error error = { .status = KVP_OK };
    kvp_options options;

    umask(077);
    /* The system's OpenSSL configuration may load our own PKCS#11 module, whose vault we are. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    if (kvp_options_parse(argc, argv, &options, &error) != KVP_OK) {
        kvp_note("%s; keyvaultd --help tells more", error.message);
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        if (options.help)
            kvp_admin_help(&options, stdout);
        else
            fputs("keyvaultd " PACKAGE_VERSION "\n", stdout);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    }
    if (options.word_count == 0)
        return serve(&options);
    if (kvp_admin_run(&options, stdout, &error) == KVP_OK)
        return EXIT_OK;
    kvp_note("%s", error.message);
    return error.status == KVP_ERR_INVALID ? EXIT_USAGE : EXIT_FAILED;
}
