/* SPDX-License-Identifier: MIT */
#include "distro/account_files.h"

#include "../lib/distro_tree.h"

#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWD "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/usr/sbin/nologin\n"
#define GROUP  "root:x:0:\nsudo:x:27:\nwheel:x:10:root\nsudoers:x:28:\n"

static Account alice(void)
{
    /* our own UID, so that the home can be given to it without root */
    Account account = {.id = getuid() != 0 ? getuid() : 4242};
    strcpy(account.name, "alice");
    strcpy(account.shell, "/bin/sh");
    strcpy(account.home, "/home/alice");
    return account;
}

static void test_image_without_files(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/keep", "", 0644);
    g_assert_cmpint(account_files_prepare(tree->fd), ==, 0);
    distro_tree_assert_text(tree, "etc/passwd", "root:!:0:0:root:/root:/bin/sh\n");
    distro_tree_assert_text(tree, "etc/group", "root:x:0:\n");
    g_assert_cmpuint(distro_tree_mode(tree, "etc/passwd"), ==, S_IFREG | 0644);
    g_assert_cmpuint(distro_tree_mode(tree, "etc/group"), ==, S_IFREG | 0644);
    g_autofree char *names = distro_tree_list(tree, "etc");
    g_assert_cmpstr(names, ==, "group keep passwd ");
}

static void test_existing_files_are_kept(DistroTree *tree, gconstpointer data)
{
    distro_tree_put(tree, "etc/passwd", "", 0600);
    distro_tree_link(tree, "etc/group", "nowhere");
    g_assert_cmpint(account_files_prepare(tree->fd), ==, 0);
    distro_tree_assert_text(tree, "etc/passwd", "");
    g_assert_true(S_ISLNK(distro_tree_mode(tree, "etc/group")));
}

static void test_looking_up(DistroTree *tree, gconstpointer data)
{
    char text[64];
    g_assert_false(account_files_have(tree->fd, "etc/passwd", "root"));
    distro_tree_put(tree, "etc/passwd", PASSWD, 0644);
    distro_tree_put(tree, "etc/group", GROUP "users:x:1000:", 0644);
    distro_tree_put(tree, "bin/sh", "", 0755);
    g_assert_true(account_files_have(tree->fd, "etc/group", "sudo"));
    g_assert_false(account_files_have(tree->fd, "etc/group", "sud"));
    g_assert_cmpuint(account_files_free_id(tree->fd, 4242), ==, 4242);
    g_assert_cmpuint(account_files_free_id(tree->fd, 1000), ==, 1001);
    g_assert_cmpuint(account_files_free_id(tree->fd, 1), ==, 1001);
    g_assert_false(account_files_person(tree->fd, text, sizeof(text)));
    account_files_shell(tree->fd, text, sizeof(text));
    g_assert_cmpstr(text, ==, "/bin/sh");

    distro_tree_put(
        tree, "etc/passwd",
        PASSWD "\nshort\nsvc:x:1000:1::/:/sbin/nologin\nbob:x:1001:1::/home/bob:/bin/sh", 0644);
    g_assert_true(account_files_person(tree->fd, text, sizeof(text)));
    g_assert_cmpstr(text, ==, "bob");
}

