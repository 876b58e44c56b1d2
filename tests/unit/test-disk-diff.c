/* SPDX-License-Identifier: MIT
 *
 * The files that two images do not have in common, compared with a model of both.
 */
#include "../lib/make_image.h"
#include "../lib/patched_image.h"
#include "../lib/tarball.h"
#include "base/error.h"
#include "base/fd.h"
#include "disk/file/difference.h"
#include "disk/image/diff.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IMAGE_SIZE (G_GUINT64_CONSTANT(64) << 20)
#define SEEDS      40 /* BERTH_TEST_SEEDS asks for more */

/* Paths in the order of a walk; a directory is used only if it is one in the tree. */
static const char *const paths[] = {"a",    "a/b", "a/b/c", "a/b-", "a/c", "a-",
                                    "a-/x", "a.",  "a0",    "b",    "b/a", "c"};
#define PATHS G_N_ELEMENTS(paths)

/* Contents: some of the same size, some that differ in a hole or in the last byte only. */
static const struct {
    gsize size;
    char fill;
    char last;
} contents[] = {
    {0},
    {3, 'a', 'a'},
    {3, 'a', 'b'},
    {5000, 'a', 'a'},
    {5000, '\0', '\0'},
    {5000, '\0', 'x'},
    {(1 << 20) + 7, 'a', 'a'},
    {(1 << 20) + 7, 'a', 'c'},
};

typedef struct {
    char kind; /* 'f', 'd', 'l', 'c', 'p'; 0: absent */
    guint content, mode, owner, target, device, note;
} Node;

typedef struct {
    Node nodes[PATHS];
    guint first[PATHS]; /* of a file: the index of its first name */
} Tree;

static guint parent_of(guint index)
{
    g_autofree char *directory = g_path_get_dirname(paths[index]);
    for (guint i = 0; i < PATHS; i++)
        if (strcmp(paths[i], directory) == 0)
            return i;
    return PATHS;
}

static Node random_node(GRand *rand)
{
    static const char kinds[] = {'\0', 'f', 'f', 'f', 'd', 'd', 'l', 'c', 'p'};
    return (Node){.kind = kinds[g_rand_int_range(rand, 0, G_N_ELEMENTS(kinds))],
                  .content = (guint)g_rand_int_range(rand, 0, G_N_ELEMENTS(contents)),
                  .mode = g_rand_boolean(rand) ? 0755 : 0700,
                  .owner = (guint)g_rand_int_range(rand, 0, 2),
                  .target = (guint)g_rand_int_range(rand, 0, 2),
                  .device = (guint)g_rand_int_range(rand, 0, 2),
                  .note = (guint)g_rand_int_range(rand, 0, 3)};
}

static void normalise(Tree *tree)
{
    for (guint i = 0; i < PATHS; i++) {
        guint parent = parent_of(i);
        if (parent < PATHS && tree->nodes[parent].kind != 'd')
            tree->nodes[i].kind = '\0';
        guint first = tree->first[i];
        if (first > i || tree->nodes[i].kind != 'f' || tree->nodes[first].kind != 'f')
            tree->first[i] = first = i;
        first = tree->first[i] = tree->first[first];
        if (tree->nodes[i].kind == 'f')
            tree->nodes[i] = tree->nodes[first];
    }
}

static void random_tree(GRand *rand, Tree *tree)
{
    for (guint i = 0; i < PATHS; i++) {
        tree->nodes[i] = random_node(rand);
        tree->first[i] =
            g_rand_int_range(rand, 0, 3) == 0 ? (guint)g_rand_int_range(rand, 0, (gint32)i + 1) : i;
    }
    normalise(tree);
}

/* Another tree that has most of @tree. */
static void change_tree(GRand *rand, const Tree *tree, Tree *ret_tree)
{
    Tree other;
    random_tree(rand, &other);
    *ret_tree = *tree;
    for (guint i = 0; i < PATHS; i++) {
        if (g_rand_int_range(rand, 0, 3) != 0)
            continue;
        ret_tree->nodes[i] = other.nodes[i];
        ret_tree->first[i] = other.first[i];
    }
    normalise(ret_tree);
}

