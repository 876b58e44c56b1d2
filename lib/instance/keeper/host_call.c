/* SPDX-License-Identifier: MIT */
#include "host_call.h"

#include "paths/path_map.h"
#include "paths/path_text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX (32 * 4096) /* Linux's MAX_ARG_STRLEN, with the NUL */
#define TERM_MAX 64

/* These flags of a call are the command's; all others are the host's to set. */
#define FLAGS                                                                                      \
    ((guint32)(WIRE_OPEN_TTY | WIRE_OPEN_PIPE_STDIN | WIRE_OPEN_PIPE_STDOUT |                      \
               WIRE_OPEN_PIPE_STDERR | WIRE_OPEN_COOKED))

/* The setting of each service. */
static const struct {
    const char *key;
    gsize member; /* of BerthSettings, a bool */
    const char *verb;
} services[WIRE_SERVICES] = {
    [WIRE_SERVICE_COMMAND] = {"host-commands", offsetof(BerthSettings, host_commands),
                              "run commands of the host"},
    [WIRE_SERVICE_URL] = {"host-urls", offsetof(BerthSettings, host_urls), "open URLs on the host"},
    [WIRE_SERVICE_COPY] = {"host-clipboard", offsetof(BerthSettings, host_clipboard),
                           "use the host's clipboard"},
    [WIRE_SERVICE_PASTE] = {"host-clipboard", offsetof(BerthSettings, host_clipboard),
                            "use the host's clipboard"},
    [WIRE_SERVICE_SSH_AGENT] = {"host-ssh-agent", offsetof(BerthSettings, host_ssh_agent),
                                "use the ssh agent of the host"},
    [WIRE_SERVICE_GPG_AGENT] = {"host-gpg-agent", offsetof(BerthSettings, host_gpg_agent),
                                "use the gpg agent of the host"},
};

/* Passed on from the keeper's own environment, which is the user's (client/detach.h). */
static const char *const inherited[] = {"HOME", "PATH", "TMPDIR", "USER", "LOGNAME"};

static bool words_are_good(guint8 service, char *const *argv)
{
    if (service == WIRE_SERVICE_SSH_AGENT || service == WIRE_SERVICE_GPG_AGENT)
        return argv[0] == NULL;
    bool good = argv[0] != NULL && argv[0][0] != '\0';
    for (; good && *argv != NULL; argv++)
        good = strlen(*argv) < WORD_MAX;
    return good;
}

bool berth_host_call_read(const WireFrame *frame, BerthHostCall *ret_call)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    *ret_call = (BerthHostCall){.flags = wire_get_u32(&reader) & FLAGS};
    guint8 service = wire_get_u8(&reader);
    ret_call->service = service;
    if (service != WIRE_SERVICE_COMMAND)
        ret_call->flags = 0; /* no terminal */
    ret_call->cwd = wire_get_string(&reader);
    ret_call->rows = wire_get_u16(&reader);
    ret_call->columns = wire_get_u16(&reader);
    ret_call->term = wire_get_string(&reader);
    ret_call->argv = wire_get_list(&reader);
    if (wire_reader_done(&reader) && service < WIRE_SERVICES && strlen(ret_call->cwd) < PATH_MAX &&
        ret_call->argv != NULL && words_are_good(service, ret_call->argv))
        return true;
    berth_host_call_clear(ret_call);
    return false;
}

void berth_host_call_clear(BerthHostCall *call)
{
    free(call->argv);
    *call = (BerthHostCall){0};
}

static const char *settings_name(const BerthMachine *machine)
{
    return machine->template != NULL ? machine->template : machine->name;
}

