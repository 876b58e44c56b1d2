/* SPDX-License-Identifier: MIT */
#include "disk/tree/marks.h"

#include <glib.h>

#define END                                                                                        \
    {                                                                                              \
        0                                                                                          \
    }

/* An entry of a tree, and its name in an archive. */
typedef struct {
    BerthEntryType type;
    const char *path, *target;
    const char *new_path, *new_target;
} Row;

static const Row hidden[] = {
    {BERTH_ENTRY_DIRECTORY, "", NULL, "", NULL},
    {BERTH_ENTRY_FILE, ".dockerenv.berth", NULL, ".dockerenv", NULL},
    {BERTH_ENTRY_FILE, ".dockerinit.berth", NULL, ".dockerinit", NULL},
    {BERTH_ENTRY_SYMLINK, "a", ".dockerenv.berth", "a", ".dockerenv.berth"},
    {BERTH_ENTRY_HARDLINK, "b", ".dockerenv.berth", "b", ".dockerenv"},
    {BERTH_ENTRY_FILE, "etc/.dockerenv.berth", NULL, "etc/.dockerenv.berth", NULL},
    {BERTH_ENTRY_HARDLINK, "etc/c", ".dockerinit.berth", "etc/c", ".dockerinit"},
    END,
};

static const Row taken[] = {
    {BERTH_ENTRY_FILE, ".dockerenv", NULL, ".dockerenv", NULL},
    {BERTH_ENTRY_FILE, ".dockerenv.berth", NULL, ".dockerenv.berth", NULL},
    {BERTH_ENTRY_HARDLINK, ".dockerinit.berth", ".dockerenv.berth", ".dockerinit",
     ".dockerenv.berth"},
    {BERTH_ENTRY_HARDLINK, "b", ".dockerenv", "b", ".dockerenv"},
    END,
};

static const Row *const trees[] = {hidden, taken};

static void test_restore(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(trees); i++) {
        BerthMarks marks = {0};
        for (const Row *row = trees[i]; row->path != NULL; row++) {
            g_auto(BerthEntry) entry = {
                .type = row->type, .path = g_strdup(row->path), .target = g_strdup(row->target)};
            berth_marks_restore(&marks, &entry);
            g_assert_cmpstr(entry.path, ==, row->new_path);
            g_assert_cmpstr(entry.target, ==, row->new_target);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/marks/restore", test_restore);
    return g_test_run();
}
