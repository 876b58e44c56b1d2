/* SPDX-License-Identifier: MIT */
#include "shares.h"

#include "git_worktree.h"
#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/request.h"
#include "instance/client/runtime.h"
#include "overlay/review.h"
#include "overlay/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- what can be shared --- */

/* Whether @path is @directory or below it. */
static bool is_within(const char *path, const char *directory)
{
    gsize length = strlen(directory);
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Whether @path is part of @private, or holds it: what runs in the distro could change the disks of
 * others. */
static bool touches(const char *path, const char *private)
{
    char *found = realpath(private, NULL);
    g_autofree char *directory = g_strdup(found != NULL ? found : private);
    free(found);
    return is_within(path, directory) || is_within(directory, path);
}

/* Why the resolved @path cannot be shared; NULL if it can. */
static const char *find_obstacle(const BerthLayout *layout, const char *path)
{
    static const char *const kernel[] = {"/proc", "/sys", "/dev"};
    if (g_str_equal(path, "/"))
        return "it is the whole host";
    for (gsize i = 0; i < G_N_ELEMENTS(kernel); i++)
        if (is_within(path, kernel[i]))
            return "it belongs to this host's kernel";
    if (touches(path, layout->data) || touches(path, layout->runtime))
        return "it has files of berth's own";
    return NULL;
}

static bool refuse_directory(const char *directory, const char *why, GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "share.directory",
                    "give another directory of this host", "%s cannot be shared: %s", directory,
                    why);
    return false;
}

/* The directory that @directory leads to, which may be shared; or NULL. */
static char *resolve(Berth *berth, const char *directory, GError **error)
{
    struct stat info;
    char *path = realpath(directory, NULL);
    g_autofree char *resolved = path != NULL ? g_strdup(path) : NULL;
    free(path);
    if (resolved == NULL || stat(resolved, &info) != 0) {
        refuse_directory(directory, g_strerror(errno), error);
        return NULL;
    }
    const char *obstacle =
        S_ISDIR(info.st_mode) ? find_obstacle(berth->layout, resolved) : g_strerror(ENOTDIR);
    if (obstacle == NULL)
        return g_steal_pointer(&resolved);
    refuse_directory(directory, obstacle, error);
    return NULL;
}

static bool check_target(const char *target, GError **error)
{
    if (berth_share_is_path(target) && !g_str_equal(target, "/"))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "share.target",
                    "give an absolute path without \".\", \"..\" and \"//\", such as /work",
                    "%s cannot be the target of a share", target);
    return false;
}

/* Check that @share does not overlap the user's home, if the distro sees it. */
static bool check_home(Berth *berth, const BerthDistro *distro, const BerthShare *share,
                       GError **error)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, distro->name, error);
    if (settings == NULL)
        return false;
    g_autofree char *path = settings->share_home ? realpath(g_get_home_dir(), NULL) : NULL;
    g_autoptr(BerthShare) home = path != NULL ? berth_share_new(path, path, false) : NULL;
    if (home == NULL || !berth_share_overlaps(share, home))
        return true;
    berth_error_set(error, BERTH_ERROR_EXISTS, "share.home",
                    "choose another target, or set share-home=false in berth.conf",
                    "%s overlaps your home directory, which share-home shares", share->target);
    return false;
}

/* --- changing --- */

/* The same directory shared at the same place again finds the changes that were made there. */
static char *name_of(const BerthShare *share)
{
    g_autofree char *paths = g_strconcat(share->source, "\n", share->target, NULL);
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, paths, -1);
}

static char *count_path(Berth *berth, const BerthDistro *distro, const BerthShare *share)
{
    g_autofree char *name = name_of(share);
    return berth_layout_count(berth->layout, distro->id, name);
}

/* The count of a share begins at 0 when it is added. */
static void reset_count(Berth *berth, const BerthDistro *distro, const BerthShare *share)
{
    g_autofree char *path = count_path(berth, distro, share);
    unlink(path);
}

/* How much of its quota @share has used, bytes; 0 if that is not known. */
static guint64 read_count(Berth *berth, const BerthDistro *distro, const BerthShare *share)
{
    g_autofree char *path = count_path(berth, distro, share);
    g_autofree char *text = NULL;
    guint64 used = 0;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    return g_ascii_string_to_unsigned(g_strchomp(text), 10, 0, G_MAXUINT64, &used, NULL)
               ? used
               : share->quota; /* berth-share gives a damaged count no room */
}

