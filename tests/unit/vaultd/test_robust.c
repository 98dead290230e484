/* SPDX-License-Identifier: MIT */
/*
 * What the daemon bears: a full disk, more connections than it takes, log rotation. A key that was
 * answered is there afterwards, whatever happened meanwhile.
 */
#include "config.h"

#include "client.h"
#include "support.h"

#include "base/alloc.h"
#include "vaultd/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS 400
#define IDLE 1100

static kvp_test_vault vault;

static void setup(void)
{
    kvp_test_vault_open(&vault, KVP_VAULT_STANDARD);
}

static void teardown(void)
{
    kvp_test_vault_close(&vault);
}

static int create(int i)
{
    char path[80];

    snprintf(path, sizeof(path), "/keys/full-%d/create", i);
    kvp_exchange *ex = kvp_test_request(&vault, "POST", path, vault.token, "{\"kty\":\"EC\"}");
    int status = ex->status;
    kvp_exchange_free(ex);
    return status;
}

/* The limit on the size of files stands for a disk that is full: writing fails, reading goes on. */
START_TEST(a_full_disk_loses_nothing_that_was_answered)
{
    struct rlimit before, limit;
    bool answered[KEYS] = { false };
    int failed = 0;

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 600 * 1024;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < KEYS; i++) {
        int status = create(i);
        ck_assert_msg(status == 200 || status == 500, "%d", status);
        answered[i] = status == 200;
        failed += status == 500;
    }
    ck_assert_int_gt(failed, 0);
    ck_assert(answered[0]);
    json_decref(kvp_test_call(&vault, "GET", "/keys/full-0", NULL, 200));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    kvp_test_vault_restart(&vault);
    for (int i = 0; i < KEYS; i++) {
        char path[80];
        snprintf(path, sizeof(path), "/keys/full-%d", i);
        json_decref(kvp_test_call(&vault, "GET", path, NULL, answered[i] ? 200 : 404));
    }
    ck_assert_int_eq(create(KEYS), 200); /* and with room again it goes on */
}
END_TEST

/* A file system of our own that no other process sees; false where this is not allowed. */
static bool mount_small(const char *path)
{
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", path, "tmpfs", 0, "size=2m,mode=700") == 0;
}

static void write_ballast(const char *name, size_t size)
{
    static const char block[4096];
    FILE *f = fopen(name, "w");

    ck_assert_ptr_nonnull(f);
    for (size_t done = 0; done < size; done += sizeof(block))
        ck_assert_uint_eq(fwrite(block, sizeof(block), 1, f), 1);
    ck_assert_int_eq(fclose(f), 0);
}

/* As above, with a disk that is really full, and then has room again while the daemon runs. */
START_TEST(a_file_system_without_room_loses_nothing_that_was_answered)
{
    char *top = kvp_test_directory();
    bool answered[KEYS] = { false };
    int failed = 0, made = 0;

    if (!mount_small(top)) {
        puts("left out: no file system can be mounted here");
        kvp_test_remove(top);
        return;
    }
    ck_assert_int_eq(chdir(top), 0);
    write_ballast("ballast", (size_t)1024 * 1024);
    setup();
    for (int i = 0; i < KEYS && failed < 10; i++) {
        int status = create(i);
        ck_assert_msg(status == 200 || status == 500, "%d", status);
        answered[i] = status == 200;
        made += status == 200;
        failed += status == 500;
    }
    ck_assert_int_gt(failed, 0);
    ck_assert_int_gt(made, 0);
    json_decref(kvp_test_call(&vault, "GET", "/keys/full-0", NULL, 200));
    ck_assert_int_eq(unlink("ballast"), 0);
    ck_assert_int_eq(create(KEYS), 200);
    kvp_test_vault_restart(&vault);
    for (int i = 0; i < made + failed; i++) {
        char path[80];
        snprintf(path, sizeof(path), "/keys/full-%d", i);
        json_decref(kvp_test_call(&vault, "GET", path, NULL, answered[i] ? 200 : 404));
    }
    teardown();
    ck_assert_int_eq(chdir(".."), 0);
    ck_assert_int_eq(umount(top), 0);
    kvp_test_remove(top);
}
END_TEST

static size_t lines_of(const char *name)
{
    char *text = kvp_test_read(kvp_test_path(vault.dir, name));
    size_t count = 0;

    for (const char *p = text; *p; p++)
        count += *p == '\n';
    kvp_free(text);
    return count;
}

