/* SPDX-License-Identifier: MIT */
#include "pax_record.h"

#include <string.h>

#define ID_MAX       07777777
#define SECONDS_MAX  G_GINT64_CONSTANT(077777777777)
#define NSEC_PER_SEC 1000000000U

#define ACL_HEADER_SIZE 4U
#define ACL_ENTRY_SIZE  8U

static guint digits_of(gsize value)
{
    guint digits = 1;
    for (; value >= 10; value /= 10)
        digits++;
    return digits;
}

void berth_pax_record_add(GByteArray *records, const char *key, const void *value, gsize size)
{
    /* The length counts its own digits. */
    gsize rest = strlen(key) + size + 3;
    gsize length = rest + digits_of(rest);
    length = rest + digits_of(length);

    g_autofree char *start = g_strdup_printf("%" G_GSIZE_FORMAT " %s=", length, key);
    g_byte_array_append(records, (const guint8 *)start, (guint)strlen(start));
    g_byte_array_append(records, value, (guint)size);
    g_byte_array_append(records, (const guint8 *)"\n", 1);
}

void berth_pax_record_add_number(GByteArray *records, const char *key, gint64 value)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
    berth_pax_record_add(records, key, text, strlen(text));
}

/* Format as a decimal fraction. Before 1970, nsec still counts forward. */
static void add_time(GByteArray *records, const char *key, BerthTime time)
{
    bool negative = time.sec < 0;
    gint64 whole = negative ? -time.sec : time.sec;
    guint32 fraction = time.nsec;
    if (negative && fraction > 0) {
        whole--;
        fraction = NSEC_PER_SEC - fraction;
    }
    g_autofree char *text =
        g_strdup_printf("%s%" G_GINT64_FORMAT ".%09u", negative ? "-" : "", whole, fraction);
    gsize length = strlen(text);
    while (text[length - 1] == '0')
        length--;
    if (text[length - 1] == '.')
        length--;
    berth_pax_record_add(records, key, text, length);
}

static bool same_time(BerthTime a, BerthTime b)
{
    return a.sec == b.sec && a.nsec == b.nsec;
}

/* Readers replace a missing access or change time by the modification time. */
static void add_times(GByteArray *records, const BerthEntry *entry)
{
    BerthTime modified = entry->times[BERTH_TIME_MODIFIED];
    if (modified.nsec != 0 || modified.sec < 0 || modified.sec > SECONDS_MAX)
        add_time(records, "mtime", modified);
    if (entry->has_time[BERTH_TIME_ACCESSED] &&
        !same_time(entry->times[BERTH_TIME_ACCESSED], modified))
        add_time(records, "atime", entry->times[BERTH_TIME_ACCESSED]);
    if (entry->has_time[BERTH_TIME_CHANGED] &&
        !same_time(entry->times[BERTH_TIME_CHANGED], modified))
        add_time(records, "ctime", entry->times[BERTH_TIME_CHANGED]);
}

/* Convert the kernel's form to "user::rwx,user:1000:r-x,mask::rwx". */
static char *acl_text(GBytes *value)
{
    static const struct {
        guint8 tag;
        const char *word;
        bool named;
    } tags[] = {{0x01, "user", false}, {0x02, "user", true},  {0x04, "group", false},
                {0x08, "group", true}, {0x10, "mask", false}, {0x20, "other", false}};
    gsize size;
    const guint8 *data = g_bytes_get_data(value, &size);
    GString *text = g_string_new(NULL);
    for (gsize at = ACL_HEADER_SIZE; at + ACL_ENTRY_SIZE <= size; at += ACL_ENTRY_SIZE) {
        guint32 id;
        memcpy(&id, data + at + 4, sizeof(id));
        for (gsize i = 0; i < G_N_ELEMENTS(tags); i++) {
            if (tags[i].tag != data[at])
                continue;
            g_string_append_printf(text, "%s%s:", text->len > 0 ? "," : "", tags[i].word);
            if (tags[i].named)
                g_string_append_printf(text, "%u", GUINT32_FROM_LE(id));
            g_string_append_printf(text, ":%c%c%c", data[at + 2] & 4 ? 'r' : '-',
                                   data[at + 2] & 2 ? 'w' : '-', data[at + 2] & 1 ? 'x' : '-');
        }
    }
    return g_string_free(text, false);
}

/* A key ends at the first "=", and GNU tar decodes "%" escapes: other names must be encoded. */
static bool is_plain_name(const char *name)
{
    return strpbrk(name, "=%\n") == NULL && g_utf8_validate(name, -1, NULL);
}

static void add_encoded(GByteArray *records, const char *name, const guint8 *value, gsize size)
{
    g_autoptr(GString) key = g_string_new("LIBARCHIVE.xattr.");
    for (; *name != '\0'; name++) {
        if (g_ascii_isgraph(*name) && *name != '=' && *name != '%')
            g_string_append_c(key, *name);
        else
            g_string_append_printf(key, "%%%02X", (guint)(guint8)*name);
    }
    g_autofree char *text = g_base64_encode(value, size);
    gsize length = strcspn(text, "=");
    berth_pax_record_add(records, key->str, text, length);
}

static void add_xattr(GByteArray *records, const BerthXattr *xattr)
{
    gsize size;
    const guint8 *value = g_bytes_get_data(xattr->value, &size);
    bool access = strcmp(xattr->name, "system.posix_acl_access") == 0;
    if (access || strcmp(xattr->name, "system.posix_acl_default") == 0) {
        g_autofree char *text = acl_text(xattr->value);
        berth_pax_record_add(records, access ? "SCHILY.acl.access" : "SCHILY.acl.default", text,
                             strlen(text));
    } else if (is_plain_name(xattr->name)) {
        g_autofree char *key = g_strconcat("SCHILY.xattr.", xattr->name, NULL);
        berth_pax_record_add(records, key, value, size);
    } else {
        add_encoded(records, xattr->name, value, size);
    }
}

static int compare_xattrs(gconstpointer a, gconstpointer b)
{
    const BerthXattr *const *x = a;
    const BerthXattr *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void add_xattrs(GByteArray *records, const BerthEntry *entry)
{
    if (entry->xattrs == NULL)
        return;
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    for (guint i = 0; i < entry->xattrs->len; i++)
        g_ptr_array_add(sorted, &g_array_index(entry->xattrs, BerthXattr, i));
    g_ptr_array_sort(sorted, compare_xattrs);
    for (guint i = 0; i < sorted->len; i++)
        add_xattr(records, sorted->pdata[i]);
}

void berth_pax_record_add_entry(GByteArray *records, const BerthEntry *entry)
{
    if (entry->uid > ID_MAX)
        berth_pax_record_add_number(records, "uid", entry->uid);
    if (entry->gid > ID_MAX)
        berth_pax_record_add_number(records, "gid", entry->gid);
    add_times(records, entry);
    add_xattrs(records, entry);
}
