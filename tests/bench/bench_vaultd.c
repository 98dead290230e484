/* SPDX-License-Identifier: MIT */
/*
 * How many RSA-2048 signatures 64 clients get from keyvaultd, beside what `openssl speed` makes of the
 * same machine; and whether its memory stays flat meanwhile. Clients and daemon share the machine.
 *
 * usage: bench_vaultd [SECONDS]
 */
#include "config.h"

#include "tests/unit/vaultd/client.h"
#include "tests/unit/vaultd/support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS 64
#define BODY "{\"alg\":\"RS256\",\"value\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"

static char dir[] = "vaultd-bench-XXXXXX";
static int64_t until_ms;
static long done, failed; /* atomic */

static void *run(void *arg)
{
    kvp_test_client client;
    const char *token = arg;

    if (!kvp_test_client_open(&client, dir))
        return NULL;
    snprintf(client.token, sizeof(client.token), "%s", token);
    while (kvp_clock_mono_ms() < until_ms) {
        long status = kvp_test_client_send(&client, "POST", "/keys/bench/sign", "application/json",
                                           BODY);
        __atomic_add_fetch(status == 200 ? &done : &failed, 1, __ATOMIC_RELAXED);
    }
    kvp_test_client_close(&client);
    return NULL;
}

static double run_for(int seconds, const char *token)
{
    pthread_t threads[CLIENTS];
    int64_t begun = kvp_clock_mono_ms();
    int started = 0;

    done = 0;
    until_ms = begun + (int64_t)seconds * 1000;
    while (started < CLIENTS && pthread_create(&threads[started], NULL, run, (void *)(uintptr_t)token) == 0)
        started++;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return (double)done * 1000 / (double)(kvp_clock_mono_ms() - begun);
}

/* Signatures a second by two processes of OpenSSL; 0 if it cannot be run. */
static double openssl_speed(void)
{
    FILE *pipe = popen("openssl speed -multi 2 -seconds 3 rsa2048 2>/dev/null", "r");
    char line[256];
    double sign = 0, ignored;

    while (pipe && fgets(line, sizeof(line), pipe)) {
        const char *p = strstr(line, "2048 bits");
        if (p && sscanf(p, "2048 bits %lfs %lfs %lf", &ignored, &ignored, &sign) != 3)
            sign = 0;
    }
    if (pipe)
        pclose(pipe);
    return sign;
}

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long size = 0, resident = 0;

    if (!f)
        return 0;
    if (fscanf(f, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? atoi(argv[1]) : 10;
    kvp_options options = { .listen = "127.0.0.1:0", .token_lifetime_s = 3599 };
    kvp_error error = { .status = KVP_OK };
    kvp_service *service = NULL;
    kvp_test_client client;

    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    options.data = mkdtemp(dir);
    if (!options.data || seconds < 1 || kvp_service_start(&options, &service, &error) != KVP_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }
    if (!kvp_test_client_open(&client, dir) || !kvp_test_client_sign_in(&client) ||
        kvp_test_client_send(&client, "POST", "/keys/bench/create", "application/json",
                             "{\"kty\":\"RSA\"}") != 200) {
        fprintf(stderr, "no key to sign with\n");
        return EXIT_FAILURE;
    }
    double raw = openssl_speed();
    run_for(1, client.token);
    long before = resident_kib();
    double rate = run_for(seconds, client.token);
    long after = resident_kib();
    printf("%d clients: %.0f signatures/s, %ld failed\n", CLIENTS, rate, failed);
    printf("openssl speed -multi 2: %.0f signatures/s; ratio %.2f\n", raw, raw > 0 ? rate / raw : 0);
    printf("resident: %ld KiB before, %ld KiB after\n", before, after);
    kvp_test_client_close(&client);
    kvp_service_stop(service);
    kvp_test_remove(kvp_strdup(dir));
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