/* The same of a share with an overlay: what its changes take now. */
static guint64 measure_changes(Berth *berth, const BerthDistro *distro, const BerthShare *share)
{
    g_autofree char *dir = berth_layout_overlay(berth->layout, distro->id, share->overlay);
    guint64 used = 0;
    if (!g_file_test(dir, G_FILE_TEST_IS_DIR))
        return 0;
    g_autoptr(BerthOverlay) overlay = berth_overlay_open(dir, -1, NULL);
    if (overlay != NULL)
        berth_overlay_usage(overlay, &used);
    return used;
}

char **berth_shares_texts(Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autoptr(GPtrArray) shares = berth_registry_shares(berth->registry, distro, error);
    if (shares == NULL)
        return NULL;
    g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
    for (guint i = 0; i < shares->len; i++) {
        BerthShare *share = shares->pdata[i];
        g_autofree char *overlay = share->overlay;
        if (overlay != NULL)
            share->overlay = berth_layout_overlay(berth->layout, distro->id, overlay);
        else if (share->quota > 0)
            share->count = count_path(berth, distro, share);
        g_autofree char *text = berth_share_to_text(share);
        g_strv_builder_add(texts, text);
    }
    return g_strv_builder_end(texts);
}

/* The shares that a start of the distro would have now, with that of the home. */
static char **read_wanted(Berth *berth, const BerthDistro *distro, GError **error)
{
    g_autoptr(BerthDistro) row = berth_registry_find_by_id(berth->registry, distro->id, error);
    if (row == NULL)
        return NULL;
    row->shares = berth_shares_texts(berth, row, error);
    g_autoptr(BerthMachine) machine =
        row->shares != NULL ? berth_handle_machine(berth, row, error) : NULL;
    if (machine == NULL)
        return NULL;
    g_autofree char *left_out = berth_shares_leave_out(machine); /* the next start names them */
    return g_steal_pointer(&machine->shares);
}

/* Add to @lines one about each of @skipped, unless it is there. */
static void describe_skipped(const BerthDistro *distro, char **skipped, GPtrArray *lines)
{
    for (; *skipped != NULL; skipped++) {
        g_autofree char *line = g_strdup_printf("%s does not see %s", distro->name, *skipped);
        if (!g_ptr_array_find_with_equal_func(lines, line, g_str_equal, NULL))
            g_ptr_array_add(lines, g_steal_pointer(&line));
    }
}

/* Send the shares to the keeper until it has those of the registry: another command may have
 * changed them meanwhile, and have sent its own list earlier. Adds lines for the user to @lines. */
static bool send_shares(Berth *berth, const BerthDistro *distro, int fd,
                        BerthSharesEffect *ret_effect, GPtrArray *lines, GError **error)
{
    g_auto(GStrv) sent = NULL;
    *ret_effect = BERTH_SHARES_CURRENT;
    for (;;) {
        BerthSharesEffect effect;
        g_auto(GStrv) wanted = read_wanted(berth, distro, error);
        if (wanted == NULL)
            return false;
        if (sent != NULL && g_strv_equal((const char *const *)sent, (const char *const *)wanted))
            return true;
        g_auto(GStrv) skipped = NULL;
        if (!berth_request_set_shares(fd, (const char *const *)wanted, &effect, &skipped, error))
            return false;
        describe_skipped(distro, skipped, lines);
        *ret_effect = MAX(*ret_effect, effect);
        g_strfreev(sent);
        sent = g_steal_pointer(&wanted);
    }
}

/* Why the keeper did not take the shares, which the next start does; NULL: it has ended. */
static char *describe_failure(Berth *berth, const BerthDistro *distro, const GError *error)
{
    const char *why = error->message;
    if (berth_runtime_is_gone(error)) {
        berth_autofd int again = berth_reach_connect(berth, distro, NULL);
        if (again < 0)
            return NULL;
        why = "its keeper does not answer";
    }
    return g_strdup_printf("%s: the change takes effect at its next start: %s", distro->name, why);
}

