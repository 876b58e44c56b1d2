/* SPDX-License-Identifier: MIT */
#include "transferring.h"

#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

void transferring_set_up(Transferring *test, gconstpointer data)
{
    test->dir = g_dir_make_tmp("berth-transfer-XXXXXX", NULL);
    test->from = g_build_filename(test->dir, "from", NULL);
    test->to = g_build_filename(test->dir, "to", NULL);
    test->reports = g_ptr_array_new_with_free_func(g_free);
    g_assert_cmpint(g_mkdir(test->from, 0755), ==, 0);
    g_assert_cmpint(g_mkdir(test->to, 0755), ==, 0);
}

/* Also what is closed to its owner. */
static void remove_all(const char *path)
{
    GStatBuf info;
    if (g_lstat(path, &info) == 0 && S_ISDIR(info.st_mode))
        g_chmod(path, 0700);
    g_autoptr(GDir) directory = S_ISDIR(info.st_mode) ? g_dir_open(path, 0, NULL) : NULL;
    const char *name;
    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        remove_all(below);
    }
    g_assert_cmpint(g_remove(path), ==, 0);
}

void transferring_tear_down(Transferring *test, gconstpointer data)
{
    remove_all(test->dir);
    g_ptr_array_unref(test->reports);
    g_free(test->from);
    g_free(test->to);
    g_free(test->dir);
}

const char *transferring_path(Transferring *test, const char *name)
{
    g_autofree char *path = g_build_filename(test->dir, name, NULL);
    return g_intern_string(path);
}

/* ---- both ends ---- */

static ptrdiff_t read_pipe(void *data, void *bytes, size_t size)
{
    ssize_t count = read(GPOINTER_TO_INT(data), bytes, size);
    return count < 0 ? -errno : count;
}

static int write_pipe(void *data, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t count = write(GPOINTER_TO_INT(data), (const char *)bytes + at, size - at);
        if (count < 0)
            return -errno;
        at += (size_t)count;
    }
    return 0;
}

typedef struct {
    Transferring *test;
    int fd;
    const WireBuffer *bytes; /* instead of @fd */
    size_t at;
} Origin;

static ptrdiff_t read_origin(void *data, void *bytes, size_t size)
{
    Origin *origin = data;
    if (origin->bytes == NULL)
        return read_pipe(GINT_TO_POINTER(origin->fd), bytes, size);
    size_t count = MIN(size, wire_buffer_size(origin->bytes) - origin->at);
    if (count > 0)
        memcpy(bytes, wire_buffer_head(origin->bytes) + origin->at, count);
    origin->at += count;
    return (ptrdiff_t)count;
}

static void on_report(void *data, const TransferProblem *problem)
{
    Transferring *test = ((Origin *)data)->test;
    const char *path = problem->path;
    if (g_str_has_prefix(path, test->dir))
        path += strlen(test->dir) + 1;
    g_ptr_array_add(test->reports,
                    g_strdup_printf("%u %d %s", (guint)problem->step, problem->error, path));
}

static bool on_progress(void *data, uint64_t done, uint64_t total)
{
    Transferring *test = ((Origin *)data)->test;
    test->done = done;
    return test->cancel_at == 0 || done < test->cancel_at;
}

static int receive(Transferring *test, Origin *origin, const char *target)
{
    const TransferReceive receive = {
        .path = target,
        .read = read_origin,
        .report = on_report,
        .progress = on_progress,
        .data = origin,
    };
    return transfer_receive(&receive);
}

int transferring_receive(Transferring *test, const WireBuffer *bytes, const char *target)
{
    Origin origin = {test, -1, bytes, 0};
    return receive(test, &origin, target);
}

static gpointer send_all(gpointer data)
{
    const TransferSend *send = data;
    int result = transfer_send(send);
    close(GPOINTER_TO_INT(send->data));
    return GINT_TO_POINTER(result);
}

int transferring_run_all(Transferring *test, const char *const *paths, bool recursive,
                         const char *target)
{
    int pair[2];
    g_assert_cmpint(pipe2(pair, O_CLOEXEC), ==, 0);
    TransferSend send = {
        .paths = (char *const *)paths,
        .recursive = recursive,
        .write = write_pipe,
        .data = GINT_TO_POINTER(pair[1]),
    };
    GThread *thread = g_thread_new("sender", send_all, &send);
    Origin origin = {test, pair[0], NULL, 0};
    int result = receive(test, &origin, target);
    close(pair[0]);
    int sent = GPOINTER_TO_INT(g_thread_join(thread));
    g_assert_true(sent == 0 || result != 0);
    return result;
}

