/* SPDX-License-Identifier: MIT */
#include "tools.h"

#include "base/error.h"
#include "arguments.h"

#include <string.h>

#define OUTPUT_LIMIT 65536
#define OUTPUT_MAX   ((gint64)1 << 20)
#define JSON_MAX     ((gsize)16 << 20)
#define NOTICES_MAX  8192
#define FILE_HEADER  32 /* the decimal size before the bytes */
#define TIME_MAX     86400
#define WORK_SEC     600 /* for what needs no time limit of the client's: a start may take minutes */
#define COPY_SEC     3600 /* for what may copy a disk */

typedef struct {
    const char *name;
    const char *title;
    const char *help;
    bool changes;     /* not with read-only */
    bool destructive; /* may end what a user has running, or replace what he has */
    bool all;         /* not where the server is limited to some distros */
    const BerthParameter *parameters;
    bool (*build)(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                  GError **error);
} Tool;

#define DISTRO                                                                                     \
    {                                                                                              \
        .name = "distro", .help = "Name of the distro; the default one if there is no name"        \
    }
#define NAMED_DISTRO                                                                               \
    {                                                                                              \
        .name = "distro", .required = true, .help = "Name of the distro"                           \
    }
#define USER                                                                                       \
    {                                                                                              \
        .name = "user", .help = "User in the distro; its default user if there is no name"         \
    }

static const char *const encodings[] = {"utf-8", "base64", NULL};

static const BerthParameter distro_parameters[] = {DISTRO, {NULL}};

static const BerthParameter named_parameters[] = {NAMED_DISTRO, {NULL}};

static const BerthParameter run_parameters[] = {
    DISTRO,
    {.name = "command",
     .required = true,
     .help = "The program, without arguments. No shell reads it: for a shell's line give \"sh\", "
             "with the arguments \"-c\" and the line"},
    {.name = "arguments", .kind = BERTH_PARAMETER_STRINGS, .help = "Its arguments, one each"},
    USER,
    {.name = "directory",
     .help = "Working directory in the distro, \"~\" for the user's home; without it, the "
             "directory in which berth was started if the distro sees it, or else the home"},
    {.name = "environment", .kind = BERTH_PARAMETER_PAIRS, .help = "Variables to set"},
    {.name = "input", .help = "Text for its standard input, which is empty otherwise"},
    {.name = "time_limit",
     .kind = BERTH_PARAMETER_INTEGER,
     .help = "Seconds after which it is ended",
     .min = 1,
     .max = TIME_MAX,
     .fallback = 120},
    {.name = "output_limit",
     .kind = BERTH_PARAMETER_INTEGER,
     .help = "Bytes to return of its output, and of its errors; of more, the begin and the end",
     .min = 1024,
     .max = OUTPUT_MAX,
     .fallback = OUTPUT_LIMIT},
    {NULL},
};

#define PATH                                                                                       \
    {                                                                                              \
        .name = "path", .required = true,                                                          \
        .help = "Path in the distro; a relative one starts at the user's home"                     \
    }

static const BerthParameter read_parameters[] = {
    DISTRO,
    PATH,
    USER,
    {.name = "offset",
     .kind = BERTH_PARAMETER_INTEGER,
     .help = "Byte to begin with",
     .max = G_MAXINT32 * (gint64)1024},
    {.name = "limit",
     .kind = BERTH_PARAMETER_INTEGER,
     .help = "Bytes to read at most",
     .min = 1,
     .max = OUTPUT_MAX,
     .fallback = OUTPUT_LIMIT},
    {.name = "encoding",
     .kind = BERTH_PARAMETER_CHOICE,
     .choices = encodings,
     .help = "How to return the bytes; base64 is used for bytes that are no UTF-8, too"},
    {NULL},
};

