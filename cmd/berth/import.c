/* SPDX-License-Identifier: MIT
 *
 * berth import — makes a distro from a tar archive of a root file system.
 *
 * WSL puts the disk's directory between the name and the file; berth also has --location for it.
 */
#include "commands.h"

#include "base/fd.h"
#include "base/size.h"
#include "print.h"
#include "progress_bar.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const Option options[] = {
    {"size", 0, "SIZE", "Size of the disk in the distro, not that of the setting"},
    {"inodes", 0, "N", "Number of inodes: how many files the disk can hold"},
    {"location", 0, "DIR", "Keep the disk in this directory"},
    {"in-place", 0, "IMG", "Use this ext4 image in place, instead of an archive"},
    {"strip-root", 0, NULL, "The archive's only top directory is the root"},
    {"no-user", 0, NULL, "Make no account; the default user is root"},
    {"oobe", 0, NULL, "Let the distro's first-run command make the account"},
    {"user-data", 0, "FILE", "Run the distro's cloud-init with this user-data"},
    {"vhd", 0, NULL, "For WSL's command lines: how to convert a VHDX file"},
    {"version", 0, "N", "For WSL's command lines: only 2 is accepted"},
    {NULL},
};

static bool on_progress(guint64 done, guint64 total, guint64 entries, gpointer user_data)
{
    progress_update(user_data, done, total);
    return !stop_asked();
}

static void on_notice(const char *text, gpointer user_data)
{
    const Progress *progress = user_data;
    progress_clear(progress);
    fprintf(stderr, "berth: import %s: notice: %s\n", progress->what, text);
}

static int open_archive(const char *path, GError **error)
{
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        berth_error_set_errno(error, errno, "import.archive", "%s", path);
    return fd;
}

static bool set_usage(GError **error, const char *text)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL, "%s", text);
    return false;
}

static bool read_size(const Invocation *invocation, guint64 *ret_size, GError **error)
{
    const char *text = invocation_value(invocation, "size");
    if (text == NULL || (berth_size_parse(text, ret_size) && *ret_size > 0))
        return true;
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", "give a size such as 64G or 1T",
                    "--size: \"%.80s\" is not a size", shown);
    return false;
}

static bool read_inodes(const Invocation *invocation, guint64 *ret_inodes, GError **error)
{
    const char *text = invocation_value(invocation, "inodes");
    if (text == NULL || g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT32, ret_inodes, NULL))
        return true;
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                    "--inodes: \"%.80s\" is not a number from 1 to %u", shown, G_MAXUINT32);
    return false;
}

/* Arguments: NAME FILE, or WSL's NAME DIR FILE. */
static bool read_places(const Invocation *invocation, const char **ret_file, char **ret_location,
                        GError **error)
{
    const char *location = invocation_value(invocation, "location");
    if (invocation->n_arguments == 3 && location != NULL)
        return set_usage(error, "the directory is given twice, with --location and without");
    if (invocation->n_arguments == 3)
        location = invocation->arguments[1];
    if (location != NULL && location[0] == '\0')
        return set_usage(error, "--location: the directory has no name");
    *ret_file = invocation->arguments[invocation->n_arguments - 1];
    *ret_location = location != NULL ? g_canonicalize_filename(location, NULL) : NULL;
    return true;
}

static bool check_version(const Invocation *invocation, GError **error)
{
    const char *version = invocation_value(invocation, "version");
    return version == NULL || strcmp(version, "2") == 0 ||
           set_usage(error, "--version: there is only version 2: every distro has a kernel");
}

/* Disks are raw ext4; the host's own tools convert other formats. */
static bool check_vhd(const Invocation *invocation, GError **error)
{
    if (!invocation_flag(invocation, "vhd"))
        return true;
    berth_error_set(
        error, BERTH_ERROR_INVALID, "import.vhd",
        "convert it once (qemu-img convert -O raw FILE.vhdx FILE.ext4), then: berth import "
        "NAME --in-place FILE.ext4",
        "VHD and VHDX files cannot be imported");
    return false;
}

static void print_result(const char *name, const BerthImported *imported, gint64 usec)
{
    g_autofree char *disk = berth_size_format(imported->disk_used);
    if (imported->from_cache) {
        printf("%s: %" G_GUINT64_FORMAT " entries, %s on the disk, in %.1f s (from the cache)\n",
               name, imported->entries, disk, (double)usec / G_USEC_PER_SEC);
        return;
    }
    g_autofree char *rate = berth_size_format(
        (guint64)((double)imported->bytes * G_USEC_PER_SEC / (double)MAX(usec, 1)));
    printf("%s: %" G_GUINT64_FORMAT " entries, %s on the disk, in %.1f s (%s/s)\n", name,
           imported->entries, disk, (double)usec / G_USEC_PER_SEC, rate);
}

