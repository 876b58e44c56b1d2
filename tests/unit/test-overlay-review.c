/* SPDX-License-Identifier: MIT */
#include "overlay/overlay.h"
#include "overlay/review.h"
#include "overlay/settled.h"
#include "overlay/stage.h"

#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char *top;
    int lower;
    BerthOverlay *overlay;
} Fixture;

static char *at(const Fixture *fixture, const char *directory, const char *path)
{
    return g_build_filename(fixture->top, directory, path, NULL);
}

static void write_lower(const Fixture *fixture, const char *path, const char *text)
{
    g_autofree char *file = at(fixture, "lower", path);
    g_autofree char *directory = g_path_get_dirname(file);
    g_mkdir_with_parents(directory, 0755);
    g_file_set_contents_full(file, text, -1, 0, 0644, NULL);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->top = g_dir_make_tmp("overlay-XXXXXX", NULL);
    g_autofree char *lower = at(fixture, "lower", "");
    g_autofree char *layer = at(fixture, "layer", "");
    g_mkdir(lower, 0755);
    write_lower(fixture, "kept", "kept");
    write_lower(fixture, "edited", "before");
    write_lower(fixture, "removed", "removed");
    write_lower(fixture, "mode", "mode");
    write_lower(fixture, "d/e/deep", "deep");
    write_lower(fixture, "old/a", "a");
    fixture->lower = open(lower, O_PATH | O_DIRECTORY | O_CLOEXEC);
    fixture->overlay = berth_overlay_open(layer, fixture->lower, NULL);
    g_assert_nonnull(fixture->overlay);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", fixture->top);
    berth_overlay_free(fixture->overlay);
    berth_fd_close(&fixture->lower);
    g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL);
    g_free(fixture->top);
}

/* ---- what a guest does ---- */

static void copy_up(Fixture *fixture, const char *path)
{
    g_assert_cmpint(berth_overlay_copy_up(fixture->overlay, path), ==, 0);
}

static char *prepare(Fixture *fixture, const char *path)
{
    g_autofree char *parent = g_path_get_dirname(path);
    if (!g_str_equal(parent, "."))
        copy_up(fixture, parent);
    int result = berth_overlay_prepare(fixture->overlay, path);
    g_assert_true(result == 0 || result == -EEXIST);
    if (result == -EEXIST)
        copy_up(fixture, path);
    return at(fixture, "layer/upper", path);
}

static void write_file(Fixture *fixture, const char *path, const char *text)
{
    g_autofree char *file = prepare(fixture, path);
    g_assert_true(g_file_set_contents_full(file, text, -1, 0, 0600, NULL));
}

static void make_directory(Fixture *fixture, const char *path)
{
    g_autofree char *directory = prepare(fixture, path);
    g_assert_cmpint(g_mkdir(directory, 0700), ==, 0);
}

static void set_mode(Fixture *fixture, const char *path, int mode)
{
    copy_up(fixture, path);
    g_autofree char *file = at(fixture, "layer/upper", path);
    g_assert_cmpint(g_chmod(file, mode), ==, 0);
}

static void remove_path(Fixture *fixture, const char *path, bool directory)
{
    g_assert_cmpint(berth_overlay_remove(fixture->overlay, path, directory), ==, 0);
}

/* ---- what is there ---- */

