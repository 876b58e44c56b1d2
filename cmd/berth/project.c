/* SPDX-License-Identifier: MIT */
#include "project.h"

#include "words/nearest.h"

#include <stddef.h>
#include <string.h>

#define STEP_GROUP "step "

const ProjectKey project_keys[] = {
    {"name", "NAME", "Name of the distro; by default the name of the directory"},
    {"distro", "NAME", "A distro of \"berth list --online\", or an URL"},
    {"image", "IMAGE", "A container image: debian:12, ghcr.io/OWNER/IMAGE:TAG"},
    {"archive", "FILE", "An archive of a root file system"},
    {"memory", "SIZE", "The setting of the same name, for this distro"},
    {"cpus", "NUMBER", "The setting of the same name, for this distro"},
    {"packages", "NAME...", "Packages of the distro, installed by its own package manager"},
    {"forwards", "[PORT:]PORT[/udp]...", "Ports of localhost, forwarded to ports of the distro"},
    {"shares", "DIR[:TARGET][:ro];...",
     "Directories of the project to share with the distro; \".\" is the whole project"},
    {"user", "NAME", "User who runs the steps of \"user\"; by default the default user"},
    {NULL},
};

/* Where each key of project_keys goes, in the same order. */
typedef struct {
    gsize at;
    const char *separators; /* a list; NULL: a text */
    bool (*is_valid)(const char *text);
} Field;

