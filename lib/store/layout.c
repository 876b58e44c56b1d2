/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The longest socket path below the runtime directory: "/<16 digits>/docker.sock". */
#define SOCKET_SUFFIX_LENGTH (1 + 16 + strlen("/docker.sock"))

static bool is_absolute(const char *path)
{
    return path != NULL && path[0] == '/';
}

/* $@variable/berth, or $HOME/@fallback/berth. The XDG specification requires to ignore relative
 * paths. */
static char *user_directory(const char *const *environment, const char *variable, const char *home,
                            const char *fallback)
{
    const char *base = g_environ_getenv((char **)environment, variable);
    return is_absolute(base) ? g_build_filename(base, "berth", NULL)
                             : g_build_filename(home, fallback, "berth", NULL);
}

static const char *find_home(const char *const *environment)
{
    const char *home = g_environ_getenv((char **)environment, "HOME");
    return home != NULL && home[0] != '\0' ? home : g_get_home_dir();
}

static bool is_mine(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static bool fits_socket(const char *runtime)
{
    struct sockaddr_un address;
    return strlen(runtime) + SOCKET_SUFFIX_LENGTH < sizeof(address.sun_path);
}

/* The target of @link, or NULL when it is no longer a valid runtime directory. */
static char *read_runtime(const char *link)
{
    g_autofree char *runtime = g_file_read_link(link, NULL);
    return is_absolute(runtime) && is_mine(runtime) && fits_socket(runtime)
               ? g_steal_pointer(&runtime)
               : NULL;
}

static char *find_runtime(const char *const *environment, const char *link)
{
    char *recorded = read_runtime(link);
    if (recorded != NULL)
        return recorded;
    const char *base = g_environ_getenv((char **)environment, "XDG_RUNTIME_DIR");
    g_autofree char *system = g_strdup_printf("/run/user/%u", (guint)geteuid());
    const char *const candidates[] = {base, system};

    for (gsize i = 0; i < G_N_ELEMENTS(candidates); i++) {
        if (!is_absolute(candidates[i]) || !is_mine(candidates[i]))
            continue;
        g_autofree char *runtime = g_build_filename(candidates[i], "berth", NULL);
        if (fits_socket(runtime))
            return g_steal_pointer(&runtime);
    }
    return g_strdup_printf("/tmp/berth-%u", (guint)geteuid());
}

static char *runtime_link(const BerthLayout *layout)
{
    return g_build_filename(layout->data, "runtime", NULL);
}

/* @directory/@relative without "..", or NULL if berth's programs are not in it. */
static char *support_below(const char *directory, const char *relative)
{
    g_autofree char *path = g_canonicalize_filename(relative, directory);
    g_autofree char *keeper = g_build_filename(path, "berth-keeper", NULL);
    return g_file_test(keeper, G_FILE_TEST_IS_EXECUTABLE) ? g_steal_pointer(&path) : NULL;
}

static char *find_beside(const BerthLayoutSupport *support)
{
    /* of a program of a build tree or of the support directory; of the library; of berth */
    const char *const places[] = {".", "berth", support->relative};
    g_autofree char *directory = g_path_get_dirname(support->code);
    char *found = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(places) && found == NULL; i++)
        if (places[i] != NULL)
            found = support_below(directory, places[i]);
    return found;
}

static char *find_support(const char *const *environment, const BerthLayoutSupport *support)
{
    const char *chosen = g_environ_getenv((char **)environment, "BERTH_SUPPORT_DIR");
    if (is_absolute(chosen))
        return g_strdup(chosen);

    char *found = support->code != NULL ? find_beside(support) : NULL;
    return found != NULL ? found : g_strdup(support->installed);
}

BerthLayout *berth_layout_new(const char *const *environment, const BerthLayoutSupport *support,
                              GError **error)
{
    const char *home = find_home(environment);
    if (!is_absolute(home)) {
        if (home == NULL || home[0] == '\0')
            berth_error_set(error, BERTH_ERROR_NOT_FOUND, "layout.home", "set HOME",
                            "this user has no home directory");
        else
            berth_error_set(error, BERTH_ERROR_INVALID, "layout.home",
                            "set HOME to a path that begins with /",
                            "HOME is \"%.200s\", which is not an absolute path", home);
        return NULL;
    }

    BerthLayout *layout = g_new0(BerthLayout, 1);
    layout->data = user_directory(environment, "XDG_DATA_HOME", home, ".local/share");
    layout->config = user_directory(environment, "XDG_CONFIG_HOME", home, ".config");
    layout->cache = user_directory(environment, "XDG_CACHE_HOME", home, ".cache");
    g_autofree char *link = runtime_link(layout);
    layout->runtime = find_runtime(environment, link);
    layout->support = find_support(environment, support);
    return layout;
}

void berth_layout_free(BerthLayout *layout)
{
    if (layout == NULL)
        return;
    g_free(layout->data);
    g_free(layout->config);
    g_free(layout->cache);
    g_free(layout->runtime);
    g_free(layout->support);
    g_free(layout);
}

char *berth_layout_registry(const BerthLayout *layout)
{
    return g_build_filename(layout->data, "registry.db", NULL);
}

char *berth_layout_claims(const BerthLayout *layout)
{
    return g_build_filename(layout->data, "claims", NULL);
}

char *berth_layout_distro(const BerthLayout *layout, const char *id)
{
    return g_build_filename(layout->data, "distros", id, NULL);
}

char *berth_layout_disk(const BerthLayout *layout, const char *id)
{
    return g_build_filename(layout->data, "distros", id, "disk.ext4", NULL);
}