static void add_shown(BerthOverlay *overlay, const char *path, GString *text)
{
    g_autoptr(GPtrArray) entries = berth_overlay_list(overlay, path);
    g_autoptr(GTree) names = g_tree_new((GCompareFunc)strcmp);
    g_assert_nonnull(entries);
    for (guint i = 0; i < entries->len; i++)
        g_tree_insert(names, ((BerthOverlayEntry *)entries->pdata[i])->name, NULL);
    for (GTreeNode *node = g_tree_node_first(names); node != NULL; node = g_tree_node_next(node)) {
        const char *name = g_tree_node_key(node);
        g_auto(BerthOverlayPlace) place = {-1, -1, false};
        struct stat info;
        if (g_str_equal(name, ".") || g_str_equal(name, ".."))
            continue;
        g_autofree char *child =
            *path != '\0' ? g_strconcat(path, "/", name, NULL) : g_strdup(name);
        g_assert_cmpint(berth_overlay_find(overlay, child, &place), ==, 0);
        g_assert_cmpint(fstat(berth_overlay_shown(&place), &info), ==, 0);
        g_string_append_printf(text, "%s %o", child, info.st_mode);
        if (S_ISREG(info.st_mode)) {
            g_autofree char *file = berth_fd_path(berth_overlay_shown(&place));
            g_autofree char *contents = NULL;
            g_assert_true(g_file_get_contents(file, &contents, NULL, NULL));
            g_string_append_printf(text, " %s", contents);
        }
        g_string_append_c(text, '\n');
        if (S_ISDIR(info.st_mode))
            add_shown(overlay, child, text);
    }
}

static char *shown(BerthOverlay *overlay)
{
    GString *text = g_string_new(NULL);
    add_shown(overlay, "", text);
    return g_string_free(text, FALSE);
}

/* The lower directory alone. */
static char *lower(const Fixture *fixture)
{
    g_autofree char *none = g_dir_make_tmp("overlay-XXXXXX", NULL);
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", none);
    g_autoptr(BerthOverlay) plain = berth_overlay_open(none, fixture->lower, NULL);
    char *text = shown(plain);
    g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL);
    return text;
}

static char *list_changes(BerthOverlay *overlay)
{
    GString *text = g_string_new(NULL);
    g_autoptr(GPtrArray) changes = berth_overlay_changes(overlay);
    for (guint i = 0; i < changes->len; i++) {
        const BerthOverlayChange *change = changes->pdata[i];
        g_string_append_printf(text, "%s %s%s%s\n", berth_change_kind_word(change->kind),
                               change->path, change->is_directory ? "/" : "",
                               change->is_conflict ? " conflict" : "");
    }
    return g_string_free(text, FALSE);
}

#define assert_changes(fixture, text)                                                              \
    do {                                                                                           \
        g_autofree char *found_ = list_changes((fixture)->overlay);                                \
        g_assert_cmpstr(found_, ==, text);                                                         \
    } while (0)

/* One of each kind, and a directory in the place of another. */
static void change_much(Fixture *fixture)
{
    write_file(fixture, "edited", "after");
    write_file(fixture, "d/e/new", "new");
    make_directory(fixture, "fresh");
    write_file(fixture, "fresh/inner", "inner");
    set_mode(fixture, "mode", 0600);
    set_mode(fixture, "d", 0700);
    remove_path(fixture, "removed", false);
    remove_path(fixture, "old/a", false);
    remove_path(fixture, "old", true);
    make_directory(fixture, "old");
    write_file(fixture, "old/b", "b");
    g_assert_cmpint(berth_overlay_rename(fixture->overlay, "kept", "moved", 0), ==, 0);
}

static const char all_changes[] = "mode d/\n"
                                  "added d/e/new\n"
                                  "modified edited\n"
                                  "added fresh/\n"
                                  "deleted kept\n"
                                  "mode mode\n"
                                  "added moved\n"
                                  "modified old/\n"
                                  "deleted removed\n";

static void test_changes(Fixture *fixture, gconstpointer data)
{
    assert_changes(fixture, "");
    change_much(fixture);
    assert_changes(fixture, all_changes);
}

static void test_a_copy_alone_is_no_change(Fixture *fixture, gconstpointer data)
{
    copy_up(fixture, "d/e/deep");
    copy_up(fixture, "edited");
    assert_changes(fixture, "");
}

