/* SPDX-License-Identifier: MIT */
#include "ssh/cpio.h"

#include "../lib/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE_FILE      0100755
#define MODE_DIRECTORY 0040755
#define MODE_LINK      0120777
#define SIZE_MAX_BYTES (1ul << 20)

typedef struct {
    char *path;
    int fd;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->path = g_dir_make_tmp("berth-cpio-XXXXXX", NULL);
    fixture->fd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    close(fixture->fd);
    files_remove(fixture->path);
    g_free(fixture->path);
}

static void pad(GString *archive)
{
    while (archive->len % 4 != 0)
        g_string_append_c(archive, '\0');
}

static void add(GString *archive, const char *name, guint mode, const char *data, gsize size)
{
    gsize length = strlen(name) + 1;
    g_string_append_printf(archive, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
                           1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0);
    g_string_append_len(archive, name, (gssize)length);
    pad(archive);
    g_string_append_len(archive, data, (gssize)size);
    pad(archive);
}

static int unpack(const Fixture *fixture, const char *bytes, gsize size)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);
    g_assert_cmpint(write(fd, bytes, size), ==, (gssize)size);
    g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
    int result = cpio_unpack(fd, fixture->fd, SIZE_MAX_BYTES);
    close(fd);
    return result;
}

static GString *make_good(void)
{
    GString *archive = g_string_new(NULL);
    g_autofree char *large = g_strnfill(200001, 'x');
    add(archive, "lib", MODE_DIRECTORY, "", 0);
    add(archive, "lib/odd", MODE_FILE, "abc", 3);
    add(archive, "empty", 0100600, "", 0);
    add(archive, "large", MODE_FILE, large, strlen(large));
    add(archive, "TRAILER!!!", 0, "", 0);
    return archive;
}

static void test_good(Fixture *fixture, gconstpointer data)
{
    GString *archive = make_good();
    struct stat st;
    char text[4] = "";
    g_assert_cmpint(unpack(fixture, archive->str, archive->len), ==, 0);
    g_string_free(archive, TRUE);
    g_assert_cmpint(fstatat(fixture->fd, "large", &st, 0), ==, 0);
    g_assert_cmpint(st.st_size, ==, 200001);
    g_assert_cmpint(st.st_mode, ==, MODE_FILE);
    g_assert_cmpint(fstatat(fixture->fd, "empty", &st, 0), ==, 0);
    g_assert_cmpint(st.st_mode, ==, 0100600);
    int fd = openat(fixture->fd, "lib/odd", O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(read(fd, text, sizeof(text)), ==, 3);
    g_assert_cmpstr(text, ==, "abc");
    close(fd);
}

/* However far it got: an archive that is cut short is an error. */
static void test_cut(Fixture *fixture, gconstpointer data)
{
    GString *archive = make_good();
    gsize step = 1;
    for (gsize cut = 0; cut < archive->len; cut += step) {
        Fixture own;
        step = cut > 1000 && cut + 1000 < archive->len ? 997 : 1;
        set_up(&own, NULL);
        /* the padding behind the last name may be missing, its bytes may not */
        g_assert_cmpint(unpack(&own, archive->str, cut), ==, -EBADMSG);
        tear_down(&own, NULL);
    }
    g_string_free(archive, TRUE);
}

static void test_refused(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *name;
        guint mode;
        int result;
    } rows[] = {
        {"/absolute", MODE_FILE, -EBADMSG},   {"../above", MODE_FILE, -EBADMSG},
        {"a/../../b", MODE_FILE, -EBADMSG},   {"..", MODE_DIRECTORY, -EBADMSG},
        {"link", MODE_LINK, -EBADMSG},        {"device", 0020666, -EBADMSG},
        {"missing/file", MODE_FILE, -ENOENT},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) archive = g_string_new(NULL);
        add(archive, rows[i].name, rows[i].mode, "", 0);
        add(archive, "TRAILER!!!", 0, "", 0);
        g_assert_cmpint(unpack(fixture, archive->str, archive->len), ==, rows[i].result);
        g_autoptr(GDir) dir = g_dir_open(fixture->path, 0, NULL);
        g_assert_null(g_dir_read_name(dir));
    }
}

static void test_too_large(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) archive = g_string_new(NULL);
    g_autofree char *large = g_strnfill(SIZE_MAX_BYTES / 2, 'x');
    for (guint i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);
        add(archive, name, MODE_FILE, large, strlen(large));
    }
    g_assert_cmpint(unpack(fixture, archive->str, archive->len), ==, -EBADMSG);
}

static void test_twice(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) archive = g_string_new(NULL);
    add(archive, "a", MODE_FILE, "1", 1);
    add(archive, "a", MODE_FILE, "2", 1);
    add(archive, "TRAILER!!!", 0, "", 0);
    g_assert_cmpint(unpack(fixture, archive->str, archive->len), ==, -EEXIST);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    umask(077); /* the modes are the archive's all the same */
    g_test_add("/cpio/good", Fixture, NULL, set_up, test_good, tear_down);
    g_test_add("/cpio/cut", Fixture, NULL, set_up, test_cut, tear_down);
    g_test_add("/cpio/refused", Fixture, NULL, set_up, test_refused, tear_down);
    g_test_add("/cpio/too-large", Fixture, NULL, set_up, test_too_large, tear_down);
    g_test_add("/cpio/twice", Fixture, NULL, set_up, test_twice, tear_down);
    return g_test_run();
}