char *berth_layout_disk_in(const char *directory, const char *name)
{
    g_autofree char *file = g_strconcat(name, ".ext4", NULL);
    return g_build_filename(directory, file, NULL);
}

char *berth_layout_log(const BerthLayout *layout, const char *id)
{
    return g_build_filename(layout->data, "distros", id, "console.log", NULL);
}

char *berth_layout_user_data(const BerthLayout *layout, const char *id)
{
    return g_build_filename(layout->data, "distros", id, "user-data", NULL);
}

char *berth_layout_ssh(const BerthLayout *layout, const char *id)
{
    return g_build_filename(layout->data, "distros", id, "ssh", NULL);
}

char *berth_layout_overlay(const BerthLayout *layout, const char *id, const char *overlay)
{
    return g_build_filename(layout->data, "distros", id, "overlays", overlay, NULL);
}

char *berth_layout_count(const BerthLayout *layout, const char *id, const char *count)
{
    return g_build_filename(layout->data, "distros", id, "counts", count, NULL);
}

char *berth_layout_ssh_config(const BerthLayout *layout)
{
    return g_build_filename(layout->config, "ssh_config", NULL);
}

char *berth_layout_ssh_server(const BerthLayout *layout)
{
    return g_build_filename(layout->support, "ssh-server.cpio", NULL);
}

char *berth_layout_settings(const BerthLayout *layout)
{
    return g_build_filename(layout->config, "berth.conf", NULL);
}

char *berth_layout_images(const BerthLayout *layout)
{
    return g_build_filename(layout->cache, "images", NULL);
}

char *berth_layout_downloads(const BerthLayout *layout)
{
    return g_build_filename(layout->cache, "downloads", NULL);
}

char *berth_layout_lists(const BerthLayout *layout)
{
    return g_build_filename(layout->cache, "lists", NULL);
}

char *berth_layout_units(const BerthLayout *layout)
{
    g_autofree char *parent = g_path_get_dirname(layout->config);
    return g_build_filename(parent, "systemd", "user", NULL);
}

char *berth_layout_image_program(const BerthLayout *layout)
{
    return g_build_filename(layout->support, "berth-image", NULL);
}

char *berth_layout_fetch_program(const BerthLayout *layout)
{
    return g_build_filename(layout->support, "berth-fetch", NULL);
}

char *berth_layout_mount_program(const BerthLayout *layout)
{
    return g_build_filename(layout->support, "berth-mount", NULL);
}

char *berth_layout_mcp_program(const BerthLayout *layout)
{
    return g_build_filename(layout->support, "berth-mcp", NULL);
}

char *berth_layout_kernel(const BerthLayout *layout)
{
    return g_build_filename(layout->support, "vmlinux", NULL);
}

char *berth_layout_initramfs(const BerthLayout *layout)
{
    return g_build_filename(layout->support, "initramfs.cpio", NULL);
}

char *berth_layout_machine_template(const BerthLayout *layout, const char *architecture)
{
    g_autofree char *name = g_strdup_printf("%s.conf", architecture);
    return g_build_filename(layout->support, "templates", "machines", name, NULL);
}

char *berth_layout_distro_templates(const BerthLayout *layout)
{
    return g_build_filename(layout->support, "templates", "distros", NULL);
}

char *berth_layout_project_templates(const BerthLayout *layout)
{
    return g_build_filename(layout->support, "templates", "projects", NULL);
}

static bool check_owner(const char *path, struct stat *ret_stat, GError **error)
{
    if (lstat(path, ret_stat) != 0) {
        berth_error_set_errno(error, errno, "layout", "%s", path);
        return false;
    }
    /* Accept a symbolic link that the user owns. */
    struct stat target;
    if (ret_stat->st_uid == geteuid() && stat(path, &target) == 0 && S_ISDIR(target.st_mode))
        return true;
    berth_error_set(error, BERTH_ERROR_DENIED, "layout.owner",
                    "remove it, or set HOME and the XDG variables to places of your own",
                    "%s: not a directory of this user's", path);
    return false;
}

static bool make(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0700) == 0)
        return true;
    berth_error_set_errno(error, errno, "layout", "%s", path);
    return false;
}

bool berth_layout_make(const char *path, GError **error)
{
    struct stat st;
    return make(path, error) && check_owner(path, &st, error);
}

void berth_layout_record_runtime(const BerthLayout *layout)
{
    g_autofree char *link = runtime_link(layout);
    g_autofree char *recorded = g_file_read_link(link, NULL);
    if (g_strcmp0(recorded, layout->runtime) == 0)
        return;
    g_autofree char *fresh = g_strdup_printf("%s.%d", link, (int)getpid());
    if (symlink(layout->runtime, fresh) == 0 && rename(fresh, link) < 0)
        unlink(fresh);
}

static bool check_private(const char *path, GError **error)
{
    struct stat st;
    if (!check_owner(path, &st, error))
        return false;
    if (S_ISDIR(st.st_mode) && (st.st_mode & 077) == 0)
        return true;
    berth_error_set(error, BERTH_ERROR_DENIED, "layout.mode", "deny others access to it: chmod 700",
                    "%s: other users may enter this directory", path);
    return false;
}

bool berth_layout_make_private(const char *path, GError **error)
{
    return make(path, error) && check_private(path, error);
}

bool berth_layout_check_private(const char *path, GError **error)
{
    struct stat st;
    return (lstat(path, &st) < 0 && errno == ENOENT) || check_private(path, error);
}
