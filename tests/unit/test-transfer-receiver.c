/* SPDX-License-Identifier: MIT
 *
 * Streams of a hostile sender: nothing is made or followed outside of the destination.
 */
#include "../lib/files.h"
#include "../lib/transferring.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WireBuffer, wire_buffer_clear)

static const char *at(Transferring *test, const char *name)
{
    return transferring_path(test, name);
}

/* The stream with @put in it, into "to", changes nothing outside and ends with @wanted. */
static void assert_result(Transferring *test, void (*put)(WireBuffer *stream), int wanted)
{
    g_auto(WireBuffer) stream = {0};
    g_autofree char *before = transferring_describe(test->from);
    transferring_put_begin(&stream);
    put(&stream);
    transferring_put(&stream, TRANSFER_END);
    g_assert_cmpint(transferring_receive(test, &stream, test->to), ==, wanted);
    g_autofree char *after = transferring_describe(test->from);
    g_autofree char *made = transferring_describe(test->to);
    g_assert_cmpstr(after, ==, before);
    g_assert_null(strstr(made, ".berth-cp"));
}

static void test_bad_names(Transferring *test, gconstpointer data)
{
    char longer[257] = "";
    memset(longer, 'x', 256);
    const char *const names[] = {"..", "", "../from/file", "a/b", "/etc/passwd", longer, "."};
    const TransferType types[] = {TRANSFER_FILE, TRANSFER_DIRECTORY, TRANSFER_SYMLINK};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        for (gsize type = 0; type < G_N_ELEMENTS(types); type++) {
            g_auto(WireBuffer) stream = {0};
            transferring_put_begin(&stream);
            transferring_put_named(&stream, TRANSFER_DIRECTORY, 0755, "in");
            transferring_put_named(&stream, types[type], 0755, names[i]);
            g_assert_cmpint(transferring_receive(test, &stream, test->to), ==, -EPROTO);
        }
    }
    g_autofree char *made = transferring_describe(test->to);
    g_assert_null(strchr(made, 'x'));
}

static void put_symlink(WireBuffer *stream, const char *name, const char *target)
{
    size_t begin = transferring_begin(stream, TRANSFER_SYMLINK);
    wire_put_u32(stream, 0777);
    for (guint i = 0; i < 2; i++) {
        wire_put_u64(stream, 0);
        wire_put_u32(stream, 0);
    }
    wire_put_string(stream, name);
    wire_put_string(stream, target);
    transferring_end(stream, begin);
}

static void put_through_symlink(WireBuffer *stream)
{
    put_symlink(stream, "link", "../from");
    transferring_put_named(stream, TRANSFER_DIRECTORY, 0777, "link");
    transferring_put_file(stream, "file", "overwritten");
    transferring_put(stream, TRANSFER_LEAVE);
}

static void put_over_symlink(WireBuffer *stream)
{
    put_symlink(stream, "file", "../from/file");
    transferring_put_file(stream, "file", "overwritten");
}

static void test_symlinks(Transferring *test, gconstpointer data)
{
    files_write(at(test, "from/file"), "before");
    assert_result(test, put_through_symlink, 0);
    g_autofree char *reports = transferring_reports(test);
    g_autofree char *wanted = g_strdup_printf("%u %d to/link", TRANSFER_STEP_CREATE, ENOTDIR);
    g_assert_cmpstr(reports, ==, wanted);
    assert_result(test, put_over_symlink, 0);
    g_assert_false(g_file_test(at(test, "to/file"), G_FILE_TEST_IS_SYMLINK));
}

static void put_index(WireBuffer *stream, const char *name, guint32 index)
{
    size_t begin = transferring_begin(stream, TRANSFER_LINK);
    wire_put_string(stream, name);
    wire_put_u32(stream, index);
    transferring_end(stream, begin);
}

static void put_unknown_link(WireBuffer *stream)
{
    transferring_put_file(stream, "one", "1");
    put_index(stream, "two", 1);
}

/* The directory of the first name has become a symlink that leads out. */
static void put_moved_link(WireBuffer *stream)
{
    transferring_put_named(stream, TRANSFER_DIRECTORY, 0755, "d");
    transferring_put_file(stream, "file", "1");
    transferring_put(stream, TRANSFER_LEAVE);
    put_index(stream, "ok", 0);
}

static void test_links(Transferring *test, gconstpointer data)
{
    assert_result(test, put_unknown_link, -EPROTO);
    assert_result(test, put_moved_link, 0);
    GStatBuf info;
    g_assert_cmpint(g_stat(at(test, "to/ok"), &info), ==, 0);
    g_assert_cmpuint(info.st_nlink, ==, 2);
}

