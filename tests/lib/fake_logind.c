/* SPDX-License-Identifier: MIT
 *
 * fake-logind SOCKET [--refuse] — a system bus with a systemd-logind on it, and nothing else.
 *
 * Each line of standard input is a command: "sleep" and "wake" send PrepareForSleep, "leave" and
 * "join" take logind off the bus and back. Each line of standard output is an event: "ready",
 * "inhibit WHAT WHO MODE: WHY", "released" (a client has closed its inhibitor) and "done" (a
 * command). With --refuse no inhibitor is given.
 */
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <glib-unix.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUS_NAME     "org.freedesktop.DBus"
#define BUS_PATH     "/org/freedesktop/DBus"
#define LOGIND_NAME  "org.freedesktop.login1"
#define LOGIND_PATH  "/org/freedesktop/login1"
#define MANAGER      "org.freedesktop.login1.Manager"
#define LOGIND_OWNER ":1.0"

static const char interfaces[] =
    "<node><interface name='org.freedesktop.DBus'>"
    "<method name='Hello'><arg type='s' direction='out'/></method>"
    "<method name='AddMatch'><arg type='s' direction='in'/></method>"
    "<method name='RemoveMatch'><arg type='s' direction='in'/></method>"
    "<method name='GetNameOwner'><arg type='s' direction='in'/><arg type='s' direction='out'/>"
    "</method></interface>"
    "<interface name='org.freedesktop.login1.Manager'><method name='Inhibit'>"
    "<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='s' direction='in'/>"
    "<arg type='s' direction='in'/><arg type='h' direction='out'/></method></interface></node>";

typedef struct {
    GMainLoop *loop;
    GDBusNodeInfo *node;
    GPtrArray *clients; /* GDBusConnection */
    guint n_clients;    /* so far */
    bool refuses;
    bool is_absent; /* logind, from the bus */
} Bus;

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

/* --- what clients are sent -------------------------------------------------------------------- */

static void emit(Bus *bus, const char *sender, const char *path, const char *interface,
                 const char *name, GVariant *body)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(body);
    for (guint i = 0; i < bus->clients->len; i++) {
        GDBusConnection *client = g_ptr_array_index(bus->clients, i);
        g_autoptr(GDBusMessage) message = g_dbus_message_new_signal(path, interface, name);
        g_dbus_message_set_sender(message, sender);
        g_dbus_message_set_body(message, held);
        g_dbus_connection_send_message(client, message, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
        g_dbus_connection_flush_sync(client, NULL, NULL);
    }
}

static void set_absent(Bus *bus, bool is_absent)
{
    bus->is_absent = is_absent;
    emit(bus, BUS_NAME, BUS_PATH, BUS_NAME, "NameOwnerChanged",
         g_variant_new("(sss)", LOGIND_NAME, is_absent ? LOGIND_OWNER : "",
                       is_absent ? "" : LOGIND_OWNER));
}

/* --- inhibitors ------------------------------------------------------------------------------- */

static gboolean on_inhibitor(gint fd, GIOCondition condition, gpointer user_data)
{
    close(fd);
    say("released");
    return G_SOURCE_REMOVE;
}

static void inhibit(Bus *bus, GVariant *parameters, GDBusMethodInvocation *invocation)
{
    const char *what, *who, *why, *mode;
    int ends[2];
    if (bus->refuses || bus->is_absent || !g_unix_open_pipe(ends, FD_CLOEXEC, NULL)) {
        g_dbus_method_invocation_return_error_literal(invocation, G_DBUS_ERROR,
                                                      G_DBUS_ERROR_ACCESS_DENIED, "not allowed");
        return;
    }
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&ends[1], 1); /* takes it */
    g_unix_fd_add(ends[0], G_IO_HUP, on_inhibitor, bus);
    g_variant_get(parameters, "(&s&s&s&s)", &what, &who, &why, &mode);
    g_autofree char *line = g_strdup_printf("inhibit %s %s %s: %s", what, who, mode, why);
    say(line);
    g_dbus_method_invocation_return_value_with_unix_fd_list(invocation, g_variant_new("(h)", 0),
                                                            fds);
}

/* --- the bus ---------------------------------------------------------------------------------- */

