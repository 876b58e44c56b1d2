/* SPDX-License-Identifier: MIT */
#include "boot/fstab.h"

#include "boot/systemd_fstab.h"
#include "../lib/distro_tree.h"

#include <glib.h>
#include <string.h>

/* Format a line as "number:source>target" with R, A and F for its flags. */
static void add(void *data, const FstabLine *line)
{
    if (line->is_entry)
        g_string_append_printf(data, "%u:%s>%s%s%s%s;", line->number, line->source, line->target,
                               line->is_root ? " R" : "", line->is_absent ? " A" : "",
                               line->may_fail ? " F" : "");
}

static void test_lines(DistroTree *tree, gconstpointer data)
{
    static const struct {
        const char *text;
        const char *wanted;
    } rows[] = {
        {"", ""},
        {"# a b\n\n \t\nalone\n", ""},
        {"UUID=1 / ext4 defaults 0 1", "1:UUID=1>/ R;"},
        {"\tUUID=1\t/a\\040b ext4\r\n", "1:UUID=1>/a b A;"},
        {"LABEL=x /a ext4 rw,nofail\nPARTUUID=x /b ext4 noauto\n",
         "1:LABEL=x>/a A F;2:PARTUUID=x>/b;"},
        {"PARTLABEL=x /a ext4 rw\nID=x /b ext4 x-systemd.automount,rw\n",
         "1:PARTLABEL=x>/a A;2:ID=x>/b;"},
        {"/dev/vda /a auto\n/dev/sda1 /b ext4\n/dev/loop7 /c ext4\n/dev/disk/by-path/x /d ext4\n",
         "1:/dev/vda>/a;2:/dev/sda1>/b A;3:/dev/loop7>/c;4:/dev/disk/by-path/x>/d A;"},
        {"/swap none swap\n/no-swap none swap\n/image /mnt ext4 loop\n",
         "1:/swap>none;2:/no-swap>none A;3:/image>/mnt;"},
        {"C: /c drvfs\nx /d virtiofs\ny /e 9p trans=virtio,version=9p2000.L\nz /f 9p trans=tcp\n",
         "1:C:>/c A;2:x>/d A;3:y>/e A;4:z>/f;"},
        {"host:/x /a nfs\ntmpfs /b tmpfs\n/b /c none bind\n", "1:host:/x>/a;2:tmpfs>/b;3:/b>/c;"},
    };
    distro_tree_put(tree, "dev/vda", "", 0600);
    distro_tree_put(tree, "swap", "", 0600);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) got = g_string_new(NULL);
        distro_tree_put(tree, "etc/fstab", rows[i].text, 0644);
        fstab_each(tree->fd, add, got);
        g_assert_cmpstr(got->str, ==, rows[i].wanted);
    }
}

static void test_no_file(DistroTree *tree, gconstpointer data)
{
    g_autoptr(GString) got = g_string_new(NULL);
    fstab_each(tree->fd, add, got);
    fstab_each_crypt(tree->fd, add, got);
    g_assert_cmpstr(got->str, ==, "");
}

static void test_crypttab(DistroTree *tree, gconstpointer data)
{
    g_autoptr(GString) got = g_string_new(NULL);
    distro_tree_put(tree, "etc/crypttab",
                    "# <name> <device> <key> <options>\n"
                    "sda3_crypt UUID=1 none luks,discard\nfile /root/image none luks\n"
                    "late UUID=2 none luks,noauto\n",
                    0644);
    fstab_each_crypt(tree->fd, add, got);
    g_assert_cmpstr(got->str, ==, "2:UUID=1>sda3_crypt A;3:/root/image>file;4:UUID=2>late;");
}

static void test_devices(DistroTree *tree, gconstpointer data)
{
    static const struct {
        const char *source;
        const char *wanted; /* NULL: none */
    } rows[] = {
        {"UUID=ab-1", "/dev/disk/by-uuid/ab-1"},
        {"LABEL=\"root\"", "/dev/disk/by-label/root"},
        {"PARTUUID=x", "/dev/disk/by-partuuid/x"},
        {"PARTLABEL=x", "/dev/disk/by-partlabel/x"},
        {"ID=x", "/dev/disk/by-id/x"},
        {"/dev/sda1", "/dev/sda1"},
        {"LABEL=a b", NULL},
        {"LABEL=../x", NULL},
        {"UUID=", NULL},
    };
    char path[64];
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bool found = fstab_device(rows[i].source, path, sizeof(path));
        g_assert_cmpstr(found ? path : NULL, ==, rows[i].wanted);
    }
    g_assert_false(fstab_device("UUID=1", path, 10));
}