static bool import(Invocation *invocation, BerthImport *request, const char *file, GError **error)
{
    berth_autofd int archive = open_archive(file, error);
    if (archive < 0)
        return false;
    stop_catch(NULL);

    Progress progress;
    BerthImported imported;
    gint64 started = g_get_monotonic_time();
    progress_begin(&progress, request->name);
    request->fd = archive;
    bool is_input = strcmp(file, "-") == 0;
    g_autofree char *path = is_input ? NULL : g_canonicalize_filename(file, NULL);
    request->origin = is_input ? "standard input" : file;
    request->path = path;
    request->progress = on_progress;
    request->notice = on_notice;
    request->user_data = &progress;
    bool ok = berth_import(invocation->berth, request, &imported, error);
    progress_end(&progress);
    if (ok)
        print_result(request->name, &imported, g_get_monotonic_time() - started);
    return ok;
}

/* Reject options that an existing image has already decided. */
static bool check_in_place(const Invocation *invocation, GError **error)
{
    static const char *const makes[] = {"size", "inodes", "location", "strip-root", "oobe"};
    for (gsize i = 0; i < G_N_ELEMENTS(makes); i++) {
        if (!invocation_flag(invocation, makes[i]))
            continue;
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                        "--%s cannot be used with --in-place: the image exists already", makes[i]);
        return false;
    }
    return invocation->n_arguments == 1 ||
           set_usage(error, "--in-place names the image: give no other file");
}

static bool import_in_place(Invocation *invocation, const char *image, GError **error)
{
    Progress progress = {.what = invocation->arguments[0]};
    g_autofree char *path = g_canonicalize_filename(image, NULL);
    const BerthImport request = {.name = progress.what,
                                 .path = path,
                                 .no_user = invocation_flag(invocation, "no-user"),
                                 .cloud = invocation_value(invocation, "user-data"),
                                 .notice = on_notice,
                                 .user_data = &progress};
    return check_in_place(invocation, error) &&
           berth_import_in_place(invocation->berth, &request, error);
}

static int run(Invocation *invocation, GError **error)
{
    const char *image = invocation_value(invocation, "in-place");
    const char *file = NULL;
    g_autofree char *location = NULL;
    BerthImport request = {.name = invocation->arguments[0],
                           .strip_root = invocation_flag(invocation, "strip-root"),
                           .no_user = invocation_flag(invocation, "no-user"),
                           .oobe = invocation_flag(invocation, "oobe"),
                           .cloud = invocation_value(invocation, "user-data")};
    invocation->subject = request.name;
    if (!berth_check_name(request.name, error) || !check_version(invocation, error) ||
        !check_vhd(invocation, error))
        return -1;
    if (image != NULL)
        return import_in_place(invocation, image, error) ? 0 : -1;
    if (invocation->n_arguments < 2) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "usage: berth import [OPTION]... NAME [DIR] FILE",
                        "an argument is missing");
        return -1;
    }
    if (!read_size(invocation, &request.size, error) ||
        !read_inodes(invocation, &request.inodes, error) ||
        !read_places(invocation, &file, &location, error))
        return -1;
    request.location = location;
    return import(invocation, &request, file, error) ? 0 : -1;
}

const Command command_import = {
    .name = "import",
    .spellings = "--import",
    .synopsis = "[OPTION]... NAME [DIR] FILE",
    .completes = "- file file",
    .summary = "Make a distro from a tar archive of a root file system",
    .details = "FILE may be compressed with gzip, xz, zstd, bzip2 or lz4. For standard input,\n"
               "give - as FILE. FILE may also be a container image: the output of docker save,\n"
               "or an OCI layout in a tar archive. DIR is WSL's spelling of --location. The\n"
               "first distro becomes the default. If the import fails or is interrupted, nothing\n"
               "is left.\n"
               "\n"
               "If the distro has no account for a person, berth makes one at the first start.\n"
               "It has your user name, your user number if that is free, and sudo without a\n"
               "password. cloud-init does not run, unless you give --user-data.",
    .min_arguments = 1,
    .max_arguments = 3,
    .options = options,
    .run = run,
};

/* WSL's spelling, a command of its own. */
static int run_in_place(Invocation *invocation, GError **error)
{
    const char *image = invocation->arguments[1];
    invocation->subject = invocation->arguments[0];
    invocation->n_arguments = 1;
    return berth_check_name(invocation->subject, error) && import_in_place(invocation, image, error)
               ? 0
               : -1;
}

const Command command_import_in_place = {
    .name = "import-in-place",
    .spellings = "--import-in-place",
    .synopsis = "NAME IMG",
    .completes = "- file",
    .summary = "Make a distro from an ext4 image without copying it",
    .details = "The distro uses the file itself, and \"berth unregister\" does not delete it. The\n"
               "file must contain a clean ext4 file system with a root file system in it. e2fsck\n"
               "-f repairs one that is not clean.",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run_in_place,
};
