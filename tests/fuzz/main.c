/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzer: over the files that are named, else over its seeds. So each
 * target is an ordinary test too, whatever the compiler, and what a fuzzer found can be looked at
 * under a debugger. A target that finds something wrong aborts. Seeds are run whole, cut short
 * everywhere and changed at random, the same way each time.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUT_MAX 4096       /* longer seeds are run whole only */
#define CHANGED_COPIES 100 /* of each seed */
#define CHANGES_MAX 4      /* in each of them */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* xorshift64: the same numbers in every run. */
static uint64_t random_state;

static size_t random_below(size_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % limit);
}

/* Change @len bytes at @data, which has room for as many again: what parsers stumble over. */
static size_t change(uint8_t *data, size_t len)
{
    static const char *const words[] = { "\"", "\\", "{", "}", "[", "]",  ",",       "null", "0",
                                         "-1", "/",  "%", "?", "=", "\n", "true",    "\xff", "1e9",
                                         ":",  " ",  "&", "$", ".", "\r", "\\u0000", "{}",   "[]" };
    size_t at = random_below(len), run = random_below(len - at < 16 ? len - at : 16) + 1;
    const char *word = words[random_below(sizeof(words) / sizeof(words[0]))];
    size_t word_len = strlen(word);

    switch (random_below(4)) {
    case 0: /* another byte */
        data[at] ^= (uint8_t)(1u << random_below(8));
        return len;
    case 1: /* some missing */
        memmove(data + at, data + at + run, len - at - run);
        return len - run;
    case 2: /* some twice */
        memmove(data + at + run, data + at, len - at);
        return len + run;
    default: /* a word more */
        memmove(data + at + word_len, data + at, len - at);
        memcpy(data + at, word, word_len);
        return len + word_len;
    }
}

/* Each input is a block of just its size: reading past its end is then seen by AddressSanitizer. */
static void run(const uint8_t *data, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);

    if (!exact)
        abort();
    if (len)
        memcpy(exact, data, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static void run_changed(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len + (size_t)16 * CHANGES_MAX);

    if (!copy)
        abort();
    random_state = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < CHANGED_COPIES; i++) {
        size_t size = len;
        memcpy(copy, data, len);
        for (size_t left = random_below(CHANGES_MAX) + 1; left > 0 && size > 0; left--)
            size = change(copy, size);
        run(copy, size);
    }
    free(copy);
}

static int replay(const char *path, int whole_only)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t len = 0;

    if (!file)
        return 1;
    for (;;) {
        uint8_t *larger = realloc(data, len + 4096);
        size_t got;

        if (!larger)
            abort();
        data = larger;
        got = fread(data + len, 1, 4096, file);
        len += got;
        if (got == 0)
            break;
    }
    fclose(file);
    run(data, len);
    if (whole_only || len == 0 || len >= CUT_MAX) {
        free(data);
        return 0;
    }
    /* Parsers break at the end of their input. */
    for (size_t cut = 0; cut < len; cut++)
        run(data, cut);
    run_changed(data, len);
    free(data);
    return 0;
}

/* @others: the directories of KVP_FUZZ_MORE, which may be missing; each of their files is run once.
 */
static int replay_directory(const char *path, int others)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0, failed = 0;

    if (!dir && others)
        printf("no seeds in %s: left out\n", path);
    if (!dir)
        return !others;
    while ((entry = readdir(dir)) != NULL) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        failed |= replay(name, others);
        count++;
    }
    closedir(dir);
    return failed || count == 0;
}

int main(int argc, char **argv)
{
#ifdef KVP_FUZZ_MORE
    static const char *const more[] = { KVP_FUZZ_MORE };
#else
    static const char *const more[] = { NULL };
#endif
    int failed = 0;

    if (argc < 2) {
        failed = replay_directory(KVP_FUZZ_SEEDS, 0);
        for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
            failed |= more[i] ? replay_directory(more[i], 1) : 0;
    }
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i], 0);
    return failed;
}