static void test_accept(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    change_much(fixture);
    g_autofree char *before = shown(fixture->overlay);
    g_autoptr(GPtrArray) changes = berth_overlay_changes(fixture->overlay);
    for (guint i = 0; i < changes->len; i++) {
        g_assert_true(berth_overlay_accept(fixture->overlay, changes->pdata[i], NULL, &error));
        g_autofree char *now = shown(fixture->overlay); /* the guest sees no difference */
        g_assert_cmpstr(now, ==, before);
    }
    g_autofree char *host = lower(fixture);
    g_assert_cmpstr(host, ==, before);
    assert_changes(fixture, "");
}

/* ---- stages ---- */

/* The number of the only file that is staged. */
static ino_t staged_inode(Fixture *fixture)
{
    g_autofree char *directory = at(fixture, "lower", "");
    g_autoptr(GDir) listing = g_dir_open(directory, 0, NULL);
    const char *name;
    ino_t found = 0;
    while ((name = g_dir_read_name(listing)) != NULL) {
        struct stat info;
        if (!g_str_has_prefix(name, BERTH_OVERLAY_ACCEPTING))
            continue;
        g_autofree char *stage = g_build_filename(directory, name, NULL);
        g_autoptr(GDir) copies = g_dir_open(stage, 0, NULL);
        g_autofree char *copy = g_build_filename(stage, g_dir_read_name(copies), NULL);
        g_assert_cmpint(found, ==, 0);
        g_assert_null(g_dir_read_name(copies));
        g_assert_cmpint(lstat(copy, &info), ==, 0);
        found = info.st_ino;
    }
    return found;
}

static void accept_staged(Fixture *fixture, BerthOverlayStage *stage)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) changes = berth_overlay_changes(fixture->overlay);
    berth_overlay_stage_look(stage, changes);
    for (guint i = 0; i < changes->len; i++)
        g_assert_true(berth_overlay_accept(fixture->overlay, changes->pdata[i], stage, &error));
}

static BerthOverlayStage *stage_all(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) changes = berth_overlay_changes(fixture->overlay);
    BerthOverlayStage *stage = berth_overlay_stage_new(fixture->overlay);
    g_assert_cmpuint(berth_overlay_stage_look(stage, changes), >, 0);
    g_assert_true(berth_overlay_stage_copy(stage, &error));
    g_assert_cmpuint(berth_overlay_stage_look(stage, changes), ==, 0);
    return stage;
}

static void assert_no_copies(Fixture *fixture)
{
    g_autofree char *directory = at(fixture, "lower", "");
    g_autoptr(GDir) listing = g_dir_open(directory, 0, NULL);
    const char *name;
    while ((name = g_dir_read_name(listing)) != NULL)
        g_assert_false(g_str_has_prefix(name, BERTH_OVERLAY_ACCEPTING));
}

static void assert_all_accepted(Fixture *fixture, const char *before)
{
    g_autofree char *now = shown(fixture->overlay);
    g_autofree char *host = lower(fixture);
    g_assert_cmpstr(now, ==, before);
    g_assert_cmpstr(host, ==, before);
    assert_changes(fixture, "");
    assert_no_copies(fixture);
}

static void test_staged_copies_are_accepted(Fixture *fixture, gconstpointer data)
{
    change_much(fixture);
    g_autofree char *before = shown(fixture->overlay);
    g_autoptr(BerthOverlayStage) stage = stage_all(fixture);
    g_autofree char *meanwhile = shown(fixture->overlay);
    g_assert_cmpstr(meanwhile, ==, before); /* the guest sees no copies */
    accept_staged(fixture, stage);
    g_clear_pointer(&stage, berth_overlay_stage_free);
    assert_all_accepted(fixture, before);
}

static void test_a_staged_copy_becomes_the_hosts_file(Fixture *fixture, gconstpointer data)
{
    write_file(fixture, "edited", "after");
    g_autoptr(BerthOverlayStage) stage = stage_all(fixture);
    g_autofree char *file = at(fixture, "lower", "edited");
    struct stat info;
    ino_t copy = staged_inode(fixture);
    g_assert_cmpuint(copy, >, 0);
    accept_staged(fixture, stage);
    g_assert_cmpint(stat(file, &info), ==, 0);
    g_assert_cmpuint(info.st_ino, ==, copy);
}

