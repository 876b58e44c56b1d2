/* SPDX-License-Identifier: MIT */
#include "body.h"

#include "base/error.h"
#include "base/size.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void berth_fetch_body_init(BerthFetchBody *body, int fd, guint64 size_max)
{
    *body = (BerthFetchBody){.fd = fd, .size_max = size_max, .sha256 = berth_sha256_new()};
}

void berth_fetch_body_clear(BerthFetchBody *body)
{
    g_clear_pointer(&body->sha256, berth_sha256_free);
}

bool berth_fetch_body_restart(BerthFetchBody *body, GError **error)
{
    if (body->size == 0)
        return true;
    if (body->memory != NULL)
        g_byte_array_set_size(body->memory, 0);
    if (body->fd >= 0 && !body->shared && ftruncate(body->fd, (off_t)body->offset) < 0) {
        berth_error_set_errno(error, errno, "fetch.write", "begin the download again");
        return false;
    }
    body->size = 0;
    memset(body->start, 0, sizeof(body->start));
    berth_sha256_reset(body->sha256);
    return true;
}

bool berth_fetch_body_check_size(const BerthFetchBody *body, guint64 size, GError **error)
{
    if (body->size_max == 0 || size <= body->size_max)
        return true;
    g_autofree char *most = berth_size_format(body->size_max);
    berth_error_set(error, BERTH_ERROR_INVALID, "fetch.too-big", NULL, "the file is larger than %s",
                    most);
    return false;
}

/* Archives, lists and checksum files never begin like this. */
static bool is_web_page(const BerthFetchBody *body)
{
    const char *text = body->start + strspn(body->start, " \t\r\n");
    return g_ascii_strncasecmp(text, "<!doctype html", strlen("<!doctype html")) == 0 ||
           g_ascii_strncasecmp(text, "<html", strlen("<html")) == 0;
}

static bool look_at_start(BerthFetchBody *body, const void *data, gsize size, GError **error)
{
    const gsize room = sizeof(body->start) - 1; /* a terminating NUL stays */
    if (body->size >= room)
        return true;
    memcpy(body->start + body->size, data, MIN(size, room - body->size));
    if (!is_web_page(body))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "fetch.web-page",
                    "this network may require a login: open a web browser, then try again",
                    "the server sent a web page instead of the file");
    return false;
}

static bool write_at(int fd, const char *data, gsize size, guint64 offset)
{
    while (size > 0) {
        ssize_t done = pwrite(fd, data, size, (off_t)offset);
        if (done < 0 && errno != EINTR)
            return false;
        gsize part = (gsize)MAX(done, 0);
        data += part;
        size -= part;
        offset += part;
    }
    return true;
}

bool berth_fetch_body_append(BerthFetchBody *body, const void *data, gsize size, GError **error)
{
    if (!berth_fetch_body_check_size(body, body->size + size, error) ||
        !look_at_start(body, data, size, error))
        return false;
    if (body->fd >= 0 && !write_at(body->fd, data, size, body->offset + body->size)) {
        berth_error_set_errno(error, errno, "fetch.write", "write the download");
        return false;
    }
    if (body->memory != NULL)
        g_byte_array_append(body->memory, data, (guint)size);
    berth_sha256_update(body->sha256, data, size);
    body->size += size;
    return true;
}

bool berth_fetch_body_finish(BerthFetchBody *body, const char *sha256,
                             guint8 digest[BERTH_SHA256_SIZE], GError **error)
{
    g_autofree char *actual = berth_sha256_format(body->sha256);
    if (sha256 != NULL && g_ascii_strncasecmp(sha256, "0x", 2) == 0)
        sha256 += 2;
    if (sha256 != NULL && g_ascii_strcasecmp(sha256, actual) != 0) {
        berth_error_set(error, BERTH_ERROR_INVALID, "fetch.digest",
                        "the file changed on its way, or the list is older than the file: try "
                        "again later, and do not use this file",
                        "the SHA-256 of the file is %s, and %s was expected", actual, sha256);
        return false;
    }
    berth_sha256_digest(body->sha256, digest);
    return true;
}
