/* SPDX-License-Identifier: MIT */
#include "host_sleep.h"

#include "base/fd.h"

#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <string.h>

#define SYSTEM_BUS    "unix:path=/run/dbus/system_bus_socket"
#define LOGIND_NAME   "org.freedesktop.login1"
#define LOGIND_PATH   "/org/freedesktop/login1"
#define MANAGER       "org.freedesktop.login1.Manager"
#define RETRY_MIN_SEC 1u
#define RETRY_MAX_SEC 600u

struct BerthHostSleep {
    char *address;
    char *reason;
    const BerthHostSleepEvents *events;
    gpointer user_data;
    GCancellable *cancellable; /* of the calls under way; cancelled, they touch nothing here */
    GDBusConnection *bus;      /* or NULL */
    guint name_watch;          /* these two while there is a bus */
    guint subscription;
    int lock_fd;       /* the inhibitor, or -1 */
    bool is_preparing; /* from `prepare` to `woken` */
    bool was_refused;
    guint retry_sec;
    GSource *retry; /* while there is no bus, or NULL */
    GSource *limit; /* while is_preparing */
};

const char *berth_host_sleep_address(const char *wanted)
{
    bool is_socket =
        wanted != NULL && g_str_has_prefix(wanted, "unix:") && strchr(wanted, ';') == NULL;
    return is_socket ? wanted : SYSTEM_BUS;
}

static void clear_source(GSource **source)
{
    if (*source == NULL)
        return;
    g_source_destroy(*source);
    g_source_unref(*source);
    *source = NULL;
}

