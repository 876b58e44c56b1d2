/* SPDX-License-Identifier: MIT */
#include "templates.h"

#include "base/error.h"
#include "words/nearest.h"

#include <stdio.h>
#include <string.h>

#define SUFFIX ".conf"

static void template_free(gpointer data)
{
    BerthTemplateFile *template = data;
    g_free(template->name);
    g_free(template->summary);
    g_free(template->path);
    g_free(template);
}

/* The text of the comment that @path begins with; "" if there is none. */
static char *read_summary(const char *path)
{
    char line[256];
    FILE *file = fopen(path, "re");
    bool ok = file != NULL && fgets(line, sizeof(line), file) != NULL && line[0] == '#';
    if (file != NULL)
        fclose(file);
    return ok ? g_strdup(g_strstrip(line + 1)) : g_strdup("");
}

static const BerthTemplateFile *find(const GPtrArray *templates, const char *name)
{
    for (guint i = 0; i < templates->len; i++)
        if (g_ascii_strcasecmp(((const BerthTemplateFile *)templates->pdata[i])->name, name) == 0)
            return templates->pdata[i];
    return NULL;
}

static void add_file(GPtrArray *templates, const char *directory, const char *file)
{
    g_autofree char *name = g_strndup(file, strlen(file) - strlen(SUFFIX));
    g_autofree char *path = g_build_filename(directory, file, NULL);
    if (find(templates, name) != NULL || !g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return;
    BerthTemplateFile *template = g_new(BerthTemplateFile, 1);
    *template = (BerthTemplateFile){g_strdup(name), read_summary(path), g_strdup(path)};
    g_ptr_array_add(templates, template);
}

static void add_directory(GPtrArray *templates, const char *directory)
{
    g_autoptr(GDir) entries = g_dir_open(directory, 0, NULL);
    const char *file;
    while (entries != NULL && (file = g_dir_read_name(entries)) != NULL)
        if (g_str_has_suffix(file, SUFFIX) && file[0] != '.')
            add_file(templates, directory, file);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(BerthTemplateFile *const *)a)->name, (*(BerthTemplateFile *const *)b)->name);
}

GPtrArray *berth_templates_list(const Berth *berth)
{
    GPtrArray *templates = g_ptr_array_new_with_free_func(template_free);
    g_autofree char *own = g_build_filename(berth->layout->config, "templates", NULL);
    g_autofree char *given = berth_layout_project_templates(berth->layout);
    add_directory(templates, own);
    add_directory(templates, given);
    g_ptr_array_sort(templates, by_name);
    return templates;
}

char *berth_templates_find(const Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) templates = berth_templates_list(berth);
    const BerthTemplateFile *found = find(templates, name);
    if (found != NULL)
        return g_strdup(found->path);
    Nearest nearest = {.word = name};
    for (guint i = 0; i < templates->len; i++)
        nearest_offer(&nearest, ((const BerthTemplateFile *)templates->pdata[i])->name);
    g_autofree char *hint = nearest.closest != NULL
                                ? g_strdup_printf("did you mean %s?", nearest.closest)
                                : g_strdup("\"berth templates\" lists them");
    g_autofree char *shown = g_strescape(name, NULL);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "template.not-found", hint,
                    "there is no template \"%.80s\"", shown);
    return NULL;
}
