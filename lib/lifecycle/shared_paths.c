/* SPDX-License-Identifier: MIT */
#include "shared_paths.h"

#include "base/error.h"
#include "instance/client/request.h"
#include "paths/path_text.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    const char *name; /* of the distro */
    char **paths;     /* of the host and the guest by turns */
    GArray *pairs;    /* PathPair, into @paths */
} Shared;

static void shared_clear(Shared *shared)
{
    g_strfreev(shared->paths);
    g_clear_pointer(&shared->pairs, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Shared, shared_clear)

/* strdup's memory is not always g_malloc's. */
static char *own(char *path)
{
    char *copy = g_strdup(path);
    free(path);
    return copy;
}

static bool shared_read(Shared *shared, int connection, const char *name, GError **error)
{
    shared->name = name;
    shared->pairs = g_array_new(FALSE, FALSE, sizeof(PathPair));
    shared->paths = berth_request_shares(connection, error);
    if (shared->paths == NULL)
        return false;
    for (char **path = shared->paths; *path != NULL; path += 2) {
        const PathPair pair = {{path[0], path[1]}};
        g_array_append_val(shared->pairs, pair);
    }
    if (shared->pairs->len > 0)
        return true;
    g_autofree char *hint = g_strdup_printf(
        "berth config %s shows share-home and isolated; its wsl.conf may have automount off", name);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "path.no-shares", hint,
                    "%s sees no directory of this host", name);
    return false;
}

static char *map(const Shared *shared, PathSide from, const char *path)
{
    const PathPair *pairs = (const PathPair *)(gconstpointer)shared->pairs->data;
    return own(path_map(pairs, shared->pairs->len, from, path));
}

static char *working_directory(GError **error)
{
    char *directory = own(getcwd(NULL, 0));
    if (directory != NULL && directory[0] == '/')
        return directory;
    berth_error_set_errno(error, directory != NULL ? ENOENT : errno, "path.working-directory",
                          "the current directory");
    g_free(directory);
    return NULL;
}

static void set_unshared_here(const Shared *shared, const char *path, const char *real,
                              GError **error)
{
    bool is_link = !g_str_equal(path, real);
    g_autofree char *hint =
        g_strdup_printf("share a directory: berth share add %s DIR", shared->name);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "path.unshared", hint,
                    "%s%s%s%s is not shared with %s", path, is_link ? " leads to " : "",
                    is_link ? real : "", is_link ? ", which" : "", shared->name);
}

static char *to_guest(const Shared *shared, const char *base, const char *path, GError **error)
{
    g_autofree char *real = own(path_resolve(base, path));
    g_autofree char *clean = own(path_clean(base, path));
    char *mapped = real != NULL ? map(shared, PATH_ON_HOST, real) : NULL;
    if (mapped == NULL)
        set_unshared_here(shared, clean, real != NULL ? real : clean, error);
    return mapped;
}

static char *to_host(const Shared *shared, const char *base, const char *path, GError **error)
{
    g_autofree char *clean = own(path_clean(base, path));
    char *mapped = map(shared, PATH_IN_GUEST, clean);
    if (mapped != NULL)
        return mapped;
    g_autofree char *hint = g_strdup_printf("%s has %s of this host as %s", shared->name,
                                            shared->paths[0], shared->paths[1]);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "path.unshared", hint,
                    "%s of %s is not on this host", clean, shared->name);
    return NULL;
}

char *berth_shared_paths_translate(int connection, const char *name, PathSide from,
                                   const char *path, GError **error)
{
    g_auto(Shared) shared = {0};
    if (!shared_read(&shared, connection, name, error))
        return NULL;
    g_autofree char *here = path[0] == '/' ? g_strdup("/") : working_directory(error);
    if (here == NULL)
        return NULL;
    if (from == PATH_ON_HOST)
        return to_guest(&shared, here, path, error);
    g_autofree char *base = path[0] == '/' ? g_strdup("/") : to_guest(&shared, here, ".", error);
    return base != NULL ? to_host(&shared, base, path, error) : NULL;
}
