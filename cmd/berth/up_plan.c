/* SPDX-License-Identifier: MIT */
#include "up_plan.h"

#include <stdarg.h>
#include <string.h>

/* The distro's own package manager installs "$@". */
static const char install_packages[] =
    "if command -v apt-get >/dev/null; then\n"
    "    export DEBIAN_FRONTEND=noninteractive\n"
    "    apt-get -q update && apt-get -q install -y --no-install-recommends -- \"$@\"\n"
    "elif command -v dnf >/dev/null; then dnf install -y -- \"$@\"\n"
    "elif command -v apk >/dev/null; then apk add -- \"$@\"\n"
    "elif command -v pacman >/dev/null; then pacman -Syu --noconfirm --needed -- \"$@\"\n"
    "elif command -v zypper >/dev/null; then zypper --non-interactive install -- \"$@\"\n"
    "elif command -v xbps-install >/dev/null; then xbps-install -Sy -- \"$@\"\n"
    "else echo 'this distro has no package manager that berth knows' >&2; exit 1\n"
    "fi\n";

/* /etc/environment gets the lines "$@", in a part of its own. The file is not replaced: it keeps
 * its owner and its links. */
static const char set_environment[] =
    "set -e\n"
    "file=/etc/environment\n"
    "rest=\n"
    "[ ! -f $file ] || rest=$(sed '/^# begin of berth up$/,/^# end of berth up$/d' $file)\n"
    "{\n"
    "    [ -z \"$rest\" ] || printf '%s\\n' \"$rest\"\n"
    "    echo '# begin of berth up'\n"
    "    printf '%s\\n' \"$@\"\n"
    "    echo '# end of berth up'\n"
    "} >$file\n";

static void step_free(gpointer data)
{
    UpStep *step = data;
    g_free(step->title);
    g_free(step->detail);
    g_strfreev(step->argv);
    g_free(step);
}

/* Add a step whose argv is the words up to NULL, then @more (NULL: nothing). Takes @title and
 * @detail. */
static UpStep *add(GPtrArray *plan, char *title, char *detail, const char *const *more, ...)
{
    va_list words;
    GStrvBuilder *argv = g_strv_builder_new();
    va_start(words, more);
    for (const char *word; (word = va_arg(words, const char *)) != NULL;)
        g_strv_builder_add(argv, word);
    va_end(words);
    for (gsize i = 0; more != NULL && more[i] != NULL; i++)
        g_strv_builder_add(argv, more[i]);
    UpStep *step = g_new0(UpStep, 1);
    *step = (UpStep){.title = title, .detail = detail, .argv = g_strv_builder_end(argv)};
    g_strv_builder_unref(argv);
    g_ptr_array_add(plan, step);
    return step;
}

static void add_install(GPtrArray *plan, const Project *project, const char *name)
{
    bool is_named = project->image == NULL || g_str_has_prefix(project->image, "oci:");
    g_autofree char *image = g_strconcat(is_named ? "" : "oci:", project->image, NULL);
    const char *word = project->distro != NULL ? project->distro : image;
    char *title = g_strdup("install");
    if (project->source != NULL)
        add(plan, title, g_strdup_printf("%s from %s", name, project->source), NULL, "install",
            "--no-launch", "--name", name, "--from-file", project->source, NULL);
    else
        add(plan, title, g_strdup_printf("%s from %s", name, word), NULL, "install", "--no-launch",
            "--name", name, word, NULL);
}

static void add_setting(GPtrArray *plan, const char *name, const char *key, const char *value)
{
    if (value != NULL)
        add(plan, g_strdup(key), g_strdup(value), NULL, "config", "set", "--distro", name, key,
            value, NULL);
}

/* Whether share-home does the same for a directory below the home. */
static bool is_plain(const char *share)
{
    return strchr(share, ':') == NULL;
}

static void add_host(GPtrArray *plan, const Project *project, const char *name)
{
    add_setting(plan, name, "memory", project->memory);
    add_setting(plan, name, "cpus", project->cpus);
    for (gsize i = 0; project->shares[i] != NULL; i++)
        add(plan, g_strdup_printf("share %s", project->shares[i]), g_strdup(""), NULL, "share",
            "add", name, project->shares[i], NULL)
            ->done = is_plain(project->shares[i]) ? "share.exists share.home" : "share.exists";
    for (gsize i = 0; project->forwards[i] != NULL; i++)
        add(plan, g_strdup_printf("forward %s", project->forwards[i]), g_strdup(""), NULL,
            "forward", "add", name, project->forwards[i], NULL)
            ->done = "forward.exists";
}

static void add_guest(GPtrArray *plan, const Project *project, const char *name)
{
    g_autofree char *packages = g_strjoinv(" ", project->packages);
    g_autoptr(GPtrArray) variables = g_ptr_array_new();
    for (guint i = 0; i < project->environment->len; i++)
        g_ptr_array_add(variables, project->environment->pdata[i]);
    g_ptr_array_add(variables, NULL);
    if (project->environment->len > 0)
        add(plan, g_strdup("environment"),
            g_strdup_printf("%u variables", project->environment->len),
            (const char *const *)variables->pdata, "run", "-d", name, "-u", "root", "--cd", "/",
            "--no-tty", "--", "sh", "-c", set_environment, "sh", NULL);
    if (project->packages[0] != NULL)
        add(plan, g_strdup("packages"), g_strdup(packages), (const char *const *)project->packages,
            "run", "-d", name, "-u", "root", "--cd", "/", "--no-tty", "--", "sh", "-c",
            install_packages, "sh", NULL);
}

static void add_commands(GPtrArray *plan, const Project *project, const char *name)
{
    for (guint i = 0; i < project->steps->len; i++) {
        const ProjectStep *step = project->steps->pdata[i];
        const char *user = step->as_root ? "root" : project->user;
        const char *const words[] = {"-u", user, "--no-tty", "--", "sh", "-c", step->command, NULL};
        add(plan, g_strdup_printf("step %s (%s)", step->name, step->as_root ? "root" : "user"),
            g_strdup(step->command), words + (user == NULL ? 2 : 0), "run", "-d", name, NULL);
    }
}

GPtrArray *up_plan(const Project *project, const char *name)
{
    GPtrArray *plan = g_ptr_array_new_with_free_func(step_free);
    add_install(plan, project, name);
    add_host(plan, project, name);
    add_guest(plan, project, name);
    add_commands(plan, project, name);
    return plan;
}

char *up_step_digest(const UpStep *step)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (gsize i = 0; step->argv[i] != NULL; i++)
        g_checksum_update(sum, (const guchar *)step->argv[i], (gssize)strlen(step->argv[i]) + 1);
    return g_strdup(g_checksum_get_string(sum));
}