START_TEST(after_rotation_the_log_goes_on_in_a_new_file)
{
    char old[512], moved[520];

    snprintf(old, sizeof(old), "%s", kvp_test_path(vault.dir, KVP_USAGE_LOG_EVENTS));
    snprintf(moved, sizeof(moved), "%s.1", old);
    json_decref(kvp_test_call(&vault, "GET", "/keys", NULL, 200));
    ck_assert_int_eq(rename(old, moved), 0);
    json_decref(kvp_test_call(&vault, "GET", "/keys", NULL, 200)); /* still in the old one */
    ck_assert_int_eq(kvp_usage_log_reopen(vault.daemon.log, NULL), KVP_OK);
    json_decref(kvp_test_call(&vault, "GET", "/keys", NULL, 200));
    ck_assert_uint_eq(lines_of(KVP_USAGE_LOG_EVENTS ".1"), 2);
    ck_assert_uint_eq(lines_of(KVP_USAGE_LOG_EVENTS), 1);
}
END_TEST

static int connect_to(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

START_TEST(idle_connections_are_kept_or_closed_and_others_served)
{
    char *dir = kvp_test_directory();
    kvp_options options = { .data = dir, .listen = "127.0.0.1:0", .token_lifetime_s = 3599 };
    kvp_service *service = NULL;
    kvp_error error = { .status = KVP_OK };
    kvp_test_client client;
    static int idle[IDLE];
    int opened = 0, closed = 0;

    signal(SIGPIPE, SIG_IGN);
    ck_assert_msg(kvp_service_start(&options, &service, &error) == KVP_OK, "%s", error.message);
    ck_assert(kvp_test_client_open(&client, dir));
    ck_assert(kvp_test_client_sign_in(&client));
    unsigned port = (unsigned)strtoul(strrchr(kvp_service_url(service), ':') + 1, NULL, 10);
    for (int i = 0; i < IDLE; i++) {
        idle[i] = connect_to(port);
        opened += idle[i] >= 0;
    }
    ck_assert_int_gt(opened, 0);
    /* The connection that was there before them is served as ever. */
    ck_assert_int_eq(kvp_test_client_send(&client, "GET", "/keys", NULL, NULL), 200);
    /* Those past the limit were closed: their end is readable, nobody waits for nothing. */
    for (int round = 0; round < 100 && closed < opened - 1000; round++) {
        closed = 0;
        for (int i = 0; i < IDLE; i++) {
            char byte;
            ssize_t got = idle[i] >= 0 ? recv(idle[i], &byte, 1, MSG_DONTWAIT) : 1;
            if (got == 0 || (got < 0 && errno != EAGAIN)) /* its end, or a reset */
                closed++;
        }
        usleep(100000);
    }
    ck_assert_msg(closed >= opened - 1000, "%d opened, only %d closed", opened, closed);
    for (int i = 0; i < IDLE; i++) {
        if (idle[i] >= 0)
            close(idle[i]);
    }
    /* When they are gone there is room for new ones. */
    kvp_test_client second;
    bool served = false;
    ck_assert(kvp_test_client_open(&second, dir));
    for (int i = 0; i < 50 && !served; i++) {
        served = kvp_test_client_sign_in(&second);
        if (!served)
            usleep(100000);
    }
    ck_assert(served);
    kvp_test_client_close(&second);
    kvp_test_client_close(&client);
    kvp_service_stop(service);
    kvp_test_remove(dir);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("robust");
    TCase *store = tcase_create("vault"), *wire = tcase_create("wire");
    TCase *room = tcase_create("room");

    tcase_set_timeout(store, 240);
    tcase_set_timeout(wire, 240);
    tcase_add_checked_fixture(store, setup, teardown);
    tcase_add_test(store, a_full_disk_loses_nothing_that_was_answered);
    tcase_add_test(store, after_rotation_the_log_goes_on_in_a_new_file);
    tcase_add_test(wire, idle_connections_are_kept_or_closed_and_others_served);
    tcase_set_timeout(room, 240);
    tcase_add_test(room, a_file_system_without_room_loses_nothing_that_was_answered);
    suite_add_tcase(suite, room);
    suite_add_tcase(suite, store);
    suite_add_tcase(suite, wire);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
