/* SPDX-License-Identifier: MIT */
#include "berth_template.h"

#include "lifecycle/templates.h"

void berth_template_free(BerthTemplate *template)
{
    if (template == NULL)
        return;
    g_free(template->name);
    g_free(template->summary);
    g_free(template->path);
    g_free(template);
}

static void free_one(gpointer data)
{
    berth_template_free(data);
}

GPtrArray *berth_templates(Berth *berth)
{
    g_autoptr(GPtrArray) files = berth_templates_list(berth);
    GPtrArray *templates = g_ptr_array_new_with_free_func(free_one);
    for (guint i = 0; i < files->len; i++) {
        const BerthTemplateFile *file = files->pdata[i];
        BerthTemplate *template = g_new(BerthTemplate, 1);
        *template =
            (BerthTemplate){g_strdup(file->name), g_strdup(file->summary), g_strdup(file->path)};
        g_ptr_array_add(templates, template);
    }
    return templates;
}

char *berth_template_path(Berth *berth, const char *name, GError **error)
{
    return berth_templates_find(berth, name, error);
}