/* Overwrite the upper file in place: it has the same size and number then. */
static void overwrite(Fixture *fixture, const char *path, const char *text)
{
    g_autofree char *file = at(fixture, "layer/upper", path);
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
    berth_autofd int fd = open(file, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(write(fd, text, strlen(text)), ==, (gssize)strlen(text));
    g_assert_cmpint(futimens(fd, times), ==, 0);
}

static void change_again(Fixture *fixture, guint kind)
{
    g_autofree char *added = at(fixture, "layer/upper", "fresh/in/more");
    switch (kind) {
    case 0:
        overwrite(fixture, "edited", "other");
        break;
    case 1:
        g_assert_true(g_file_set_contents(added, "more", -1, NULL));
        break;
    case 2:
        remove_path(fixture, "edited", false);
        break;
    default:
        overwrite(fixture, "fresh/in/side", "OTHER");
    }
}

/* Each change right after the copy, in the same tick of the clock if there is one. */
static void test_what_changes_after_the_copy_is_not_lost(Fixture *fixture, gconstpointer data)
{
    guint kind = GPOINTER_TO_UINT(data);
    make_directory(fixture, "fresh");
    make_directory(fixture, "fresh/in");
    write_file(fixture, "fresh/in/side", "first");
    write_file(fixture, "edited", "after");
    overwrite(fixture, "edited", "AFTER");
    g_autoptr(BerthOverlayStage) stage = stage_all(fixture);
    change_again(fixture, kind);
    g_autofree char *before = shown(fixture->overlay);
    accept_staged(fixture, stage);
    g_clear_pointer(&stage, berth_overlay_stage_free);
    assert_all_accepted(fixture, before);
}

/* What is not copied yet when it changes, or goes, is no error. */
static void test_what_changes_before_the_copy_is_not_lost(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    change_much(fixture);
    g_autoptr(GPtrArray) changes = berth_overlay_changes(fixture->overlay);
    g_autoptr(BerthOverlayStage) stage = berth_overlay_stage_new(fixture->overlay);
    berth_overlay_stage_look(stage, changes);
    overwrite(fixture, "edited", "other");
    remove_path(fixture, "moved", false);
    g_assert_true(berth_overlay_stage_copy(stage, &error));
    g_autofree char *before = shown(fixture->overlay);
    accept_staged(fixture, stage);
    g_clear_pointer(&stage, berth_overlay_stage_free);
    assert_all_accepted(fixture, before);
}

static void test_a_stage_that_is_not_used_leaves_nothing(Fixture *fixture, gconstpointer data)
{
    g_autofree char *before = lower(fixture);
    change_much(fixture);
    g_autoptr(BerthOverlayStage) stage = stage_all(fixture);
    g_clear_pointer(&stage, berth_overlay_stage_free);
    g_autofree char *now = lower(fixture);
    g_assert_cmpstr(now, ==, before);
    assert_changes(fixture, all_changes);
    assert_no_copies(fixture);
}

static void test_discard(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *before = lower(fixture);
    change_much(fixture);
    g_autoptr(GPtrArray) changes = berth_overlay_changes(fixture->overlay);
    for (guint i = 0; i < changes->len; i++)
        g_assert_true(berth_overlay_discard(fixture->overlay, changes->pdata[i], &error));
    g_autofree char *now = shown(fixture->overlay);
    g_autofree char *host = lower(fixture);
    g_assert_cmpstr(now, ==, before);
    g_assert_cmpstr(host, ==, before);
    assert_changes(fixture, "");
}

static void test_conflicts(Fixture *fixture, gconstpointer data)
{
    change_much(fixture);
    write_lower(fixture, "edited", "by the host");
    write_lower(fixture, "removed", "by the host");
    write_lower(fixture, "d/e/new", "by the host");
    write_lower(fixture, "moved", "by the host");
    write_lower(fixture, "d/e/deep", "by the host, which is nobody's conflict");
    assert_changes(fixture, "mode d/\n"
                            "added d/e/new conflict\n"
                            "modified edited conflict\n"
                            "added fresh/\n"
                            "deleted kept\n"
                            "mode mode\n"
                            "added moved conflict\n"
                            "modified old/\n"
                            "deleted removed conflict\n");
}

/* The directory of a change, or its file, is not the host's any more. */
static void test_a_missing_directory_is_an_error(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    write_file(fixture, "d/e/new", "new");
    g_autofree char *host = at(fixture, "lower", "d");
    g_autofree char *aside = at(fixture, "aside", "");
    aside[strlen(aside) - 1] = '\0';
    g_assert_cmpint(g_rename(host, aside), ==, 0);
    g_autoptr(GPtrArray) changes = berth_overlay_changes(fixture->overlay);
    g_assert_cmpuint(changes->len, ==, 1);
    g_assert_false(berth_overlay_accept(fixture->overlay, changes->pdata[0], NULL, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "overlay.accept.missing");
    assert_changes(fixture, "added d/e/new\n");
}

static void test_a_link_of_the_host_is_not_followed(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    write_file(fixture, "d/e/new", "new");
    g_autofree char *directory = at(fixture, "lower", "d/e");
    g_autofree char *aside = at(fixture, "aside", NULL);
    g_assert_cmpint(g_rename(directory, aside), ==, 0);
    g_assert_cmpint(symlink(aside, directory), ==, 0);
    g_autoptr(GPtrArray) changes = berth_overlay_changes(fixture->overlay);
    for (guint i = 0; i < changes->len; i++)
        g_assert_false(berth_overlay_accept(fixture->overlay, changes->pdata[i], NULL, &error));
    g_autofree char *leaked = g_build_filename(aside, "new", NULL);
    g_assert_false(g_file_test(leaked, G_FILE_TEST_EXISTS));
}

static void check_shown(Fixture *fixture, const char *path, const char *expected)
{
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    char text[64] = "";
    g_assert_cmpint(berth_overlay_find(fixture->overlay, path, &place), ==, 0);
    berth_autofd int fd = berth_fd_reopen(berth_overlay_shown(&place), O_RDONLY);
    g_assert_cmpint(read(fd, text, sizeof(text) - 1), ==, (ssize_t)strlen(expected));
    g_assert_cmpstr(text, ==, expected);
}

static void test_the_age_of_a_copy(Fixture *fixture, gconstpointer data)
{
    g_autofree char *edited = at(fixture, "lower", "edited");
    g_assert_cmpint(berth_overlay_age(fixture->overlay, "edited"), ==, BERTH_OVERLAY_CHANGED);
    copy_up(fixture, "edited");
    g_assert_cmpint(berth_overlay_age(fixture->overlay, "edited"), ==, BERTH_OVERLAY_CURRENT);
    write_lower(fixture, "edited", "by the host");
    g_assert_cmpint(berth_overlay_age(fixture->overlay, "edited"), ==, BERTH_OVERLAY_EDITED);
    check_shown(fixture, "edited", "before");
    g_assert_cmpint(berth_overlay_copy_again(fixture->overlay, "edited"), ==, 0);
    check_shown(fixture, "edited", "by the host");
    g_assert_cmpint(berth_overlay_age(fixture->overlay, "edited"), ==, BERTH_OVERLAY_CURRENT);
    write_lower(fixture, "edited", "by the host again");
    g_assert_cmpint(berth_overlay_drop_copy(fixture->overlay, "edited"), ==, 0);
    check_shown(fixture, "edited", "by the host again");
    copy_up(fixture, "edited");
    g_assert_cmpint(g_unlink(edited), ==, 0);
    g_assert_cmpint(berth_overlay_age(fixture->overlay, "edited"), ==, BERTH_OVERLAY_REPLACED);
    g_assert_cmpint(berth_overlay_copy_again(fixture->overlay, "edited"), ==, -ENOENT);
    write_file(fixture, "kept", "the guest's");
    write_lower(fixture, "kept", "by the host");
    g_assert_cmpint(berth_overlay_age(fixture->overlay, "kept"), ==, BERTH_OVERLAY_CHANGED);
    copy_up(fixture, "d/e");
    g_assert_cmpint(berth_overlay_age(fixture->overlay, "d/e"), ==, BERTH_OVERLAY_CHANGED);
}

static void test_settled(Fixture *fixture, gconstpointer data)
{
    const BerthOverlayChange changes[] = {
        {(char *)"d/new\n file", BERTH_CHANGE_ADDED, false, false},
        {(char *)"old", BERTH_CHANGE_DELETED, true, true},
    };
    g_autoptr(GPtrArray) none = berth_overlay_take_settled(fixture->overlay);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_true(berth_overlay_add_settled(fixture->overlay, &changes[0], true, NULL));
    g_assert_true(berth_overlay_add_settled(fixture->overlay, &changes[1], false, NULL));
    g_autoptr(GPtrArray) list = berth_overlay_take_settled(fixture->overlay);
    g_assert_cmpuint(list->len, ==, 2);
    for (guint i = 0; i < 2; i++) {
        const BerthOverlaySettled *settled = list->pdata[i];
        g_assert_cmpstr(settled->path, ==, changes[i].path);
        g_assert_cmpint(settled->kind, ==, changes[i].kind);
        g_assert_cmpint(settled->is_directory, ==, changes[i].is_directory);
        g_assert_cmpint(settled->accepted, ==, i == 0);
    }
    g_autoptr(GPtrArray) empty = berth_overlay_take_settled(fixture->overlay);
    g_assert_cmpuint(empty->len, ==, 0);
}

static void test_settled_damaged(Fixture *fixture, gconstpointer data)
{
    static const char text[] = "\0a\0a0\0a0-\0a9-x\0d3/kept\0a0-cut";
    g_autofree char *file = at(fixture, "layer", "settled");
    g_assert_true(g_file_set_contents(file, text, sizeof(text) - 1, NULL));
    g_autoptr(GPtrArray) list = berth_overlay_take_settled(fixture->overlay);
    g_assert_cmpuint(list->len, ==, 2); /* one that is cut names no file, which does no harm */
    g_assert_cmpstr(((BerthOverlaySettled *)list->pdata[0])->path, ==, "kept");
    g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/overlay/review/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("changes", test_changes);
    ADD("copy", test_a_copy_alone_is_no_change);
    ADD("accept", test_accept);
    ADD("stage", test_staged_copies_are_accepted);
    ADD("stage/file", test_a_staged_copy_becomes_the_hosts_file);
    ADD("stage/before", test_what_changes_before_the_copy_is_not_lost);
    ADD("stage/unused", test_a_stage_that_is_not_used_leaves_nothing);
    for (guint kind = 0; kind < 4; kind++) {
        g_autofree char *path = g_strdup_printf("/overlay/review/stage/after/%u", kind);
        g_test_add(path, Fixture, GUINT_TO_POINTER(kind), set_up,
                   test_what_changes_after_the_copy_is_not_lost, tear_down);
    }
    ADD("discard", test_discard);
    ADD("conflicts", test_conflicts);
    ADD("age", test_the_age_of_a_copy);
    ADD("settled", test_settled);
    ADD("settled/damaged", test_settled_damaged);
    ADD("missing-directory", test_a_missing_directory_is_an_error);
    ADD("link", test_a_link_of_the_host_is_not_followed);
    return g_test_run();
}
