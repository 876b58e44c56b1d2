/* SPDX-License-Identifier: MIT */
#include "mdoc.h"

#include "mdoc_text.h"
#include "project.h"

#include <string.h>

static const char introduction[] =
    ".Sh SYNOPSIS\n.Pa ~/.config/berth/berth.conf\n"
    ".Sh DESCRIPTION\nThe user's settings for\n.Xr berth 1 ,\nfor all distros or for one:\n"
    ".Bd -literal -offset indent\n# 2 GiB for all distros, and 8 GiB for one\n[berth]\nmemory = "
    "2G\n"
    "[distro debian]\nmemory = 8G\nhost\\-commands = true\n.Ed\n.Pp\n"
    "The file is in\n.Ev XDG_CONFIG_HOME ,\nwhere that is set.\n"
    "A line is a group, as in\n.Li [berth] ,\na key with its value, or a comment, which begins "
    "with\n.Ql # .\nGroup names are compared without regard to case, keys are not.\n"
    "In a value\n.Ql \\es ,\n.Ql \\en ,\n.Ql \\et ,\n.Ql \\er\nand\n.Ql \\e\\e\n"
    "stand for a space, a line break, a tab, a carriage return and a backslash.\n"
    "Sizes are bytes, or have a suffix: K, M, G or T, powers of 1024.\n.Pp\n"
    "The value of a key comes from the first of these that has it:\nthe environment, the\n"
    "distro's group,\n.Li [berth] ,\nthe default.\n.Xr berth\\-config 1\nlists the values and "
    "where they come from,\nchanges single lines, and lists lines that have no effect.\n"
    ".Sh KEYS\nThe keys are as follows.\nA change takes effect at the next start of the "
    "distro,\nunless the key says otherwise.\n.Bl -tag -width Ds\n";

static const char project[] =
    ".Sh PROJECTS\nA\n.Pa berth.conf\nin a project's directory describes the project's distro "
    "for\n.Xr berth\\-up 1 ,\nwith the same lines and other groups:\n"
    ".Bd -literal -offset indent\n[project]\ndistro = Debian\npackages = git python3\\-venv\n"
    "forwards = 8000\nshares = .\n[environment]\nDEBUG = 1\n[step server]\n"
    "root = systemctl enable \\-\\-now ssh\n[step requirements]\n"
    "user = pip install \\-r requirements.txt\n.Ed\n.Pp\n"
    "One of\n.Cm distro , image\nand\n.Cm archive\nis needed.\n"
    "The variables of\n.Li [environment]\ngo to the distro's\n.Pa /etc/environment .\n"
    "Each\n.Li [step NAME]\nhas lines for sh,\n.Cm root\nor\n.Cm user ,\n"
    "which run in the distro, in the order of the file, after everything else.\n"
    "berth repeats a step when its text changes.\n"
    "Without this file,\n.Pa .devcontainer/devcontainer.json\nis read; its keys that have no "
    "counterpart "
    "here are ignored.\n"
    "The keys of\n.Li [project]\nare:\n.Bl -tag -width Ds\n";

static void add_project(GString *page)
{
    g_string_append(page, project);
    for (const ProjectKey *key = project_keys; key->key != NULL; key++) {
        g_autofree char *value = g_strdup_printf("It is given as %s.", key->value);
        g_string_append(page, ".It Cm ");
        mdoc_add_line(page, key->key);
        mdoc_add_sentence(page, key->help);
        mdoc_add_text(page, value);
    }
    g_string_append(page, ".El\n");
}

static void add_setting(GString *page, const BerthSetting *setting)
{
    g_autofree char *allowed = g_strdup_printf("Allowed: %s.", setting->allowed);
    g_string_append(page, ".It Cm ");
    mdoc_add_line(page, setting->name);
    g_autofree char *help = g_strdup(setting->help);
    help[0] = g_ascii_toupper(help[0]);
    mdoc_add_sentence(page, help);
    if (strcmp(setting->allowed, "text") != 0) /* which the help describes */
        mdoc_add_text(page, allowed);
    if (setting->initial[0] != '\0') {
        g_string_append(page, "The default is\n.Ql ");
        mdoc_add_escaped(page, setting->initial, strlen(setting->initial));
        g_string_append(page, " .\n");
    }
    if (setting->global)
        mdoc_add_text(page, "Only for all distros.");
    if (setting->at_once)
        mdoc_add_text(page, "A change takes effect at once.");
}

void mdoc_add_settings(GString *page)
{
    g_autoptr(GPtrArray) settings = berth_settings_known();
    mdoc_add_head(page, "berth.conf", 5, "settings of berth");
    g_string_append(page, introduction);
    for (guint i = 0; i < settings->len; i++)
        add_setting(page, settings->pdata[i]);
    g_string_append(page, ".El\n");
    add_project(page);
    g_string_append(page, ".Sh ENVIRONMENT\nEach key has a variable, which wins over the "
                          "file:\n.Ev BERTH_MEMORY\nis\n.Cm memory ,\n.Ev BERTH_BOOT_TIMEOUT\nis\n"
                          ".Cm boot\\-timeout .\n.Sh FILES\n.Bl -tag -width Ds\n"
                          ".It Pa ~/.config/berth/berth.conf\nThe settings.\n"
                          ".It Pa ~/.config/berth/templates\nTemplates of your own.\n.El\n"
                          ".Sh SEE ALSO\n.Xr berth 1 ,\n.Xr berth\\-config 1 ,\n.Xr "
                          "berth\\-templates 1 ,\n.Xr berth\\-up 1\n");
}