static void add_node(GByteArray *tarball, const Tree *tree, guint index)
{
    static const char *const note[][3] = {
        {NULL}, {"SCHILY.xattr.user.note", "1", NULL}, {"SCHILY.xattr.user.note", "2", NULL}};
    static const char types[][2] = {{'f', '0'}, {'d', '5'}, {'l', '2'}, {'c', '3'}, {'p', '6'}};
    const Node *node = &tree->nodes[index];
    g_autofree char *data = g_malloc(contents[node->content].size + 1);
    gsize size = contents[node->content].size;
    memset(data, contents[node->content].fill, size);
    if (size > 0)
        data[size - 1] = contents[node->content].last;
    TarballItem item = {.path = paths[index],
                        .mode = node->mode,
                        .uid = node->owner,
                        .major = 1,
                        .minor = node->device,
                        .pax = node->kind != 'l' && node->kind != 'c' && node->kind != 'p'
                                   ? note[node->note]
                                   : NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i][0] == node->kind)
            item.type = types[i][1];
    if (node->kind == 'l')
        item.target = node->target != 0 ? "one" : "two";
    if (node->kind == 'f' && tree->first[index] != index) {
        item.type = '1';
        item.target = paths[tree->first[index]];
    } else if (node->kind == 'f' && size > 0) {
        item.data = data;
        item.size = size;
    }
    tarball_add(tarball, &item);
}

static int make_tree_image(const Tree *tree)
{
    g_autofree char *path = NULL;
    int place = g_file_open_tmp("berth-diff-XXXXXX", &path, NULL);
    g_assert_cmpint(place, >=, 0);
    close(place);
    g_unlink(path);
    g_autoptr(GByteArray) tarball = tarball_new_rootfs();
    for (guint i = 0; i < PATHS; i++)
        if (tree->nodes[i].kind != '\0')
            add_node(tarball, tree, i);
    tarball_end(tarball);
    berth_autofd int input = tarball_open(tarball);
    g_autoptr(GError) error = NULL;
    make_image(input, "x.tar", path, IMAGE_SIZE, NULL, NULL, &error);
    g_assert_no_error(error);
    int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
    g_unlink(path);
    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* --- what is expected --- */

static guint expect_aspects(const Node *old, const Node *new)
{
    if (old->kind != new->kind)
        return BERTH_DIFFERENCE_TYPE;
    guint aspects = 0;
    bool has_note = old->kind == 'f' || old->kind == 'd';
    if (old->kind == 'f' &&
        memcmp(&contents[old->content], &contents[new->content], sizeof(contents[0])) != 0)
        aspects |= BERTH_DIFFERENCE_CONTENT;
    if (old->kind == 'l' && old->target != new->target)
        aspects |= BERTH_DIFFERENCE_TARGET;
    if (old->kind == 'c' && old->device != new->device)
        aspects |= BERTH_DIFFERENCE_DEVICE;
    if (old->owner != new->owner)
        aspects |= BERTH_DIFFERENCE_OWNER;
    if (old->kind != 'l' && old->mode != new->mode)
        aspects |= BERTH_DIFFERENCE_MODE;
    if (has_note && old->note != new->note)
        aspects |= BERTH_DIFFERENCE_ATTRIBUTES;
    return aspects;
}

static void expect_node(GString *text, const char *path, const Node *old, const Node *new)
{
    if (old->kind == '\0' && new->kind != '\0')
        g_string_append_printf(text, "added %c 0 %s\n", new->kind, path);
    else if (old->kind != '\0' && new->kind == '\0')
        g_string_append_printf(text, "deleted %c 0 %s\n", old->kind, path);
    else if (old->kind != '\0' && expect_aspects(old, new) != 0)
        g_string_append_printf(text, "changed %c %x %s\n", new->kind, expect_aspects(old, new),
                               path);
}

/* Depth first, names of a directory bytewise. */
static int compare_walk(gconstpointer a, gconstpointer b)
{
    g_autofree char *one = g_strdelimit(g_strdup(*(const char *const *)a), "/", '\001');
    g_autofree char *other = g_strdelimit(g_strdup(*(const char *const *)b), "/", '\001');
    return strcmp(one, other);
}

static char *expect(const Tree *old, const Tree *new)
{
    GString *text = g_string_new(NULL);
    g_autoptr(GPtrArray) order = g_ptr_array_new();
    for (guint i = 0; i < PATHS; i++)
        g_ptr_array_add(order, (gpointer)paths[i]);
    g_ptr_array_sort(order, compare_walk);
    for (guint i = 0; i < PATHS; i++)
        for (guint k = 0; k < PATHS; k++)
            if (paths[k] == order->pdata[i])
                expect_node(text, paths[k], &old->nodes[k], &new->nodes[k]);
    return g_string_free(text, false);
}

/* --- what is found --- */

static bool note_difference(const BerthDifference *difference, gpointer user_data, GError **error)
{
    g_string_append_printf(user_data, "%s %c %x %s\n", berth_difference_change(difference->change),
                           difference->type, difference->aspects, difference->path);
    return true;
}

static char *read_records(int fd)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GByteArray) partial = g_byte_array_new();
    BerthDifferenceReader reader = {partial, note_difference, text};
    char buffer[7];
    ssize_t size;
    while ((size = read(fd, buffer, sizeof(buffer))) > 0)
        g_assert_true(berth_difference_feed(&reader, buffer, (gsize)size, NULL));
    g_assert_true(berth_difference_end(&reader, NULL));
    return g_string_free(g_steal_pointer(&text), false);
}

