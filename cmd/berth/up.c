/* SPDX-License-Identifier: MIT
 *
 * berth up — makes the distro that a project's directory, or a template, describes.
 */
#include "up.h"

#include "base/text.h"
#include "commands.h"
#include "devcontainer.h"
#include "up_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX   (1 << 20) /* bytes */
#define NOTICE_MAX 400

static const Option options[] = {
    {"name", 0, "DISTRO", "Name of the distro, not that of the project", "-"},
    {"template", 't', "TEMPLATE", "Use this template, not a file of DIR", "template"},
    {"from-file", 'f', "FILE", "Use this archive, download nothing"},
    {"existing", 0, NULL, "Set up a distro that exists already"},
    {"again", 0, NULL, "Repeat steps that are done"},
    {"dry-run", 'n', NULL, "Only print the commands of the steps"},
    {NULL},
};

/* The distro that the command makes or sets up. */
typedef struct {
    char *directory; /* absolute, without links */
    char *name;
    Project *project;
} Target;

static void target_clear(Target *target)
{
    free(target->directory);
    g_free(target->name);
    g_clear_pointer(&target->project, project_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Target, target_clear)

/* --- reading --- */

typedef Project *(*ParseFunc)(const char *text, const char *origin, GError **error);

static Project *read_project(const char *path, ParseFunc parse, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;
    struct stat status;
    if (stat(path, &status) == 0 && (!S_ISREG(status.st_mode) || status.st_size > FILE_MAX)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "project.syntax",
                        "\"man berth.conf\" describes the file", "%s: not a file of at most 1 MiB",
                        path);
        return NULL;
    }
    if (!g_file_get_contents(path, &text, NULL, &problem)) {
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "project.read",
                        "\"man berth.conf\" describes the file", "%s", problem->message);
        return NULL;
    }
    return parse(text, path, error);
}

static bool find_directory(const char *given, Target *target, GError **error)
{
    target->directory = realpath(given, NULL);
    struct stat status;
    int number = target->directory == NULL               ? errno
                 : stat(target->directory, &status) != 0 ? errno
                 : !S_ISDIR(status.st_mode)              ? ENOTDIR
                                                         : 0;
    if (number == 0)
        return true;
    if (number == ENOENT)
        berth_error_set(
            error, BERTH_ERROR_NOT_FOUND, "up.directory.missing",
            "name a project's directory: berth up DIRECTORY; without one: the directory "
            "you are in",
            "%s: no such directory", given);
    else
        berth_error_set_errno(error, number, "up.directory", "%s", given);
    return false;
}

/* A project's files, in the order in which they are looked for. */
static const struct {
    const char *path;
    ParseFunc parse;
} files[] = {
    {"berth.conf", project_parse},
    {".devcontainer/devcontainer.json", devcontainer_parse},
    {".devcontainer.json", devcontainer_parse},
};

static bool read_directory(Target *target, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(target->directory, files[i].path, NULL);
        if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
            continue;
        target->project = read_project(path, files[i].parse, error);
        return target->project != NULL;
    }
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "up.none",
                    "\"berth templates\" lists templates: berth up --template NAME",
                    "%s: there is no berth.conf and no .devcontainer", target->directory);
    return false;
}

static bool read_template(Invocation *invocation, const char *name, Target *target, GError **error)
{
    g_autofree char *path = berth_template_path(invocation->berth, name, error);
    target->project = path != NULL ? read_project(path, project_parse, error) : NULL;
    if (target->project != NULL && target->project->name == NULL)
        target->project->name = g_strdup(name);
    return target->project != NULL;
}

/* --- what the command line says instead --- */

static void use_archive(Project *project, const char *path)
{
    g_clear_pointer(&project->distro, g_free);
    g_clear_pointer(&project->image, g_free);
    g_free(project->source);
    project->source = g_canonicalize_filename(path, NULL);
}

static bool choose_name(const Invocation *invocation, Target *target, GError **error)
{
    const char *given = invocation_value(invocation, "name");
    g_autofree char *base = g_path_get_basename(target->directory);
    const char *name = given != NULL                   ? given
                       : target->project->name != NULL ? target->project->name
                                                       : base;
    target->name = g_strdup(name);
    return berth_check_name(name, error);
}