static const BerthParameter write_parameters[] = {
    DISTRO,
    PATH,
    USER,
    {.name = "content", .required = true, .help = "All of the file's new content"},
    {.name = "encoding",
     .kind = BERTH_PARAMETER_CHOICE,
     .choices = encodings,
     .help = "How \"content\" is written; utf-8 if it is not said"},
    {NULL},
};

static const BerthParameter snapshot_parameters[] = {
    NAMED_DISTRO,
    {.name = "tag", .help = "Name of the new snapshot; named by the time if there is no tag"},
    {NULL},
};

#define TERMINATE                                                                                  \
    {                                                                                              \
        .name = "terminate", .kind = BERTH_PARAMETER_FLAG,                                         \
        .help = "Power the distro off first, with all that runs in it"                             \
    }

static const BerthParameter restore_parameters[] = {
    NAMED_DISTRO,
    {.name = "tag", .required = true, .help = "Name of the snapshot, as in \"snapshots\""},
    TERMINATE,
    {NULL},
};

static const BerthParameter undo_parameters[] = {NAMED_DISTRO, TERMINATE, {NULL}};

/* --- command lines --- */

static void add(BerthMcpCall *call, const char *word)
{
    g_ptr_array_add(call->argv, g_strdup(word));
}

static void add_option(BerthMcpCall *call, const char *option, const char *value)
{
    if (value == NULL)
        return;
    add(call, option);
    add(call, value);
}

static void add_number(BerthMcpCall *call, const char *option, gint64 value)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
    add_option(call, option, text);
}

static bool is_allowed(const BerthMcpAccess *access, const char *name)
{
    for (gsize i = 0; access->distros[i] != NULL; i++)
        if (g_ascii_strcasecmp(access->distros[i], name) == 0)
            return true;
    return false;
}

static bool is_limited(const BerthMcpAccess *access)
{
    return access->distros != NULL && access->distros[0] != NULL;
}

/* The distro to work on; *ret_name NULL: the default one. */
static bool choose(const BerthMcpAccess *access, JsonObject *arguments, const char **ret_name,
                   GError **error)
{
    const char *name = berth_arguments_string(arguments, "distro");
    *ret_name = name;
    if (!is_limited(access) || (name != NULL && is_allowed(access, name)))
        return true;
    if (name == NULL && access->distros[1] == NULL) {
        *ret_name = access->distros[0];
        return true;
    }
    g_autofree char *names = g_strjoinv(", ", (char **)access->distros);
    g_autofree char *hint = g_strdup_printf("give one of: %s", names);
    g_autofree char *shown = g_strescape(name != NULL ? name : "", NULL);
    if (name == NULL)
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments", hint,
                        "the argument \"distro\" is missing");
    else
        berth_error_set(error, BERTH_ERROR_DENIED, "mcp.distro", hint,
                        "%.80s: this server does not serve that distro", shown);
    return false;
}

/* "run -d NAME -u USER" */
static bool begin(const BerthMcpAccess *access, JsonObject *arguments, const char *command,
                  BerthMcpCall *call, GError **error)
{
    const char *name;
    if (!choose(access, arguments, &name, error))
        return false;
    add(call, command);
    add_option(call, "--distribution", name);
    add_option(call, "--user", berth_arguments_string(arguments, "user"));
    return true;
}

static bool build_list(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                       GError **error)
{
    add(call, "list");
    add(call, "--json");
    call->array = "distros";
    call->field = "name";
    return true;
}

static bool build_status(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                         GError **error)
{
    add(call, "status");
    add(call, "--json");
    return true;
}

/* A list in whose elements "distro" is a name. Without a distro in @arguments: of all. */
static bool build_rows(const BerthMcpAccess *access, JsonObject *arguments, const char *command,
                       BerthMcpCall *call, GError **error)
{
    const char *name = berth_arguments_string(arguments, "distro");
    if (name != NULL && !choose(access, arguments, &name, error))
        return false;
    add(call, command);
    add(call, "--json");
    add_option(call, "--", name);
    call->array = command; /* the commands call their lists by their own names */
    call->field = "distro";
    return true;
}

