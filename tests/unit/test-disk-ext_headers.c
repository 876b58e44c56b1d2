/* SPDX-License-Identifier: MIT */
#include "disk/archive/ext_headers.h"

#include "../lib/reading.h"
#include "../lib/tarball.h"

#include <string.h>

#define MODE_AT  100
#define UID_AT   108
#define SIZE_AT  124
#define MTIME_AT 136
#define TYPE_AT  156
#define MAGIC_AT 257
#define STAR_AT  508

/* --- 9: precedence --- */

static void test_precedence(void)
{
    static const char *const global[] = {"mtime", "5", "uid", "7", "path", "g", NULL};
    static const char *const none[] = {"path", "", NULL};
    static const char *const twice[] = {"path", "first", "path", "last", NULL};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "gnu", .type = 'L', .data = "long", .size = 5);
    TARBALL_ADD(tarball, .path = "gnu", .type = 'K', .data = "far", .size = 4);
    TARBALL_ADD(tarball, .path = "own", .type = '2', .target = "near");
    TARBALL_ADD(tarball, .path = "gnu", .type = 'L', .data = "long", .size = 5);
    TARBALL_ADD(tarball, .path = "own", .pax = twice, .data = "1");
    gsize header = tarball->len;
    tarball_add_pax(tarball, global[4], global[5], 1);
    tarball_patch(tarball, header, TYPE_AT, "g", 1);
    header = tarball->len;
    tarball_add_pax(tarball, "mtime", "5", 1);
    tarball_patch(tarball, header, TYPE_AT, "g", 1);
    TARBALL_ADD(tarball, .path = "own", .data = "2");
    TARBALL_ADD(tarball, .path = "own", .pax = none, .data = "3");
    TARBALL_ADD(tarball, .path = "own", .pax = twice, .mtime = 9, .data = "4");
    reading_expect(tarball, "l long >far\n"
                            "f last=1\n"
                            "f g t5.000000000=2\n"
                            "f own t5.000000000=3\n"
                            "f last t5.000000000=4\n");
}

/* Several headers may each have records, including the size of the data. */
static void test_several_headers(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    tarball_add_pax(tarball, "size", "3", 1);
    tarball_add_pax(tarball, "path", "named", 5);
    tarball_add_pax(tarball, "uid", "8", 1);
    gsize header = tarball->len;
    TARBALL_ADD(tarball, .path = "own", .data = "abc");
    tarball_patch(tarball, header, SIZE_AT, "00000000000", 11);
    header = tarball->len;
    tarball_add_pax(tarball, "size", "2", 1);
    tarball_patch(tarball, header, TYPE_AT, "g", 1);
    for (guint i = 0; i < 40; i++)
        TARBALL_ADD(tarball, .path = "gnu", .type = 'L', .data = "again", .size = 6);
    header = tarball->len;
    TARBALL_ADD(tarball, .path = "own", .data = "xy");
    tarball_patch(tarball, header, SIZE_AT, "00000000000", 11);
    reading_expect(tarball, "f named u8:0=abc\nf again=xy\n");
}

static void test_prefix(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "name", .data = "1");
    tarball_patch(tarball, 0, 345, "dir/sub", 7);
    gsize header = tarball->len;
    TARBALL_ADD(tarball, .path = "gnu", .data = "2");
    tarball_patch(tarball, header, 345, "00000000007", 11); /* the time of access there */
    tarball_patch(tarball, header, MAGIC_AT, "ustar  ", 8);
    header = tarball->len;
    TARBALL_ADD(tarball, .path = "v7", .data = "3");
    tarball_patch(tarball, header, MAGIC_AT, "\0\0\0\0\0\0\0", 8);
    reading_expect(tarball, "f dir/sub/name=1\nf gnu=2\nf v7=3\n");
}

