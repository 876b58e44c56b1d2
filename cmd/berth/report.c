/* SPDX-License-Identifier: MIT
 *
 * berth report — writes what a bug report needs into a new directory, without private data.
 *
 * Each part is the output of another command of berth's, run as a process of its own: so one that
 * fails or crashes is a line in the README and does not end the report. Nothing is created before
 * all parts are there.
 */
#include "commands.h"

#include "base/fd.h"
#include "base/size.h"
#include "redact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define PART_MAX ((gsize)256 << 10) /* bytes: of more the end is kept */

extern char **environ;

static const Option options[] = {
    {"output", 'o', "DIR", "Write to DIR, not to ./berth-report-DATE-TIME"},
    {NULL},
};

/* A file of the report. */
typedef struct {
    char *name;
    char *source; /* where it comes from, redacted */
    char *text;   /* redacted */
} Part;

typedef struct {
    Redact *redact;
    GPtrArray *parts; /* Part * */
    guint replaced;
} Report;

static void part_free(gpointer data)
{
    Part *part = data;
    g_free(part->name);
    g_free(part->source);
    g_free(part->text);
    g_free(part);
}

static void report_clear(Report *report)
{
    g_clear_pointer(&report->redact, redact_free);
    g_clear_pointer(&report->parts, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Report, report_clear)

static void report_begin(Report *report)
{
    const RedactKnown known = {
        .home = g_get_home_dir(),
        .user = g_get_user_name(),
        .real_name = g_get_real_name(),
        .host = g_get_host_name(),
        .environment = (const char *const *)environ,
    };
    report->redact = redact_new(&known);
    report->parts = g_ptr_array_new_with_free_func(part_free);
}

static void add_part(Report *report, const char *name, const char *source, const char *text)
{
    Part *part = g_new(Part, 1);
    part->name = g_strdup(name);
    part->source = redact_text(report->redact, source, &report->replaced);
    part->text = redact_text(report->redact, text, &report->replaced);
    g_ptr_array_add(report->parts, part);
}

/* --- running berth --- */

/* The text in @fd, from the beginning of a line if it is more than PART_MAX bytes. */
static char *read_end(int fd)
{
    struct stat status = {0};
    g_autofree char *text = g_malloc(PART_MAX + 1);
    fstat(fd, &status);
    off_t skipped = MAX(status.st_size - (off_t)PART_MAX, 0);
    ssize_t size = MAX(pread(fd, text, PART_MAX, skipped), 0);
    for (ssize_t i = 0; i < size; i++)
        text[i] = text[i] == '\0' ? '?' : text[i];
    text[size] = '\0';
    if (skipped == 0)
        return g_steal_pointer(&text);
    const char *line = strchr(text, '\n');
    g_autofree char *all = berth_size_format((guint64)status.st_size);
    return g_strdup_printf("(the end of %s)\n%s", all, line != NULL ? line + 1 : "");
}

/* Run this program with @words and return all that it prints; *@ret_status is its exit status, or
 * -1. */
static char *run_berth(const char *const *words, int *ret_status, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (char *)"/proc/self/exe");
    for (gsize i = 0; words[i] != NULL; i++)
        g_ptr_array_add(argv, (char *)words[i]);
    g_ptr_array_add(argv, NULL);

    GPid pid;
    int status;
    berth_autofd int output = memfd_create("berth-report", MFD_CLOEXEC);
    if (output < 0) {
        berth_error_set_errno(error, errno, "report.memory", "make room for a part");
        return NULL;
    }
    if (!g_spawn_async_with_fds(NULL, (char **)argv->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                NULL, &pid, -1, output, output, error))
        return NULL;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return read_end(output);
}

static void add_output(Report *report, const char *name, const char *const *words)
{
    int status = 0;
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_strjoinv(" ", (char **)words);
    g_autofree char *text = run_berth(words, &status, &error);
    g_autofree char *end = status == 0  ? g_strdup("")
                           : status < 0 ? g_strdup(", which was ended by a signal")
                                        : g_strdup_printf(", exit status %d", status);
    g_autofree char *source = g_strdup_printf("berth %s%s", line, end);
    add_part(report, name, source, text != NULL ? text : error->message);
}

/* --- the parts --- */

static void add_host(Report *report)
{
    struct utsname name;
    g_autofree char *pretty = g_get_os_info(G_OS_INFO_KEY_PRETTY_NAME);
    uname(&name);
    g_autofree char *text =
        g_strdup_printf("%s\n%s %s %s\n%u processors\n", pretty != NULL ? pretty : "unknown system",
                        name.sysname, name.release, name.machine, g_get_num_processors());
    add_part(report, "host.txt", "this host's system and kernel", text);
}