static char *find(int old, int new, GError **error)
{
    const BerthDiffImage old_image = {old, "old"}, new_image = {new, "new"};
    berth_autofd int output = memfd_create("records", MFD_CLOEXEC);
    guint64 entries = 0;
    if (!berth_diff_images(&old_image, &new_image, output, NULL, NULL, &entries, error))
        return NULL;
    lseek(output, 0, SEEK_SET);
    return read_records(output);
}

static void test_model(void)
{
    const char *wanted = g_getenv("BERTH_TEST_SEEDS");
    guint seeds = wanted != NULL ? (guint)g_ascii_strtoull(wanted, NULL, 10) : SEEDS;
    for (guint seed = 0; seed < seeds; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        Tree old, new;
        random_tree(rand, &old);
        change_tree(rand, &old, &new);
        berth_autofd int old_fd = make_tree_image(&old);
        berth_autofd int new_fd = make_tree_image(&new);
        g_autoptr(GError) error = NULL;
        g_autofree char *found = find(old_fd, new_fd, &error);
        g_assert_no_error(error);
        g_autofree char *expected = expect(&old, &new);
        if (strcmp(found, expected) != 0)
            g_error("seed %u: found\n%sexpected\n%s", seed, found, expected);
        g_autofree char *nothing = find(new_fd, new_fd, &error);
        g_assert_cmpstr(nothing, ==, "");
    }
}

static void test_errors_name_the_image(void)
{
    g_autoptr(PatchedImage) good = patched_image_new();
    g_autoptr(PatchedImage) bad = patched_image_new();
    patched_image_drop_checksums(bad);
    patched_image_put(patched_image_inode(bad, "victim") + 26, 2, 0);
    g_autoptr(GError) old_error = NULL, new_error = NULL;
    g_assert_null(find(bad->fd, good->fd, &old_error));
    g_assert_true(g_str_has_prefix(old_error->message, "old: etc/"));
    g_assert_null(find(good->fd, bad->fd, &new_error));
    g_assert_true(g_str_has_prefix(new_error->message, "new: etc/"));
    g_assert_cmpstr(berth_error_id(new_error), ==, "export.read.damaged");
}