/* Describe @effect for the user; NULL: there is nothing to say. */
static char *describe_effect(const BerthDistro *distro, BerthSharesEffect effect)
{
    static const char *const lines[] = {
        [BERTH_SHARES_CURRENT] = NULL,
        [BERTH_SHARES_REPLACED] =
            "open files of this host stay open there, but locks of them are lost",
        [BERTH_SHARES_SLOW] = "the change takes effect when it continues",
        [BERTH_SHARES_LATER] = "it sees no directory of this host now: the change takes effect at "
                               "its next start, unless its wsl.conf has automount off",
    };
    return lines[effect] != NULL ? g_strdup_printf("%s: %s", distro->name, lines[effect]) : NULL;
}

/* Give a running distro its shares. Lines for the user, or NULL. */
static char *apply(Berth *berth, const BerthDistro *distro)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    BerthSharesEffect effect;
    berth_autofd int fd = berth_handle_runtime(berth, &error) != NULL
                              ? berth_reach_connect(berth, distro, &error)
                              : -1;
    if (fd < 0)
        return berth_reach_is_unreachable(error) ? describe_failure(berth, distro, error) : NULL;
    berth_reach_limit_waiting(fd, BERTH_SHARES_WAIT_SEC + BERTH_REACH_ANSWER_SEC);
    if (!send_shares(berth, distro, fd, &effect, lines, &error))
        return describe_failure(berth, distro, error);
    g_ptr_array_add(lines, describe_effect(distro, effect));
    g_ptr_array_add(lines, NULL);
    return lines->pdata[0] != NULL ? g_strjoinv("\n", (char **)lines->pdata) : NULL;
}

/* Give a running distro its shares. A line for the user, or NULL. */
static char *apply_or_explain(Berth *berth, const BerthDistro *distro)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, distro->name, NULL);
    return settings != NULL && settings->isolated
               ? g_strdup_printf("%s is isolated by berth.conf: it sees no directory of this host",
                                 distro->name)
               : apply(berth, distro);
}

/* Whether @distro sees the resolved @path of the host. */
static bool is_seen(Berth *berth, const BerthDistro *distro, const BerthSettings *settings,
                    const char *path)
{
    char *found = settings->share_home ? realpath(g_get_home_dir(), NULL) : NULL;
    bool seen = found != NULL && is_within(path, found);
    free(found);
    g_autoptr(GPtrArray) shares = berth_registry_shares(berth->registry, distro, NULL);
    for (guint i = 0; !seen && shares != NULL && i < shares->len; i++)
        seen = is_within(path, ((const BerthShare *)shares->pdata[i])->source);
    return seen;
}

/* A line for the user if @share is a worktree of a git repository that the distro does not see, or
 * NULL. */
static char *describe_worktree(Berth *berth, const BerthDistro *distro, const BerthShare *share)
{
    g_autofree char *repository = berth_git_worktree_repository(share->source);
    g_autoptr(BerthSettings) settings =
        repository != NULL ? berth_handle_settings(berth, distro->name, NULL) : NULL;
    if (settings == NULL || is_seen(berth, distro, settings, repository))
        return NULL;
    return g_strdup_printf("%s does not see the repository of this git worktree: berth share add "
                           "--read-only %s %s",
                           distro->name, distro->name, repository);
}

bool berth_shares_add(Berth *berth, const char *name, const char *directory, const char *target,
                      BerthShareAccess access, guint64 quota, char **ret_notice, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    g_autofree char *source = distro != NULL ? resolve(berth, directory, error) : NULL;
    if (source == NULL || (target != NULL && !check_target(target, error)))
        return false;
    g_autoptr(BerthShare) share =
        berth_share_new(source, target != NULL ? target : source, access == BERTH_SHARE_READ);
    if (access == BERTH_SHARE_REVIEWED)
        share->overlay = name_of(share);
    share->quota = quota;
    if (!check_home(berth, distro, share, error) ||
        !berth_registry_add_share(berth->registry, distro, share, error))
        return false;
    reset_count(berth, distro, share);
    g_autofree char *applied = apply_or_explain(berth, distro);
    g_autofree char *worktree = describe_worktree(berth, distro, share);
    bool both = applied != NULL && worktree != NULL;
    *ret_notice = both ? g_strconcat(applied, "\n", worktree, NULL)
                       : g_strdup(applied != NULL ? applied : worktree);
    return true;
}