static GSource *add_timer(guint seconds, GSourceFunc func, BerthHostSleep *sleep)
{
    GSource *source = g_timeout_source_new(seconds * 1000);
    g_source_set_callback(source, func, sleep, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    return source;
}

/* --- the inhibitor ---------------------------------------------------------------------------- */

static void on_inhibited(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    BerthHostSleep *sleep = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GVariant) answer = g_dbus_connection_call_with_unix_fd_list_finish(
        G_DBUS_CONNECTION(bus), &fds, result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* @sleep may be gone */
    gint32 handle = -1;
    if (answer != NULL)
        g_variant_get(answer, "(h)", &handle);
    berth_fd_close(&sleep->lock_fd);
    if (fds != NULL && handle >= 0 && handle < g_unix_fd_list_get_length(fds))
        sleep->lock_fd = g_unix_fd_list_get(fds, handle, &error);
    if (sleep->lock_fd >= 0 || sleep->was_refused)
        return;
    sleep->was_refused = true;
    if (error != NULL)
        g_dbus_error_strip_remote_error(error);
    sleep->events->refused(error != NULL ? error->message : "no descriptor", sleep->user_data);
}

static void inhibit(BerthHostSleep *sleep)
{
    g_dbus_connection_call_with_unix_fd_list(
        sleep->bus, LOGIND_NAME, LOGIND_PATH, MANAGER, "Inhibit",
        g_variant_new("(ssss)", "sleep", "berth", sleep->reason, "delay"), G_VARIANT_TYPE("(h)"),
        G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, sleep->cancellable, on_inhibited, sleep);
}

/* --- sleep and wake --------------------------------------------------------------------------- */

static void end_sleep(BerthHostSleep *sleep)
{
    clear_source(&sleep->limit);
    if (!sleep->is_preparing)
        return;
    sleep->is_preparing = false;
    sleep->events->woken(sleep->user_data);
}

static gboolean on_limit(gpointer user_data)
{
    end_sleep(user_data);
    return G_SOURCE_REMOVE;
}

static gboolean on_delay(gpointer user_data)
{
    BerthHostSleep *sleep = user_data;
    berth_host_sleep_ready(sleep);
    clear_source(&sleep->limit);
    sleep->limit = add_timer(BERTH_SLEEP_LIMIT_SEC - BERTH_SLEEP_DELAY_SEC, on_limit, sleep);
    return G_SOURCE_REMOVE;
}

static void begin_sleep(BerthHostSleep *sleep)
{
    clear_source(&sleep->limit);
    sleep->limit = add_timer(BERTH_SLEEP_DELAY_SEC, on_delay, sleep);
    if (sleep->is_preparing)
        return;
    sleep->is_preparing = true;
    sleep->events->prepare(sleep->user_data);
}

static void on_signal(GDBusConnection *bus, const char *sender, const char *path,
                      const char *interface, const char *signal, GVariant *parameters,
                      gpointer user_data)
{
    BerthHostSleep *sleep = user_data;
    gboolean begins;
    if (!g_variant_is_of_type(parameters, G_VARIANT_TYPE("(b)")))
        return;
    g_variant_get(parameters, "(b)", &begins);
    if (begins) {
        begin_sleep(sleep);
    } else {
        inhibit(sleep);
        end_sleep(sleep);
    }
}

void berth_host_sleep_ready(BerthHostSleep *sleep)
{
    if (sleep->is_preparing)
        berth_fd_close(&sleep->lock_fd);
}

/* --- logind and the bus ----------------------------------------------------------------------- */

static void on_appeared(GDBusConnection *bus, const char *name, const char *owner,
                        gpointer user_data)
{
    inhibit(user_data);
}

static void on_vanished(GDBusConnection *bus, const char *name, gpointer user_data)
{
    BerthHostSleep *sleep = user_data;
    berth_fd_close(&sleep->lock_fd);
    end_sleep(sleep);
}

static void forget_calls(BerthHostSleep *sleep)
{
    g_cancellable_cancel(sleep->cancellable);
    g_clear_object(&sleep->cancellable);
}

static void leave_bus(BerthHostSleep *sleep)
{
    forget_calls(sleep);
    berth_fd_close(&sleep->lock_fd);
    if (sleep->bus == NULL)
        return;
    g_signal_handlers_disconnect_by_data(sleep->bus, sleep);
    g_dbus_connection_signal_unsubscribe(sleep->bus, sleep->subscription);
    g_bus_unwatch_name(sleep->name_watch);
    g_dbus_connection_close(sleep->bus, NULL, NULL, NULL);
    g_clear_object(&sleep->bus);
}

static gboolean join_bus(gpointer user_data);

static void join_later(BerthHostSleep *sleep)
{
    leave_bus(sleep);
    sleep->retry = add_timer(sleep->retry_sec, join_bus, sleep);
    sleep->retry_sec = MIN(sleep->retry_sec * 2, RETRY_MAX_SEC);
}

static void on_closed(GDBusConnection *bus, gboolean by_peer, GError *error, gpointer user_data)
{
    BerthHostSleep *sleep = user_data;
    join_later(sleep);
    end_sleep(sleep);
}

static void on_joined(GObject *source, GAsyncResult *result, gpointer user_data)
{
    BerthHostSleep *sleep = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) bus = g_dbus_connection_new_for_address_finish(result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return; /* @sleep may be gone */
    if (bus == NULL) {
        join_later(sleep);
        return;
    }
    sleep->bus = g_steal_pointer(&bus);
    sleep->retry_sec = RETRY_MIN_SEC;
    g_signal_connect(sleep->bus, "closed", G_CALLBACK(on_closed), sleep);
    sleep->subscription = g_dbus_connection_signal_subscribe(
        sleep->bus, LOGIND_NAME, MANAGER, "PrepareForSleep", LOGIND_PATH, NULL,
        G_DBUS_SIGNAL_FLAGS_NONE, on_signal, sleep, NULL);
    sleep->name_watch =
        g_bus_watch_name_on_connection(sleep->bus, LOGIND_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                       on_appeared, on_vanished, sleep, NULL);
}

static gboolean join_bus(gpointer user_data)
{
    BerthHostSleep *sleep = user_data;
    clear_source(&sleep->retry);
    sleep->cancellable = g_cancellable_new();
    g_dbus_connection_new_for_address(sleep->address,
                                      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                      NULL, sleep->cancellable, on_joined, sleep);
    return G_SOURCE_REMOVE;
}

/* --- begin and end ---------------------------------------------------------------------------- */

BerthHostSleep *berth_host_sleep_new(const char *address, const char *reason,
                                     const BerthHostSleepEvents *events, gpointer user_data)
{
    BerthHostSleep *sleep = g_new0(BerthHostSleep, 1);
    sleep->address = g_strdup(address);
    sleep->reason = g_strdup(reason);
    sleep->events = events;
    sleep->user_data = user_data;
    sleep->lock_fd = -1;
    sleep->retry_sec = RETRY_MIN_SEC;
    join_bus(sleep);
    return sleep;
}

void berth_host_sleep_free(BerthHostSleep *sleep)
{
    if (sleep == NULL)
        return;
    leave_bus(sleep);
    clear_source(&sleep->retry);
    clear_source(&sleep->limit);
    g_free(sleep->address);
    g_free(sleep->reason);
    g_free(sleep);
}
