/* SPDX-License-Identifier: MIT
 *
 * A call of the guest: what is read of it, when it is refused, and the OPEN that it becomes.
 */
#include "instance/keeper/host_call.h"

#include <glib/gstdio.h>
#include <string.h>

#define ALLOWED "[distro box]\nhost-commands=true\n"

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WireBuffer, wire_buffer_clear)

static void put_call(WireBuffer *payload, guint32 flags, const char *cwd, const char *term,
                     const char *const *argv)
{
    wire_put_u32(payload, flags);
    wire_put_u8(payload, WIRE_SERVICE_COMMAND);
    wire_put_string(payload, cwd);
    wire_put_u16(payload, 24);
    wire_put_u16(payload, 80);
    wire_put_string(payload, term);
    wire_put_list(payload, argv);
}

static WireFrame frame_of(const WireBuffer *payload)
{
    return (WireFrame){.type = WIRE_CALL,
                       .payload = wire_buffer_head(payload),
                       .size = (guint32)wire_buffer_size(payload)};
}

/* Every prefix is incomplete, and so is the call with a byte more. */
static void test_only_whole_calls(void)
{
    g_auto(WireBuffer) payload = {0};
    const char *const argv[] = {"ls", "-l", NULL};
    put_call(&payload, 0, "/", "xterm", argv);
    BerthHostCall call;
    WireFrame frame = frame_of(&payload);
    g_assert_true(berth_host_call_read(&frame, &call));
    g_assert_cmpstr(call.argv[1], ==, "-l");
    berth_host_call_clear(&call);
    for (guint32 size = 0; size < wire_buffer_size(&payload); size++) {
        frame.size = size;
        g_assert_false(berth_host_call_read(&frame, &call));
        g_assert_null(call.argv);
    }
    wire_put_u8(&payload, 0);
    frame = frame_of(&payload);
    g_assert_false(berth_host_call_read(&frame, &call));
}

static bool reads(const char *cwd, const char *const *argv)
{
    g_auto(WireBuffer) payload = {0};
    put_call(&payload, 0, cwd, "", argv);
    BerthHostCall call;
    const WireFrame frame = frame_of(&payload);
    bool good = berth_host_call_read(&frame, &call);
    berth_host_call_clear(&call);
    return good;
}

static void test_limits(void)
{
    g_autofree char *longest = g_strnfill(131071, 'x');
    g_autofree char *longer = g_strnfill(131072, 'x');
    const char *const none[] = {NULL}, *const empty[] = {"", NULL};
    const char *const fits[] = {"a", longest, NULL}, *const not [] = {"a", longer, NULL};
    g_assert_false(reads("/", none));
    g_assert_false(reads("/", empty));
    g_assert_true(reads("/", fits));
    g_assert_false(reads("/", not ));
    g_assert_false(reads(longest, fits));
}

/* The user, the flags, the environment and the directory are the host's to choose. */
static void test_open(void)
{
    g_auto(WireBuffer) payload = {0}, output = {0};
    const char *const argv[] = {"ls", NULL}, *const desk[] = {"DISPLAY=:7", NULL};
    put_call(&payload, ~0u & ~(guint32)WIRE_OPEN_MORE, "/", "../x", argv);
    BerthHostCall call;
    WireFrame frame = frame_of(&payload);
    g_assert_true(berth_host_call_read(&frame, &call));
    berth_host_call_put_open(&call, "/there", argv, desk, 5, &output);
    berth_host_call_clear(&call);

    g_assert_cmpint(wire_frame_peek(&output, &frame), ==, 1);
    g_assert_cmpuint(frame.type, ==, WIRE_OPEN);
    g_assert_cmpuint(frame.stream, ==, 5);
    WireReader reader;
    wire_reader_init(&reader, &frame);
    g_assert_cmphex(wire_get_u32(&reader), ==,
                    WIRE_OPEN_TTY | WIRE_OPEN_PIPE_STDIN | WIRE_OPEN_PIPE_STDOUT |
                        WIRE_OPEN_PIPE_STDERR | WIRE_OPEN_COOKED);
    g_assert_cmpstr(wire_get_string(&reader), ==, "");
    g_assert_cmpstr(wire_get_string(&reader), ==, "/there");
    wire_get_u16(&reader);
    wire_get_u16(&reader);
    free(wire_get_list(&reader));
    char **environment = wire_get_list(&reader);
    g_assert_true(g_strv_contains((const char *const *)environment, desk[0]));
    free(environment);
    char **offered = wire_get_list(&reader);
    g_assert_true(wire_reader_done(&reader));
    g_assert_null(offered[0]); /* that is no name of a terminal */
    free(offered);
}

