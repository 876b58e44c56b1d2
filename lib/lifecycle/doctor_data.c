/* SPDX-License-Identifier: MIT */
#include "doctor_private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"
#include "manage/claim.h"
#include "manage/compose.h"
#include "shares.h"
#include "ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* " (and 2 more)"; "" for one finding. Free with g_free. */
static char *and_more(guint count)
{
    return count > 1 ? g_strdup_printf(" (and %u more)", count - 1) : g_strdup("");
}

/* --- settings --- */

void berth_doctor_settings(BerthDoctor *doctor, BerthDoctorRow *row)
{
    const BerthLayout *layout = doctor->berth->layout;
    const char *const *environment = berth_handle_environment(doctor->berth);
    g_autoptr(GError) problem = NULL;
    g_autoptr(BerthSettings) settings = berth_compose_settings(layout, NULL, environment, &problem);
    if (settings == NULL) {
        berth_doctor_say_error(row, problem);
        return;
    }
    g_autofree char *path = berth_layout_settings(layout);
    g_auto(GStrv) warnings = berth_compose_warnings(layout, environment);
    guint count = g_strv_length(warnings);
    if (count > 0) {
        g_autofree char *more = and_more(count);
        berth_doctor_say(row, BERTH_VERDICT_WARNING, "\"berth config\" lists the settings", "%s%s",
                         warnings[0], more);
        return;
    }
    berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "%s%s", path,
                     access(path, F_OK) < 0 ? " does not exist; the defaults hold" : "");
}

/* --- the data directory --- */

#define SPACE_LEAST                                                                                \
    (G_GUINT64_CONSTANT(64) << 20) /* a distro's first start writes about as much                  \
                                    */
#define SPACE_ENOUGH (G_GUINT64_CONSTANT(2) << 30)

/* @path, or its first parent that exists. Free with g_free. */
static char *existing(const char *path)
{
    char *found = g_strdup(path);
    while (access(found, F_OK) < 0 && errno == ENOENT && strcmp(found, "/") != 0) {
        char *parent = g_path_get_dirname(found);
        g_free(found);
        found = parent;
    }
    return found;
}

/* Whether files in @directory can share blocks, tried with two files that have no name. */
static bool has_reflinks(const char *directory)
{
    static const char block[4096] = {1};
    berth_autofd int from = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    berth_autofd int to = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return from >= 0 && to >= 0 && berth_fd_write_all(from, block, sizeof(block)) == 0 &&
           ioctl(to, FICLONE, from) == 0;
}

static void judge_space(BerthDoctorRow *row, const char *directory, guint64 space)
{
    g_autofree char *size = berth_size_format(space);
    if (space < SPACE_ENOUGH)
        berth_doctor_say(row, space < SPACE_LEAST ? BERTH_VERDICT_PROBLEM : BERTH_VERDICT_WARNING,
                         "berth cache prune --all", "%s: only %s free", directory, size);
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "%s free, %s", size,
                         has_reflinks(directory) ? "with reflinks: copies of a disk are instant"
                                                 : "without reflinks: a clone copies its disk");
}

void berth_doctor_data(BerthDoctor *doctor, BerthDoctorRow *row)
{
    g_autofree char *directory = existing(doctor->berth->layout->data);
    struct statvfs space;
    struct stat st;
    if (stat(directory, &st) < 0 || statvfs(directory, &space) < 0)
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM,
                         "set HOME and the XDG variables to places of your own", "%s: %s",
                         directory, g_strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM, "move it away", "%s: not a directory",
                         directory);
    else if (access(directory, W_OK | X_OK) < 0) {
        g_autofree char *quoted = g_shell_quote(directory);
        g_autofree char *command = g_strconcat("chmod u+wx ", quoted, NULL);
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM, errno == EACCES ? command : NULL, "%s: %s",
                         directory, g_strerror(errno));
    } else
        judge_space(row, directory, (guint64)space.f_bavail * space.f_frsize);
}

/* --- the registry --- */

/* Add their shares to @distros. */
static bool add_shares(BerthRegistry *registry, GPtrArray *distros, GError **error)
{
    for (guint i = 0; i < distros->len; i++) {
        BerthDistro *distro = distros->pdata[i];
        g_autoptr(GPtrArray) shares = berth_registry_shares(registry, distro, error);
        if (shares == NULL)
            return false;
        g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
        for (guint j = 0; j < shares->len; j++) {
            g_autofree char *text = berth_share_to_text(shares->pdata[j]);
            g_strv_builder_add(texts, text);
        }
        distro->shares = g_strv_builder_end(texts);
    }
    return true;
}

static GPtrArray *read_registry(const char *path, GError **error)
{
    g_autoptr(BerthRegistry) registry = berth_registry_open_to_look(path, error);
    g_autoptr(GPtrArray) distros = registry != NULL && berth_registry_check(registry, error)
                                       ? berth_registry_list(registry, error)
                                       : NULL;
    return distros != NULL && add_shares(registry, distros, error) ? g_steal_pointer(&distros)
                                                                   : NULL;
}

