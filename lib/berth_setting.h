/* SPDX-License-Identifier: MIT
 *
 * berth_setting — the settings of berth.conf. A part of the public interface (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

typedef enum {
    BERTH_SETTING_DEFAULT,     /* from nowhere */
    BERTH_SETTING_FILE,        /* from [berth] in berth.conf */
    BERTH_SETTING_DISTRO,      /* from [distro NAME] in it */
    BERTH_SETTING_ENVIRONMENT, /* from its variable */
} BerthSettingSource;

typedef struct {
    char *name, *initial;     /* as text; "" where there is none */
    char *value;              /* NULL: not asked for */
    char *allowed;            /* what a value may be: "true or false" */
    char *variable;           /* of the environment */
    const char *help;         /* static */
    const char *const *words; /* the values that are words, static; or NULL */
    bool global;              /* only [berth] may have it */
    bool new_only;            /* counts when a distro is made, not for one that exists */
    bool at_once;             /* running distros follow a change; else their next start does */
    BerthSettingSource source;
    guint line; /* of berth.conf; 0: not from there */
} BerthSetting;

void berth_setting_free(BerthSetting *setting);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSetting, berth_setting_free)

/* Every key that there is, without a value; BerthSetting *, free with g_ptr_array_unref. */
GPtrArray *berth_settings_known(void);

/* The effective settings of @name, or of no particular distro if NULL; BerthSetting *, free with
 * g_ptr_array_unref. Errors: also "config.*". */
GPtrArray *berth_settings(Berth *berth, const char *name, GError **error);

/* The effective setting @key, or that of WSL's name; an unknown one is "config.key", with what it
 * probably means. */
BerthSetting *berth_setting_get(Berth *berth, const char *name, const char *key, GError **error);

/* One key and what it is to be; value NULL: the key is removed. */
typedef struct {
    const char *key, *value;
} BerthSettingEdit;

typedef struct {
    char *path;        /* berth.conf */
    char *group;       /* "berth" or "distro NAME" */
    char *key, *value; /* as in the file; value NULL: removed */
    bool changed;      /* the file was otherwise before */
    bool at_once;      /* running distros follow it */
    bool is_running;   /* the distro runs, or is suspended; false for all distros */
    char *instead;     /* "BERTH_MEMORY in the environment", which wins over the file; or NULL */
    char *limit;       /* "memory: 64 GiB is more than this host has; the distro gets 16 GiB"; or
                          NULL */
} BerthSettingChange;

void berth_setting_change_free(BerthSettingChange *change);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSettingChange, berth_setting_change_free)

/* Make @n_edits of @edits in the user's berth.conf, for @name or for all distros (NULL), all of
 * them or none. Only their lines change. Keys of WSL's .wslconfig are translated. Returns
 * BerthSettingChange * in the order of @edits; free with g_ptr_array_unref. Errors: "config.wsl",
 * "config.key", "config.value", "config.global", "config.new", "config.repeated",
 * "config.syntax", "config.write.*". */
GPtrArray *berth_settings_change(Berth *berth, const char *name, const BerthSettingEdit *edits,
                                 gsize n_edits, GError **error);

/* The path of the user's berth.conf, which may be missing; free with g_free. */
char *berth_settings_path(Berth *berth);

/* List the faults of the settings file @path (NULL: the user's; a missing one has none): lines
 * "@path:LINE: ...", none if all is well. Free with g_strfreev. Errors: the file cannot be read;
 * "config.syntax". */
char **berth_settings_faults(Berth *berth, const char *path, GError **error);

G_END_DECLS