static void put_setuid(WireBuffer *stream)
{
    transferring_put_file(stream, "program", "#!/bin/sh");
    transferring_put_named(stream, TRANSFER_DIRECTORY, 07777, "d");
    transferring_put(stream, TRANSFER_LEAVE);
}

static void test_modes(Transferring *test, gconstpointer data)
{
    GStatBuf info;
    assert_result(test, put_setuid, 0);
    g_assert_cmpint(g_stat(at(test, "to/program"), &info), ==, 0);
    g_assert_cmpuint(info.st_mode & 07777, ==, 0755);
    g_assert_cmpuint(info.st_uid, ==, geteuid());
    g_assert_cmpint(g_stat(at(test, "to/d"), &info), ==, 0);
    g_assert_cmpuint(info.st_mode & 07777, ==, 01777);
}

static void put_file_end(WireBuffer *stream, guint64 size)
{
    size_t begin = transferring_begin(stream, TRANSFER_FILE_END);
    wire_put_u64(stream, size);
    transferring_end(stream, begin);
}

/* An empty file with an attribute called @attribute. */
static void put_with_attribute(WireBuffer *stream, mode_t mode, const char *name,
                               const char *attribute)
{
    transferring_put_named(stream, TRANSFER_FILE, mode, name);
    size_t begin = transferring_begin(stream, TRANSFER_ATTRIBUTE);
    wire_put_string(stream, attribute);
    wire_put_u8(stream, 1);
    transferring_end(stream, begin);
    put_file_end(stream, 0);
}

static void put_attribute(WireBuffer *stream, const char *name)
{
    put_with_attribute(stream, 0755, "file", name);
}

static const mode_t modes[] = {0, 0200, 0444, 0644, 0666, 0777, 01777};

static void put_each_mode(WireBuffer *stream)
{
    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *name = g_strdup_printf("%o", modes[i]);
        put_with_attribute(stream, modes[i], name, "user.berth");
    }
}

static void assert_mode(const char *directory, mode_t mode)
{
    g_autofree char *path = g_strdup_printf("%s/%o", directory, mode);
    GStatBuf info;
    g_assert_cmpint(g_stat(path, &info), ==, 0);
    g_assert_cmpuint(info.st_mode & 07777, ==, mode);
}

/* Neither the umask nor a file that its owner may not write changes what arrives. */
static void test_each_mode(Transferring *test, gconstpointer data)
{
    static const mode_t umasks[] = {0, 022, 077};
    g_auto(WireBuffer) stream = {0};
    transferring_put_begin(&stream);
    put_each_mode(&stream);
    transferring_put(&stream, TRANSFER_END);
    for (guint i = 0; i < G_N_ELEMENTS(umasks); i++) {
        mode_t before = umask(umasks[i]);
        g_assert_cmpint(transferring_receive(test, &stream, test->to), ==, 0);
        umask(before);
        g_autofree char *reports = transferring_reports(test);
        g_assert_cmpstr(reports, ==, "");
        for (guint j = 0; j < G_N_ELEMENTS(modes); j++)
            assert_mode(test->to, modes[j]);
    }
}

static void put_capability(WireBuffer *stream)
{
    put_attribute(stream, "security.capability");
}

static void put_trusted(WireBuffer *stream)
{
    put_attribute(stream, "trusted.overlay.opaque");
}

static void put_far_data(WireBuffer *stream)
{
    transferring_put_named(stream, TRANSFER_FILE, 0755, "file");
    size_t begin = transferring_begin(stream, TRANSFER_DATA);
    wire_put_u64(stream, G_MAXUINT64 - 1);
    wire_put_u32(stream, 0);
    transferring_end(stream, begin);
    put_file_end(stream, 0);
}

static void put_far_end(WireBuffer *stream)
{
    transferring_put_named(stream, TRANSFER_FILE, 0755, "file");
    put_file_end(stream, G_MAXUINT64);
}

static void put_leave(WireBuffer *stream)
{
    transferring_put(stream, TRANSFER_LEAVE);
}

static void put_data(WireBuffer *stream)
{
    transferring_put(stream, TRANSFER_DATA);
}

static void put_file_in_file(WireBuffer *stream)
{
    transferring_put_named(stream, TRANSFER_FILE, 0755, "file");
    transferring_put_named(stream, TRANSFER_FILE, 0755, "other");
}

static void put_end_in_file(WireBuffer *stream)
{
    transferring_put_named(stream, TRANSFER_FILE, 0755, "file");
}

static void put_end_in_directory(WireBuffer *stream)
{
    transferring_put_named(stream, TRANSFER_DIRECTORY, 0755, "d");
}

static void put_depth(WireBuffer *stream)
{
    for (guint i = 0; i < TRANSFER_DEPTH_MAX + 1; i++)
        transferring_put_named(stream, TRANSFER_DIRECTORY, 0755, "d");
}