/* A link in the project could lead out of it. */
static bool check_shares(const Target *target, GError **error)
{
    for (gsize i = 0; target->project->shares[i] != NULL; i++) {
        const char *word = target->project->shares[i];
        g_autofree char *relative = g_strndup(word, strcspn(word, ":"));
        g_autofree char *path = g_build_filename(target->directory, relative, NULL);
        char *real = realpath(path, NULL);
        int number = errno;
        gsize length = strlen(target->directory);
        bool inside = real != NULL && strncmp(real, target->directory, length) == 0 &&
                      (real[length] == '/' || real[length] == '\0');
        if (real == NULL)
            berth_error_set_errno(error, number, "up.share", "share %s", word);
        else if (!inside)
            berth_error_set(error, BERTH_ERROR_DENIED, "up.share.outside",
                            "share it yourself: berth share add NAME DIR",
                            "share %s: leads out of the project's directory", word);
        free(real);
        if (!inside)
            return false;
    }
    return true;
}

/* --- the work --- */

static void print_plan(const GPtrArray *plan)
{
    for (guint i = 0; i < plan->len; i++) {
        const UpStep *step = plan->pdata[i];
        bool is_private = strcmp(step->title, "environment") == 0;
        g_autoptr(GString) line = g_string_new("berth");
        for (gsize k = 0; !is_private && step->argv[k] != NULL; k++) {
            g_autofree char *quoted =
                g_regex_match_simple("^[\\w@%+=:,./-]+\\z", step->argv[k], 0, 0)
                    ? g_strdup(step->argv[k])
                    : g_shell_quote(step->argv[k]);
            g_string_append_printf(line, " %s", quoted);
        }
        printf("# %s %s\n", step->title, step->detail);
        if (!is_private)
            printf("%s\n", line->str);
    }
}

static int make(Invocation *invocation, Target *target, GError **error)
{
    const char *archive = invocation_value(invocation, "from-file");
    if (archive != NULL)
        use_archive(target->project, archive);
    if (!choose_name(invocation, target, error) || !check_shares(target, error))
        return -1;
    invocation->subject = g_intern_string(target->name);
    for (guint i = 0; i < target->project->notices->len; i++) {
        g_autofree char *text = berth_text_clean(target->project->notices->pdata[i], NOTICE_MAX);
        fprintf(stderr, "berth: up: notice: %s\n", text);
    }
    g_autoptr(GPtrArray) plan = up_plan(target->project, target->name);
    if (invocation_flag(invocation, "dry-run")) {
        print_plan(plan);
        return 0;
    }
    const UpRun run = {.berth = invocation->berth,
                       .name = target->name,
                       .directory = target->directory,
                       .plan = plan,
                       .again = invocation_flag(invocation, "again"),
                       .existing = invocation_flag(invocation, "existing")};
    if (!up_run(&run, error))
        return -1;
    printf("%s is up; \"berth shell %s\" opens a shell in it\n", target->name, target->name);
    return 0;
}

int up_run_template(Invocation *invocation, const char *name, GError **error)
{
    g_auto(Target) target = {NULL};
    if (!find_directory(".", &target, error) || !read_template(invocation, name, &target, error))
        return -1;
    return make(invocation, &target, error);
}

static int run(Invocation *invocation, GError **error)
{
    const char *given = invocation_first(invocation);
    const char *template = invocation_value(invocation, "template");
    g_auto(Target) target = {NULL};
    if (!find_directory(given != NULL ? given : ".", &target, error))
        return -1;
    bool ok = template != NULL ? read_template(invocation, template, &target, error)
                               : read_directory(&target, error);
    return ok ? make(invocation, &target, error) : -1;
}

const Command command_up = {
    .name = "up",
    .synopsis = "[OPTION]... [DIR]",
    .completes = "dir",
    .summary = "Make and start the distro of a project's berth.conf",
    .details = "DIR, by default the current directory, contains a berth.conf. It names a distro\n"
               "or an image, packages, commands for root and for the user, memory, ports,\n"
               "directories and variables; berth.conf(5) describes it. berth shows and logs each\n"
               "step, and skips a step that is done, unless its text has changed. The commands\n"
               "run in the distro, never on this host, and only directories below DIR can be\n"
               "shared.\n"
               "\n"
               "Without berth.conf, berth reads .devcontainer/devcontainer.json: image,\n"
               "remoteUser, variables, forwardPorts, the commands that prepare it, and mounts\n"
               "below DIR. It lists the keys that it ignores.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
