/* SPDX-License-Identifier: MIT */
#include "wsl_settings.h"

#include "conf.h"

#include "os/file.h"
#include "words/nearest.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* In order of precedence. */
static const char *const files[] = {"/etc/berth.conf", "/etc/wsl.conf",
                                    "/etc/wsl-distribution.conf"};

typedef enum { KEY_IGNORED, KEY_BOOL, KEY_NUMBER, KEY_STRING } KeyType;

typedef struct {
    const char *section;
    const char *name;
    KeyType type;
    size_t member; /* of Settings */
    uint32_t max;  /* of a number */
} Key;

#define MEMBER(member) offsetof(Settings, member)

/* Members of wsl_settings.h document the keys. The ignored ones are keys of WSL that images contain
 * and that have no meaning here. */
static const Key keys[] = {
    {"automount", "enabled", KEY_BOOL, MEMBER(automount)},
    {"automount", "root", KEY_STRING, MEMBER(automount_root)},
    {"automount", "mountFsTab", KEY_BOOL, MEMBER(mount_fstab)},
    {"boot", "command", KEY_STRING, MEMBER(command)},
    {"boot", "initTimeout", KEY_NUMBER, MEMBER(init_timeout_msec), INT32_MAX},
    {"boot", "systemd", KEY_BOOL, MEMBER(systemd)},
    {"filesystem", "umask", KEY_NUMBER, MEMBER(umask), 0777},
    {"network", "generateHosts", KEY_BOOL, MEMBER(generate_hosts)},
    {"network", "generateResolvConf", KEY_BOOL, MEMBER(generate_resolv_conf)},
    {"network", "hostname", KEY_STRING, MEMBER(hostname)},
    {"oobe", "command", KEY_STRING, MEMBER(oobe_command)},
    {"oobe", "defaultUid", KEY_NUMBER, MEMBER(oobe_uid), INT32_MAX},
    {"time", "useWindowsTimezone", KEY_BOOL, MEMBER(follow_zone)},
    {"user", "default", KEY_STRING, MEMBER(user)},

    {"automount", "cgroups", KEY_IGNORED},
    {"automount", "ldconfig", KEY_IGNORED},
    {"automount", "options", KEY_IGNORED},
    {"boot", "protectBinfmt", KEY_IGNORED},
    {"fileServer", "enabled", KEY_IGNORED},
    {"fileServer", "logFile", KEY_IGNORED},
    {"fileServer", "logLevel", KEY_IGNORED},
    {"fileServer", "logTruncate", KEY_IGNORED},
    {"general", "guiApplications", KEY_IGNORED},
    {"general", "hostname", KEY_IGNORED},
    {"gpu", "appendLibPath", KEY_IGNORED},
    {"gpu", "enabled", KEY_IGNORED},
    {"interop", "appendWindowsPath", KEY_IGNORED},
    {"interop", "enabled", KEY_IGNORED},
    {"oobe", "defaultName", KEY_IGNORED},
    {"shortcut", "enabled", KEY_IGNORED},
    {"shortcut", "icon", KEY_IGNORED},
    {"windowsterminal", "enabled", KEY_IGNORED},
    {"windowsterminal", "profileTemplate", KEY_IGNORED},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))
_Static_assert(KEY_COUNT <= 64, "Settings.given has a bit for each");

/* State of parsing one file. */
typedef struct {
    Settings *settings;
    const char *path;
    SettingsWarn warn;
    void *data;
    const char *section;       /* the table's name for it, or NULL: not known */
    unsigned lines[KEY_COUNT]; /* line of each key in this file, or 0 */
} Parse;

void settings_init(Settings *settings)
{
    *settings = (Settings){.systemd = true,
                           .automount = true,
                           .mount_fstab = true,
                           .generate_hosts = true,
                           .generate_resolv_conf = true,
                           .follow_zone = true,
                           .umask = 022};
}

void settings_clear(Settings *settings)
{
    free(settings->hostname);
    free(settings->automount_root);
    free(settings->command);
    free(settings->user);
    free(settings->oobe_command);
    settings_init(settings);
}

__attribute__((format(printf, 3, 4))) static void warn(const Parse *parse, unsigned line,
                                                       const char *format, ...)
{
    char text[384];
    int used = snprintf(text, sizeof(text), "%s:%u: ", parse->path, line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, sizeof(text) - (size_t)used, format, arguments);
    va_end(arguments);
    parse->warn(parse->data, text);
}

/* ---- values ---- */

static bool set_bool(bool *member, const char *text)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"true", true}, {"1", true}, {"false", false}, {"0", false}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i].text) != 0)
            continue;
        *member = words[i].value;
        return true;
    }
    return false;
}

/* Decimal, 0x hexadecimal or 0 octal. */
static bool set_number(uint32_t *member, const char *text, uint32_t max)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 0);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > max)
        return false;
    *member = (uint32_t)number;
    return true;
}

