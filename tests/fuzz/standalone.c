/* SPDX-License-Identifier: MIT
 *
 * standalone — runs a fuzz target without a fuzzer: on the given files and directories, or on
 * pseudo-random inputs with a fixed seed. Prints TAP: a test for each file, or one for all random
 * inputs; a failure aborts the program.
 */
#include "fuzz.h"

#include <glib.h>

#define RUNS      400
#define INPUT_MAX 256
#define SEED      0x62657274

static int tests; /* passed */

static void run_file(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *data = NULL;
    gsize size = 0;
    if (!g_file_get_contents(path, &data, &size, &error))
        g_error("%s", error->message);
    LLVMFuzzerTestOneInput((const uint8_t *)data, size);
    g_print("ok %d %s\n", ++tests, path);
}

static void run_directory(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) directory = g_dir_open(path, 0, &error);
    if (directory == NULL)
        g_error("%s", error->message);
    for (const char *name; (name = g_dir_read_name(directory)) != NULL;) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        run_file(file);
    }
}

static void run_random(void)
{
    GRand *random = g_rand_new_with_seed(SEED);
    for (int i = 0; i < RUNS; i++) {
        uint8_t data[INPUT_MAX];
        size_t size = (size_t)g_rand_int_range(random, 0, INPUT_MAX);
        for (size_t at = 0; at < size; at++)
            data[at] = (uint8_t)g_rand_int(random);
        LLVMFuzzerTestOneInput(data, size);
    }
    g_rand_free(random);
    g_print("ok %d %d inputs of chance\n", ++tests, RUNS);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (g_file_test(argv[i], G_FILE_TEST_IS_DIR))
            run_directory(argv[i]);
        else
            run_file(argv[i]);
    if (argc == 1)
        run_random();
    g_print("1..%d\n", tests);
    return 0;
}