/* The header's own name is truncated after a slash, but it is a file. */
static void test_cut_names(void)
{
    g_autofree char *path = g_strnfill(150, 'n');
    path[99] = '/';
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = path, .data = "data");
    TARBALL_ADD(tarball, .path = "gnu", .type = 'L', .data = path, .size = 151);
    TARBALL_ADD(tarball, .path = "dir/", .data = "more");
    TARBALL_ADD(tarball, .path = "old-dir/", .size = 0);
    g_autofree char *wanted = g_strdup_printf("f %s=data\nf %s=more\nd old-dir/\n", path, path);
    reading_expect(tarball, wanted);

    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "dir/", .data = "data");
    reading_refused(tarball, READING_DAMAGED, "a directory entry has file data");
}

static void test_missing_paths(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    tarball_add_pax(tarball, "path", "x", 1);
    reading_refused(tarball, READING_DAMAGED, "a header belongs to no entry");
    g_byte_array_set_size(tarball, tarball->len - 1024);
    reading_refused_as_is(tarball, "import.read.truncated", "ends too early");
    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "gnu", .type = 'L', .data = "\0", .size = 1);
    TARBALL_ADD(tarball, .path = "own");
    reading_refused(tarball, READING_DAMAGED, "a long name is empty");
    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "gnu", .type = 'K');
    TARBALL_ADD(tarball, .path = "own");
    reading_refused(tarball, READING_DAMAGED, "a long name is empty");
    g_byte_array_set_size(tarball, 0);
    tarball_add_pax(tarball, "path", "a\0b", 3);
    TARBALL_ADD(tarball, .path = "own");
    reading_refused(tarball, READING_DAMAGED, "a NUL in the record path");
}

/* --- 10 and 32: types --- */

static void test_kinds(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "label", .type = 'V');
    TARBALL_ADD(tarball, .path = "dump", .type = 'D', .data = "Yfile");
    TARBALL_ADD(tarball, .path = "contiguous", .type = '7', .data = "7");
    gsize header = tarball->len;
    TARBALL_ADD(tarball, .path = "old", .data = "0");
    tarball_patch(tarball, header, TYPE_AT, "\0", 1);
    TARBALL_ADD(tarball, .path = "._x", .data = "apple");
    TARBALL_ADD(tarball, .path = "strange", .type = 'E', .data = "E");
    TARBALL_ADD(tarball, .path = "strange2", .type = 'E', .data = "E");
    header = tarball->len;
    TARBALL_ADD(tarball, .path = "socket");
    tarball_patch(tarball, header, MODE_AT, "0140755", 7);
    header = tarball->len;
    TARBALL_ADD(tarball, .path = "file", .data = "f");
    tarball_patch(tarball, header, MODE_AT, "0120755", 7); /* type bits are ignored */
    reading_expect(tarball, "d dump=Yfile\nf contiguous=7\nf old=0\nf ._x=apple\nf strange=E\n"
                            "f strange2=E\ns socket\nf file=f\n"
                            "! x.tar: entries of an unknown kind were read as files\n");
}

static void test_rejected_types(void)
{
    static const struct {
        char type;
        const char *message;
    } cases[] = {{'M', "another volume"}, {'N', "this kind of entry"}, {'S', "this kind of entry"}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) tarball = g_byte_array_new();
        TARBALL_ADD(tarball, .path = "a");
        gsize header = tarball->len;
        TARBALL_ADD(tarball, .path = "x", .type = cases[i].type, .data = "data");
        if (cases[i].type == 'S')
            tarball_patch(tarball, header, STAR_AT, "tar", 4);
        reading_refused(tarball, "import.read.unsupported", cases[i].message);
    }
}

/* --- 23: links with data --- */