static void set_value(Parse *parse, const Key *key, const char *value, unsigned line)
{
    void *member = (char *)parse->settings + key->member;
    if (key->type == KEY_BOOL && !set_bool(member, value))
        warn(parse, line, "%s.%s is true or false, not \"%.80s\"", key->section, key->name, value);
    if (key->type == KEY_NUMBER && !set_number(member, value, key->max))
        warn(parse, line, "%s.%s is a number up to %u, not \"%.80s\"", key->section, key->name,
             key->max, value);
    if (key->type == KEY_STRING && value[0] != '\0') {
        free(*(char **)member); /* the last value wins */
        *(char **)member = strdup(value);
    }
}

/* ---- entries ---- */

static size_t find_key(const char *section, const char *name)
{
    size_t i = 0;
    while (i < KEY_COUNT &&
           (strcasecmp(keys[i].section, section) != 0 || strcasecmp(keys[i].name, name) != 0))
        i++;
    return i;
}

static void warn_of_section(const Parse *parse, const ConfEntry *entry)
{
    Nearest nearest = {.word = entry->name};
    for (size_t i = 0; i < KEY_COUNT; i++)
        nearest_offer(&nearest, keys[i].section);
    if (nearest.closest != NULL)
        warn(parse, entry->line, "unknown section [%.80s]: did you mean [%s]?", entry->name,
             nearest.closest);
    else
        warn(parse, entry->line, "unknown section [%.80s]", entry->name);
}

static void warn_of_key(const Parse *parse, const ConfEntry *entry)
{
    Nearest nearest = {.word = entry->name};
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].type != KEY_IGNORED && strcmp(keys[i].section, parse->section) == 0)
            nearest_offer(&nearest, keys[i].name);
    if (nearest.closest != NULL)
        warn(parse, entry->line, "unknown key %s.%.80s: did you mean %s?", parse->section,
             entry->name, nearest.closest);
    else
        warn(parse, entry->line, "unknown key %s.%.80s", parse->section, entry->name);
}

static void handle_section(Parse *parse, const ConfEntry *entry)
{
    parse->section = NULL;
    for (size_t i = 0; i < KEY_COUNT && parse->section == NULL; i++)
        if (strcasecmp(keys[i].section, entry->name) == 0)
            parse->section = keys[i].section;
    if (parse->section == NULL)
        warn_of_section(parse, entry);
}

static void handle_value(Parse *parse, const ConfEntry *entry)
{
    if (parse->section == NULL)
        return; /* the section's line has caused the warning */
    if (parse->section[0] == '\0') {
        warn(parse, entry->line, "%.80s is in no section", entry->name);
        return;
    }
    size_t i = find_key(parse->section, entry->name);
    if (i == KEY_COUNT) {
        warn_of_key(parse, entry);
        return;
    }
    if (parse->lines[i] != 0) {
        warn(parse, entry->line, "%s.%s is already set in line %u: this line is ignored",
             keys[i].section, keys[i].name, parse->lines[i]);
        return;
    }
    parse->lines[i] = entry->line;
    bool given_before = (parse->settings->given >> i & 1) != 0;
    parse->settings->given |= UINT64_C(1) << i;
    if (!given_before)
        set_value(parse, &keys[i], entry->value, entry->line);
}

void settings_parse(Settings *settings, const char *path, char *text, SettingsWarn warn_function,
                    void *data)
{
    Parse parse = {
        .settings = settings, .path = path, .warn = warn_function, .data = data, .section = ""};
    ConfReader reader;
    ConfEntry entry;
    conf_begin(&reader, text);
    while (conf_next(&reader, &entry)) {
        if (entry.kind == CONF_BAD)
            warn(&parse, entry.line, "%s", entry.value);
        else if (entry.kind == CONF_SECTION)
            handle_section(&parse, &entry);
        else
            handle_value(&parse, &entry);
    }
}

void settings_load(Settings *settings, SettingsWarn warn_function, void *data)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *text = file_read(files[i]);
        if (text != NULL)
            settings_parse(settings, files[i], text, warn_function, data);
        free(text);
    }
}

void settings_clean_hostname(const char *text, char clean[SETTINGS_HOSTNAME_MAX + 1])
{
    size_t length = 0;
    for (; *text != '\0' && length < SETTINGS_HOSTNAME_MAX; text++) {
        char c = *text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool after_plain = length > 0 && clean[length - 1] != '-' && clean[length - 1] != '.';
        if (c == '.' && length > 0 && clean[length - 1] == '-')
            clean[length - 1] = '.'; /* a label must not end in a hyphen */
        else if (plain || (c == '-' && length > 0 && clean[length - 1] != '.') ||
                 (c == '.' && after_plain))
            clean[length++] = c;
    }
    while (length > 0 && (clean[length - 1] == '-' || clean[length - 1] == '.'))
        length--;
    clean[length] = '\0';
    if (length == 0)
        strcpy(clean, "localhost");
}