static void put_good(WireBuffer *stream)
{
    put_attribute(stream, "user.any");
}

static void put_begin(WireBuffer *stream)
{
    transferring_put_begin(stream);
}

static void test_grammar(Transferring *test, gconstpointer data)
{
    void (*const rows[])(WireBuffer * stream) = {
        put_capability,   put_trusted,     put_far_data,         put_far_end, put_leave, put_data,
        put_file_in_file, put_end_in_file, put_end_in_directory, put_depth,   put_begin};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("row %zu", i);
        assert_result(test, rows[i], -EPROTO);
    }
    g_assert_cmpint(access(at(test, "to/file"), F_OK), <, 0);
    assert_result(test, put_good, 0); /* the rows differ from it by one fault each */
    g_assert_cmpint(access(at(test, "to/file"), F_OK), ==, 0);
}

/* Where the destination is to be one file, the second one has no place. */
static void test_second_entry(Transferring *test, gconstpointer data)
{
    g_auto(WireBuffer) stream = {0};
    transferring_put_begin(&stream);
    transferring_put_file(&stream, "one", "1");
    transferring_put_file(&stream, "two", "2");
    transferring_put(&stream, TRANSFER_END);
    g_assert_cmpint(transferring_receive(test, &stream, at(test, "to/new")), ==, -EPROTO);
    g_assert_cmpint(access(at(test, "to/new"), F_OK), ==, 0);
    g_assert_cmpint(access(at(test, "to/two"), F_OK), <, 0);
}

static void put_one(WireBuffer *stream)
{
    transferring_put_file(stream, "one", "1");
}

/* The receiver neither writes into a FIFO nor replaces it. */
static void test_in_the_way(Transferring *test, gconstpointer data)
{
    g_assert_cmpint(mkfifo(at(test, "to/one"), 0600), ==, 0);
    assert_result(test, put_one, 0);
    g_autofree char *reports = transferring_reports(test);
    g_autofree char *wanted = g_strdup_printf("%u %d to/one", TRANSFER_STEP_CREATE, EEXIST);
    g_assert_cmpstr(reports, ==, wanted);
    g_assert_cmpint(g_remove(at(test, "to/one")), ==, 0);
    g_assert_cmpint(g_mkdir(at(test, "to/one"), 0755), ==, 0);
    assert_result(test, put_one, 0);
    g_autofree char *again = transferring_reports(test);
    g_autofree char *directory = g_strdup_printf("%u %d to/one", TRANSFER_STEP_CREATE, EISDIR);
    g_assert_cmpstr(again, ==, directory);
}

/* Cut anywhere, the stream leaves whole files only. */
static void test_truncated(Transferring *test, gconstpointer data)
{
    g_auto(WireBuffer) stream = {0};
    transferring_put_begin(&stream);
    transferring_put_named(&stream, TRANSFER_DIRECTORY, 0755, "d");
    transferring_put_file(&stream, "file", "whole");
    transferring_put(&stream, TRANSFER_LEAVE);
    transferring_put(&stream, TRANSFER_END);
    for (size_t size = 0; size < wire_buffer_size(&stream); size++) {
        WireBuffer part = {stream.data, 0, size, size, false};
        g_assert_cmpint(transferring_receive(test, &part, test->to), ==, -ENODATA);
        g_autofree char *content = NULL;
        if (g_file_get_contents(at(test, "to/d/file"), &content, NULL, NULL))
            g_assert_cmpstr(content, ==, "whole");
        files_remove(at(test, "to/d"));
        g_autoptr(GDir) left = g_dir_open(test->to, 0, NULL);
        g_assert_null(g_dir_read_name(left));
    }
}

static void test_version(Transferring *test, gconstpointer data)
{
    g_auto(WireBuffer) stream = {0};
    size_t begin = transferring_begin(&stream, TRANSFER_BEGIN);
    wire_put_u32(&stream, TRANSFER_VERSION + 1);
    wire_put_string(&stream, "of a later version");
    transferring_end(&stream, begin);
    g_assert_cmpint(transferring_receive(test, &stream, test->to), ==, -EPROTONOSUPPORT);
}

#define ADD(name, function)                                                                        \
    g_test_add("/transfer/receiver/" name, Transferring, NULL, transferring_set_up, function,      \
               transferring_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    umask(022);
    ADD("bad-names", test_bad_names);
    ADD("symlinks", test_symlinks);
    ADD("links", test_links);
    ADD("modes", test_modes);
    ADD("each-mode", test_each_mode);
    ADD("grammar", test_grammar);
    ADD("second-entry", test_second_entry);
    ADD("in-the-way", test_in_the_way);
    ADD("truncated", test_truncated);
    ADD("version", test_version);
    return g_test_run();
}