static void add_berth(Report *report)
{
    static const struct {
        const char *name, *words[3];
    } rows[] = {
        {"doctor.json", {"doctor", "--json"}}, {"versions.json", {"version", "--json"}},
        {"status.json", {"status", "--json"}}, {"distros.json", {"list", "--json"}},
        {"settings.txt", {"config", "list"}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        add_output(report, rows[i].name, rows[i].words);
}

/* The names of the files have a number: a distro's name may be private. */
static void add_distro(Report *report, guint number, const char *distro)
{
    const struct {
        const char *name, *words[5];
    } rows[] = {
        {"settings", {"config", "list", "--distro", distro}},
        {"console", {"logs", "--console", distro}},
        {"keeper", {"logs", "--keeper", distro}},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *name = g_strdup_printf("distro-%u-%s.txt", number, rows[i].name);
        add_output(report, name, rows[i].words);
    }
}

static void add_distros(Report *report, const char *only)
{
    static const char *const list[] = {"list", "--quiet", NULL};
    int status = 0;
    g_autofree char *text = only != NULL ? g_strdup(only) : run_berth(list, &status, NULL);
    g_auto(GStrv) names = g_strsplit(text != NULL && status == 0 ? text : "", "\n", -1);
    for (guint i = 0; names[i] != NULL; i++)
        if (names[i][0] != '\0')
            add_distro(report, i + 1, names[i]);
}

static void add_readme(Report *report)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(
        text,
        "A report of berth %s. %u places in these files were replaced: paths "
        "below the home\ndirectory, names of the user and of the host, values of "
        "environment variables, URLs,\naddresses, keys, passwords and tokens.\n\n"
        "Read the files before you send them. A secret that looks like an "
        "ordinary word is not\nfound, and the console has what the distro's "
        "programs wrote there.\n\n",
        berth_version(), report->replaced);
    for (guint i = 0; i < report->parts->len; i++) {
        const Part *part = report->parts->pdata[i];
        g_string_append_printf(text, "%-24s %s\n", part->name, part->source);
    }
    Part *readme = g_new0(Part, 1);
    readme->name = g_strdup("README.txt");
    readme->source = g_strdup("what this is");
    readme->text = g_string_free(g_steal_pointer(&text), FALSE);
    g_ptr_array_insert(report->parts, 0, readme);
}

/* --- the directory --- */

static bool write_part(int directory, const Part *part, GError **error)
{
    berth_autofd int fd =
        openat(directory, part->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0 && berth_fd_write_all(fd, part->text, strlen(part->text)) == 0)
        return true;
    berth_error_set_errno(error, errno, "report.output", "%s", part->name);
    return false;
}

static bool write_parts(const Report *report, const char *path, GError **error)
{
    berth_autofd int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        berth_error_set_errno(error, errno, "report.output", "%s", path);
        return false;
    }
    bool ok = true;
    for (guint i = 0; ok && i < report->parts->len; i++)
        ok = write_part(directory, report->parts->pdata[i], error);
    for (guint i = 0; !ok && i < report->parts->len; i++)
        unlinkat(directory, ((const Part *)report->parts->pdata[i])->name, 0);
    return ok;
}

static bool set_output_error(GError **error, int number, const char *path)
{
    if (number == EEXIST)
        berth_error_set(error, BERTH_ERROR_EXISTS, "report.output.exists",
                        "choose another: berth report --output DIR", "%s: already exists", path);
    else
        berth_error_set_errno(error, number, "report.output", "%s", path);
    return false;
}

static bool write_report(const Report *report, const char *path, GError **error)
{
    if (mkdir(path, 0700) != 0)
        return set_output_error(error, errno, path);
    if (write_parts(report, path, error))
        return true;
    rmdir(path);
    return false;
}

static char *choose_output(const Invocation *invocation)
{
    const char *given = invocation_value(invocation, "output");
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    return given != NULL ? g_strdup(given) : g_date_time_format(now, "berth-report-%Y%m%d-%H%M%S");
}

/* The registered spelling of @name. */
static char *find_distro(const char *name, GError **error)
{
    g_autoptr(Berth) berth = berth_new((const char *const *)environ, error);
    return berth != NULL ? berth_resolve(berth, name, error) : NULL;
}

static int run(Invocation *invocation, GError **error)
{
    invocation->subject = invocation_first(invocation);
    g_autofree char *path = choose_output(invocation);
    g_autofree char *distro = NULL;
    struct stat status;
    if (lstat(path, &status) == 0)
        return set_output_error(error, EEXIST, path) - 1;
    if (invocation->subject != NULL) {
        distro = find_distro(invocation->subject, error);
        if (distro == NULL)
            return -1;
    }

    g_auto(Report) report = {0};
    report_begin(&report);
    add_host(&report);
    add_berth(&report);
    add_distros(&report, distro);
    add_readme(&report);
    if (!write_report(&report, path, error))
        return -1;
    for (guint i = 0; i < report.parts->len; i++) {
        const Part *part = report.parts->pdata[i];
        printf("%-24s %s\n", part->name, part->source);
    }
    printf("in %s; read it, then send it: tar -czf report.tar.gz %s\n", path, path);
    return 0;
}

const Command command_report = {
    .name = "report",
    .synopsis = "[OPTION]... [NAME]",
    .completes = "distro",
    .summary = "Write a directory for a bug report, without private data",
    .details = "The directory contains the output of doctor, version, status, list and config,\n"
               "and the console and keeper logs of NAME or of all distros. berth replaces paths\n"
               "below your home directory, names of the user and the host, values of environment\n"
               "variables, URLs, addresses, keys, passwords and tokens. It sends nothing. The\n"
               "command also works when other commands fail.",
    .max_arguments = 1,
    .without_handle = true,
    .options = options,
    .run = run,
};
