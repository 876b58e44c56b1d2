/* SPDX-License-Identifier: MIT */
#include "tarball.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK     512U
#define OCTAL_MAX 077777777777LL
#define ID_MAX    07777777

static void put_octal(guint8 *field, gsize size, gint64 value)
{
    g_autofree char *text = g_strdup_printf("%0*" G_GINT64_MODIFIER "o", (int)size - 1, value);
    memcpy(field, text, size - 1);
}

static void put_string(guint8 *field, gsize size, const char *text)
{
    memcpy(field, text, MIN(strlen(text), size));
}

static void pad(GByteArray *tarball)
{
    guint old = tarball->len;
    g_byte_array_set_size(tarball, (old + BLOCK - 1) / BLOCK * BLOCK);
    memset(tarball->data + old, 0, tarball->len - old);
}

static void set_checksum(guint8 *header)
{
    memset(header + 148, ' ', 8);
    guint sum = 0;
    for (guint i = 0; i < BLOCK; i++)
        sum += header[i];
    put_octal(header + 148, 7, sum);
    header[154] = '\0';
}

void tarball_patch(GByteArray *tarball, gsize header, gsize offset, const void *bytes, gsize size)
{
    memcpy(tarball->data + header + offset, bytes, size);
    set_checksum(tarball->data + header);
}

static void append_header(GByteArray *tarball, const TarballItem *item, gsize size)
{
    guint8 header[BLOCK] = {0};
    put_string(header, 100, item->path);
    put_octal(header + 100, 8, item->mode & 07777);
    put_octal(header + 108, 8, CLAMP(item->uid, 0, ID_MAX));
    put_octal(header + 116, 8, CLAMP(item->gid, 0, ID_MAX));
    put_octal(header + 124, 12, (gint64)size);
    put_octal(header + 136, 12, CLAMP(item->mtime, 0, OCTAL_MAX));
    header[156] = (guint8)(item->type == '\0' ? '0' : item->type);
    put_string(header + 157, 100, item->target == NULL ? "" : item->target);
    memcpy(header + 257, "ustar\00000", 8);
    put_octal(header + 329, 8, item->major);
    put_octal(header + 337, 8, item->minor);

    set_checksum(header);
    g_byte_array_append(tarball, header, BLOCK);
}

/* Append "LENGTH KEY=VALUE\n"; the length includes its own digits. */
static void append_record(GByteArray *body, const char *key, const void *value, gsize size)
{
    gsize rest = strlen(key) + size + 3;
    gsize length = rest + 1;
    for (gsize digits = 1; digits < 10; digits++) {
        g_autofree char *text = g_strdup_printf("%" G_GSIZE_FORMAT, rest + digits);
        length = rest + digits;
        if (strlen(text) == digits)
            break;
    }
    g_autofree char *start = g_strdup_printf("%" G_GSIZE_FORMAT " %s=", length, key);
    g_byte_array_append(body, (const guint8 *)start, (guint)strlen(start));
    g_byte_array_append(body, value, (guint)size);
    g_byte_array_append(body, (const guint8 *)"\n", 1);
}

static void append_pax(GByteArray *tarball, const GByteArray *body)
{
    append_header(tarball, &(TarballItem){.path = "pax", .type = 'x', .mode = 0644}, body->len);
    g_byte_array_append(tarball, body->data, body->len);
    pad(tarball);
}

void tarball_add_pax(GByteArray *tarball, const char *key, const void *value, gsize size)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    append_record(body, key, value, size);
    append_pax(tarball, body);
}

static void append_number(GByteArray *body, const char *key, gint64 value, gint64 max)
{
    if (value >= 0 && value <= max)
        return;
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
    append_record(body, key, text, strlen(text));
}

void tarball_add(GByteArray *tarball, const TarballItem *item)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    if (strlen(item->path) > 100)
        append_record(body, "path", item->path, strlen(item->path));
    if (item->target != NULL && strlen(item->target) > 100)
        append_record(body, "linkpath", item->target, strlen(item->target));
    append_number(body, "uid", item->uid, ID_MAX);
    append_number(body, "gid", item->gid, ID_MAX);
    append_number(body, "mtime", item->mtime, OCTAL_MAX);
    for (gsize i = 0; item->pax != NULL && item->pax[i] != NULL; i += 2)
        append_record(body, item->pax[i], item->pax[i + 1], strlen(item->pax[i + 1]));
    if (body->len > 0)
        append_pax(tarball, body);

    gsize size = item->data != NULL && item->size == 0 ? strlen(item->data) : item->size;
    append_header(tarball, item, size);
    if (item->data != NULL)
        g_byte_array_append(tarball, item->data, (guint)size);
    pad(tarball);
}

void tarball_end(GByteArray *tarball)
{
    guint old = tarball->len;
    g_byte_array_set_size(tarball, old + 2 * BLOCK);
    memset(tarball->data + old, 0, (gsize)2 * BLOCK);
}

GByteArray *tarball_new_rootfs(void)
{
    GByteArray *tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "etc/", .type = '5', .mode = 0755, .mtime = 1700000000);
    TARBALL_ADD(tarball, .path = "etc/os-release", .mode = 0644, .data = "ID=test\n",
                .mtime = 1700000000);
    return tarball;
}

int tarball_open(const GByteArray *tarball)
{
    int fd = memfd_create("tarball", MFD_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    for (gsize done = 0; done < tarball->len;) {
        ssize_t written = write(fd, tarball->data + done, tarball->len - done);
        g_assert_cmpint(written, >, 0);
        done += (gsize)written;
    }
    g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
    return fd;
}

GByteArray *tarball_filter(const GByteArray *tarball, const char *const *argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) child = g_subprocess_newv(
        argv, G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);
    g_assert_no_error(error);

    g_autoptr(GBytes) in = g_bytes_new(tarball->data, tarball->len);
    GBytes *out = NULL;
    g_subprocess_communicate(child, in, NULL, &out, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(g_subprocess_get_successful(child));
    return g_bytes_unref_to_array(out);
}
