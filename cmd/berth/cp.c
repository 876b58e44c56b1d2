/* SPDX-License-Identifier: MIT
 *
 * berth cp — copies files between this host and the distros.
 */
#include "commands.h"

#include "base/fd.h"
#include "print.h"
#include "work.h"

#include <signal.h>
#include <string.h>

static const Option options[] = {
    {"recursive", 'r', NULL, "Copy directories with their contents"},
    {"user", 'u', "USER", "Access the distro's files as this user, not the default one"},
    {NULL},
};

/* An argument: a path of this host, or NAME:PATH. */
typedef struct {
    char *distro; /* as registered; NULL: this host */
    const char *path;
    int connection;
} Place;

static void place_clear(Place *place)
{
    g_free(place->distro);
    berth_fd_close(&place->connection);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

/* As scp has it: a colon in front of the first slash ends a name. */
static gsize name_length(const char *argument)
{
    gsize length = strcspn(argument, ":/");
    return argument[length] == ':' ? length : 0;
}

static bool read_place(Invocation *invocation, const char *argument, Place *place, GError **error)
{
    gsize length = name_length(argument);
    *place = (Place){NULL, argument, -1};
    if (length == 0)
        return true;
    g_autofree char *name = g_strndup(argument, length);
    place->distro = berth_resolve(invocation->berth, name, error);
    place->path = argument + length + 1;
    if (*place->path == '\0')
        place->path = "."; /* the user's home */
    return place->distro != NULL;
}

static bool check_sources(const Invocation *invocation, GError **error)
{
    const char *first = invocation->arguments[0];
    for (int i = 1; i < invocation->n_arguments - 1; i++) {
        const char *other = invocation->arguments[i];
        gsize length = name_length(first);
        if (length == name_length(other) && strncmp(first, other, length) == 0)
            continue;
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "copy from one distro, or this host, at a time",
                        "the sources are in several places");
        return false;
    }
    return true;
}

static bool check_places(const Place *source, const Place *target, GError **error)
{
    if (source->distro == NULL && target->distro == NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "write NAME:PATH for a file in a distro", "no path is in a distro");
        return false;
    }
    if (g_strcmp0(source->distro, target->distro) != 0)
        return true;
    g_autofree char *hint =
        g_strdup_printf("copy inside the distro: berth run -d %s cp", source->distro);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments", hint,
                    "both paths are in the same distro");
    return false;
}

static bool connect_place(const Invocation *invocation, Place *place, GError **error)
{
    if (place->distro == NULL)
        return true;
    g_autofree char *notice = NULL;
    place->connection = berth_connect(invocation->berth, place->distro, &notice, error);
    print_notice(notice);
    return place->connection >= 0;
}

static void print_entry(const char *text, gpointer user_data)
{
    const Work *work = user_data;
    progress_clear(&work->progress);
    print_notice(text);
}

static int copy(const Invocation *invocation, const char *const *sources, const Place *source,
                const Place *target, GError **error)
{
    Work work;
    const BerthCopy copy = {
        .sources = sources,
        .source_connection = source->connection,
        .source_name = source->distro,
        .target = target->path,
        .target_connection = target->connection,
        .target_name = target->distro,
        .user = invocation_value(invocation, "user"),
        .recursive = invocation_flag(invocation, "recursive"),
        .progress = work_goes_on,
        .line = print_entry,
        .user_data = &work,
    };
    signal(SIGPIPE, SIG_IGN);
    work_begin(&work, invocation->arguments[0]);
    bool ok = berth_copy_files(&copy, error);
    work_end(&work);
    return ok ? 0 : -1;
}

static int run(Invocation *invocation, GError **error)
{
    g_auto(Place) source = {NULL, NULL, -1};
    g_auto(Place) target = {NULL, NULL, -1};
    int last = invocation->n_arguments - 1;
    if (!check_sources(invocation, error) ||
        !read_place(invocation, invocation->arguments[0], &source, error) ||
        !read_place(invocation, invocation->arguments[last], &target, error) ||
        !check_places(&source, &target, error))
        return -1;
    gsize skipped = source.distro != NULL ? name_length(invocation->arguments[0]) + 1 : 0;
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    for (int i = 0; i < last; i++) {
        char *path = invocation->arguments[i] + skipped;
        g_ptr_array_add(paths, *path != '\0' ? path : (gpointer) ".");
    }
    g_ptr_array_add(paths, NULL);
    if (!connect_place(invocation, &source, error) || !connect_place(invocation, &target, error))
        return -1;
    return copy(invocation, (const char *const *)paths->pdata, &source, &target, error);
}

const Command command_cp = {
    .name = "cp",
    .synopsis = "[OPTION]... SOURCE... TARGET",
    .completes = "path...",
    .summary = "Copy files between this host and a distro, or between distros",
    .details = "NAME:PATH is a file in the distro NAME, which is started if it is not running. A\n"
               "relative PATH begins in the user's home directory there. If TARGET is a\n"
               "directory, SOURCE is copied into it; otherwise TARGET is the name of the copy.\n"
               "    berth cp -r ~/src/tool debian:src\n"
               "    berth cp debian:/var/log/dpkg.log .\n"
               "The copy keeps permissions, times, links, holes and users' extended attributes.\n"
               "It belongs to you, or to the user in the distro. Devices, sockets and FIFOs are\n"
               "not copied.\n"
               "\n"
               "An existing file is replaced only when its copy is complete. If one file cannot\n"
               "be copied, berth reports it and copies the others, unless the target is full or\n"
               "read-only. If a file of this host has a colon in its name, write ./a:b.",
    .min_arguments = 2,
    .max_arguments = -1,
    .options = options,
    .run = run,
};
