/* SPDX-License-Identifier: MIT */
#include "doctor_private.h"

#include "base/error.h"
#include "base/table.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static const char *const verdict_words[] = {"ok", "warning", "problem"};

const char *berth_verdict_word(BerthVerdict verdict)
{
    return berth_table_to_string(verdict_words, verdict);
}

/* --- what checks use --- */

void berth_doctor_say(BerthDoctorRow *row, BerthVerdict verdict, const char *command,
                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_free(row->text);
    row->text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    row->verdict = verdict;
    g_free(row->command);
    row->command = g_strdup(command);
}

void berth_doctor_say_error(BerthDoctorRow *row, const GError *error)
{
    berth_doctor_say(row, BERTH_VERDICT_PROBLEM, berth_error_hint(error), "%s", error->message);
}

/* Package managers, and what they call the packages whose names differ from Debian's. */
static const struct {
    const char *program;
    const char *command;
    const char *qemu;
} managers[] = {
    {"apt-get", "sudo apt-get install", "qemu-system-x86"},
    {"dnf", "sudo dnf install", "qemu-system-x86-core"},
    {"pacman", "sudo pacman -S", "qemu-system-x86"},
    {"zypper", "sudo zypper install", "qemu-x86"},
    {"apk", "sudo apk add", "qemu-system-x86_64"},
};

char *berth_doctor_install(const char *package)
{
    for (gsize i = 0; i < G_N_ELEMENTS(managers); i++) {
        g_autofree char *path = g_find_program_in_path(managers[i].program);
        if (path == NULL)
            continue;
        bool qemu = g_str_equal(package, "qemu-system-x86");
        return g_strdup_printf("%s %s", managers[i].command, qemu ? managers[i].qemu : package);
    }
    return g_strdup_printf("install the package %s", package);
}

char *berth_doctor_read(const BerthDoctor *doctor, const char *path)
{
    g_autofree char *full = g_strconcat(doctor->root, path, NULL);
    char *text = NULL;
    if (g_file_get_contents(full, &text, NULL, NULL))
        g_strchomp(text);
    return text;
}

guint64 berth_doctor_number(const BerthDoctor *doctor, const char *path, guint64 otherwise)
{
    g_autofree char *text = berth_doctor_read(doctor, path);
    guint64 number = 0;
    return text != NULL && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &number, NULL)
               ? number
               : otherwise;
}

/* --- the table --- */

static void check_home(BerthDoctor *doctor, BerthDoctorRow *row)
{
    if (doctor->berth == NULL)
        berth_doctor_say_error(row, doctor->no_home);
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "data in %s", doctor->berth->layout->data);
}

typedef enum {
    NEEDS_NOTHING,
    NEEDS_HOME,    /* the user's directories */
    NEEDS_DISTROS, /* and a readable registry */
} Need;

static const struct {
    const char *name;
    Need need;
    void (*check)(BerthDoctor *doctor, BerthDoctorRow *row);
} checks[] = {
    {"home", NEEDS_NOTHING, check_home},
    {"settings", NEEDS_HOME, berth_doctor_settings},
    {"programs", NEEDS_HOME, berth_doctor_programs},
    {"kernel", NEEDS_HOME, berth_doctor_kernel},
    {"qemu", NEEDS_HOME, berth_doctor_qemu},
    {"accelerator", NEEDS_HOME, berth_doctor_accelerator},
    {"huge-pages", NEEDS_NOTHING, berth_doctor_huge_pages},
    {"limits", NEEDS_NOTHING, berth_doctor_limits},
    {"inotify", NEEDS_NOTHING, berth_doctor_inotify},
    {"ports", NEEDS_NOTHING, berth_doctor_ports},
    {"sandbox", NEEDS_NOTHING, berth_doctor_sandbox},
    {"fuse", NEEDS_NOTHING, berth_doctor_fuse},
    {"data", NEEDS_HOME, berth_doctor_data},
    {"registry", NEEDS_HOME, berth_doctor_registry},
    {"disks", NEEDS_DISTROS, berth_doctor_disks},
    {"shares", NEEDS_DISTROS, berth_doctor_shares},
    {"runtime", NEEDS_HOME, berth_doctor_runtime},
    {"temporary", NEEDS_HOME, berth_doctor_temporary},
    {"ssh", NEEDS_HOME, berth_doctor_ssh},
};

static void free_row(BerthDoctorRow *row)
{
    g_free(row->text);
    g_free(row->command);
    g_free(row->fixed);
    g_free(row);
}

static void clear(BerthDoctor *doctor)
{
    berth_handle_free(doctor->berth);
    g_clear_error(&doctor->no_home);
    g_clear_pointer(&doctor->distros, g_ptr_array_unref);
    g_clear_error(&doctor->no_registry);
    berth_machine_free(doctor->machine);
    g_clear_error(&doctor->no_machine);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthDoctor, clear)

static void load(BerthDoctor *doctor)
{
    g_autoptr(BerthDistro) any = berth_distro_new("any");
    doctor->machine = berth_handle_machine(doctor->berth, any, &doctor->no_machine);
    berth_doctor_load_registry(doctor);
}

static void examine(BerthDoctor *doctor, gsize index, BerthDoctorRow *row)
{
    if (checks[index].need >= NEEDS_HOME && doctor->berth == NULL)
        berth_doctor_say(row, BERTH_VERDICT_WARNING, NULL, "not checked without a home directory");
    else if (checks[index].need >= NEEDS_DISTROS && doctor->distros == NULL)
        berth_doctor_say(row, BERTH_VERDICT_WARNING, NULL, "not checked without the registry");
    else
        checks[index].check(doctor, row);
}

GPtrArray *berth_doctor_examine(const char *const *environment, const BerthLayoutSupport *support,
                                const BerthDoctorOptions *options)
{
    g_auto(BerthDoctor) doctor = {.root = "", .uid = (guint)geteuid(), .options = options};
    doctor.berth = berth_handle_new(environment, support, &doctor.no_home);
    if (doctor.berth != NULL)
        load(&doctor);

    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)free_row);
    for (gsize i = 0; i < G_N_ELEMENTS(checks); i++) {
        BerthDoctorRow *row = g_new0(BerthDoctorRow, 1);
        row->name = checks[i].name;
        examine(&doctor, i, row);
        g_ptr_array_add(rows, row);
    }
    return rows;
}