static void test_options(DistroTree *tree, gconstpointer data)
{
    g_assert_true(fstab_has_option("rw,nofail", "nofail"));
    g_assert_true(fstab_has_option("x-a=1,rw", "x-a"));
    g_assert_false(fstab_has_option("nofails,xnofail", "nofail"));
    g_assert_false(fstab_has_option("", "nofail"));
}

static void test_units(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/fstab",
                    "UUID=1 / ext4\nUUID=2 /boot/efi vfat\nUUID=3 /srv/a\\040b-c/ ext4\n"
                    "UUID=4 none swap sw\n/dev/sda5 none swap sw\ntmpfs /mnt tmpfs\n",
                    0644);
    distro_tree_put(tree, "etc/crypttab", "my_disk-1 UUID=1 none luks\n", 0644);
    g_assert_cmpint(systemd_fstab_prepare(tree->fd), ==, 0);

    g_autofree char *units = distro_tree_list(tree, "run/systemd/system");
    g_assert_cmpstr(units, ==,
                    "boot-efi.mount cryptsetup.target.requires cryptsetup.target.wants "
                    "srv-a\\x20b\\x2dc.mount swap.target.requires swap.target.wants "
                    "systemd-remount-fs.service.d ");
    g_autofree char *swaps = distro_tree_list(tree, "run/systemd/system/swap.target.requires");
    g_assert_cmpstr(swaps, ==, "dev-disk-by\\x2duuid-4.swap dev-sda5.swap ");
    g_autofree char *crypts = distro_tree_list(tree, "run/systemd/system/cryptsetup.target.wants");
    g_assert_cmpstr(crypts, ==, "systemd-cryptsetup@my_disk\\x2d1.service ");
    g_autofree char *unit = distro_tree_get(tree, "run/systemd/system/srv-a\\x20b\\x2dc.mount");
    g_assert_nonnull(strstr(unit, "\nConditionPathExists=!/\n"));
    g_assert_nonnull(strstr(unit, "\nWhere=/srv/a b-c/\n"));
    g_assert_null(strstr(unit, "UUID"));
}

/* systemd's generator names a unit by the resolved path. */
static void test_units_behind_links(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "run/keep", "", 0644);
    distro_tree_put(tree, "srv/data/keep", "", 0644);
    distro_tree_put(tree, "var/keep", "", 0644);
    distro_tree_link(tree, "var/run", "/run");
    distro_tree_link(tree, "srv/up", "../../../srv/data");
    distro_tree_link(tree, "srv/loop", "loop");
    distro_tree_put(tree, "etc/fstab",
                    "UUID=1 /var/run/x/y ext4\nUUID=2 /srv/up/ ext4\nUUID=3 /srv/loop/a ext4\n"
                    "UUID=4 /var/run ext4\n",
                    0644);
    g_assert_cmpint(systemd_fstab_prepare(tree->fd), ==, 0);
    g_autofree char *units = distro_tree_list(tree, "run/systemd/system");
    g_assert_cmpstr(units, ==,
                    "run-x-y.mount srv-data.mount srv-loop-a.mount srv-up.mount "
                    "systemd-remount-fs.service.d var-run-x-y.mount var-run.mount ");
    g_autofree char *unit = distro_tree_get(tree, "run/systemd/system/run-x-y.mount");
    g_assert_nonnull(strstr(unit, "\nWhere=/run/x/y\n"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function)                                                                       \
    g_test_add("/fstab/" name, DistroTree, NULL, distro_tree_set_up, function,                     \
               distro_tree_tear_down)
    TEST("lines", test_lines);
    TEST("no-file", test_no_file);
    TEST("crypttab", test_crypttab);
    TEST("devices", test_devices);
    TEST("options", test_options);
    TEST("units", test_units);
    TEST("units-behind-links", test_units_behind_links);
    return g_test_run();
}
