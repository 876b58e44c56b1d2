/* SPDX-License-Identifier: MIT */
#include "host_service.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define GPG_SOCKET "S.gpg-agent.extra"

#define NO_DESKTOP                                                                                 \
    "no desktop of the host is known: run a berth command in a terminal of that desktop first"

/* Runs its arguments in a session of their own, so that a browser, or the program that keeps the
 * clipboard, outlives the call; and with no stream of the call, which could not end otherwise. */
#define DETACHED                                                                                   \
    "setsid -w \"$@\" >/dev/null 2>&1 || { echo \"$1 failed: exit status $?\" >&2; exit 1; }"

static bool desk_has(const char *const *desk, const char *name)
{
    gsize length = strlen(name);
    for (; *desk != NULL; desk++)
        if (strncmp(*desk, name, length) == 0 && (*desk)[length] == '=')
            return true;
    return false;
}

static bool has_program(const char *name)
{
    g_autofree char *path = g_find_program_in_path(name);
    return path != NULL;
}

/* --- URLs ------------------------------------------------------------------------------------- */

static bool has_scheme(const char *url)
{
    static const char *const starts[] = {"http://", "https://", "mailto:"};
    for (gsize i = 0; i < G_N_ELEMENTS(starts); i++)
        if (g_ascii_strncasecmp(url, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static bool is_printable(const char *text)
{
    bool good = true;
    for (; good && *text != '\0'; text++)
        good = g_ascii_isgraph(*text) || (guchar)*text >= 0x80;
    return good;
}

/* Some mail programs attach the file of the host that a mailto URL names. */
static bool has_attachment(const char *url)
{
    g_autofree char *plain = g_uri_unescape_string(url, NULL);
    g_autofree char *lower = g_ascii_strdown(plain != NULL ? plain : url, -1);
    return g_str_has_prefix(lower, "mailto:") &&
           (strstr(lower, "?attach") != NULL || strstr(lower, "&attach") != NULL);
}

static const char *refuse_url(char *const *argv, const char *const *desk)
{
    const char *url = argv[0];
    if (argv[1] != NULL || !is_printable(url) || !has_scheme(url))
        return "only a URL that begins with http://, https:// or mailto: can be opened";
    if (has_attachment(url))
        return "a mailto URL cannot attach files of the host";
    if (!desk_has(desk, "DISPLAY") && !desk_has(desk, "WAYLAND_DISPLAY"))
        return NO_DESKTOP;
    if (!has_program("xdg-open"))
        return "this host has no xdg-open: install xdg-utils on the host";
    return NULL;
}

static char **url_command(char *const *argv, const char *const *desk, char **ret_refusal)
{
    const char *refusal = refuse_url(argv, desk);
    const char *const words[] = {"sh", "-c", DETACHED, "berth", "xdg-open", argv[0], NULL};
    *ret_refusal = g_strdup(refusal);
    return refusal == NULL ? g_strdupv((char **)words) : NULL;
}

/* --- the clipboard ---------------------------------------------------------------------------- */

static const struct {
    const char *desktop; /* the variable of its kind of desktop */
    const char *copy[6];
    const char *paste[6];
} clipboards[] = {
    {"WAYLAND_DISPLAY", {"wl-copy"}, {"wl-paste", "--no-newline"}},
    {"DISPLAY",
     {"xclip", "-selection", "clipboard", "-in"},
     {"xclip", "-selection", "clipboard", "-out"}},
    {"DISPLAY", {"xsel", "--clipboard", "--input"}, {"xsel", "--clipboard", "--output"}},
};

static char **clipboard_command(bool copies, const char *const *desk, char **ret_refusal)
{
    bool has_desktop = false;
    for (gsize i = 0; i < G_N_ELEMENTS(clipboards); i++) {
        const char *const *words = copies ? clipboards[i].copy : clipboards[i].paste;
        if (!desk_has(desk, clipboards[i].desktop))
            continue;
        has_desktop = true;
        if (!has_program(words[0]))
            continue;
        if (!copies)
            return g_strdupv((char **)words);
        g_autoptr(GStrvBuilder) detached = g_strv_builder_new();
        g_strv_builder_add_many(detached, "sh", "-c", DETACHED, "berth", NULL);
        g_strv_builder_addv(detached, (const char **)words);
        return g_strv_builder_end(detached);
    }
    *ret_refusal = g_strdup(
        has_desktop ? "this host has no clipboard program: install wl-clipboard (Wayland) or xclip "
                      "(X11) on the host"
                    : NO_DESKTOP);
    return NULL;
}

/* The directory below that of the sockets that gpg has for its home @gpg_home: of the path's SHA-1
 * the first 120 bits, in z-base-32. */
static char *gpg_subdirectory(const char *gpg_home)
{
    static const char digits[] = "ybndrfg8ejkmcpqxot1uwisza345h769";
    guint8 sum[20];
    gsize size = sizeof(sum);
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
    g_checksum_update(checksum, (const guchar *)gpg_home, -1);
    g_checksum_get_digest(checksum, sum, &size);
    GString *name = g_string_new("d.");
    for (guint bit = 0; bit < 120; bit += 5) {
        guint pair = (guint)sum[bit / 8] << 8 | sum[bit / 8 + 1];
        g_string_append_c(name, digits[pair >> (11 - bit % 8) & 31]);
    }
    return g_string_free(name, FALSE);
}

char *berth_host_service_gpg_socket(const char *runtime_dir, const char *home, const char *gpg_home)
{
    g_autofree char *usual = g_build_filename(home, ".gnupg", NULL);
    g_autofree char *wanted = g_canonicalize_filename(gpg_home != NULL ? gpg_home : usual, "/");
    g_autofree char *below = g_str_equal(wanted, usual) ? g_strdup("") : gpg_subdirectory(wanted);
    g_autofree char *of_runtime = g_build_filename(runtime_dir, "gnupg", below, GPG_SOCKET, NULL);
    g_autofree char *of_home = g_build_filename(wanted, GPG_SOCKET, NULL);
    struct stat info;
    if (stat(of_runtime, &info) == 0 && S_ISSOCK(info.st_mode))
        return g_steal_pointer(&of_runtime);
    if (stat(of_home, &info) == 0 && S_ISSOCK(info.st_mode))
        return g_steal_pointer(&of_home);
    return NULL;
}

char **berth_host_service_command(WireService service, char *const *argv, const char *const *desk,
                                  char **ret_refusal)
{
    *ret_refusal = NULL;
    switch (service) {
    case WIRE_SERVICE_URL:
        return url_command(argv, desk, ret_refusal);
    case WIRE_SERVICE_COPY:
    case WIRE_SERVICE_PASTE:
        return clipboard_command(service == WIRE_SERVICE_COPY, desk, ret_refusal);
    case WIRE_SERVICE_COMMAND:
    case WIRE_SERVICE_SSH_AGENT: /* no command */
    case WIRE_SERVICE_GPG_AGENT:
    case WIRE_SERVICES:
        break;
    }
    return g_strdupv((char **)argv);
}