static bool is_text(const char *text)
{
    return text[0] != '-' && strpbrk(text, "\n\r") == NULL;
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

static bool is_package(const char *text)
{
    return g_regex_match_simple("^[A-Za-z0-9@][A-Za-z0-9+._:@/~=-]*\\z", text, 0, 0);
}

bool project_is_forward(const char *text)
{
    return g_regex_match_simple("^([0-9]{1,5}:)?[0-9]{1,5}(/(tcp|udp))?\\z", text, 0, 0);
}

bool project_is_share(const char *text)
{
    return g_regex_match_simple("^(?![-/~:])(?!(.*/)?\\.\\.(/|:|$))[^\\n]+\\z", text, 0, 0);
}

bool project_is_variable(const char *name)
{
    return g_regex_match_simple("^[A-Za-z_][A-Za-z0-9_]*\\z", name, 0, 0);
}

static const Field fields[] = {
    {offsetof(Project, name), NULL, is_text},
    {offsetof(Project, distro), NULL, is_text},
    {offsetof(Project, image), NULL, is_text},
    {offsetof(Project, source), NULL, is_text},
    {offsetof(Project, memory), NULL, is_text},
    {offsetof(Project, cpus), NULL, is_number},
    {offsetof(Project, packages), " ,\t", is_package},
    {offsetof(Project, forwards), " ,\t", project_is_forward},
    {offsetof(Project, shares), ";", project_is_share},
    {offsetof(Project, user), NULL, is_text},
};

G_STATIC_ASSERT(G_N_ELEMENTS(fields) == G_N_ELEMENTS(project_keys) - 1);

static void step_free(gpointer data)
{
    ProjectStep *step = data;
    g_free(step->name);
    g_free(step->command);
    g_free(step);
}

Project *project_new(void)
{
    Project *project = g_new0(Project, 1);
    project->packages = g_new0(char *, 1);
    project->forwards = g_new0(char *, 1);
    project->shares = g_new0(char *, 1);
    project->environment = g_ptr_array_new_with_free_func(g_free);
    project->steps = g_ptr_array_new_with_free_func(step_free);
    project->notices = g_ptr_array_new_with_free_func(g_free);
    return project;
}

void project_free(Project *project)
{
    if (project == NULL)
        return;
    g_free(project->name);
    g_free(project->distro);
    g_free(project->image);
    g_free(project->source);
    g_free(project->user);
    g_free(project->memory);
    g_free(project->cpus);
    g_strfreev(project->packages);
    g_strfreev(project->forwards);
    g_strfreev(project->shares);
    g_ptr_array_unref(project->environment);
    g_ptr_array_unref(project->steps);
    g_ptr_array_unref(project->notices);
    g_free(project);
}

void project_add_step(Project *project, const char *name, bool as_root, const char *command)
{
    ProjectStep *step = g_new(ProjectStep, 1);
    *step = (ProjectStep){g_strdup(name), as_root, g_strdup(command)};
    g_ptr_array_add(project->steps, step);
}

/* --- lines --- */

typedef struct {
    Project *project;
    const char *origin;
    guint number;     /* of the line */
    char *group;      /* NULL: none yet */
    GHashTable *seen; /* "GROUP\nKEY" */
} Parse;

static bool fail(const Parse *parse, GError **error, const char *id, const char *hint,
                 const char *what, const char *word)
{
    g_autofree char *shown = g_strescape(word, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, id, hint, "%s:%u: %s \"%.80s\"", parse->origin,
                    parse->number, what, shown);
    return false;
}

static bool fail_key(const Parse *parse, const char *key, GError **error)
{
    Nearest nearest = {.word = key};
    for (gsize i = 0; project_keys[i].key != NULL; i++)
        nearest_offer(&nearest, project_keys[i].key);
    g_autofree char *hint = nearest.closest != NULL
                                ? g_strdup_printf("did you mean %s?", nearest.closest)
                                : g_strdup("\"man berth.conf\" lists the keys of [project]");
    return fail(parse, error, "project.key", hint, "unknown key", key);
}

/* Split @text; empty words are dropped. */
static char **split(const char *text, const char *separators)
{
    g_auto(GStrv) words = g_strsplit_set(text, separators, -1);
    GStrvBuilder *builder = g_strv_builder_new();
    for (gsize i = 0; words[i] != NULL; i++)
        if (g_strstrip(words[i])[0] != '\0')
            g_strv_builder_add(builder, words[i]);
    char **result = g_strv_builder_end(builder);
    g_strv_builder_unref(builder);
    return result;
}

static bool set_field(Parse *parse, gsize index, const char *value, GError **error)
{
    const Field *field = &fields[index];
    const char *separators = field->separators != NULL ? field->separators : "\n";
    char **words = split(value, separators);
    for (gsize i = 0; words[i] != NULL; i++) {
        if (field->is_valid(words[i]))
            continue;
        g_autofree char *hint =
            g_strdup_printf("%s = %s", project_keys[index].key, project_keys[index].value);
        fail(parse, error, "project.value", hint, "not allowed here:", words[i]);
        g_strfreev(words);
        return false;
    }
    gpointer place = (char *)parse->project + field->at;
    if (field->separators != NULL) {
        g_strfreev(*(char ***)place);
        *(char ***)place = words;
        return true;
    }
    *(char **)place = g_strdup(words[0]);
    g_strfreev(words);
    return true;
}

static bool set_project(Parse *parse, const char *key, const char *value, GError **error)
{
    for (gsize i = 0; project_keys[i].key != NULL; i++)
        if (strcmp(key, project_keys[i].key) == 0)
            return set_field(parse, i, value, error);
    return fail_key(parse, key, error);
}

static bool set_environment(Parse *parse, const char *key, const char *value, GError **error)
{
    if (!project_is_variable(key))
        return fail(parse, error, "project.key", "letters, digits and _", "not a variable:", key);
    g_ptr_array_add(parse->project->environment, g_strdup_printf("%s=%s", key, value));
    return true;
}

static bool set_step(Parse *parse, const char *key, const char *value, GError **error)
{
    bool as_root = strcmp(key, "root") == 0;
    if (!as_root && strcmp(key, "user") != 0)
        return fail(parse, error, "project.key", "a step has root = COMMAND or user = COMMAND",
                    "unknown key", key);
    if (value[0] != '\0')
        project_add_step(parse->project, parse->group + strlen(STEP_GROUP), as_root, value);
    return true;
}

static bool read_entry(Parse *parse, const char *key, const char *value, GError **error)
{
    if (parse->group == NULL)
        return fail(parse, error, "project.syntax", "begin with [project]", "no group before", key);
    if (!g_hash_table_add(parse->seen, g_strdup_printf("%s\n%s", parse->group, key)))
        return fail(parse, error, "project.key", "leave one of them", "given twice:", key);
    if (strcmp(parse->group, "project") == 0)
        return set_project(parse, key, value, error);
    if (strcmp(parse->group, "environment") == 0)
        return set_environment(parse, key, value, error);
    return set_step(parse, key, value, error);
}

static bool read_group(Parse *parse, const char *name, GError **error)
{
    static const char *const groups[] = {"project", "environment"};
    bool is_step = g_str_has_prefix(name, STEP_GROUP) && name[strlen(STEP_GROUP)] != '\0';
    Nearest nearest = {.word = name};
    for (gsize i = 0; i < G_N_ELEMENTS(groups); i++)
        nearest_offer(&nearest, groups[i]);
    g_free(parse->group);
    parse->group = g_strdup(name);
    if (is_step || (nearest.closest != NULL && strcmp(name, nearest.closest) == 0))
        return true;
    g_autofree char *hint = nearest.closest != NULL
                                ? g_strdup_printf("did you mean [%s]?", nearest.closest)
                                : g_strdup("groups are [project], [environment] and [step NAME]");
    return fail(parse, error, "project.group", hint, "unknown group", name);
}

static bool read_line(Parse *parse, char *line, GError **error)
{
    g_strstrip(line);
    gsize length = strlen(line);
    if (length == 0 || line[0] == '#')
        return true;
    if (line[0] == '[' && line[length - 1] == ']') {
        line[length - 1] = '\0';
        return read_group(parse, line + 1, error);
    }
    char *equals = strchr(line, '=');
    if (equals == NULL || equals == line)
        return fail(parse, error, "project.syntax", "lines are [GROUP] or KEY = VALUE",
                    "cannot be read:", line);
    *equals = '\0';
    return read_entry(parse, g_strchomp(line), g_strchug(equals + 1), error);
}

static bool check_source(const Project *project, const char *origin, GError **error)
{
    int sources = (project->distro != NULL) + (project->image != NULL) + (project->source != NULL);
    if (sources == 1)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "project.source",
                    "[project] has one of distro = NAME, image = IMAGE and archive = FILE",
                    "%s: %s", origin,
                    sources == 0 ? "does not name the source of the distro"
                                 : "names several things to make the distro of");
    return false;
}

Project *project_parse(const char *text, const char *origin, GError **error)
{
    g_autoptr(Project) project = project_new();
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Parse parse = {.project = project, .origin = origin, .seen = seen};
    if (!g_utf8_validate(text, -1, NULL)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "project.syntax", "save it as UTF-8",
                        "%s: not a text in UTF-8", origin);
        return NULL;
    }
    g_auto(GStrv) lines =
        g_strsplit(g_str_has_prefix(text, "\xEF\xBB\xBF") ? text + 3 : text, "\n", -1);
    bool ok = true;
    for (gsize i = 0; ok && lines[i] != NULL; i++) {
        parse.number = (guint)i + 1;
        ok = read_line(&parse, lines[i], error);
    }
    g_free(parse.group);
    return ok && check_source(project, origin, error) ? g_steal_pointer(&project) : NULL;
}