static void test_links_with_data(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    gsize header = tarball->len;
    TARBALL_ADD(tarball, .path = "ustar", .type = '1', .target = "a");
    tarball_patch(tarball, header, SIZE_AT, "00000000777", 11); /* old writers repeat the size */
    header = tarball->len;
    TARBALL_ADD(tarball, .path = "link", .type = '2', .target = "a");
    tarball_patch(tarball, header, SIZE_AT, "00000000777", 11);
    static const char *const pax[] = {"mtime", "1", NULL};
    TARBALL_ADD(tarball, .path = "pax", .type = '1', .target = "a", .data = "new", .pax = pax);
    TARBALL_ADD(tarball, .path = "still-pax", .type = '1', .target = "a", .data = "newer");
    header = tarball->len;
    TARBALL_ADD(tarball, .path = "gnu", .type = '1', .target = "a");
    tarball_patch(tarball, header, SIZE_AT, "00000000777", 11);
    tarball_patch(tarball, header, MAGIC_AT, "ustar  ", 8);
    TARBALL_ADD(tarball, .path = "last", .data = "last");
    reading_expect(tarball,
                   "h ustar >a\nl link >a\nh pax >a t1.000000000=new\nh still-pax >a=newer\n"
                   "h gnu >a\nf last=last\n");
}

/* --- 26, 28: numbers --- */

static void patched(gsize offset, const void *bytes, gsize size, const char *message)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "a");
    gsize header = tarball->len;
    TARBALL_ADD(tarball, .path = "b", .type = '3');
    tarball_patch(tarball, header, offset, bytes, size);
    reading_refused(tarball, READING_DAMAGED, message);
}

static void test_invalid_numbers(void)
{
    patched(UID_AT, "root\0\0\0", 8,
            "at a: the archive is damaged here (the owner is not a number)");
    patched(UID_AT + 8, "0000009", 8, "the group is not a number");
    patched(MODE_AT, "rwxr-xr", 8, "the mode is not a number");
    patched(MTIME_AT, "yesterday", 10, "the time is not a number");
    patched(SIZE_AT, "-----------", 12, "the size is not a number");
    patched(329, "major", 6, "the device number is not a number");
    patched(SIZE_AT, "\x80\x80\0\0\0\0\0\0\0\0\0", 12, "the size is not a number");
}

static void test_binary_numbers(void)
{
    static const guint8 uid[] = {0x80, 0, 0, 0, 0x80, 0, 0, 1};
    static const guint8 too_large[] = {0x80, 0, 0, 1, 0, 0, 0, 1};
    static const guint8 before_1970[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                         0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "a");
    tarball_patch(tarball, 0, UID_AT, uid, sizeof(uid));
    tarball_patch(tarball, 0, MTIME_AT, before_1970, sizeof(before_1970));
    gsize header = tarball->len;
    TARBALL_ADD(tarball, .path = "b");
    tarball_patch(tarball, header, UID_AT, too_large, sizeof(too_large)); /* reported */
    header = tarball->len;
    TARBALL_ADD(tarball, .path = "c");
    tarball_patch(tarball, header, UID_AT, before_1970, 8);
    header = tarball->len;
    TARBALL_ADD(tarball, .path = "blank", .gid = 3);
    tarball_patch(tarball, header, UID_AT, "       ", 8);
    reading_expect(tarball, "f a u2147483649:0 t-2.000000000\nf b u4294967297:0\nf c u-1:0\n"
                            "f blank u0:3\n");
}

static void test_times(void)
{
    static const char *const half[] = {"mtime", "-0.5", NULL};
    static const char *const more[] = {"mtime", "-1.5", "atime", "3.25", NULL};
    static const char *const wrong[] = {"mtime", "soon", NULL};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "half", .pax = half, .mtime = 77);
    TARBALL_ADD(tarball, .path = "more", .pax = more, .mtime = 77);
    TARBALL_ADD(tarball, .path = "own", .mtime = 77);
    reading_expect(tarball, "f half t-1.500000000\nf more t-2.500000000\nf own t77.000000000\n");
    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "wrong", .pax = wrong);
    reading_refused(tarball, READING_DAMAGED, "not a time in the record mtime");
}

/* --- 29, 30, 36: attributes --- */

