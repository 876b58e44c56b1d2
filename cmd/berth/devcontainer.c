/* SPDX-License-Identifier: MIT */
#include "devcontainer.h"

#include "jsonc.h"

#include <stdbool.h>
#include <string.h>

#define WORKSPACE "${localWorkspaceFolder}"

typedef struct {
    Project *project;
    const char *origin;
    const char *key; /* of the member that is read */
} Parse;

static void notice(const Parse *parse, const Jsonc *value, const char *text)
{
    g_ptr_array_add(parse->project->notices,
                    g_strdup_printf("%s:%u: %s: %s", parse->origin, value->line, parse->key, text));
}

static bool fail(const Parse *parse, const Jsonc *value, const char *expected, GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "project.value",
                    "containers.dev describes the file", "%s:%u: %s: not %s", parse->origin,
                    value->line, parse->key, expected);
    return false;
}

/* The member @key, or NULL. */
static const Jsonc *member(const Jsonc *object, const char *key)
{
    const Jsonc *found = NULL;
    for (guint i = 0; i < object->items->len; i++)
        if (strcmp(object->keys->pdata[i], key) == 0)
            found = object->items->pdata[i];
    return found;
}

static const char *text_of(const Jsonc *object, const char *key)
{
    const Jsonc *value = member(object, key);
    return value != NULL && value->type == JSONC_STRING ? value->text : NULL;
}

/* A word for a command line of berth's, in one line. */
static bool read_word(const Parse *parse, const Jsonc *value, char **ret_word, GError **error)
{
    if (value->type != JSONC_STRING || value->text[0] == '\0' || value->text[0] == '-' ||
        strpbrk(value->text, "\n\r") != NULL)
        return fail(parse, value, "a name", error);
    g_free(*ret_word);
    *ret_word = g_strdup(value->text);
    return true;
}

/* --- the members --- */

static bool read_image(Parse *parse, const Jsonc *value, GError **error)
{
    return read_word(parse, value, &parse->project->image, error);
}

static bool read_user(Parse *parse, const Jsonc *value, GError **error)
{
    return read_word(parse, value, &parse->project->user, error);
}

/* It is a title there: "My App (dev)" becomes My-App-dev. */
static bool read_name(Parse *parse, const Jsonc *value, GError **error)
{
    if (!read_word(parse, value, &parse->project->name, error))
        return false;
    g_autoptr(GRegex) others = g_regex_new("[^A-Za-z0-9._]+", 0, 0, NULL);
    g_autoptr(GRegex) ends = g_regex_new("^[-._]+|[-._]+$", 0, 0, NULL);
    g_autofree char *joined = g_regex_replace_literal(others, value->text, -1, 0, "-", 0, NULL);
    g_free(parse->project->name);
    parse->project->name = g_regex_replace_literal(ends, joined, -1, 0, "", 0, NULL);
    if (parse->project->name[0] == '\0')
        g_clear_pointer(&parse->project->name, g_free);
    return true;
}

static void add_word(char ***list, const char *word)
{
    guint length = g_strv_length(*list);
    *list = g_renew(char *, *list, length + 2);
    (*list)[length] = g_strdup(word);
    (*list)[length + 1] = NULL;
}

static bool read_ports(Parse *parse, const Jsonc *value, GError **error)
{
    if (value->type != JSONC_ARRAY)
        return fail(parse, value, "a list of ports", error);
    for (guint i = 0; i < value->items->len; i++) {
        const Jsonc *item = value->items->pdata[i];
        bool is_port = (item->type == JSONC_NUMBER || item->type == JSONC_STRING) &&
                       project_is_forward(item->text);
        if (is_port)
            add_word(&parse->project->forwards, item->text);
        else
            notice(parse, item, "has no effect: only ports of this machine are forwarded");
    }
    return true;
}

static bool read_environment(Parse *parse, const Jsonc *value, GError **error)
{
    if (value->type != JSONC_OBJECT)
        return fail(parse, value, "an object of variables", error);
    for (guint i = 0; i < value->items->len; i++) {
        const Jsonc *item = value->items->pdata[i];
        const char *name = value->keys->pdata[i];
        if (item->type != JSONC_STRING || !project_is_variable(name) ||
            strpbrk(item->text, "\n\r") != NULL || strstr(item->text, "${") != NULL)
            notice(parse, item, "has no effect: only plain values in one line are set");
        else
            g_ptr_array_add(parse->project->environment,
                            g_strdup_printf("%s=%s", name, item->text));
    }
    return true;
}

/* Add a step for a command, which is a line for a shell or a list of words. */
static bool add_command(Parse *parse, const char *name, const Jsonc *value, GError **error)
{
    g_autoptr(GString) line = g_string_new(value->type == JSONC_STRING ? value->text : "");
    if (value->type != JSONC_STRING && value->type != JSONC_ARRAY)
        return fail(parse, value, "a command", error);
    for (guint i = 0; value->type == JSONC_ARRAY && i < value->items->len; i++) {
        const Jsonc *word = value->items->pdata[i];
        if (word->type != JSONC_STRING)
            return fail(parse, word, "a word", error);
        g_autofree char *quoted = g_shell_quote(word->text);
        g_string_append_printf(line, "%s%s", i > 0 ? " " : "", quoted);
    }
    if (line->len > 0)
        project_add_step(parse->project, name, false, line->str);
    return true;
}

static bool read_command(Parse *parse, const Jsonc *value, GError **error)
{
    if (value->type != JSONC_OBJECT)
        return add_command(parse, parse->key, value, error);
    for (guint i = 0; i < value->items->len; i++) {
        g_autofree char *name =
            g_strdup_printf("%s.%s", parse->key, (const char *)value->keys->pdata[i]);
        if (!add_command(parse, name, value->items->pdata[i], error))
            return false;
    }
    return true;
}