static bool build_ports(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                        GError **error)
{
    return build_rows(access, arguments, "ports", call, error);
}

static bool build_snapshots(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                            GError **error)
{
    return build_rows(access, arguments, "snapshots", call, error);
}

static bool add_pair(JsonObject *pairs, const char *name, BerthMcpCall *call, GError **error)
{
    const char *value = json_object_get_string_member(pairs, name);
    if (name[0] == '\0' || strchr(name, '=') != NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                        "\"environment\": \"%.80s\" is not a name", name);
        return false;
    }
    g_autofree char *pair = g_strdup_printf("%s=%s", name, value);
    add_option(call, "--env", pair);
    return true;
}

static bool add_environment(JsonObject *pairs, BerthMcpCall *call, GError **error)
{
    JsonObjectIter iter;
    const char *name;
    if (pairs == NULL)
        return true;
    json_object_iter_init(&iter, pairs);
    while (json_object_iter_next(&iter, &name, NULL))
        if (!add_pair(pairs, name, call, error))
            return false;
    return true;
}

static void add_command(JsonObject *arguments, BerthMcpCall *call)
{
    JsonArray *words = berth_arguments_strings(arguments, "arguments");
    add(call, "--");
    add(call, berth_arguments_string(arguments, "command"));
    for (guint i = 0; words != NULL && i < json_array_get_length(words); i++)
        add(call, json_array_get_string_element(words, i));
}

static bool build_run(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                      GError **error)
{
    const char *input = berth_arguments_string(arguments, "input");
    if (!begin(access, arguments, "run", call, error))
        return false;
    add(call, "--no-tty");
    add_option(call, "--cd", berth_arguments_string(arguments, "directory"));
    if (!add_environment(berth_arguments_pairs(arguments, "environment"), call, error))
        return false;
    if (input == NULL)
        add(call, "--no-stdin");
    else
        call->input = g_bytes_new(input, strlen(input));
    add_command(arguments, call);
    call->form = BERTH_MCP_RUN;
    call->time_limit_sec = (guint)berth_arguments_integer(arguments, run_parameters, "time_limit");
    call->output_limit = (gsize)berth_arguments_integer(arguments, run_parameters, "output_limit");
    return true;
}

static bool build_read(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                       GError **error)
{
    gint64 offset = berth_arguments_integer(arguments, read_parameters, "offset");
    gint64 limit = berth_arguments_integer(arguments, read_parameters, "limit");
    if (!begin(access, arguments, "file", call, error))
        return false;
    add_number(call, "--offset", offset);
    add_number(call, "--limit", limit);
    add(call, "--");
    add(call, "read");
    add(call, berth_arguments_string(arguments, "path"));
    call->form = BERTH_MCP_FILE;
    call->offset = (guint64)offset;
    call->limit = (guint64)limit;
    call->base64 = g_strcmp0(berth_arguments_string(arguments, "encoding"), "base64") == 0;
    call->output_limit = 2 * ((gsize)limit + FILE_HEADER); /* the first half is never cut */
    return true;
}

static bool is_base64(const char *text)
{
    const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    gsize length = strlen(text);
    gsize letters_length = strspn(text, letters);
    gsize padding = strspn(text + letters_length, "=");
    return length % 4 == 0 && padding <= 2 && letters_length + padding == length;
}

static GBytes *decode_content(JsonObject *arguments, GError **error)
{
    const char *content = berth_arguments_string(arguments, "content");
    gsize size;
    if (g_strcmp0(berth_arguments_string(arguments, "encoding"), "base64") != 0)
        return g_bytes_new(content, strlen(content));
    if (is_base64(content)) {
        guchar *bytes = g_base64_decode(content, &size);
        return g_bytes_new_take(bytes, size);
    }
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL, "\"content\" is not base64");
    return NULL;
}