static void test_xattrs(void)
{
    static const char *const before[] = {"LIBARCHIVE.xattr.user.a", "d2Vhaw", "SCHILY.xattr.user.a",
                                         "strong", NULL};
    static const char *const behind[] = {"SCHILY.xattr.user.a", "strong", "LIBARCHIVE.xattr.user.a",
                                         "d2Vhaw", NULL};
    static const char *const last[] = {"SCHILY.xattr.user.a",
                                       "1",
                                       "SCHILY.xattr.user.a",
                                       "2",
                                       "LIBARCHIVE.xattr.user.b%3d",
                                       "Mw",
                                       NULL};
    static const char *const label[] = {"RHT.security.selinux", "context", NULL};
    static const char *const both[] = {"SCHILY.xattr.security.selinux", "better",
                                       "RHT.security.selinux", "context", NULL};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "before", .pax = before);
    TARBALL_ADD(tarball, .path = "behind", .pax = behind);
    TARBALL_ADD(tarball, .path = "last", .pax = last);
    TARBALL_ADD(tarball, .path = "label", .pax = label);
    TARBALL_ADD(tarball, .path = "both", .pax = both);
    reading_expect(tarball, "f before [user.a=strong]\nf behind [user.a=strong]\n"
                            "f last [user.a=2] [user.b==3]\nf label [security.selinux=context]\n"
                            "f both [security.selinux=better]\n");
}

static void test_acls(void)
{
    static const char *const numbered[] = {
        "SCHILY.acl.access", "user::rw-,user:bob:r--:1000,group::r--,mask::r--,other::r--", NULL};
    static const char *const named[] = {
        "SCHILY.acl.access",
        "user::rw-,user:j\xc3\xbcrgen:r--,group:caf\xe9:r--,group::r--,mask::r--,other::r--", NULL};
    static const char *const nfs4[] = {"SCHILY.acl.ace", "owner@:rwx::allow", NULL};
    static const char *const ways[] = {
        "SCHILY.acl.access", "u::rwx\ng::r-x #effective:r--\nu:1000:rwx, m:rwx,o:--x\n",
        "SCHILY.acl.default", "user::rwx,group::r-x,group:bob:r--,mask::r-x,other:---", NULL};
    static const char *const nonsense[] = {"SCHILY.acl.access", "this is none", NULL};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "numbered", .pax = numbered);
    TARBALL_ADD(tarball, .path = "named", .pax = named);
    TARBALL_ADD(tarball, .path = "nfs4", .pax = nfs4);
    TARBALL_ADD(tarball, .path = "nonsense", .pax = nonsense);
    TARBALL_ADD(tarball, .path = "sun", .type = 'A', .data = "1000001\0user::rwx");
    TARBALL_ADD(tarball, .path = "solaris");
    TARBALL_ADD(tarball, .path = "ways", .type = '5', .pax = ways);
    reading_expect(tarball,
                   "f numbered [system.posix_acl_access=]\n"
                   "f named [system.posix_acl_access=] (j\xc3\xbcrgen) (caf\xe9)\n"
                   "f nfs4 acls1 flags0\nf nonsense acls1 flags0\nf solaris acls1 flags0\n"
                   "d ways [system.posix_acl_access=] [system.posix_acl_default=] (bob)\n");
}

static void test_flags(void)
{
    static const char *const flags[] = {"SCHILY.fflags", "nodump,schg,uappnd", NULL};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "a", .pax = flags);
    TARBALL_ADD(tarball, .path = "b");
    reading_expect(tarball, "f a acls0 flags2 nodump\nf b\n");
}

#define ADD(name, func) g_test_add_func("/disk/ext_headers/" name, (func))

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("case-09-precedence", test_precedence);
    ADD("case-09-several-headers", test_several_headers);
    ADD("case-09-prefix", test_prefix);
    ADD("case-09-cut-names", test_cut_names);
    ADD("case-08-missing-paths", test_missing_paths);
    ADD("case-10-and-32-kinds", test_kinds);
    ADD("case-10-rejected-types", test_rejected_types);
    ADD("case-23-links-with-data", test_links_with_data);
    ADD("case-26-invalid-numbers", test_invalid_numbers);
    ADD("case-26-binary-numbers", test_binary_numbers);
    ADD("case-28-times", test_times);
    ADD("case-29-xattrs", test_xattrs);
    ADD("case-30-acls", test_acls);
    ADD("case-36-flags", test_flags);
    return g_test_run();
}