/* A link count of 1 must not make a file of many names one that is compared many times. */
static void test_more_names_than_links(void)
{
    g_autoptr(PatchedImage) image = patched_image_new();
    patched_image_drop_checksums(image);
    patched_image_put(patched_image_inode(image, "victim") + 26, 2, 1);
    g_autoptr(GError) error = NULL;
    g_assert_null(find(image->fd, image->fd, &error));
    g_assert_nonnull(strstr(error->message, "more names than its link count"));
}

static bool cancel(const BerthProgress *progress, gpointer user_data)
{
    return false;
}

static void test_cancelled(void)
{
    g_autoptr(PatchedImage) image = patched_image_new();
    const BerthDiffImage same = {image->fd, "same"};
    berth_autofd int output = memfd_create("records", MFD_CLOEXEC);
    guint64 entries = 0;
    g_autoptr(GError) error = NULL;
    g_assert_false(berth_diff_images(&same, &same, output, cancel, NULL, &entries, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "diff.cancelled");
}

/* --- records --- */

static bool stop(const BerthDifference *difference, gpointer user_data, GError **error)
{
    berth_error_set(error, BERTH_ERROR_CANCELLED, "test.stop", NULL, "stopped");
    return false;
}

static const char *feed_all(const char *record, gsize size, BerthDifferenceFunc func)
{
    g_autoptr(GByteArray) partial = g_byte_array_new();
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    BerthDifferenceReader reader = {partial, func, text};
    bool done = berth_difference_feed(&reader, record, size, &error) &&
                berth_difference_end(&reader, &error);
    g_assert_cmpint(done, ==, error == NULL);
    return done ? "" : g_intern_string(berth_error_id(error));
}

static void test_hostile_records(void)
{
    static const char *const bad[] = {
        "",      "+",      "+f0",   "*f00a",  "+x00a",   "+f01a",    "~f00a",
        "~fx1a", "~f80a",  "~f0ga", "-d04a",  "+f00/a",  "+f00a//b", "+f00a/",
        "+f00.", "+f00..", "+f00/", "+f00a/", "+f00a/.", "+f00../a", "~f\xffz",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_cmpstr(feed_all(bad[i], strlen(bad[i]) + 1, note_difference), ==,
                        "import.worker.protocol");
    static const char *const good[] = {"+f00a", "-d00a/b", "~p7fa/...", "~d20"};
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_cmpstr(feed_all(good[i], strlen(good[i]) + 1, note_difference), ==, "");
    g_assert_cmpstr(feed_all("+f00a", 5, note_difference), ==, "import.worker.protocol"); /* cut */
    g_assert_cmpstr(feed_all("+f00a", 6, stop), ==, "test.stop");
}

static void test_endless_record(void)
{
    g_autofree char *text = g_malloc(1 << 20);
    memset(text, 'x', 1 << 20);
    memcpy(text, "+f00", 4);
    g_assert_cmpstr(feed_all(text, 1 << 20, note_difference), ==, "import.worker.protocol");
    g_assert_cmpstr(feed_all(text, 4 + 65535, note_difference), ==, "import.worker.protocol");
    text[4 + 65535] = '\0';
    g_assert_cmpstr(feed_all(text, 4 + 65535 + 1, note_difference), ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/diff/model", test_model);
    g_test_add_func("/disk/diff/errors-name-the-image", test_errors_name_the_image);
    g_test_add_func("/disk/diff/more-names-than-links", test_more_names_than_links);
    g_test_add_func("/disk/diff/cancelled", test_cancelled);
    g_test_add_func("/disk/diff/hostile-records", test_hostile_records);
    g_test_add_func("/disk/diff/endless-record", test_endless_record);
    return g_test_run();
}
