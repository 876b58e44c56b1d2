/* SPDX-License-Identifier: MIT
 *
 * berth install — makes a distro from a list's entry, a container image of a registry, an URL or a
 * file, and opens a shell in it.
 */
#include "commands.h"

#include "base/fd.h"
#include "base/size.h"
#include "online.h"
#include "progress_bar.h"
#include "signals.h"
#include "up.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const Option options[] = {
    {"name", 0, "NAME", "Name of the new distro"},
    {"from-file", 'f', "FILE", "Use this archive, download nothing; -: standard input"},
    {"location", 'l', "DIR", "Keep the disk in this directory"},
    {"size", 0, "SIZE", "Size of the disk in the distro"},
    {"user", 0, "USER", "Make an account with this name, not with yours"},
    {"template", 't', "TEMPLATE", "Use this template, as berth up does", "template"},
    {"no-launch", 'n', NULL, "Do not open a shell afterwards"},
    {"distribution", 'd', "NAME", "WSL's spelling of NAME"},
    {"vhd-size", 0, "SIZE", "WSL's spelling of --size"},
    {"web-download", 0, NULL, "For WSL's command lines: has no effect"},
    {NULL},
};

typedef struct {
    Invocation *invocation;
    BerthImport request;
    char *location;
    Progress progress;
} Install;

static void install_clear(Install *install)
{
    g_free(install->location);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Install, install_clear)

static bool set_usage(GError **error, const char *hint, const char *text)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", hint, "%s", text);
    return false;
}

static void on_notice(const char *text, gpointer user_data)
{
    const Install *install = user_data;
    progress_clear(&install->progress);
    fprintf(stderr, "berth: install: notice: %s\n", text);
}

static bool on_download(guint64 done, guint64 total, gpointer user_data)
{
    Install *install = user_data;
    progress_update(&install->progress, done, total);
    return !stop_asked();
}

static bool on_import(guint64 done, guint64 total, guint64 entries, gpointer user_data)
{
    return on_download(done, total, user_data);
}

/* --- options --- */

static bool read_size(Install *install, GError **error)
{
    static const char *const names[] = {"size", "vhd-size"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *text = invocation_value(install->invocation, names[i]);
        if (text != NULL &&
            (!berth_size_parse(text, &install->request.size) || install->request.size == 0))
            return set_usage(error, "give a size such as 64G or 1T", "--size: not a size");
    }
    return true;
}

static bool read_options(Install *install, GError **error)
{
    const Invocation *invocation = install->invocation;
    const char *location = invocation_value(invocation, "location");
    install->location = location != NULL ? g_canonicalize_filename(location, NULL) : NULL;
    install->request.location = install->location;
    install->request.name = invocation_value(invocation, "name");
    install->request.user = invocation_value(invocation, "user");
    install->request.progress = on_import;
    install->request.notice = on_notice;
    install->request.user_data = install;
    return read_size(install, error);
}

/* --- sources --- */

/* Check the name before anything is downloaded. */
static bool check_name(Install *install, GError **error)
{
    install->invocation->subject = install->request.name;
    return berth_online_check_name(install->invocation->berth, install->request.name, error);
}

static bool is_url(const char *text)
{
    return strstr(text, "://") != NULL;
}

/* Find the list's entry of the name @word, or make one for the URL @word. */
static BerthOnline *find_online(Install *install, const char *word, const BerthOnlineWatch *watch,
                                GError **error)
{
    if (!is_url(word))
        return berth_online_find(install->invocation->berth, word, watch, error);
    if (install->request.name == NULL) {
        set_usage(error, "choose one: berth install --name NAME URL", "the new distro has no name");
        return NULL;
    }
    BerthOnline *online = g_new0(BerthOnline, 1);
    online->url = g_strdup(word);
    return online;
}

/* Download and import what @word means. */
static bool import_download(Install *install, const char *word, BerthImported *imported,
                            GError **error)
{
    const BerthOnlineWatch watch = {on_download, on_notice, install};
    g_autoptr(BerthOnline) online = find_online(install, word, &watch, error);
    if (online == NULL)
        return false;
    if (install->request.name == NULL)
        install->request.name = g_intern_string(online->name);
    install->request.strip_root = online->strip_root;
    return check_name(install, error) && berth_online_import(install->invocation->berth, online,
                                                             &install->request, imported, error);
}

