/* SPDX-License-Identifier: MIT */
#include "tar.h"

#include "headers.h"
#include "format_probe.h"

#include "base/error.h"
#include "base/text.h"
#include "disk/tree/acl_text.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

#define FETCH_AGAIN "fetch or copy the file again"

/* stream -> headers -> reader */
struct BerthTar {
    char *name;
    char *last; /* the path of the last entry, printable; NULL before the first */
    locale_t bytes_locale;

    BerthStream *stream;
    BerthHeaders *headers;
    struct archive *reader;
    GError *failure; /* an error of the stream, set in libarchive's callback */
    GPtrArray *warnings;
    bool at_end;

    /* The entry's data: the expected size and the progress. */
    guint64 size;
    guint64 data_size; /* without the holes */
    bool may_be_hole;  /* the map may also mean that the file has no data */
    guint64 data_read;
    guint64 offset;
};

/* --- libarchive's callbacks --- */

static la_ssize_t read_for_reader(struct archive *archive, void *data, const void **ret_block)
{
    BerthTar *tar = data;
    const guint8 *block = NULL;
    gsize size = 0;
    if (tar->failure != NULL || !berth_headers_read(tar->headers, &block, &size, &tar->failure)) {
        archive_set_error(archive, EIO, "%s", tar->failure->message);
        return ARCHIVE_FATAL;
    }
    *ret_block = block;
    return (la_ssize_t)size;
}

static bool mentions(struct archive *archive, const char *word)
{
    const char *text = archive_error_string(archive);
    return text != NULL && strstr(text, word) != NULL;
}

/* --- opening --- */

/* Probe the first uncompressed bytes before libarchive, to name a format that is not tar. */
static bool check_head(const guint8 *head, gsize size, GError **error)
{
    if (size == 0) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.open.empty", FETCH_AGAIN,
                        "the file is empty");
        return false;
    }

    BerthFormat format = berth_format_check_tar(head, size);
    if (format == BERTH_FORMAT_TAR)
        return true;
    if (format == BERTH_FORMAT_DAMAGED_TAR) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", FETCH_AGAIN,
                        "the first header of the archive is damaged");
        return false;
    }
    const char *hint = "give a tar of a root file system: .tar, .tar.gz, .tar.xz, .tar.zst, .wsl";
    const char *words = berth_format_describe(head, size, &hint);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.open.not-a-tar", hint,
                    "not a tar archive%s%s", words != NULL ? ": it is " : "",
                    words != NULL ? words : "");
    return false;
}

static bool fail_reader(BerthTar *tar, GError **error);

static bool open_reader(BerthTar *tar, GError **error)
{
    tar->reader = archive_read_new();
    archive_read_support_format_tar(tar->reader);
    return archive_read_open(tar->reader, tar, NULL, read_for_reader, NULL) == ARCHIVE_OK ||
           fail_reader(tar, error);
}

BerthTar *berth_tar_open(BerthStream *stream_take, const char *name, GError **error)
{
    g_autoptr(BerthTar) tar = g_new0(BerthTar, 1);
    tar->name = g_strdup(name);
    tar->stream = stream_take;
    tar->warnings = g_ptr_array_new_with_free_func(g_free);
    /* libarchive converts PAX names from UTF-8 to the locale's charset and normalises their Unicode
     * form. In the C locale it converts ASCII only, to itself, and returns other names
     * unchanged. */
    tar->bytes_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);

    const guint8 *head = NULL;
    gsize size = 0;
    if (!berth_stream_read(tar->stream, &head, &size, error) || !check_head(head, size, error)) {
        g_prefix_error(error, "%s: ", name);
        return NULL;
    }
    tar->headers = berth_headers_new(tar->stream, name, head, size);
    return open_reader(tar, error) ? g_steal_pointer(&tar) : NULL;
}

void berth_tar_free(BerthTar *tar)
{
    if (tar == NULL)
        return;
    archive_read_free(tar->reader);
    berth_headers_free(tar->headers);
    berth_stream_free(tar->stream);
    g_clear_pointer(&tar->warnings, g_ptr_array_unref);
    g_clear_error(&tar->failure);
    if (tar->bytes_locale != (locale_t)0)
        freelocale(tar->bytes_locale);
    g_free(tar->name);
    g_free(tar->last);
    g_free(tar);
}

/* --- entries --- */