void berth_doctor_load_registry(BerthDoctor *doctor)
{
    g_autofree char *path = berth_layout_registry(doctor->berth->layout);
    struct stat st;
    if (lstat(path, &st) < 0 && errno == ENOENT) {
        doctor->distros = g_ptr_array_new_with_free_func((GDestroyNotify)berth_distro_free);
        return;
    }
    doctor->distros = read_registry(path, &doctor->no_registry);
    /* A command that began to write meanwhile looks like damage to a reader without locks. */
    if (berth_error_is(doctor->no_registry, BERTH_ERROR_INVALID)) {
        g_clear_error(&doctor->no_registry);
        doctor->distros = read_registry(path, &doctor->no_registry);
    }
}

void berth_doctor_registry(BerthDoctor *doctor, BerthDoctorRow *row)
{
    if (doctor->distros == NULL) {
        berth_doctor_say_error(row, doctor->no_registry);
        if (g_str_equal(berth_error_id(doctor->no_registry), "registry.older"))
            row->verdict = BERTH_VERDICT_WARNING;
        return;
    }
    guint count = doctor->distros->len;
    berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "%u %s", count,
                     count == 1 ? "distro" : "distros");
}

/* --- disks --- */

static bool is_registered(const BerthDoctor *doctor, const char *id)
{
    for (guint i = 0; i < doctor->distros->len; i++)
        if (g_str_equal(((const BerthDistro *)doctor->distros->pdata[i])->id, id))
            return true;
    return false;
}

static bool is_claimed(const GPtrArray *holders, const char *id)
{
    for (guint i = 0; i < holders->len; i++)
        if (g_str_equal(((const BerthClaimHolder *)holders->pdata[i])->id, id))
            return true;
    return false;
}

/* The number of disks in the data directory that no record names and no command works on.
 * *@ret_first: a path, free with g_free. */
static guint count_unrecorded(const BerthDoctor *doctor, char **ret_first)
{
    const BerthLayout *layout = doctor->berth->layout;
    g_autofree char *directory = g_build_filename(layout->data, "distros", NULL);
    g_autoptr(GPtrArray) holders = berth_claim_list(layout);
    g_autoptr(GDir) listing = g_dir_open(directory, 0, NULL);
    const char *id;
    guint count = 0;
    while (listing != NULL && (id = g_dir_read_name(listing)) != NULL) {
        g_autofree char *disk = berth_layout_disk(layout, id);
        if (access(disk, F_OK) < 0 || is_registered(doctor, id) || is_claimed(holders, id))
            continue;
        if (count++ == 0)
            *ret_first = g_steal_pointer(&disk);
    }
    return count;
}

/* The first distro whose disk cannot be opened, and their number. */
static guint count_missing(const BerthDoctor *doctor, const BerthDistro **ret_first)
{
    guint count = 0;
    for (guint i = 0; i < doctor->distros->len; i++) {
        const BerthDistro *distro = doctor->distros->pdata[i];
        struct stat st;
        if (stat(distro->disk, &st) == 0 && S_ISREG(st.st_mode))
            continue;
        if (count++ == 0)
            *ret_first = distro;
    }
    return count;
}

void berth_doctor_disks(BerthDoctor *doctor, BerthDoctorRow *row)
{
    const BerthDistro *lost = NULL;
    g_autofree char *unrecorded = NULL;
    guint missing = count_missing(doctor, &lost);
    guint others = count_unrecorded(doctor, &unrecorded);
    g_autofree char *more = and_more(missing + others);
    if (missing > 0) {
        g_autofree char *command =
            g_strdup_printf("put it back, or: berth unregister %s", lost->name);
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM, command, "%s has no disk %s%s", lost->name,
                         lost->disk, more);
    } else if (others > 0) {
        g_autofree char *quoted = g_shell_quote(unrecorded);
        g_autofree char *command = g_strdup_printf("berth import-in-place NAME %s", quoted);
        berth_doctor_say(row, BERTH_VERDICT_WARNING, command, "%s belongs to no distro%s",
                         unrecorded, more);
    } else {
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "each distro has its disk");
    }
}

/* --- shares --- */

void berth_doctor_shares(BerthDoctor *doctor, BerthDoctorRow *row)
{
    guint all = 0, gone = 0;
    g_autofree char *first = NULL, *command = NULL;
    for (guint i = 0; i < doctor->distros->len; i++) {
        const BerthDistro *distro = doctor->distros->pdata[i];
        for (guint j = 0; distro->shares[j] != NULL; j++) {
            g_autoptr(BerthShare) share = berth_share_from_text(distro->shares[j]);
            all++;
            if (share == NULL || g_file_test(share->source, G_FILE_TEST_IS_DIR) || gone++ > 0)
                continue;
            g_autofree char *quoted = g_shell_quote(share->target);
            command = g_strdup_printf("berth share rm %s %s", distro->name, quoted);
            first = g_strdup_printf("%s: %s is no directory any more", distro->name, share->source);
        }
    }
    g_autofree char *more = and_more(gone);
    if (gone > 0)
        berth_doctor_say(row, BERTH_VERDICT_WARNING, command, "%s%s", first, more);
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "%u added", all);
}

/* --- ssh --- */

void berth_doctor_ssh(BerthDoctor *doctor, BerthDoctorRow *row)
{
    g_autofree char *path = berth_layout_ssh_config(doctor->berth->layout);
    if (access(path, F_OK) < 0)
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "not set up");
    else if (!berth_ssh_is_installed(doctor->berth))
        berth_doctor_say(row, BERTH_VERDICT_WARNING, "berth ssh-config --install",
                         "~/.ssh/config does not include %s any more", path);
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "~/.ssh/config includes %s", path);
}