static bool import_file(Install *install, const char *file, BerthImported *imported, GError **error)
{
    if (install->request.name == NULL)
        return set_usage(error, "choose one: berth install --name NAME --from-file FILE",
                         "the new distro has no name");
    if (!check_name(install, error))
        return false;
    bool is_input = strcmp(file, "-") == 0;
    berth_autofd int fd =
        is_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        berth_error_set_errno(error, errno, "import.archive", "%s", file);
        return false;
    }
    g_autofree char *path = is_input ? NULL : g_canonicalize_filename(file, NULL);
    BerthImport request = install->request;
    request.fd = fd;
    request.origin = is_input ? "standard input" : file;
    request.path = path;
    return berth_import(install->invocation->berth, &request, imported, error);
}

/* --- the work --- */

/* Replace this process by a shell in the new distro; only for people. */
static int launch(const Install *install, GError **error)
{
    const char *name = install->request.name;
    if (invocation_flag(install->invocation, "no-launch") || !isatty(STDIN_FILENO) ||
        !isatty(STDOUT_FILENO)) {
        printf("%s is installed; \"berth shell %s\" opens a shell in it\n", name, name);
        return 0;
    }
    printf("%s is installed; opening a shell in it\n", name);
    fflush(stdout);
    execl("/proc/self/exe", "berth", "shell", name, NULL);
    berth_error_set_errno(error, errno, "install.launch", "start the shell");
    return -1;
}

static int install_from(Install *install, const char *word, const char *file, GError **error)
{
    BerthImported imported;
    stop_catch(NULL);
    progress_begin(&install->progress, word != NULL ? word : install->request.name);
    bool ok = file != NULL ? import_file(install, file, &imported, error)
                           : import_download(install, word, &imported, error);
    progress_end(&install->progress);
    return ok ? launch(install, error) : -1;
}

/* The template says what else there is to say. */
static int install_template(Invocation *invocation, const char *template, GError **error)
{
    static const char *const others[] = {"distribution", "location", "size", "vhd-size", "user"};
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        if (!invocation_flag(invocation, others[i]))
            continue;
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                        "--template and --%s cannot be used together", others[i]);
        return -1;
    }
    if (invocation_first(invocation) != NULL)
        return set_usage(error, "the new distro's name is given with --name NAME",
                         "--template takes no name of a list") -
               1;
    return up_run_template(invocation, template, error);
}

static int run(Invocation *invocation, GError **error)
{
    g_auto(Install) install = {.invocation = invocation};
    const char *template = invocation_value(invocation, "template");
    if (template != NULL)
        return install_template(invocation, template, error);
    const char *file = invocation_value(invocation, "from-file");
    const char *word = invocation_value(invocation, "distribution");
    if (word != NULL && invocation_first(invocation) != NULL)
        return set_usage(error, NULL, "the distro is named twice, with -d and without") - 1;
    if (word == NULL)
        word = invocation_first(invocation);
    if (word != NULL && file != NULL)
        return set_usage(error, "the new distro's name is given with --name NAME",
                         "--from-file takes no name of a list") -
               1;
    if (!read_options(&install, error))
        return -1;
    if (word == NULL && file == NULL)
        return online_print(invocation, error);
    return install_from(&install, word, file, error);
}

const Command command_install = {
    .name = "install",
    .spellings = "--install",
    .synopsis = "[OPTION]... [NAME|URL|oci:IMAGE]",
    .summary = "Download a distro by its name and open a shell in it",
    .details = "NAME is a name from \"berth list --online\", in upper or lower case. Ubuntu means\n"
               "its newest version. oci:debian:12 or ghcr.io/OWNER/IMAGE:TAG is a container\n"
               "image of a registry, which berth reads without a login.\n"
               "\n"
               "berth checks each download and keeps it for the next time, until \"berth cache\n"
               "prune --all\". An interrupted connection is resumed. If the command fails or is\n"
               "stopped, no part of the distro is left. Without internet, use --from-file.\n"
               "Without NAME, the command shows the list.\n"
               "\n"
               "The settings distro-lists and distro-list choose the lists; the variables\n"
               "https_proxy and no_proxy are used.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
