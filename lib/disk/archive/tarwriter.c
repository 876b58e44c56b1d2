/* SPDX-License-Identifier: MIT */
#include "tarwriter.h"

#include "pax_record.h"

#include <string.h>

#define BLOCK          512U
#define NAME_SIZE      100U
#define ID_MAX         07777777
#define SIZE_MAX_OCTAL G_GINT64_CONSTANT(077777777777)
#define HOLE_MIN       (64U << 10) /* smaller holes are cheaper as zeros, which any tar reads */

/* POSIX.1-2017, pax, "ustar Interchange Format". */
typedef struct {
    char name[NAME_SIZE];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char target[NAME_SIZE];
    char magic[8];
    char owner[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char padding[12];
} Header;
G_STATIC_ASSERT(sizeof(Header) == BLOCK);

static const char type_letters[] = {
    [BERTH_ENTRY_FILE] = '0',     [BERTH_ENTRY_DIRECTORY] = '5',   [BERTH_ENTRY_SYMLINK] = '2',
    [BERTH_ENTRY_HARDLINK] = '1', [BERTH_ENTRY_CHAR_DEVICE] = '3', [BERTH_ENTRY_BLOCK_DEVICE] = '4',
    [BERTH_ENTRY_FIFO] = '6',
};

/* --- headers --- */

/* Values that do not fit go into a record; keep readers without PAX from seeing a small value. */
static void put_octal(char *field, gsize size, gint64 value)
{
    gint64 most = ((gint64)1 << 3 * (size - 1)) - 1;
    g_snprintf(field, (gulong)size, "%0*" G_GINT64_MODIFIER "o", (int)size - 1,
               CLAMP(value, 0, most));
}

static void put_name(char *field, const char *name)
{
    memcpy(field, name, MIN(strlen(name), NAME_SIZE));
}

static bool write_header(BerthCompress *output, Header *header, GError **error)
{
    memcpy(header->magic, "ustar\00000", 8);
    memset(header->checksum, ' ', sizeof(header->checksum));
    guint sum = 0;
    for (guint i = 0; i < BLOCK; i++)
        sum += ((const guint8 *)header)[i];
    put_octal(header->checksum, 7, sum);
    return berth_compress_write(output, header, BLOCK, error);
}

static bool write_padding(BerthCompress *output, guint64 size, GError **error)
{
    static const guint8 zeros[BLOCK];
    return berth_compress_write(output, zeros, (gsize)(-size % BLOCK), error);
}

/* Write the extended header with @records for the entry @name. */
static bool write_records(BerthCompress *output, const char *name, const GByteArray *records,
                          GError **error)
{
    if (records->len == 0)
        return true;
    Header header = {.type = 'x'};
    g_autofree char *base = g_path_get_basename(name);
    g_autofree char *own = g_strconcat("PaxHeaders/", base, NULL);
    put_name(header.name, own);
    put_octal(header.mode, 8, 0644);
    put_octal(header.uid, 8, 0);
    put_octal(header.gid, 8, 0);
    put_octal(header.size, 12, records->len);
    put_octal(header.mtime, 12, 0);
    put_octal(header.major, 8, 0);
    put_octal(header.minor, 8, 0);
    return write_header(output, &header, error) &&
           berth_compress_write(output, records->data, records->len, error) &&
           write_padding(output, records->len, error);
}

/* The entry's name in a tar: directories end in a slash, the root is "./". */
static char *archive_name(const BerthEntry *entry)
{
    if (entry->path[0] == '\0')
        return g_strdup("./");
    return g_strconcat(entry->path, entry->type == BERTH_ENTRY_DIRECTORY ? "/" : "", NULL);
}

/* Write the header of @entry. @name: the name in the header, @stored: the bytes that follow.
 * Appends what the header cannot hold to @records, then writes those first. */
static bool write_entry(BerthCompress *output, const BerthEntry *entry, const char *name,
                        gint64 stored, GByteArray *records, GError **error)
{
    if (entry->type != BERTH_ENTRY_HARDLINK) /* other fields belong to the link's target */
        berth_pax_record_add_entry(records, entry);
    if (stored > SIZE_MAX_OCTAL)
        berth_pax_record_add_number(records, "size", stored);

    Header header = {.type = type_letters[entry->type]};
    put_name(header.name, name);
    put_octal(header.mode, 8, entry->mode);
    put_octal(header.uid, 8, entry->uid);
    put_octal(header.gid, 8, entry->gid);
    put_octal(header.size, 12, stored);
    put_octal(header.mtime, 12, entry->times[BERTH_TIME_MODIFIED].sec);
    put_octal(header.major, 8, entry->major);
    put_octal(header.minor, 8, entry->minor);
    if (entry->target != NULL)
        put_name(header.target, entry->target);
    return write_records(output, name, records, error) && write_header(output, &header, error);
}

static bool write_named(BerthCompress *output, const BerthEntry *entry, gint64 stored,
                        GError **error)
{
    g_autoptr(GByteArray) records = g_byte_array_new();
    g_autofree char *name = archive_name(entry);
    bool path = strlen(name) > NAME_SIZE;
    bool target = entry->target != NULL && strlen(entry->target) > NAME_SIZE;
    if ((path && !g_utf8_validate(name, -1, NULL)) ||
        (target && !g_utf8_validate(entry->target, -1, NULL)))
        berth_pax_record_add(records, "hdrcharset", "BINARY", 6);
    if (path)
        berth_pax_record_add(records, "path", name, strlen(name));
    if (target)
        berth_pax_record_add(records, "linkpath", entry->target, strlen(entry->target));
    return write_entry(output, entry, name, stored, records, error);
}

bool berth_tarwriter_add(BerthCompress *output, const BerthEntry *entry, GError **error)
{
    return write_named(output, entry, 0, error);
}

/* --- data --- */

typedef struct {
    BerthCompress *output;
    guint64 size;
    const GArray *runs;
    BerthReadFunc read;
    gpointer user_data;
} File;

static bool write_zeros(const File *file, guint64 size, GError **error)
{
    while (size > 0) {
        guint8 *buffer = NULL;
        gsize room = 0;
        if (!berth_compress_reserve(file->output, &buffer, &room, error))
            return false;
        gsize part = (gsize)MIN(room, size);
        memset(buffer, 0, part);
        berth_compress_commit(file->output, part);
        size -= part;
    }
    return true;
}

static bool write_run(const File *file, const BerthDataRun *run, GError **error)
{
    for (guint64 done = 0; done < run->length;) {
        guint8 *buffer = NULL;
        gsize room = 0;
        if (!berth_compress_reserve(file->output, &buffer, &room, error))
            return false;
        gsize part = (gsize)MIN(room, run->length - done);
        if (!file->read(run->position + done, buffer, part, file->user_data, error))
            return false;
        berth_compress_commit(file->output, part);
        done += part;
    }
    return true;
}

/* The length of the gap before run @index; for the index after the last run, the gap at the end. */
static guint64 gap_before(const File *file, guint index)
{
    const BerthDataRun *runs = (const BerthDataRun *)(const void *)file->runs->data;
    guint64 from = index > 0 ? runs[index - 1].offset + runs[index - 1].length : 0;
    guint64 to = index < file->runs->len ? runs[index].offset : file->size;
    return to - from;
}

static bool has_holes(const File *file)
{
    for (guint i = 0; i <= file->runs->len; i++)
        if (gap_before(file, i) >= HOLE_MIN)
            return true;
    return false;
}

/* Write all data, with zeros for gaps below HOLE_MIN. */
static bool write_data(const File *file, GError **error)
{
    for (guint i = 0; i <= file->runs->len; i++) {
        guint64 gap = gap_before(file, i);
        if (gap < HOLE_MIN && !write_zeros(file, gap, error))
            return false;
        if (i < file->runs->len &&
            !write_run(file, &g_array_index(file->runs, BerthDataRun, i), error))
            return false;
    }
    return true;
}

/* Make the sparse map: the number of extents, then "offset\nlength\n" of each. An empty extent at
 * the file's size ends the map. *ret_data: bytes of data. */
static GString *make_map(const File *file, guint64 *ret_data)
{
    g_autoptr(GString) list = g_string_new(NULL);
    guint64 start = 0, at = 0, data = 0, count = 0;
    for (guint i = 0; i <= file->runs->len; i++) {
        const BerthDataRun *run =
            i < file->runs->len ? &g_array_index(file->runs, BerthDataRun, i) : NULL;
        guint64 gap = gap_before(file, i);
        if (gap >= HOLE_MIN) {
            if (at > start) {
                g_string_append_printf(list, "%" G_GUINT64_FORMAT "\n%" G_GUINT64_FORMAT "\n",
                                       start, at - start);
                data += at - start;
                count++;
            }
            start = at + gap;
        }
        at += gap + (run != NULL ? run->length : 0);
    }
    g_string_append_printf(list, "%" G_GUINT64_FORMAT "\n%" G_GUINT64_FORMAT "\n", start,
                           at - start);
    data += at - start;

    GString *map = g_string_new(NULL);
    g_string_append_printf(map, "%" G_GUINT64_FORMAT "\n%s", count + 1, list->str);
    gsize padded = (map->len + BLOCK - 1) / BLOCK * BLOCK;
    while (map->len < padded)
        g_string_append_c(map, '\0');
    *ret_data = data;
    return map;
}

static bool write_sparse(const File *file, const BerthEntry *entry, GError **error)
{
    guint64 data = 0;
    g_autoptr(GString) map = make_map(file, &data);
    g_autoptr(GByteArray) records = g_byte_array_new();
    if (!g_utf8_validate(entry->path, -1, NULL))
        berth_pax_record_add(records, "hdrcharset", "BINARY", 6);
    berth_pax_record_add(records, "GNU.sparse.major", "1", 1);
    berth_pax_record_add(records, "GNU.sparse.minor", "0", 1);
    berth_pax_record_add(records, "GNU.sparse.name", entry->path, strlen(entry->path));
    berth_pax_record_add_number(records, "GNU.sparse.realsize", entry->size);

    g_autofree char *base = g_path_get_basename(entry->path);
    g_autofree char *name = g_strconcat("GNUSparseFile.0/", base, NULL);
    return write_entry(file->output, entry, name, (gint64)(map->len + data), records, error) &&
           berth_compress_write(file->output, map->str, map->len, error) &&
           write_data(file, error) && write_padding(file->output, data, error);
}

bool berth_tarwriter_add_file(BerthCompress *output, const BerthEntry *entry, const GArray *runs,
                              BerthReadFunc read, gpointer user_data, GError **error)
{
    const File file = {.output = output,
                       .size = (guint64)entry->size,
                       .runs = runs,
                       .read = read,
                       .user_data = user_data};
    if (has_holes(&file))
        return write_sparse(&file, entry, error);
    return write_named(output, entry, entry->size, error) && write_data(&file, error) &&
           write_padding(output, file.size, error);
}

bool berth_tarwriter_end(BerthCompress *output, GError **error)
{
    static const guint8 zeros[2 * BLOCK];
    return berth_compress_write(output, zeros, sizeof(zeros), error);
}