static void prefix_place(const BerthTar *tar, GError **error)
{
    if (tar->last == NULL)
        g_prefix_error(error, "%s: ", tar->name);
    else
        g_prefix_error(error, "%s: at %s: ", tar->name, tar->last);
}

static bool fail_reader(BerthTar *tar, GError **error)
{
    if (tar->failure != NULL) {
        g_propagate_error(error, g_steal_pointer(&tar->failure));
    } else if (mentions(tar->reader, "runcated")) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.read.truncated", FETCH_AGAIN,
                        "the archive ends too early");
    } else {
        const char *text = archive_error_string(tar->reader);
        berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", FETCH_AGAIN,
                        "the archive is damaged here (%s)", text != NULL ? text : "unknown reason");
    }
    prefix_place(tar, error);
    return false;
}

static BerthEntryType entry_type(struct archive_entry *entry)
{
    static const BerthEntryType types[16] = {
        [AE_IFREG >> 12] = BERTH_ENTRY_FILE,         [AE_IFDIR >> 12] = BERTH_ENTRY_DIRECTORY,
        [AE_IFLNK >> 12] = BERTH_ENTRY_SYMLINK,      [AE_IFCHR >> 12] = BERTH_ENTRY_CHAR_DEVICE,
        [AE_IFBLK >> 12] = BERTH_ENTRY_BLOCK_DEVICE, [AE_IFIFO >> 12] = BERTH_ENTRY_FIFO,
        [AE_IFSOCK >> 12] = BERTH_ENTRY_SOCKET,
    };
    if (archive_entry_hardlink(entry) != NULL)
        return BERTH_ENTRY_HARDLINK;
    return types[(archive_entry_filetype(entry) & AE_IFMT) >> 12];
}

static void set_time(BerthEntry *out, guint which, bool is_set, time_t sec)
{
    out->has_time[which] = is_set;
    out->times[which] = (BerthTime){.sec = is_set ? sec : 0};
}

/* Times of the header, overridden by PAX. */
static void convert_times(struct archive_entry *in, const BerthFacts *facts, BerthEntry *out)
{
    set_time(out, BERTH_TIME_MODIFIED, archive_entry_mtime_is_set(in), archive_entry_mtime(in));
    set_time(out, BERTH_TIME_ACCESSED, archive_entry_atime_is_set(in), archive_entry_atime(in));
    set_time(out, BERTH_TIME_CHANGED, archive_entry_ctime_is_set(in), archive_entry_ctime(in));
    for (guint i = 0; i < BERTH_TIMES; i++) {
        if (!facts->has_time[i])
            continue;
        out->has_time[i] = true;
        out->times[i] = facts->times[i];
    }
}

static void convert_acl(const char *text, bool is_default, BerthEntry *out)
{
    if (text != NULL && !berth_acl_text_add(text, is_default, out))
        out->dropped_acls++;
}

static void convert_xattrs(struct archive_entry *in, const BerthFacts *facts, BerthEntry *out)
{
    const char *name;
    const void *value;
    size_t size;
    convert_acl(facts->acl, false, out);
    convert_acl(facts->default_acl, true, out);
    archive_entry_xattr_reset(in);
    while (archive_entry_xattr_next(in, &name, &value, &size) == ARCHIVE_OK)
        berth_entry_add_xattr(out, name, value, size);
}

static void convert(struct archive_entry *in, BerthFacts *facts, BerthEntry *out)
{
    out->type = facts->is_socket ? BERTH_ENTRY_SOCKET : entry_type(in);
    out->path = g_steal_pointer(&facts->path);
    if (out->type == BERTH_ENTRY_HARDLINK || out->type == BERTH_ENTRY_SYMLINK)
        out->target = g_steal_pointer(&facts->target);
    out->mode = archive_entry_perm(in);
    out->uid = facts->uid;
    out->gid = facts->gid;
    out->size = archive_entry_size(in);
    out->sparse = facts->is_sparse;
    out->nodump = facts->has_nodump;
    out->dropped_flags = facts->other_flags;
    out->dropped_acls += facts->lost_acls;
    out->major = (gint64)archive_entry_rdevmajor(in);
    out->minor = (gint64)archive_entry_rdevminor(in);
    convert_times(in, facts, out);
    convert_xattrs(in, facts, out);
}