static bool build_write(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                        GError **error)
{
    const char *path = berth_arguments_string(arguments, "path");
    if (!begin(access, arguments, "file", call, error))
        return false;
    call->input = decode_content(arguments, error);
    if (call->input == NULL)
        return false;
    add(call, "--");
    add(call, "write");
    add(call, path);
    call->form = BERTH_MCP_DONE;
    call->done =
        g_strdup_printf("wrote %s, %" G_GSIZE_FORMAT " bytes", path, g_bytes_get_size(call->input));
    return true;
}

static bool build_verb(const BerthMcpAccess *access, JsonObject *arguments, const char *verb,
                       const char *done, BerthMcpCall *call, GError **error)
{
    const char *name;
    if (!choose(access, arguments, &name, error))
        return false;
    add(call, verb);
    add_option(call, "--", name);
    call->form = BERTH_MCP_DONE;
    call->done = g_strdup_printf("%s %s", name != NULL ? name : "the default distro", done);
    return true;
}

static bool build_start(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                        GError **error)
{
    return build_verb(access, arguments, "start", "is running", call, error);
}

static bool build_suspend(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                          GError **error)
{
    return build_verb(access, arguments, "suspend", "does not run now", call, error);
}

static bool build_terminate(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                            GError **error)
{
    return build_verb(access, arguments, "terminate", "is stopped", call, error);
}

/* "COMMAND [--terminate] -- NAME [TAG]" */
static bool build_disk_verb(const BerthMcpAccess *access, JsonObject *arguments,
                            const char *command, const char *done, BerthMcpCall *call,
                            GError **error)
{
    const char *name, *tag = berth_arguments_string(arguments, "tag");
    if (!choose(access, arguments, &name, error))
        return false;
    add(call, command);
    if (berth_arguments_flag(arguments, "terminate"))
        add(call, "--terminate");
    add_option(call, "--", name);
    if (tag != NULL)
        add(call, tag);
    call->form = BERTH_MCP_DONE;
    call->done = g_strdup_printf("%s has %s", name, done);
    call->time_limit_sec = COPY_SEC;
    return true;
}

static bool build_snapshot(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                           GError **error)
{
    return build_disk_verb(access, arguments, "snapshot", "a new snapshot", call, error);
}

static bool build_restore(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                          GError **error)
{
    return build_disk_verb(access, arguments, "restore", "the disk of a snapshot", call, error);
}

static bool build_undo(const BerthMcpAccess *access, JsonObject *arguments, BerthMcpCall *call,
                       GError **error)
{
    return build_disk_verb(access, arguments, "undo", "the disk of its last snapshot", call, error);
}

/* --- the table --- */

static const Tool tools[] = {
    {"list", "List distros", "List the distros: names, states, disks, ports. Starts nothing",
     .build = build_list},
    {"status", "Status of berth", "Show berth's defaults and what all distros use. Starts nothing",
     .all = true, .build = build_status},
    {"ports", "List ports",
     "List the ports that programs in distros listen on, and where this host has them. Without a "
     "distro: of each that runs",
     .parameters = distro_parameters, .build = build_ports},
    {"snapshots", "List snapshots",
     "List the snapshots of a distro's disk, the oldest first. Without a distro: of all",
     .parameters = distro_parameters, .build = build_snapshots},
    {"run", "Run a command",
     "Run a command in a distro, which is started when it does not run, and return its output and "
     "exit status",
     .changes = true, .destructive = true, .parameters = run_parameters, .build = build_run},
    {"read", "Read a file",
     "Read a part of a distro's file. Starts the distro when it does not run",
     .parameters = read_parameters, .build = build_read},
    {"write", "Write a file",
     "Create a distro's file, or replace all of it at once; mode and owner stay. Starts the distro "
     "when it does not run",
     .changes = true, .destructive = true, .parameters = write_parameters, .build = build_write},
    {"start", "Start a distro", "Start a distro and wait until it is up", .changes = true,
     .parameters = distro_parameters, .build = build_start},
    {"suspend", "Suspend a distro",
     "Suspend a distro until it is needed: it keeps its memory and takes no processor time",
     .changes = true, .parameters = named_parameters, .build = build_suspend},
    {"terminate", "Stop a distro", "Power off a distro and end all its programs", .changes = true,
     .destructive = true, .parameters = named_parameters, .build = build_terminate},
    {"snapshot", "Take a snapshot",
     "Take a snapshot of a distro's disk and return its tag. A running distro pauses until the "
     "snapshot is taken. A snapshot may need as much disk space as the data on the disk",
     .changes = true, .parameters = snapshot_parameters, .build = build_snapshot},
    {"restore", "Return to a snapshot",
     "Return a stopped distro to a snapshot. The replaced state becomes the snapshot "
     "before-restore, and replaces the former one",
     .changes = true, .destructive = true, .parameters = restore_parameters,
     .build = build_restore},
    {"undo", "Return to the last snapshot",
     "Restore the last snapshot, except those that a restore made", .changes = true,
     .destructive = true, .parameters = undo_parameters, .build = build_undo},
};