/* The target of the share of @shares that @path means, @path itself if there is none; NULL with
 * @error if it means several. */
static const char *find_target(GPtrArray *shares, const char *path, GError **error)
{
    g_autofree char *resolved = realpath(path, NULL);
    const char *target = NULL;
    for (guint i = 0; i < shares->len; i++) {
        const BerthShare *share = shares->pdata[i];
        if (g_str_equal(share->target, path))
            return path;
    }
    for (guint i = 0; i < shares->len; i++) {
        const BerthShare *share = shares->pdata[i];
        if (!g_str_equal(share->source, resolved != NULL ? resolved : path))
            continue;
        if (target != NULL) {
            berth_error_set(error, BERTH_ERROR_INVALID, "share.ambiguous",
                            "name the target instead", "%s is shared as %s and as %s", path, target,
                            share->target);
            return NULL;
        }
        target = share->target;
    }
    return target != NULL ? target : path;
}

bool berth_shares_remove(Berth *berth, const char *name, const char *path, char **ret_notice,
                         GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    g_autoptr(GPtrArray) shares =
        distro != NULL ? berth_registry_shares(berth->registry, distro, error) : NULL;
    const char *target = shares != NULL ? find_target(shares, path, error) : NULL;
    if (target == NULL || !berth_registry_remove_share(berth->registry, distro, target, error))
        return false;
    *ret_notice = apply_or_explain(berth, distro);
    for (guint i = 0; i < shares->len; i++)
        if (g_str_equal(((const BerthShare *)shares->pdata[i])->target, target))
            reset_count(berth, distro, shares->pdata[i]);
    return true;
}

/* --- setting --- */

typedef struct {
    Berth *berth;
    const BerthDistro *distro;
    const BerthShareEdit *edit;
    bool counts_anew;
} Setting;

/* How many changes @share, which keeps them beside it, has. */
static bool count_changes(Berth *berth, const BerthDistro *distro, const BerthShare *share,
                          guint *ret_count, GError **error)
{
    g_autofree char *dir = berth_layout_overlay(berth->layout, distro->id, share->overlay);
    *ret_count = 0;
    if (!g_file_test(dir, G_FILE_TEST_IS_DIR))
        return true;
    berth_autofd int lower = open(share->source, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lower < 0) {
        berth_error_set_errno(error, errno, "changes.open", "%s", share->source);
        return false;
    }
    g_autoptr(BerthOverlay) overlay = berth_overlay_open(dir, lower, error);
    if (overlay == NULL)
        return false;
    g_autoptr(GPtrArray) changes = berth_overlay_changes(overlay);
    *ret_count = changes->len;
    return true;
}

static bool check_unreviewed(const Setting *setting, const BerthShare *share, GError **error)
{
    guint count;
    if (!count_changes(setting->berth, setting->distro, share, &count, error) || count == 0)
        return count == 0;
    const char *name = setting->distro->name;
    g_autofree char *hint = g_strdup_printf(
        "see them: berth changes %s; then berth accept %s or berth discard %s", name, name, name);
    berth_error_set(error, BERTH_ERROR_EXISTS, "share.changes", hint,
                    "%s has %u change%s of %s that %s neither accepted nor discarded",
                    share->target, count, count == 1 ? "" : "s", name, count == 1 ? "is" : "are");
    return false;
}

/* BerthShareEditor */
static bool edit_share(BerthShare *share, gpointer user_data, GError **error)
{
    Setting *setting = user_data;
    const BerthShareEdit *edit = setting->edit;
    bool was_reviewed = share->overlay != NULL, had_quota = share->quota > 0;
    bool reviewed = edit->reviewed ||
                    (was_reviewed && !edit->read_only && !edit->read_write && !edit->unreviewed);
    share->read_only = edit->read_only || (share->read_only && !edit->read_write && !reviewed);
    share->quota = edit->sets_quota ? edit->quota : share->quota;
    if (share->read_only && share->quota > 0) {
        berth_error_set(error, BERTH_ERROR_INVALID, "share.read-only-quota", "add --quota none",
                        "%s has a quota, which a read-only share cannot have", share->target);
        return false;
    }
    if (was_reviewed && !reviewed && !check_unreviewed(setting, share, error))
        return false;
    if (was_reviewed != reviewed) {
        g_free(share->overlay);
        share->overlay = reviewed ? name_of(share) : NULL;
    }
    setting->counts_anew = was_reviewed || !had_quota || share->quota == 0;
    return true;
}

