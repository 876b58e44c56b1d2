/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* The programs are in /sbin, which is not on every user's PATH. */
static char *find(const char *program)
{
    g_autofree char *sbin = g_build_filename("/usr/sbin", program, NULL);
    return g_file_test(sbin, G_FILE_TEST_IS_EXECUTABLE) ? g_steal_pointer(&sbin)
                                                        : g_strdup(program);
}

char *oracle_make_directory(void)
{
    g_autoptr(GError) error = NULL;
    char *path = g_dir_make_tmp("berth-disk-XXXXXX", &error);
    g_assert_no_error(error);
    return path;
}

void oracle_remove_directory(char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir != NULL && (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR) && !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
            oracle_remove_directory(g_steal_pointer(&child));
        else
            g_unlink(child);
    }
    g_rmdir(path);
    g_free(path);
}

void oracle_remove_file(const char *path)
{
    g_assert_cmpint(g_unlink(path), ==, 0);
}

static char *run(const char *const *argv, int *ret_status)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *errors = NULL;
    char *output = NULL;
    g_spawn_sync(NULL, (char **)(void *)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output,
                 &errors, ret_status, &error);
    g_assert_no_error(error);
    return output;
}

void oracle_check(const char *image)
{
    g_autofree char *program = find("e2fsck");
    int status = -1;
    g_autofree char *output = run((const char *const[]){program, "-fn", image, NULL}, &status);
    if (status != 0)
        g_test_message("%s", output);
    g_assert_cmpint(status, ==, 0);
}

char *oracle_ask(const char *image, const char *request)
{
    g_autofree char *program = find("debugfs");
    int status = -1;
    char *output = run((const char *const[]){program, "-R", request, image, NULL}, &status);
    g_assert_cmpint(status, ==, 0);
    return output;
}

static char *ask_stat(const char *image, const char *path)
{
    g_autofree char *request = g_strdup_printf("stat \"%s\"", path);
    return oracle_ask(image, request);
}

void oracle_expect_stat(const char *image, const char *path, const char *text)
{
    g_autofree char *output = ask_stat(image, path);
    if (strstr(output, text) == NULL)
        g_error("%s: no \"%s\" in\n%s", path, text, output);
}

void oracle_expect_missing(const char *image, const char *path)
{
    g_autofree char *output = ask_stat(image, path);
    g_assert_cmpstr(output, ==, "");
}

/* Make debugfs write to a file: the request is @before, the file's name, @after. */
static void expect_output(const char *image, const char *before, const char *after,
                          const void *data, gsize size)
{
    g_autofree char *directory = oracle_make_directory();
    g_autofree char *file = g_build_filename(directory, "output", NULL);
    g_autofree char *request = g_strconcat(before, " ", file, " ", after, NULL);
    g_free(oracle_ask(image, request));

    g_autofree char *got = NULL;
    gsize length = 0;
    g_autoptr(GError) error = NULL;
    g_file_get_contents(file, &got, &length, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(got, length, data, size);
    oracle_remove_directory(g_steal_pointer(&directory));
}

void oracle_expect_content(const char *image, const char *path, const void *data, gsize size)
{
    g_autofree char *before = g_strdup_printf("dump \"%s\"", path);
    expect_output(image, before, "", data, size);
}

void oracle_expect_xattr(const char *image, const char *path, const char *name, const void *data,
                         gsize size)
{
    g_autofree char *after = g_strdup_printf("\"%s\" %s", path, name);
    expect_output(image, "ea_get -f", after, data, size);
}

void oracle_expect_time(const char *image, const char *path, const char *which, gint64 sec,
                        guint32 nsec)
{
    g_autofree char *output = ask_stat(image, path);
    g_autofree char *label = g_strdup_printf("\n%*s: 0x", 6, which);
    const char *line = strstr(output, label);
    g_assert_nonnull(line);
    char *end = NULL;
    guint32 low = (guint32)g_ascii_strtoull(line + strlen(label), &end, 16);
    g_assert_cmpint(*end, ==, ':');
    guint32 extra = (guint32)g_ascii_strtoull(end + 1, NULL, 16);
    g_assert_cmpint((gint64)(gint32)low + ((gint64)(extra & 3) << 32), ==, sec);
    g_assert_cmpuint(extra >> 2, ==, nsec);
}

/* Treat zero blocks as holes: whether they are allocated depends on the host. */
static void add_blocks(GChecksum *sum, int fd, off_t from, off_t end)
{
    guint8 block[4096];
    for (off_t at = from - from % 4096; at < end; at += 4096) {
        ssize_t size = pread(fd, block, sizeof(block), at);
        g_assert_cmpint(size, >, 0);
        if (block[0] == 0 && memcmp(block, block + 1, (gsize)size - 1) == 0)
            continue;
        gint64 place = at;
        g_checksum_update(sum, (const guchar *)&place, sizeof(place));
        g_checksum_update(sum, block, size);
    }
}

char *oracle_digest(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (off_t at = 0; (at = lseek(fd, at, SEEK_DATA)) >= 0;) {
        off_t end = lseek(fd, at, SEEK_HOLE);
        add_blocks(sum, fd, at, end);
        at = end;
    }
    close(fd);
    return g_strdup(g_checksum_get_string(sum));
}