static bool offers(const BerthMcpAccess *access, const Tool *tool)
{
    return !(tool->changes && access->read_only) && !(tool->all && is_limited(access));
}

static const Tool *find(const BerthMcpAccess *access, const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(tools); i++)
        if (strcmp(tools[i].name, name) == 0 && offers(access, &tools[i]))
            return &tools[i];
    return NULL;
}

bool berth_mcp_tools_has(const BerthMcpAccess *access, const char *name)
{
    return find(access, name) != NULL;
}

static JsonObject *describe_effects(const Tool *tool)
{
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "title", tool->title);
    json_object_set_boolean_member(object, "readOnlyHint", !tool->changes);
    json_object_set_boolean_member(object, "destructiveHint", tool->destructive);
    json_object_set_boolean_member(object, "openWorldHint", strcmp(tool->name, "run") == 0);
    return object;
}

static JsonObject *describe(const Tool *tool)
{
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "name", tool->name);
    json_object_set_string_member(object, "title", tool->title);
    json_object_set_string_member(object, "description", tool->help);
    json_object_set_member(object, "inputSchema", berth_arguments_schema(tool->parameters));
    json_object_set_object_member(object, "annotations", describe_effects(tool));
    return object;
}

JsonNode *berth_mcp_tools_list(const BerthMcpAccess *access)
{
    JsonArray *array = json_array_new();
    for (gsize i = 0; i < G_N_ELEMENTS(tools); i++)
        if (offers(access, &tools[i]))
            json_array_add_object_element(array, describe(&tools[i]));
    JsonObject *object = json_object_new();
    json_object_set_array_member(object, "tools", array);
    JsonNode *node = json_node_init_object(json_node_alloc(), object);
    json_object_unref(object);
    return node;
}

BerthMcpCall *berth_mcp_tools_call(const BerthMcpAccess *access, const char *name,
                                   JsonObject *arguments, GError **error)
{
    const Tool *tool = find(access, name);
    g_assert(tool != NULL);
    if (!berth_arguments_check(arguments, tool->parameters, error))
        return NULL;
    g_autoptr(BerthMcpCall) call = g_new0(BerthMcpCall, 1);
    call->argv = g_ptr_array_new_with_free_func(g_free);
    call->form = BERTH_MCP_JSON;
    call->output_limit = 0;
    call->time_limit_sec = WORK_SEC;
    add(call, "berth");
    if (!tool->build(access, arguments, call, error))
        return NULL;
    if (call->output_limit == 0)
        call->output_limit = call->form == BERTH_MCP_JSON ? JSON_MAX : NOTICES_MAX;
    g_ptr_array_add(call->argv, NULL);
    return g_steal_pointer(&call);
}
