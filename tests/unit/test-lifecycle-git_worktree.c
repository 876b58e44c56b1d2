/* SPDX-License-Identifier: MIT */
#include "lifecycle/git_worktree.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *top;
    char *worktree;
    char *file; /* its .git */
    char *repository;
} Place;

static void set_up(Place *place, gconstpointer data)
{
    g_autofree char *made = g_dir_make_tmp("berth-worktree-XXXXXX", NULL);
    char *top = realpath(made, NULL);
    place->top = g_strdup(top);
    free(top);
    place->worktree = g_build_filename(place->top, "tree", NULL);
    place->file = g_build_filename(place->worktree, ".git", NULL);
    place->repository = g_build_filename(place->top, "main", ".git", NULL);
    g_autofree char *own = g_build_filename(place->repository, "worktrees", "tree", NULL);
    g_assert_cmpint(g_mkdir_with_parents(own, 0700), ==, 0);
    g_assert_cmpint(g_mkdir(place->worktree, 0700), ==, 0);
}

static void tear_down(Place *place, gconstpointer data)
{
    const char *argv[] = {"rm", "-rf", place->top, NULL};
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
    g_free(place->top);
    g_free(place->worktree);
    g_free(place->file);
    g_free(place->repository);
}

static void write_file(const Place *place, const char *format)
{
    g_autoptr(GString) text = g_string_new(format);
    g_string_replace(text, "TOP", place->top, 0);
    g_assert_true(g_file_set_contents(place->file, text->str, -1, NULL));
}

static void test_found(Place *place, gconstpointer data)
{
    static const char *const texts[] = {"gitdir: TOP/main/.git/worktrees/tree\n",
                                        "gitdir: ../main/.git/worktrees/tree\n",
                                        "gitdir: ../main/.git/worktrees/../worktrees/tree"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        write_file(place, texts[i]);
        g_autofree char *found = berth_git_worktree_repository(place->worktree);
        g_assert_cmpstr(found, ==, place->repository);
    }
}

static void test_not_found(Place *place, gconstpointer data)
{
    static const char *const texts[] = {"",
                                        "gitdir: ",
                                        "gitdir: \n",
                                        "gitdir TOP/main/.git/worktrees/tree",
                                        "gitdir: TOP/main/.git",
                                        "gitdir: TOP/main/.git/worktrees",
                                        "gitdir: TOP/main/.git/worktrees/gone",
                                        "gitdir: /etc"};
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        write_file(place, texts[i]);
        g_assert_null(berth_git_worktree_repository(place->worktree));
    }
    write_file(place, "gitdir: TOP/main/.git/worktrees/tree\n");
    g_assert_null(berth_git_worktree_repository(place->top)); /* no file there */
    g_autofree char *whole = g_build_filename(place->top, ".git", NULL);
    g_assert_cmpint(rename(place->file, whole), ==, 0);
    g_assert_null(berth_git_worktree_repository(place->top)); /* the repository is within it */
}

static void test_a_link_in_its_place(Place *place, gconstpointer data)
{
    write_file(place, "gitdir: TOP/main/.git/worktrees/tree\n");
    g_autofree char *other = g_build_filename(place->top, "other", NULL);
    g_assert_cmpint(rename(place->file, other), ==, 0);
    g_assert_cmpint(symlink(other, place->file), ==, 0);
    g_assert_null(berth_git_worktree_repository(place->worktree));
    g_assert_cmpint(g_unlink(place->file), ==, 0);
    g_assert_cmpint(mkfifo(place->file, 0600), ==, 0); /* and a pipe holds nobody up */
    g_assert_null(berth_git_worktree_repository(place->worktree));
}

static void test_too_long(Place *place, gconstpointer data)
{
    g_autofree char *spaces = g_strnfill(4097, '\n');
    g_autofree char *text = g_strconcat("gitdir: TOP/main/.git/worktrees/tree\n", spaces, NULL);
    write_file(place, text);
    g_assert_null(berth_git_worktree_repository(place->worktree));
}

static void test_of_another_user(Place *place, gconstpointer data)
{
    write_file(place, "gitdir: TOP/main/.git/worktrees/tree\n");
    g_assert_cmpint(chown(place->file, 1, 1), ==, 0);
    g_assert_null(berth_git_worktree_repository(place->worktree));
    g_assert_cmpint(chown(place->file, 0, 0), ==, 0);
    g_assert_cmpint(chown(place->repository, 1, 1), ==, 0);
    g_assert_null(berth_git_worktree_repository(place->worktree));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/lifecycle/git-worktree/found", Place, NULL, set_up, test_found, tear_down);
    g_test_add("/lifecycle/git-worktree/not-found", Place, NULL, set_up, test_not_found, tear_down);
    g_test_add("/lifecycle/git-worktree/a-link-in-its-place", Place, NULL, set_up,
               test_a_link_in_its_place, tear_down);
    g_test_add("/lifecycle/git-worktree/too-long", Place, NULL, set_up, test_too_long, tear_down);
    if (geteuid() == 0) /* who may give files away: it says nothing about others */
        g_test_add("/lifecycle/git-worktree/of-another-user", Place, NULL, set_up,
                   test_of_another_user, tear_down);
    return g_test_run();
}
