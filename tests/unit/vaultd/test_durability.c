/* SPDX-License-Identifier: MIT */
/*
 * A daemon that is killed at random moments under a stream of creates loses no key that it
 * answered: a child process serves, SIGKILL ends it, the next one must know everything.
 */
#include "config.h"

#include "client.h"
#include "support.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "vaultd/daemon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 60
#define WRITERS 2
#define KEYS_MAX 20000

static char *dir;
static pid_t child;

/** What a writer was told: path of the key, its x coordinate. */
typedef struct answered {
    char path[80];
    char x[48];
} answered;
static answered known[KEYS_MAX];
static size_t known_count; /* atomic */

static void serve(int ready)
{
    kvp_options options = { .data = dir, .listen = "127.0.0.1:0", .token_lifetime_s = 3599 };
    kvp_error error = { .status = KVP_OK };
    kvp_service *service = NULL;

    signal(SIGPIPE, SIG_IGN);
    kvp_status status = kvp_service_start(&options, &service, &error);
    if (status != KVP_OK)
        fprintf(stderr, "%s\n", error.message);
    char byte = status == KVP_OK;
    if (write(ready, &byte, 1) != 1)
        _exit(1);
    while (status == KVP_OK)
        pause();
    _exit(1);
}

/* Start a child that serves; it never returns to the tests. */
static void start(void)
{
    int ready[2];
    char byte = 0;

    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ready[0]);
        serve(ready[1]);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    ck_assert_int_eq(byte, 1);
}

static void kill_child(void)
{
    int status = 0;

    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

typedef struct writer {
    pthread_t thread;
    int round, number;
} writer;

/* Create keys until the connection breaks; remember each that was answered. */
static void *create_keys(void *arg)
{
    const writer *w = arg;
    kvp_test_client client;
    char path[64];

    bool ready = kvp_test_client_open(&client, dir) && kvp_test_client_sign_in(&client);
    for (int i = 0; ready; i++) {
        snprintf(path, sizeof(path), "/keys/r%d-w%d-%d/create", w->round, w->number, i);
        if (kvp_test_client_send(&client, "POST", path, "application/json", "{\"kty\":\"EC\"}") !=
            200)
            break;
        json_t *bundle = kvp_test_client_json(&client);
        const char *kid = json_string_value(kvp_test_at(bundle, "key.kid"));
        const char *x = json_string_value(kvp_test_at(bundle, "key.x"));
        ready = kid && x; /* otherwise the answer was cut: the key was not answered */
        size_t place = ready ? __atomic_fetch_add(&known_count, 1, __ATOMIC_RELAXED) : KEYS_MAX;
        ready = place < KEYS_MAX;
        if (ready) {
            snprintf(known[place].path, sizeof(known[place].path), "%s", strstr(kid, "/keys/"));
            snprintf(known[place].x, sizeof(known[place].x), "%s", x);
        }
        json_decref(bundle);
    }
    kvp_test_client_close(&client);
    return NULL;
}

/* Every known key from @from on is there, the same, and signs. */
static void check_keys(kvp_test_client *client, size_t from)
{
    for (size_t i = from; i < known_count; i++) {
        char path[120];
        long status = kvp_test_client_send(client, "GET", known[i].path, "application/json", NULL);
        ck_assert_msg(status == 200, "%s was answered and is lost (%ld)", known[i].path, status);
        json_t *bundle = kvp_test_client_json(client);
        ck_assert_str_eq(kvp_test_text(bundle, "key.x"), known[i].x);
        json_decref(bundle);
        if (i % 8)
            continue;
        snprintf(path, sizeof(path), "%s/sign", known[i].path);
        ck_assert_int_eq(kvp_test_client_send(client, "POST", path, "application/json",
                                              "{\"alg\":\"ES256\",\"value\":\"AAECAwQFBgcICQoLDA0O"
                                              "DxAREhMUFRYXGBkaGxwdHh8\"}"),
                         200);
    }
}

START_TEST(no_answered_key_is_lost_by_sixty_kills)
{
    uint32_t random = (uint32_t)kvp_clock_wall_us() | 1;
    kvp_test_client client;
    size_t checked = 0;

    for (int round = 0; round < ROUNDS; round++) {
        writer writers[WRITERS];
        start();
        /* What the round before answered is looked for by a daemon that never saw it being made. */
        ck_assert(kvp_test_client_open(&client, dir));
        ck_assert(kvp_test_client_sign_in(&client));
        check_keys(&client, checked);
        checked = known_count;
        kvp_test_client_close(&client);
        for (int i = 0; i < WRITERS; i++) {
            writers[i].round = round;
            writers[i].number = i;
            ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, create_keys, &writers[i]), 0);
        }
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        kvp_clock_sleep_ms(20 + random % 200);
        kill_child();
        for (int i = 0; i < WRITERS; i++)
            pthread_join(writers[i].thread, NULL);
    }

    ck_assert_uint_lt(known_count, KEYS_MAX);
    ck_assert_uint_gt(known_count, ROUNDS); /* otherwise it was killed before it did anything */
    start();
    ck_assert(kvp_test_client_open(&client, dir));
    ck_assert(kvp_test_client_sign_in(&client));
    check_keys(&client, 0);
    kvp_test_client_close(&client);
    kill_child();
}
END_TEST

START_TEST(a_first_start_that_is_killed_can_be_repeated)
{
    for (int i = 0; i < 30; i++) {
        int ready[2];
        ck_assert_int_eq(pipe(ready), 0);
        child = fork();
        if (child == 0)
            serve(ready[1]);
        ck_assert_int_gt(child, 0);
        close(ready[0]);
        close(ready[1]);
        kvp_clock_sleep_ms(i / 2);
        kill_child();
    }

    kvp_test_client client;
    start();
    ck_assert(kvp_test_client_open(&client, dir));
    ck_assert(kvp_test_client_sign_in(&client));
    kvp_test_client_close(&client);
    kill_child();
}
END_TEST

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    dir = kvp_test_directory();
}

static void teardown(void)
{
    kvp_test_remove(dir);
}

int main(void)
{
    Suite *suite = suite_create("vaultd durability");
    TCase *tests = tcase_create("kill");

    curl_global_init(CURL_GLOBAL_DEFAULT);
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, no_answered_key_is_lost_by_sixty_kills);
    tcase_add_test(tests, a_first_start_that_is_killed_can_be_repeated);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    curl_global_cleanup();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
