/* SPDX-License-Identifier: MIT */
#include "template.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Larger files cannot be what we expect. */
#define TEXT_MAX (1 << 20)

/* 0, or an errno: EILSEQ if the file is not text. */
static int read_text(int fd, char **ret_text)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char block[4096];
    for (;;) {
        ssize_t got = read(fd, block, sizeof(block));
        if (got < 0 && errno != EINTR)
            return errno;
        if (got == 0)
            break;
        if (got > 0)
            g_string_append_len(text, block, got);
        if (text->len > TEXT_MAX)
            return EFBIG;
    }
    if (memchr(text->str, '\0', text->len) != NULL)
        return EILSEQ;
    *ret_text = g_string_free(g_steal_pointer(&text), FALSE);
    return 0;
}

/* A FIFO is not waited for: it is an empty file. */
static int read_file(const char *path, char **ret_text)
{
    berth_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd >= 0 ? read_text(fd, ret_text) : errno;
}

char *berth_template_read_machine(const BerthLayout *layout, const char *architecture,
                                  GError **error)
{
    g_autofree char *path = berth_layout_machine_template(layout, architecture);
    char *text = NULL;
    int problem = read_file(path, &text);
    if (problem == 0)
        return text;

    if (problem == ENOENT)
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "template.missing",
                        "install berth again, or set BERTH_SUPPORT_DIR to where its files are",
                        "%s: no description of a machine for %s", path, architecture);
    else
        berth_error_set_errno(error, problem, "template", "%s", path);
    return NULL;
}

static bool check_settings(int problem, const char *path, GError **error)
{
    if (problem == EILSEQ)
        berth_error_set(error, BERTH_ERROR_INVALID, "config.syntax",
                        "groups are [berth] and [distro NAME], lines are KEY = VALUE",
                        "%s: not a text file", path);
    else if (problem == EFBIG)
        berth_error_set(error, BERTH_ERROR_INVALID, "config.too-big",
                        "settings are a few lines; is it another file?", "%s: larger than 1 MiB",
                        path);
    else if (problem != 0)
        berth_error_set_errno(error, problem, "config", "%s", path);
    return problem == 0;
}

bool berth_template_read_settings_from(int fd, const char *path, char **ret_text, GError **error)
{
    return check_settings(read_text(fd, ret_text), path, error);
}

char *berth_template_read_settings_at(const char *path, GError **error)
{
    char *text = NULL;
    return check_settings(read_file(path, &text), path, error) ? text : NULL;
}

bool berth_template_read_settings(const BerthLayout *layout, char **ret_text, char **ret_path,
                                  GError **error)
{
    g_autofree char *path = berth_layout_settings(layout);
    char *text = NULL;
    int problem = read_file(path, &text);
    if (problem != ENOENT && !check_settings(problem, path, error))
        return false;
    *ret_text = text;
    *ret_path = g_steal_pointer(&path);
    return true;
}
