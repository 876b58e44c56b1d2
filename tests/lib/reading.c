/* SPDX-License-Identifier: MIT */
#include "reading.h"

#include "open_tar.h"
#include "tarball.h"

#include "base/error.h"
#include "base/fd.h"

#include <string.h>

static void describe_data(BerthTar *tar, GString *text, GError **error)
{
    const char *start = "=";
    for (;;) {
        const void *data = NULL;
        gsize size = 0;
        guint64 offset = 0;
        if (!berth_tar_read(tar, &data, &size, &offset, error) || size == 0)
            return;
        g_string_append(text, start);
        if (offset > 0)
            g_string_append_printf(text, "@%" G_GUINT64_FORMAT ":", offset);
        g_string_append_len(text, data, (gssize)strnlen(data, size));
        start = "|";
    }
}

/* Format as "f path >target u1:2 t-1.500000000 [name=value] (bob) =data", omitting absent parts. */
static void describe(const BerthEntry *entry, GString *text)
{
    static const char kinds[] = "fdlhcbps";
    const BerthTime *time = &entry->times[BERTH_TIME_MODIFIED];
    g_string_append_printf(text, "%c %s", kinds[entry->type], entry->path);
    if (entry->target != NULL)
        g_string_append_printf(text, " >%s", entry->target);
    if (entry->uid != 0 || entry->gid != 0)
        g_string_append_printf(text, " u%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT, entry->uid,
                               entry->gid);
    if (time->sec != 0 || time->nsec != 0)
        g_string_append_printf(text, " t%" G_GINT64_FORMAT ".%09u", time->sec, time->nsec);
    for (guint i = 0; entry->xattrs != NULL && i < entry->xattrs->len; i++) {
        const BerthXattr *xattr = &g_array_index(entry->xattrs, BerthXattr, i);
        gsize size;
        const char *value = g_bytes_get_data(xattr->value, &size);
        bool acl = g_str_has_prefix(xattr->name, "system.");
        g_string_append_printf(text, " [%s=%.*s]", xattr->name, acl ? 0 : (int)size, value);
    }
    for (guint i = 0; entry->acl_names != NULL && i < entry->acl_names->len; i++)
        g_string_append_printf(text, " (%s)",
                               g_array_index(entry->acl_names, BerthAclName, i).name);
    if (entry->dropped_acls > 0 || entry->dropped_flags > 0 || entry->nodump)
        g_string_append_printf(text, " acls%u flags%u%s", entry->dropped_acls, entry->dropped_flags,
                               entry->nodump ? " nodump" : "");
    if (entry->sparse)
        g_string_append_printf(text, " sparse%" G_GINT64_FORMAT, entry->size);
}

/* Format all entries, one per line, then the warnings; NULL with @error. */
char *reading_text(const GByteArray *bytes, GError **error)
{
    berth_autofd int fd = tarball_open(bytes);
    GError *failure = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(BerthTar) tar = open_tar(fd, "x.tar", &failure);
    for (bool end = tar == NULL; !end && failure == NULL;) {
        g_auto(BerthEntry) entry = {0};
        if (!berth_tar_next(tar, &entry, &end, &failure) || end)
            break;
        describe(&entry, text);
        describe_data(tar, text, &failure);
        g_string_append_c(text, '\n');
    }
    if (failure != NULL) {
        g_propagate_error(error, failure);
        return NULL;
    }
    const GPtrArray *warnings = berth_tar_warnings(tar);
    for (guint i = 0; i < warnings->len; i++)
        g_string_append_printf(text, "! %s\n", (const char *)g_ptr_array_index(warnings, i));
    return g_string_free(g_steal_pointer(&text), false);
}

void reading_expect_as_is(const GByteArray *tarball, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *got = reading_text(tarball, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(got, ==, text);
}

/* End the archive and expect this reading. */
void reading_expect(GByteArray *tarball, const char *text)
{
    tarball_end(tarball);
    reading_expect_as_is(tarball, text);
}

void reading_refused_as_is(const GByteArray *tarball, const char *id, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *got = reading_text(tarball, &error);
    if (got != NULL)
        g_error("accepted: %s", got);
    g_assert_cmpstr(berth_error_id(error), ==, id);
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_INVALID);
    if (strstr(error->message, message) == NULL)
        g_error("no \"%s\" in \"%s\"", message, error->message);
}

void reading_refused(GByteArray *tarball, const char *id, const char *message)
{
    tarball_end(tarball);
    reading_refused_as_is(tarball, id, message);
}
