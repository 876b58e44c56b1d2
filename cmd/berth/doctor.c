/* SPDX-License-Identifier: MIT
 *
 * berth doctor — examines the host and berth's own state, and names the command that mends each
 * problem.
 */
#include "commands.h"

#include "json.h"
#include "print.h"

#include <stdio.h>

extern char **environ;

static const Option options[] = {
    {"fix", 0, NULL, "Remove stale runtime files, temporary files and cached answers"},
    {"json", 0, NULL, "For programs, as JSON"},
    {NULL},
};

static void print_progress(const char *line, gpointer unused)
{
    print_notice(line);
}

/* Names, paths and QEMU's words may have control codes in them. */
static void print_line(const char *text)
{
    g_autofree char *line = g_strdup(text);
    for (char *c = line; *c != '\0'; c++)
        if (g_ascii_iscntrl(*c))
            *c = '?';
    printf("%s\n", line);
}

static void print_text(const GPtrArray *findings)
{
    for (guint i = 0; i < findings->len; i++) {
        const BerthFinding *finding = findings->pdata[i];
        g_autofree char *line =
            g_strdup_printf("%-8s %-12s %s", finding->verdict, finding->name, finding->text);
        print_line(line);
        if (finding->fixed != NULL) {
            g_autofree char *fixed = g_strdup_printf("%21s fixed: %s", "", finding->fixed);
            print_line(fixed);
        }
        if (finding->command != NULL) {
            g_autofree char *command = g_strdup_printf("%21s -> %s", "", finding->command);
            print_line(command);
        }
    }
}

static void print_json(const GPtrArray *findings, bool healthy)
{
    Json *json = json_begin(false);
    json_add_bool(json, "healthy", healthy);
    json_begin_array(json, "checks");
    for (guint i = 0; i < findings->len; i++) {
        const BerthFinding *finding = findings->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "name", finding->name);
        json_add_string(json, "verdict", finding->verdict);
        json_add_string(json, "text", finding->text);
        json_add_string(json, "command", finding->command);
        json_add_string(json, "fixed", finding->fixed);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static int run(Invocation *invocation, GError **error)
{
    bool json = invocation_flag(invocation, "json");
    g_autoptr(GPtrArray) findings = berth_doctor(
        (const char *const *)environ, invocation_flag(invocation, "fix"), print_progress, NULL);
    bool healthy = true;
    for (guint i = 0; i < findings->len; i++)
        healthy &= !((const BerthFinding *)findings->pdata[i])->is_problem;
    if (json)
        print_json(findings, healthy);
    else
        print_text(findings);
    return healthy ? 0 : 1;
}

const Command command_doctor = {
    .name = "doctor",
    .synopsis = "[OPTION]...",
    .summary = "Find problems of this host, the installation and the distros",
    .details = "The checks cover acceleration, QEMU, the kernel, this host's limits, the\n"
               "registry, disks, shares, and files left by killed processes. Each line has a\n"
               "verdict (ok, warning or problem), and below it the command that solves the\n"
               "problem. The command changes nothing unless you give --fix, and never changes a\n"
               "disk. The exit status is 1 if there is a problem.",
    .without_handle = true,
    .options = options,
    .run = run,
};
