/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target without a fuzzer: over the files that are named, else over its seeds. So each
 * target is an ordinary test too, whatever the compiler, and what a fuzzer found can be looked at
 * under a debugger. A target that finds something wrong aborts.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
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
    /* A copy of just this size: reading past its end is then seen by AddressSanitizer. */
    {
        uint8_t *exact = malloc(len ? len : 1);

        if (!exact)
            abort();
        memcpy(exact, data, len);
        LLVMFuzzerTestOneInput(exact, len);
        /* Each seed is also cut short everywhere: parsers break at the end of their input. */
        for (size_t cut = 0; cut < len && len < 4096; cut++)
            LLVMFuzzerTestOneInput(exact, cut);
        free(exact);
    }
    free(data);
    return 0;
}

static int replay_directory(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0, failed = 0;

    if (!dir)
        return 1;
    while ((entry = readdir(dir)) != NULL) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        failed |= replay(name);
        count++;
    }
    closedir(dir);
    return failed || count == 0;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (argc < 2)
        return replay_directory(KVP_FUZZ_SEEDS);
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    return failed;
}