/* NULL with @error if the settings cannot be read; without a file they are the defaults. */
static BerthSettings *read_settings(const BerthMachine *machine, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;
    if (!g_file_get_contents(machine->settings, &text, NULL, &problem) &&
        !g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    return berth_settings_new(settings_name(machine), text, machine->settings, NULL, error);
}

char *berth_host_call_refusal(const BerthMachine *machine, WireService service)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthSettings) settings =
        machine->settings != NULL ? read_settings(machine, &error) : NULL;
    if (machine->isolated || (settings != NULL && settings->isolated))
        return g_strdup("this distro runs isolated from the host");
    if (settings == NULL)
        return g_strdup_printf("the settings of the host cannot be read: %s",
                               error != NULL ? error->message : "their file is not known");
    if (G_STRUCT_MEMBER(bool, settings, services[service].member))
        return NULL;
    return g_strdup_printf(
        "this distro may not %s: to allow it, write %s=true below [distro %s] in %s on the host",
        services[service].verb, services[service].key, settings_name(machine), machine->settings);
}

char *berth_host_call_directory(const char *cwd, char *const *paths)
{
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(PathPair));
    for (; paths[0] != NULL && paths[1] != NULL; paths += 2) {
        const PathPair pair = {{paths[0], paths[1]}};
        g_array_append_val(pairs, pair);
    }
    char *clean = cwd[0] == '/' ? path_clean("/", cwd) : NULL;
    char *mapped = clean != NULL ? path_map((const PathPair *)(void *)pairs->data, pairs->len,
                                            PATH_IN_GUEST, clean)
                                 : NULL;
    char *directory = g_strdup(mapped != NULL ? mapped : g_get_home_dir());
    free(clean);
    free(mapped);
    return directory;
}

/* "TERM=...", or NULL. */
static char *offered_term(const char *term)
{
    bool good = term[0] != '\0' && strlen(term) <= TERM_MAX &&
                strspn(term, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-+_.") == strlen(term);
    return good && g_ascii_isalnum(term[0]) ? g_strconcat("TERM=", term, NULL) : NULL;
}

static char **make_environment(const char *const *desk)
{
    g_autoptr(GStrvBuilder) pairs = g_strv_builder_new();
    for (gsize i = 0; i < G_N_ELEMENTS(inherited); i++) {
        const char *value = g_getenv(inherited[i]);
        g_autofree char *pair = value != NULL ? g_strconcat(inherited[i], "=", value, NULL) : NULL;
        if (pair != NULL)
            g_strv_builder_add(pairs, pair);
    }
    g_strv_builder_addv(pairs, (const char **)desk);
    return g_strv_builder_end(pairs);
}

static void put_payload(const BerthHostCall *call, guint32 flags, const char *directory,
                        const char *const *argv, const char *const *desk, WireBuffer *payload)
{
    g_auto(GStrv) environment = make_environment(desk);
    g_autofree char *term = offered_term(call->term);
    const char *const offered[] = {term, NULL};
    wire_put_u32(payload, flags);
    wire_put_string(payload, ""); /* the agent's own user */
    wire_put_string(payload, directory);
    wire_put_u16(payload, call->rows);
    wire_put_u16(payload, call->columns);
    wire_put_list(payload, argv);
    wire_put_list(payload, (const char *const *)environment);
    wire_put_list(payload, offered);
}

void berth_host_call_put_open(const BerthHostCall *call, const char *directory,
                              const char *const *argv, const char *const *desk, guint32 stream,
                              WireBuffer *output)
{
    WireBuffer payload = {0};
    put_payload(call, call->flags, directory, argv, desk, &payload);
    if (wire_buffer_size(&payload) <= WIRE_PAYLOAD_MAX) {
        wire_frame_put(output, WIRE_OPEN, 0, stream, wire_buffer_head(&payload),
                       wire_buffer_size(&payload));
    } else {
        wire_buffer_consume(&payload, wire_buffer_size(&payload));
        put_payload(call, call->flags | WIRE_OPEN_MORE, directory, argv, desk, &payload);
        wire_frames_put(output, WIRE_OPEN, stream, wire_buffer_head(&payload),
                        wire_buffer_size(&payload));
    }
    wire_buffer_clear(&payload);
}

bool berth_host_call_put_connect(const char *path, guint32 stream, WireBuffer *output)
{
    if (strlen(path) >= PATH_MAX)
        return false;
    size_t begin = wire_frame_begin(output, WIRE_CONNECT, WIRE_STDIN, stream);
    wire_put_string(output, path);
    wire_frame_end(output, begin);
    return true;
}