/* The parts "source=A,target=B,type=bind" as an object's. */
static char *mount_part(const Jsonc *mount, const char *name, const char *other)
{
    if (mount->type == JSONC_OBJECT) {
        const char *found = text_of(mount, name);
        return g_strdup(found != NULL ? found : text_of(mount, other));
    }
    g_auto(GStrv) parts = g_strsplit(mount->type == JSONC_STRING ? mount->text : "", ",", -1);
    for (gsize i = 0; parts[i] != NULL; i++) {
        gsize length = strcspn(parts[i], "=");
        if (parts[i][length] == '=' &&
            ((strlen(name) == length && g_str_has_prefix(parts[i], name)) ||
             (strlen(other) == length && g_str_has_prefix(parts[i], other))))
            return g_strdup(parts[i] + length + 1);
    }
    return NULL;
}

static void add_mount(Parse *parse, const Jsonc *mount)
{
    g_autofree char *source = mount_part(mount, "source", "src");
    g_autofree char *target = mount_part(mount, "target", "dst");
    g_autofree char *type = mount_part(mount, "type", "type");
    bool is_below = source != NULL && g_str_has_prefix(source, WORKSPACE "/");
    g_autofree char *share = is_below && target != NULL
                                 ? g_strdup_printf("%s:%s", source + strlen(WORKSPACE "/"), target)
                                 : NULL;
    if (share != NULL && g_strcmp0(type, "bind") == 0 && target[0] == '/' &&
        strpbrk(source, ":") == NULL && strpbrk(target, ":") == NULL && project_is_share(share))
        add_word(&parse->project->shares, share);
    else
        notice(parse, mount, "has no effect: only directories below " WORKSPACE " are shared");
}

static bool read_mounts(Parse *parse, const Jsonc *value, GError **error)
{
    if (value->type != JSONC_ARRAY)
        return fail(parse, value, "a list of mounts", error);
    for (guint i = 0; i < value->items->len; i++)
        add_mount(parse, value->items->pdata[i]);
    return true;
}

static bool read_requirements(Parse *parse, const Jsonc *value, GError **error)
{
    if (value->type != JSONC_OBJECT)
        return fail(parse, value, "an object", error);
    const Jsonc *cpus = member(value, "cpus");
    const char *memory = text_of(value, "memory");
    if (cpus != NULL && cpus->type == JSONC_NUMBER &&
        strspn(cpus->text, "0123456789") == strlen(cpus->text)) {
        g_free(parse->project->cpus);
        parse->project->cpus = g_strdup(cpus->text);
    }
    if (memory != NULL && g_regex_match_simple("^[0-9]+[kmgt]b\\z", memory, G_REGEX_CASELESS, 0)) {
        g_free(parse->project->memory);
        parse->project->memory = g_ascii_strup(memory, (gssize)strlen(memory) - 1);
    }
    return true;
}

static bool read_features(Parse *parse, const Jsonc *value, GError **error)
{
    if (value->type != JSONC_OBJECT)
        return fail(parse, value, "an object", error);
    for (guint i = 0; i < value->items->len; i++) {
        g_autofree char *text =
            g_strdup_printf("%s is not installed: features are scripts for images; use "
                            "postCreateCommand, or packages of a berth.conf",
                            (const char *)value->keys->pdata[i]);
        notice(parse, value->items->pdata[i], text);
    }
    return true;
}

static bool read_nothing(Parse *parse, const Jsonc *value, GError **error)
{
    return true;
}

static const struct {
    const char *key;
    bool (*read)(Parse *parse, const Jsonc *value, GError **error);
} members[] = {
    {"name", read_name},
    {"image", read_image},
    {"containerUser", read_user}, /* remoteUser wins, wherever it is */
    {"remoteUser", read_user},
    {"containerEnv", read_environment},
    {"remoteEnv", read_environment},
    {"forwardPorts", read_ports},
    {"mounts", read_mounts},
    {"hostRequirements", read_requirements},
    {"features", read_features},
    {"onCreateCommand", read_command}, /* in the order in which they run */
    {"updateContentCommand", read_command},
    {"postCreateCommand", read_command},
    {"customizations", read_nothing}, /* of editors */
    {"$schema", read_nothing},
};

static bool is_known(const char *key)
{
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++)
        if (strcmp(members[i].key, key) == 0)
            return true;
    return false;
}

static void note_unknown(Parse *parse, const Jsonc *file)
{
    for (guint i = 0; i < file->items->len; i++) {
        parse->key = file->keys->pdata[i];
        if (!is_known(parse->key))
            notice(parse, file->items->pdata[i], "has no effect");
    }
}

Project *devcontainer_parse(const char *text, const char *origin, GError **error)
{
    g_autoptr(Jsonc) file = jsonc_parse(text, origin, error);
    if (file == NULL)
        return NULL;
    g_autoptr(Project) project = project_new();
    Parse parse = {.project = project, .origin = origin, .key = "the file"};
    if (file->type != JSONC_OBJECT) {
        fail(&parse, file, "an object", error);
        return NULL;
    }
    add_word(&project->shares, ".");
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
        const Jsonc *value = member(file, members[i].key);
        parse.key = members[i].key;
        if (value != NULL && value->type != JSONC_NULL && !members[i].read(&parse, value, error))
            return NULL;
    }
    note_unknown(&parse, file);
    if (project->image != NULL)
        return g_steal_pointer(&project);
    berth_error_set(error, BERTH_ERROR_INVALID, "project.source",
                    "give \"image\"; a Dockerfile or a compose file is not built",
                    "%s: has no image", origin);
    return NULL;
}