int transferring_run(Transferring *test, const char *path, bool recursive, const char *target)
{
    const char *const paths[] = {transferring_path(test, path), NULL};
    return transferring_run_all(test, paths, recursive, transferring_path(test, target));
}

char *transferring_reports(Transferring *test)
{
    g_ptr_array_add(test->reports, NULL);
    char *all = g_strjoinv("; ", (char **)test->reports->pdata);
    g_ptr_array_set_size(test->reports, 0);
    return all;
}

/* ---- a stream of one's own ---- */

size_t transferring_begin(WireBuffer *stream, TransferType type)
{
    return wire_frame_begin(stream, (WireType)type, 0, 0);
}

void transferring_end(WireBuffer *stream, size_t begin)
{
    g_assert_true(wire_frame_end(stream, begin));
}

void transferring_put(WireBuffer *stream, TransferType type)
{
    transferring_end(stream, transferring_begin(stream, type));
}

void transferring_put_begin(WireBuffer *stream)
{
    size_t begin = transferring_begin(stream, TRANSFER_BEGIN);
    wire_put_u32(stream, TRANSFER_VERSION);
    transferring_end(stream, begin);
}

static void put_meta(WireBuffer *stream, mode_t mode)
{
    wire_put_u32(stream, mode);
    for (guint i = 0; i < 2; i++) {
        wire_put_u64(stream, 1000000000);
        wire_put_u32(stream, 5);
    }
}

void transferring_put_named(WireBuffer *stream, TransferType type, mode_t mode, const char *name)
{
    size_t begin = transferring_begin(stream, type);
    put_meta(stream, mode);
    wire_put_string(stream, name);
    if (type == TRANSFER_FILE) {
        wire_put_u64(stream, 0);
        wire_put_u8(stream, 1);
    }
    transferring_end(stream, begin);
}

void transferring_put_file(WireBuffer *stream, const char *name, const char *content)
{
    transferring_put_named(stream, TRANSFER_FILE, 06755, name);
    size_t begin = transferring_begin(stream, TRANSFER_DATA);
    wire_put_u64(stream, 0);
    wire_buffer_append(stream, content, strlen(content));
    transferring_end(stream, begin);
    begin = transferring_begin(stream, TRANSFER_FILE_END);
    wire_put_u64(stream, strlen(content));
    transferring_end(stream, begin);
}

/* ---- comparing ---- */

static void describe_attributes(const char *path, GString *line)
{
    char names[4096], value[4096];
    ssize_t size = llistxattr(path, names, sizeof(names));
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        if (!g_str_has_prefix(names + at, "user."))
            continue;
        ssize_t length = lgetxattr(path, names + at, value, sizeof(value));
        g_string_append_printf(line, " %s=%.*s", names + at, (int)length, value);
    }
}

static void describe_content(const char *path, const GStatBuf *info, GString *line)
{
    if (S_ISLNK(info->st_mode)) {
        g_autofree char *target = g_file_read_link(path, NULL);
        g_string_append_printf(line, " -> %s", target);
    }
    if (!S_ISREG(info->st_mode))
        return;
    g_autofree char *content = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &content, &size, NULL));
    g_autofree char *digest =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guint8 *)content, size);
    bool sparse = (guint64)info->st_blocks * 512 < (guint64)info->st_size;
    g_string_append_printf(line, " %zu bytes%s links %u %s", size, sparse ? " (sparse)" : "",
                           (guint)info->st_nlink, digest);
}

static void describe(const char *path, const char *name, GPtrArray *lines)
{
    GStatBuf info;
    g_assert_cmpint(g_lstat(path, &info), ==, 0);
    g_autoptr(GString) line = g_string_new(name);
    g_string_append_printf(line, " %o %" G_GINT64_FORMAT ".%09ld", info.st_mode,
                           (gint64)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    describe_attributes(path, line);
    describe_content(path, &info, line);
    g_ptr_array_add(lines, g_string_free(g_steal_pointer(&line), FALSE));
    DIR *directory = S_ISDIR(info.st_mode) ? opendir(path) : NULL;
    const struct dirent *found;
    while (directory != NULL && (found = readdir(directory)) != NULL) {
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        g_autofree char *below = g_build_filename(path, found->d_name, NULL);
        g_autofree char *below_name = g_build_filename(name, found->d_name, NULL);
        describe(below, below_name, lines);
    }
    if (directory != NULL)
        closedir(directory);
}

static int compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *transferring_describe(const char *path)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    describe(path, "", lines);
    g_ptr_array_sort(lines, compare);
    g_ptr_array_add(lines, NULL);
    return g_strjoinv("\n", (char **)lines->pdata);
}
