/* SPDX-License-Identifier: MIT */
#include "error.h"

#include "error_hints.h"

#include <errno.h>
#include <string.h>

typedef struct {
    const char *id;
    char *hint;
} BerthErrorPrivate;

static void berth_error_private_init(BerthErrorPrivate *private)
{
    private->id = "failed";
}

static void berth_error_private_copy(const BerthErrorPrivate *from, BerthErrorPrivate *to)
{
    to->id = from->id;
    to->hint = g_strdup(from->hint);
}

static void berth_error_private_clear(BerthErrorPrivate *private)
{
    g_free(private->hint);
}

G_DEFINE_EXTENDED_ERROR(BerthError, berth_error)

/* Maps an errno to a code, the last part of the id, and a hint. */
static const struct {
    int errnum;
    BerthErrorCode code;
    const char *kind;
    const char *hint;
} errno_table[] = {
    {ENOSPC, BERTH_ERROR_NO_SPACE, "no-space", "free some space, or choose another place"},
    {EDQUOT, BERTH_ERROR_NO_SPACE, "no-space", "your disk quota is used up"},
    {EFBIG, BERTH_ERROR_NO_SPACE, "too-big",
     "a file size limit was reached (ulimit -f, or the file system's own)"},
    {EACCES, BERTH_ERROR_DENIED, "denied",
     "check the owner and mode of the file and of its directory: ls -ld"},
    {EPERM, BERTH_ERROR_DENIED, "denied", NULL},
    {EROFS, BERTH_ERROR_DENIED, "read-only",
     "it is mounted read-only: choose another place, or mount it read-write"},
    {ENOENT, BERTH_ERROR_NOT_FOUND, "missing", NULL},
    {EEXIST, BERTH_ERROR_EXISTS, "exists", NULL},
    {EBUSY, BERTH_ERROR_BUSY, "busy", NULL},
    {EWOULDBLOCK, BERTH_ERROR_BUSY, "busy", NULL},
    {ENOTDIR, BERTH_ERROR_FAILED, "io", "a part of this path is a file: choose another path"},
    {EISDIR, BERTH_ERROR_FAILED, "io", "this is a directory: name a file"},
    {EIO, BERTH_ERROR_FAILED, "io", "\"dmesg\" shows errors of this host's disks"},
    {EMFILE, BERTH_ERROR_FAILED, "io", "allow more open files: ulimit -n"},
    {ENFILE, BERTH_ERROR_FAILED, "io", "this host has no file left to open: end other programs"},
    {ENOMEM, BERTH_ERROR_FAILED, "io", "this host has no memory left: end other programs"},
};

static void set_full(GError **error, BerthErrorCode code, const char *id, const char *hint,
                     char *message_take)
{
    g_autofree char *message = message_take;
    if (error == NULL)
        return;

    *error = g_error_new_literal(BERTH_ERROR, (int)code, message);
    BerthErrorPrivate *private = berth_error_get_private(*error);
    private->id = id;
    private->hint = g_strdup(hint != NULL ? hint : berth_error_hints_find(id));
}

void berth_error_set(GError **error, BerthErrorCode code, const char *id, const char *hint,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_full(error, code, id, hint, g_strdup_vprintf(format, args));
    va_end(args);
}

static char *errno_text(int errnum)
{
    char *words = g_strdup(g_strerror(errnum));
    if (g_ascii_isupper(words[0]) && g_ascii_islower(words[1]))
        words[0] = g_ascii_tolower(words[0]);
    return words;
}

void berth_error_set_errno(GError **error, int errnum, const char *step, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);

    BerthErrorCode code = BERTH_ERROR_FAILED;
    const char *kind = "io";
    const char *hint = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(errno_table); i++) {
        if (errno_table[i].errnum != errnum)
            continue;
        code = errno_table[i].code;
        kind = errno_table[i].kind;
        hint = errno_table[i].hint;
        break;
    }

    g_autofree char *id = g_strdup_printf("%s.%s", step, kind);
    g_autofree char *words = errno_text(errnum);
    const char *own = berth_error_hints_find(id); /* of this very step */
    set_full(error, code, g_intern_string(id), own != NULL ? own : hint,
             g_strdup_printf("%s: %s", what, words));
}

void berth_error_set_remote(GError **error, guint code, const char *id, const char *hint,
                            const char *message)
{
    if (code > BERTH_ERROR_CANCELLED)
        code = BERTH_ERROR_FAILED;
    set_full(error, (BerthErrorCode)code, g_intern_string(id),
             hint != NULL && hint[0] != '\0' ? hint : NULL, g_strdup(message));
}

const char *berth_error_id(const GError *error)
{
    if (error == NULL || error->domain != BERTH_ERROR)
        return "failed";
    return berth_error_get_private(error)->id;
}

const char *berth_error_hint(const GError *error)
{
    if (error == NULL || error->domain != BERTH_ERROR)
        return NULL;
    return berth_error_get_private(error)->hint;
}

bool berth_error_is(const GError *error, BerthErrorCode code)
{
    return g_error_matches(error, BERTH_ERROR, (int)code);
}