static void get_name_owner(Bus *bus, GVariant *parameters, GDBusMethodInvocation *invocation)
{
    const char *name;
    g_variant_get(parameters, "(&s)", &name);
    if (strcmp(name, LOGIND_NAME) == 0 && !bus->is_absent)
        g_dbus_method_invocation_return_value(invocation, g_variant_new("(s)", LOGIND_OWNER));
    else
        g_dbus_method_invocation_return_error_literal(invocation, G_DBUS_ERROR,
                                                      G_DBUS_ERROR_NAME_HAS_NO_OWNER, "no owner");
}

static void on_call(GDBusConnection *client, const char *sender, const char *path,
                    const char *interface, const char *method, GVariant *parameters,
                    GDBusMethodInvocation *invocation, gpointer user_data)
{
    Bus *bus = user_data;
    g_autofree char *name = NULL;
    if (strcmp(method, "Inhibit") == 0) {
        inhibit(bus, parameters, invocation);
    } else if (strcmp(method, "GetNameOwner") == 0) {
        get_name_owner(bus, parameters, invocation);
    } else if (strcmp(method, "Hello") == 0) {
        name = g_strdup_printf(":1.%u", ++bus->n_clients);
        g_dbus_method_invocation_return_value(invocation, g_variant_new("(s)", name));
    } else {
        g_dbus_method_invocation_return_value(invocation, NULL);
    }
}

static const GDBusInterfaceVTable calls = {.method_call = on_call};

static void on_closed(GDBusConnection *client, gboolean by_peer, GError *error, gpointer user_data)
{
    Bus *bus = user_data;
    g_ptr_array_remove(bus->clients, client);
}

static gboolean on_client(GDBusServer *server, GDBusConnection *client, gpointer user_data)
{
    Bus *bus = user_data;
    g_ptr_array_add(bus->clients, g_object_ref(client));
    g_signal_connect(client, "closed", G_CALLBACK(on_closed), bus);
    g_dbus_connection_register_object(client, BUS_PATH,
                                      g_dbus_node_info_lookup_interface(bus->node, BUS_NAME),
                                      &calls, bus, NULL, NULL);
    g_dbus_connection_register_object(client, LOGIND_PATH,
                                      g_dbus_node_info_lookup_interface(bus->node, MANAGER), &calls,
                                      bus, NULL, NULL);
    return TRUE;
}

/* --- the test --------------------------------------------------------------------------------- */

static gboolean on_line(gint fd, GIOCondition condition, gpointer user_data)
{
    Bus *bus = user_data;
    char line[64];
    if (fgets(line, sizeof(line), stdin) == NULL) {
        g_main_loop_quit(bus->loop);
        return G_SOURCE_REMOVE;
    }
    g_strchomp(line);
    if (strcmp(line, "sleep") == 0 || strcmp(line, "wake") == 0)
        emit(bus, LOGIND_OWNER, LOGIND_PATH, MANAGER, "PrepareForSleep",
             g_variant_new("(b)", strcmp(line, "sleep") == 0));
    else if (strcmp(line, "leave") == 0 || strcmp(line, "join") == 0)
        set_absent(bus, strcmp(line, "leave") == 0);
    say("done");
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    Bus bus = {.refuses = argc > 2 && strcmp(argv[2], "--refuse") == 0};
    setvbuf(stdin, NULL, _IONBF, 0); /* a line is a command, and the loop sees what is left */
    unlink(argv[1]);
    bus.loop = g_main_loop_new(NULL, FALSE);
    bus.clients = g_ptr_array_new_with_free_func(g_object_unref);
    bus.node = g_dbus_node_info_new_for_xml(interfaces, NULL);
    g_autofree char *address = g_strconcat("unix:path=", argv[1], NULL);
    g_autofree char *guid = g_dbus_generate_guid();
    g_autoptr(GDBusServer) server =
        g_dbus_server_new_sync(address, G_DBUS_SERVER_FLAGS_NONE, guid, NULL, NULL, &error);
    if (server == NULL) {
        fprintf(stderr, "fake-logind: %s\n", error->message);
        return 1;
    }
    g_signal_connect(server, "new-connection", G_CALLBACK(on_client), &bus);
    g_dbus_server_start(server);
    g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_line, &bus);
    say("ready");
    g_main_loop_run(bus.loop);
    g_ptr_array_unref(bus.clients);
    g_dbus_node_info_unref(bus.node);
    g_main_loop_unref(bus.loop);
    return 0;
}
