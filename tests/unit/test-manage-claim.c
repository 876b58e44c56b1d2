/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "manage/claim.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID_A "aaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbb"

typedef struct {
    char *home;
    BerthLayout *layout;
    BerthRegistry *registry;
} Place;

static void set_up(Place *place, gconstpointer data)
{
    place->home = g_dir_make_tmp("berth-claim-XXXXXX", NULL);
    g_autofree char *variable = g_strdup_printf("XDG_DATA_HOME=%s", place->home);
    const char *const environment[] = {"HOME=/nonexistent", variable, NULL};
    const BerthLayoutSupport support = {.installed = "/"};
    place->layout = berth_layout_new(environment, &support, NULL);
    g_assert_true(berth_layout_make(place->layout->data, NULL));
    g_autofree char *path = berth_layout_registry(place->layout);
    place->registry = berth_registry_open(path, NULL);
    g_assert_nonnull(place->registry);
}

static void tear_down(Place *place, gconstpointer data)
{
    berth_registry_close(place->registry);
    berth_layout_free(place->layout);
    const char *const argv[] = {"rm", "-r", place->home, NULL};
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               NULL, NULL, NULL));
    g_free(place->home);
}

static BerthClaim *claim_name(const Place *place, const char *name, const char *id)
{
    g_autoptr(GError) error = NULL;
    BerthClaim *claim =
        berth_claim_id(place->layout, place->registry, name, id, BERTH_WORK_EXPORT, &error);
    g_assert_no_error(error);
    g_assert_nonnull(claim);
    return claim;
}

/* Fill the distro's directory, at two levels. */
static void make_directory(const Place *place, const char *id)
{
    g_autofree char *directory = berth_layout_distro(place->layout, id);
    g_autofree char *below = g_build_filename(directory, "below", NULL);
    g_autofree char *disk = berth_layout_disk(place->layout, id);
    g_assert_true(berth_layout_make(below, NULL));
    g_assert_true(g_file_set_contents(disk, "disk", -1, NULL));
}

static bool has_directory(const Place *place, const char *id)
{
    g_autofree char *directory = berth_layout_distro(place->layout, id);
    return g_file_test(directory, G_FILE_TEST_EXISTS);
}

static void insert(const Place *place, const char *name, const char *id)
{
    g_autoptr(BerthDistro) distro = berth_distro_new(name);
    g_free(distro->id);
    distro->id = g_strdup(id);
    distro->disk = g_strdup("/d");
    g_assert_true(berth_registry_insert(place->registry, distro, NULL));
}

static void test_a_name_is_claimed_once(Place *place, gconstpointer data)
{
    g_autoptr(BerthClaim) claim = claim_name(place, "Debian", ID_A);
    g_autoptr(BerthClaim) other = claim_name(place, "other", ID_B);
    g_autoptr(GError) error = NULL;
    g_assert_null(
        berth_claim_id(place->layout, place->registry, "dEBIAN", ID_B, BERTH_WORK_IMPORT, &error));
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_BUSY);
    g_assert_cmpstr(berth_error_id(error), ==, "distro.busy");
    g_autofree char *words =
        g_strdup_printf("Debian is being exported by process %d", (int)getpid());
    g_assert_cmpstr(error->message, ==, words);

    berth_claim_release(g_steal_pointer(&claim));
    g_autoptr(BerthClaim) again = claim_name(place, "debian", ID_B);
}

static void test_release_removes_files_without_a_row(Place *place, gconstpointer data)
{
    BerthClaim *failed = claim_name(place, "failed", ID_A);
    make_directory(place, ID_A);
    berth_claim_release(failed);
    g_assert_false(has_directory(place, ID_A));

    BerthClaim *done = claim_name(place, "done", ID_B);
    make_directory(place, ID_B);
    insert(place, "done", ID_B);
    berth_claim_release(done);
    g_assert_true(has_directory(place, ID_B));
}

/* Kill a child that holds a claim. */
static void be_killed_holding(const Place *place, const char *name, const char *id, bool insert_row)
{
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        g_autofree char *path = berth_layout_registry(place->layout);
        g_autoptr(BerthRegistry) registry = berth_registry_open(path, NULL);
        const Place own = {place->home, place->layout, registry};
        claim_name(&own, name, id);
        make_directory(&own, id);
        if (insert_row)
            insert(&own, name, id);
        kill(getpid(), SIGKILL);
    }
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_next_claim_cleans_up_after_a_kill(Place *place, gconstpointer data)
{
    be_killed_holding(place, "finished", ID_B, true);
    be_killed_holding(place, "halfway", ID_A, false);
    g_assert_true(has_directory(place, ID_A));

    g_autoptr(BerthClaim) claim = claim_name(place, "third", "cccccccccccccccc");
    g_assert_false(has_directory(place, ID_A));
    g_assert_true(has_directory(place, ID_B));
    g_autoptr(BerthClaim) same_name = claim_name(place, "halfway", ID_A);
}