/* Set the expected amount of data: for a sparse file the sum of its extents. */
static void expect_data(BerthTar *tar, struct archive_entry *in, const BerthFacts *facts)
{
    tar->size = (guint64)MAX(archive_entry_size(in), 0);
    tar->data_size = tar->size;
    tar->data_read = tar->offset = 0;
    tar->may_be_hole = facts->is_sparse && archive_entry_sparse_reset(in) == 0;
    if (!facts->is_sparse || tar->may_be_hole)
        return;
    la_int64_t offset, length;
    tar->data_size = 0;
    while (archive_entry_sparse_next(in, &offset, &length) == ARCHIVE_OK)
        tar->data_size += (guint64)length;
}

static void copy_warnings(BerthTar *tar, const GPtrArray *from)
{
    for (guint i = 0; i < from->len; i++)
        g_ptr_array_add(tar->warnings, g_strdup(g_ptr_array_index(from, i)));
}

/* Read the rest, so that the decompressor verifies its last checksum. */
static bool finish(BerthTar *tar, GError **error)
{
    if (!berth_headers_drain(tar->headers, error)) {
        g_prefix_error(error, "%s: ", tar->name);
        return false;
    }
    copy_warnings(tar, berth_headers_warnings(tar->headers));
    copy_warnings(tar, berth_stream_warnings(tar->stream));
    tar->at_end = true;
    return true;
}

/* Fill @ret_entry from libarchive and BerthFacts, after checking that both describe the same
 * entry. */
static bool convert_entry(BerthTar *tar, struct archive_entry *in, BerthEntry *ret_entry,
                          GError **error)
{
    g_auto(BerthFacts) facts = {0};
    if (!berth_headers_next(tar->headers, &facts) ||
        facts.position != (guint64)archive_read_header_position(tar->reader)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", FETCH_AGAIN,
                        "the archive is damaged here (the position of the next entry is unknown)");
        prefix_place(tar, error);
        return false;
    }
    convert(in, &facts, ret_entry);
    expect_data(tar, in, &facts);
    g_free(tar->last);
    tar->last = ret_entry->path != NULL ? berth_text_escape(ret_entry->path) : NULL;
    return true;
}

bool berth_tar_next(BerthTar *tar, BerthEntry *ret_entry, bool *ret_end, GError **error)
{
    *ret_end = true;
    if (tar->at_end)
        return true;

    struct archive_entry *entry = NULL;
    locale_t before = uselocale(tar->bytes_locale);
    int result = archive_read_next_header(tar->reader, &entry);
    /* Ignore the warning that a name is not in the locale's charset: the C locale is chosen for
     * that. */
    if (result == ARCHIVE_WARN && mentions(tar->reader, "can't be converted"))
        result = ARCHIVE_OK;
    bool converted = result == ARCHIVE_OK && convert_entry(tar, entry, ret_entry, error);
    uselocale(before);

    if (result == ARCHIVE_EOF)
        return finish(tar, error);
    *ret_end = false;
    return result == ARCHIVE_OK ? converted : fail_reader(tar, error);
}

static bool fail_data(BerthTar *tar, GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", FETCH_AGAIN,
                    "the archive is damaged here (the sparse map does not fit the file)");
    prefix_place(tar, error);
    return false;
}

bool berth_tar_read(BerthTar *tar, const void **ret_data, gsize *ret_size, guint64 *ret_offset,
                    GError **error)
{
    la_int64_t offset = 0;
    *ret_size = 0;
    /* An empty block is not the end: it represents a trailing hole. */
    for (int result = ARCHIVE_OK; *ret_size == 0 && result != ARCHIVE_EOF;) {
        result = archive_read_data_block(tar->reader, ret_data, ret_size, &offset);
        if (result != ARCHIVE_OK && result != ARCHIVE_EOF)
            return fail_reader(tar, error);
        if (result == ARCHIVE_EOF)
            *ret_size = 0;
    }
    *ret_offset = (guint64)offset;
    if (*ret_size == 0)
        return tar->data_read == tar->data_size || (tar->may_be_hole && tar->data_read == 0) ||
               fail_data(tar, error);

    bool fits = offset >= 0 && (guint64)offset >= tar->offset && (guint64)offset <= tar->size &&
                *ret_size <= tar->size - (guint64)offset;
    tar->offset = (guint64)offset + *ret_size;
    tar->data_read += *ret_size;
    return fits || fail_data(tar, error);
}

guint64 berth_tar_position(const BerthTar *tar)
{
    return berth_stream_position(tar->stream);
}

const GPtrArray *berth_tar_warnings(const BerthTar *tar)
{
    return tar->warnings;
}