static void test_account(DistroTree *tree, gconstpointer data)
{
    Account account = alice();
    distro_tree_put(tree, "etc/passwd", "root:x:0:0:root:/root:/bin/sh", 0644);
    distro_tree_put(tree, "etc/group", GROUP, 0644);
    distro_tree_put(tree, "etc/shadow", "root:!:1::::::\n", 0640);
    distro_tree_put(tree, "etc/skel/.profile", "x\n", 0644);
    distro_tree_put(tree, "etc/skel/.config/deep/file", "", 0600);
    distro_tree_link(tree, "etc/skel/link", "../gone");
    strcpy(account.admin, "sudo");
    g_assert_cmpint(account_files_add(tree->fd, &account), ==, 0);

    g_autofree char *line = g_strdup_printf("root:x:0:0:root:/root:/bin/sh\n"
                                            "alice:x:%u:%u::/home/alice:/bin/sh\n",
                                            account.id, account.id);
    distro_tree_assert_text(tree, "etc/passwd", line);
    g_autofree char *groups = g_strdup_printf(
        "root:x:0:\nsudo:x:27:alice\nwheel:x:10:root\nsudoers:x:28:\nalice:x:%u:\n", account.id);
    distro_tree_assert_text(tree, "etc/group", groups);
    g_autofree char *shadow = distro_tree_get(tree, "etc/shadow");
    g_assert_true(g_str_has_prefix(shadow, "root:!:1::::::\nalice:!:"));
    g_assert_cmpuint(distro_tree_mode(tree, "etc/shadow"), ==, S_IFREG | 0640);
    g_assert_cmpuint(distro_tree_mode(tree, "etc/gshadow"), ==, 0); /* it did not exist */
    g_assert_cmpuint(distro_tree_mode(tree, "home/alice"), ==, S_IFDIR | 0700);
    g_assert_cmpuint(distro_tree_mode(tree, "home/alice/.config/deep/file"), ==, S_IFREG | 0600);
    g_assert_true(S_ISLNK(distro_tree_mode(tree, "home/alice/link")));
    distro_tree_assert_text(tree, "home/alice/.profile", "x\n");
}

static void test_existing_home_is_kept(DistroTree *tree, gconstpointer data)
{
    const Account account = alice();
    distro_tree_put(tree, "etc/skel/.profile", "new\n", 0644);
    distro_tree_put(tree, "home/alice/.profile", "mine\n", 0600);
    distro_tree_put(tree, "etc/passwd", PASSWD, 0644);
    distro_tree_put(tree, "etc/group", GROUP, 0644);
    g_assert_cmpint(account_files_add(tree->fd, &account), ==, 0);
    distro_tree_assert_text(tree, "home/alice/.profile", "mine\n");
}

/* Files of 3 MB: the searched and the changed line are after the first megabyte. */
static void test_files_of_any_size(DistroTree *tree, gconstpointer data)
{
    Account account = alice();
    g_autoptr(GString) passwd = g_string_new(PASSWD);
    g_autoptr(GString) group = g_string_new("root:x:0:\n");
    for (unsigned i = 0; passwd->len < 3 * 1024 * 1024; i++) {
        g_string_append_printf(passwd, "s%u:x:5:5::/:/bin/false\n", i);
        g_string_append_printf(group, "g%u:x:5:s%u,s%u,s%u,s%u\n", i, i, i, i, i);
    }
    g_string_append(passwd, "late:x:1000:1000::/:/bin/false\n");
    g_string_append(group, "wheel:x:10:root\n");
    distro_tree_put(tree, "etc/passwd", passwd->str, 0644);
    distro_tree_put(tree, "etc/group", group->str, 0644);
    g_assert_cmpuint(account_files_free_id(tree->fd, 1000), ==, 1001);
    g_assert_true(account_files_have(tree->fd, "etc/group", "wheel"));
    strcpy(account.admin, "wheel");
    g_assert_cmpint(account_files_add(tree->fd, &account), ==, 0);

    g_string_append_printf(passwd, "alice:!:%u:%u::/home/alice:/bin/sh\n", account.id, account.id);
    g_string_truncate(group, group->len - 1);
    g_string_append_printf(group, ",alice\nalice:x:%u:\n", account.id);
    g_autofree char *now = distro_tree_get(tree, "etc/passwd");
    g_assert_true(g_str_equal(now, passwd->str));
    g_autofree char *groups = distro_tree_get(tree, "etc/group");
    g_assert_true(g_str_equal(groups, group->str));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name, function)                                                                       \
    g_test_add("/account_files/" name, DistroTree, NULL, distro_tree_set_up, function,             \
               distro_tree_tear_down)
    TEST("image-without", test_image_without_files);
    TEST("there", test_existing_files_are_kept);
    TEST("looking-up", test_looking_up);
    TEST("account", test_account);
    TEST("home", test_existing_home_is_kept);
    TEST("size", test_files_of_any_size);
    return g_test_run();
}