static void test_held_claim_is_not_cleaned_up(Place *place, gconstpointer data)
{
    g_autoptr(BerthClaim) claim = claim_name(place, "running", ID_A);
    make_directory(place, ID_A);
    g_autoptr(BerthClaim) other = claim_name(place, "other", ID_B);
    g_assert_true(has_directory(place, ID_A));
}

static void test_holders_are_listed(Place *place, gconstpointer data)
{
    g_autoptr(BerthClaim) claim = claim_name(place, "Debian", ID_A);
    be_killed_holding(place, "dead", ID_B, true);
    g_autoptr(GPtrArray) holders = berth_claim_list(place->layout);
    g_assert_cmpuint(holders->len, ==, 1);
    const BerthClaimHolder *holder = holders->pdata[0];
    g_assert_cmpstr(holder->name, ==, "Debian");
    g_assert_cmpstr(holder->id, ==, ID_A);
    g_assert_cmpstr(berth_work_state(holder->work), ==, "exporting");
    g_assert_cmpint(holder->pid, ==, getpid());

    g_autoptr(GError) error = NULL;
    g_assert_false(berth_claim_check(place->layout, ID_A, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "distro.busy");
    g_assert_true(berth_claim_check(place->layout, ID_B, NULL));
    berth_claim_release(g_steal_pointer(&claim));
    g_assert_true(berth_claim_check(place->layout, ID_A, NULL));
}

static void test_a_registered_distro_is_read_under_the_claim(Place *place, gconstpointer data)
{
    insert(place, "Debian", ID_A);
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim = berth_claim_distro(place->layout, place->registry, "debian",
                                                     BERTH_WORK_MOVE, &distro, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(distro->id, ==, ID_A);
    g_assert_false(berth_claim_check(place->layout, ID_A, NULL));

    g_autoptr(BerthDistro) other = NULL;
    g_assert_null(berth_claim_distro(place->layout, place->registry, NULL, BERTH_WORK_RESIZE,
                                     &other, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "distro.busy");
    g_clear_error(&error);
    g_assert_null(berth_claim_distro(place->layout, place->registry, "none", BERTH_WORK_RESIZE,
                                     &other, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "distro.not-found");
}

/* Make a file @name in the fixture's home with @content. */
static char *make_file(const Place *place, const char *name, const char *content)
{
    char *path = g_build_filename(place->home, name, NULL);
    g_assert_true(g_file_set_contents(path, content, -1, NULL));
    return path;
}

static bool exists(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void test_listed_files_are_removed_unless_registered(Place *place, gconstpointer data)
{
    g_autofree char *loose = make_file(place, "loose \n\xff", "x");
    g_autofree char *disk = make_file(place, "disk", "x");
    g_autofree char *replaced = make_file(place, "replaced", "x");
    g_autofree char *missing = g_build_filename(place->home, "missing", NULL);
    BerthClaim *claim = claim_name(place, "moving", ID_A);
    g_assert_true(berth_claim_add_file(claim, loose, -1, NULL));
    g_assert_true(berth_claim_add_file(claim, disk, -1, NULL));
    g_assert_true(berth_claim_add_file(claim, missing, -1, NULL));
    int fd = g_open(replaced, O_RDONLY);
    g_assert_true(berth_claim_add_file(claim, replaced, fd, NULL));
    g_autofree char *another = make_file(place, "another", "y");
    g_assert_cmpint(rename(another, replaced), ==, 0); /* while the listed one is still open */

    g_autoptr(BerthDistro) distro = berth_distro_new("moving");
    g_free(distro->id);
    distro->id = g_strdup(ID_A);
    distro->disk = g_strdup(disk);
    g_assert_true(berth_registry_insert(place->registry, distro, NULL));
    berth_claim_release(claim);
    g_assert_false(exists(loose));
    g_assert_true(exists(disk));
    g_assert_true(exists(replaced)); /* another file now */
    close(fd);
}

/* A restore that was killed: its snapshot is still the disk itself. One that was not is kept. */
static void test_snapshot_that_is_the_disk_is_forgotten(Place *place, gconstpointer data)
{
    g_autofree char *disk = make_file(place, "disk", "x");
    g_autoptr(BerthDistro) distro = berth_distro_new("one");
    distro->disk = g_strdup(disk);
    g_assert_true(berth_registry_insert(place->registry, distro, NULL));
    g_autoptr(BerthSnapshot) same = berth_snapshot_new(distro, "same", 1);
    g_autoptr(BerthSnapshot) other = berth_snapshot_new(distro, "other", 2);
    g_autofree char *second_name = berth_snapshot_file(same, disk);
    g_autofree char *copy = berth_snapshot_file(other, disk);
    g_assert_cmpint(link(disk, second_name), ==, 0);
    g_assert_true(g_file_set_contents(copy, "x", -1, NULL));
    g_assert_true(berth_registry_add_snapshot(place->registry, same, NULL));
    g_assert_true(berth_registry_add_snapshot(place->registry, other, NULL));

    BerthClaim *claim = claim_name(place, "one", distro->id);
    g_assert_true(berth_claim_add_file(claim, second_name, -1, NULL));
    g_assert_true(berth_claim_add_file(claim, copy, -1, NULL));
    g_assert_true(berth_claim_add_file(claim, disk, -1, NULL));
    berth_claim_release(claim);
    g_assert_true(exists(disk));
    g_assert_true(exists(copy));
    g_assert_false(exists(second_name));
    g_autoptr(GPtrArray) left = berth_registry_snapshots(place->registry, distro, NULL);
    g_assert_cmpuint(left->len, ==, 1);
    g_assert_cmpstr(((const BerthSnapshot *)left->pdata[0])->tag, ==, "other");
}

/* Many processes claim one name: never two at a time, and each succeeds eventually. */
static void contend(const Place *place)
{
    g_autofree char *path = berth_layout_registry(place->layout);
    g_autoptr(BerthRegistry) registry = berth_registry_open(path, NULL);
    g_autofree char *mark = g_build_filename(place->home, "mark", NULL);
    for (guint done = 0; done < 20;) {
        BerthClaim *claim =
            berth_claim_id(place->layout, registry, "one", ID_A, BERTH_WORK_MOVE, NULL);
        if (claim == NULL)
            continue;
        int fd = open(mark, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (fd < 0)
            _exit(1); /* another process holds the claim */
        close(fd);
        unlink(mark);
        berth_claim_release(claim);
        done++;
    }
    _exit(0);
}

static void test_claims_are_exclusive(Place *place, gconstpointer data)
{
    pid_t children[4];
    for (gsize i = 0; i < G_N_ELEMENTS(children); i++) {
        children[i] = fork();
        g_assert_cmpint(children[i], >=, 0);
        if (children[i] == 0)
            contend(place);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(children); i++) {
        int status;
        g_assert_cmpint(waitpid(children[i], &status, 0), ==, children[i]);
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* The content of a claim's file is never trusted as a path. */
/* The process that makes a throw-away clone starts it under its claim; nobody else may. */
static void test_own_clone_may_be_started(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthClaim) claim =
        berth_claim_id(place->layout, place->registry, "x", ID_A, BERTH_WORK_RUN, NULL);
    g_assert_true(berth_claim_check(place->layout, ID_A, &error));
    g_assert_no_error(error);
    pid_t child = fork();
    if (child == 0) {
        bool refused = !berth_claim_check(place->layout, ID_A, &error) &&
                       g_str_equal(berth_error_id(error), "distro.busy") &&
                       strstr(error->message, "x is being run by process") != NULL;
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);

    g_autoptr(BerthClaim) other =
        berth_claim_id(place->layout, place->registry, "y", ID_B, BERTH_WORK_CLONE, NULL);
    g_assert_false(berth_claim_check(place->layout, ID_B, NULL)); /* any other work of ours */
}

static void test_odd_claims_remove_nothing(Place *place, gconstpointer data)
{
    g_autofree char *claims = berth_layout_claims(place->layout);
    g_assert_true(berth_layout_make(claims, NULL));
    static const char *const texts[] = {"",
                                        "../../../etc",
                                        ".",
                                        "AAAAAAAAAAAAAAAA",
                                        "aaaaaaaaaaaaaaa",
                                        "bbbbbbbbbbbbbbbb moving 1 x\n0 /etc/passwd\n",
                                        "bbbbbbbbbbbbbbbb moving 1 x\n1 etc\nx\n\n"};
    make_directory(place, ID_A);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *path = g_build_filename(claims, "odd", NULL);
        g_assert_true(g_file_set_contents(path, texts[i], -1, NULL));
        berth_claim_release(claim_name(place, "x", ID_B));
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
        g_assert_true(has_directory(place, ID_A));
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*run)(Place *place, gconstpointer data);
    } tests[] = {
        {"/manage/claim/a-name-is-claimed-once", test_a_name_is_claimed_once},
        {"/manage/claim/release-removes-files-without-a-row",
         test_release_removes_files_without_a_row},
        {"/manage/claim/next-claim-cleans-up-after-a-kill", test_next_claim_cleans_up_after_a_kill},
        {"/manage/claim/held-claim-is-not-cleaned-up", test_held_claim_is_not_cleaned_up},
        {"/manage/claim/holders-are-listed", test_holders_are_listed},
        {"/manage/claim/a-registered-distro-is-read-under-the-claim",
         test_a_registered_distro_is_read_under_the_claim},
        {"/manage/claim/listed-files-are-removed-unless-registered",
         test_listed_files_are_removed_unless_registered},
        {"/manage/claim/snapshot-that-is-the-disk-is-forgotten",
         test_snapshot_that_is_the_disk_is_forgotten},
        {"/manage/claim/claims-are-exclusive", test_claims_are_exclusive},
        {"/manage/claim/own-clone-may-be-started", test_own_clone_may_be_started},
        {"/manage/claim/odd-claims-remove-nothing", test_odd_claims_remove_nothing},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Place, NULL, set_up, tests[i].run, tear_down);
    return g_test_run();
}