bool berth_shares_set(Berth *berth, const char *name, const char *path, const BerthShareEdit *edit,
                      char **ret_notice, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    g_autoptr(GPtrArray) shares =
        distro != NULL ? berth_registry_shares(berth->registry, distro, error) : NULL;
    const char *target = shares != NULL ? find_target(shares, path, error) : NULL;
    Setting setting = {.berth = berth, .distro = distro, .edit = edit};
    if (target == NULL ||
        !berth_registry_edit_share(berth->registry, distro, target, edit_share, &setting, error))
        return false;
    for (guint i = 0; setting.counts_anew && i < shares->len; i++)
        if (g_str_equal(((const BerthShare *)shares->pdata[i])->target, target))
            reset_count(berth, distro, shares->pdata[i]);
    *ret_notice = apply_or_explain(berth, distro);
    return true;
}

/* --- listing --- */

void berth_distro_shares_free(BerthDistroShares *shares)
{
    if (shares == NULL)
        return;
    g_free(shares->distro);
    g_clear_pointer(&shares->shares, g_ptr_array_unref);
    g_free(shares->used);
    g_free(shares);
}

/* What each of @shares has used of its quota, if it has one. */
static guint64 *read_used(Berth *berth, const BerthDistro *distro, const GPtrArray *shares)
{
    guint64 *used = g_new0(guint64, shares->len + 1);
    for (guint i = 0; i < shares->len; i++) {
        const BerthShare *share = shares->pdata[i];
        if (share->quota > 0)
            used[i] = (share->overlay != NULL ? measure_changes : read_count)(berth, distro, share);
    }
    return used;
}

GPtrArray *berth_shares_list(Berth *berth, const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    g_autoptr(GPtrArray) distros = berth_handle_find_all(berth, name != NULL ? names : NULL, error);
    if (distros == NULL)
        return NULL;
    g_autoptr(GPtrArray) list =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_distro_shares_free);
    for (guint i = 0; i < distros->len; i++) {
        const BerthDistro *distro = distros->pdata[i];
        GPtrArray *shares = berth_registry_shares(berth->registry, distro, error);
        if (shares == NULL)
            return NULL;
        BerthDistroShares *row = g_new(BerthDistroShares, 1);
        *row =
            (BerthDistroShares){g_strdup(distro->name), shares, read_used(berth, distro, shares)};
        g_ptr_array_add(list, row);
    }
    return g_steal_pointer(&list);
}

/* --- a start --- */

/* Why @share cannot be shown beside @others; NULL if it can. */
static const char *find_hindrance(const BerthShare *share, const GPtrArray *others)
{
    g_autofree char *resolved = realpath(share->source, NULL);
    if (resolved == NULL)
        return g_strerror(errno);
    if (!g_str_equal(resolved, share->source))
        return "a symbolic link is in its place";
    if (!g_file_test(resolved, G_FILE_TEST_IS_DIR))
        return g_strerror(ENOTDIR);
    for (guint i = 0; i < others->len; i++)
        if (berth_share_overlaps(share, others->pdata[i]))
            return "its target overlaps another share";
    return NULL;
}

char *berth_shares_leave_out(BerthMachine *machine)
{
    g_autoptr(GPtrArray) kept = g_ptr_array_new_with_free_func((GDestroyNotify)berth_share_free);
    g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
    g_autoptr(GString) lines = g_string_new(NULL);
    for (char **text = machine->shares; text != NULL && *text != NULL; text++) {
        g_autoptr(BerthShare) share = berth_share_from_text(*text);
        const char *why = find_hindrance(share, kept);
        if (why != NULL) {
            g_string_append_printf(lines, "%s%s is not shared with %s: %s",
                                   lines->len > 0 ? "\n" : "", share->source, machine->name, why);
            continue;
        }
        g_strv_builder_add(texts, *text);
        g_ptr_array_add(kept, g_steal_pointer(&share));
    }
    g_strfreev(machine->shares);
    machine->shares = g_strv_builder_end(texts);
    return lines->len > 0 ? g_string_free(g_steal_pointer(&lines), FALSE) : NULL;
}