/* A call of the ssh agent has no words, and is refused by its own setting. */
static void test_ssh_agent(void)
{
    const char *const argv[] = {"ls", NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(argv); i++) {
        g_auto(WireBuffer) payload = {0};
        put_call(&payload, 0, "", "", argv + i);
        ((guint8 *)wire_buffer_head(&payload))[4] = WIRE_SERVICE_SSH_AGENT;
        const WireFrame frame = frame_of(&payload);
        BerthHostCall call;
        g_assert_cmpint(berth_host_call_read(&frame, &call), ==, argv[i] == NULL);
        berth_host_call_clear(&call);
    }
    g_auto(WireBuffer) output = {0};
    WireFrame frame;
    WireReader reader;
    g_assert_true(berth_host_call_put_connect("/run/agent", 7, &output));
    g_assert_cmpint(wire_frame_peek(&output, &frame), ==, 1);
    g_assert_cmpint(frame.type, ==, WIRE_CONNECT);
    wire_reader_init(&reader, &frame);
    g_assert_cmpstr(wire_get_string(&reader), ==, "/run/agent");
    g_assert_true(wire_reader_done(&reader));
}

static void test_long_open(void)
{
    g_auto(WireBuffer) payload = {0}, output = {0};
    g_autofree char *word = g_strnfill(100000, 'x');
    const char *const argv[] = {"ls", word, word, NULL};
    put_call(&payload, 0, "/", "", argv);
    BerthHostCall call;
    WireFrame frame = frame_of(&payload);
    g_assert_true(berth_host_call_read(&frame, &call));
    berth_host_call_put_open(&call, "/", argv, argv + 3, 5, &output);
    berth_host_call_clear(&call);
    g_assert_cmpint(wire_frame_peek(&output, &frame), ==, 1);
    WireReader reader;
    wire_reader_init(&reader, &frame);
    g_assert_cmphex(wire_get_u32(&reader), ==, WIRE_OPEN_MORE);
    g_assert_cmpuint(frame.size, ==, WIRE_PAYLOAD_MAX);
}

/* --- settings --------------------------------------------------------------------------------- */

static const struct {
    const char *text; /* NULL: no file */
    const char *word; /* of the refusal; NULL: allowed */
} rows[] = {
    {ALLOWED, NULL},
    {"[berth]\nhost-commands=true\n", NULL},
    {NULL, "host-commands=true"},
    {"", "host-commands=true"},
    {"[distro other]\nhost-commands=true\n", "host-commands=true"},
    {"[berth]\nhost-commands=true\n[distro box]\nhost-commands=false\n", "host-commands=true"},
    {ALLOWED "isolated=true\n", "isolated"},
    {ALLOWED "cpus=x\n", "cannot be read"},
};

static void test_refusal(void)
{
    g_autofree char *dir = g_dir_make_tmp("berth-call-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "berth.conf", NULL);
    BerthMachine machine = {.name = (char *)"box", .settings = path};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_unlink(path);
        if (rows[i].text != NULL)
            g_assert_true(g_file_set_contents(path, rows[i].text, -1, NULL));
        g_autofree char *refusal = berth_host_call_refusal(&machine, WIRE_SERVICE_COMMAND);
        g_assert_cmpint(refusal == NULL, ==, rows[i].word == NULL);
        if (rows[i].word != NULL)
            g_assert_nonnull(strstr(refusal, rows[i].word));
    }
    g_assert_true(g_file_set_contents(path, ALLOWED, -1, NULL));
    machine.name = (char *)"box-01234567"; /* a clone asks the settings of its template */
    machine.template = (char *)"box";
    g_assert_true(g_file_set_contents(path, ALLOWED, -1, NULL));
    g_assert_null(berth_host_call_refusal(&machine, WIRE_SERVICE_COMMAND));
    machine.template = NULL;
    g_autofree char *other = berth_host_call_refusal(&machine, WIRE_SERVICE_COMMAND);
    g_assert_nonnull(other);
    machine.isolated = true;
    g_autofree char *isolated = berth_host_call_refusal(&machine, WIRE_SERVICE_COMMAND);
    g_assert_nonnull(isolated);
    machine = (BerthMachine){.name = (char *)"box"};
    g_autofree char *unknown = berth_host_call_refusal(&machine, WIRE_SERVICE_COMMAND);
    g_assert_nonnull(unknown);
    g_unlink(path);
    g_rmdir(dir);
}

static void test_directory(void)
{
    char *const paths[] = {(char *)"/home/u", (char *)"/mnt/host/home/u", (char *)"/srv",
                           (char *)"/mnt/host/srv", NULL};
    static const struct {
        const char *cwd, *directory; /* NULL: the home */
    } cases[] = {
        {"/mnt/host/home/u/x y", "/home/u/x y"},
        {"/mnt/host/srv/.//a/..", "/srv"},
        {"/mnt/host/srv/../../etc", NULL},
        {"/etc", NULL},
        {"srv", NULL},
        {"", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *directory = berth_host_call_directory(cases[i].cwd, paths);
        const char *expected = cases[i].directory != NULL ? cases[i].directory : g_get_home_dir();
        g_assert_cmpstr(directory, ==, expected);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/host_call/only_whole_calls", test_only_whole_calls);
    g_test_add_func("/instance/host_call/limits", test_limits);
    g_test_add_func("/instance/host_call/open", test_open);
    g_test_add_func("/instance/host_call/ssh_agent", test_ssh_agent);
    g_test_add_func("/instance/host_call/long_open", test_long_open);
    g_test_add_func("/instance/host_call/refusal", test_refusal);
    g_test_add_func("/instance/host_call/directory", test_directory);
    return g_test_run();
}
