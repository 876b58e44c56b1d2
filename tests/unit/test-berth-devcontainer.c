/* SPDX-License-Identifier: MIT
 *
 * Tests of cmd/berth/jsonc and cmd/berth/devcontainer: what is read, where errors are, and that no
 * text does harm.
 */
#include "../../cmd/berth/devcontainer.h"
#include "../../cmd/berth/jsonc.h"

#include <string.h>

static void test_values(void)
{
    static const char text[] =
        "\xEF\xBB\xBF// first\n{ /* a\n b */ \"a\" : [1, -2.5e3, true, null,],\n"
        "\"b\":\"x\\n\\\"\\u00e9\\ud83d\\ude00\\ud800\\/\", \"c\": {}, }\n// last";
    g_autoptr(GError) error = NULL;
    g_autoptr(Jsonc) value = jsonc_parse(text, "f", &error);
    g_assert_no_error(error);
    g_assert_cmpint(value->type, ==, JSONC_OBJECT);
    g_assert_cmpuint(value->items->len, ==, 3);
    const Jsonc *list = value->items->pdata[0];
    g_assert_cmpuint(list->items->len, ==, 4);
    g_assert_cmpuint(list->line, ==, 3);
    g_assert_cmpstr(((const Jsonc *)list->items->pdata[1])->text, ==, "-2.5e3");
    g_assert_cmpint(((const Jsonc *)list->items->pdata[3])->type, ==, JSONC_NULL);
    const Jsonc *string = value->items->pdata[1];
    g_assert_cmpuint(string->line, ==, 4);
    g_assert_cmpstr(string->text, ==, "x\n\"\xC3\xA9\xF0\x9F\x98\x80\xEF\xBF\xBD/");
}

static void test_errors(void)
{
    static const struct {
        const char *text;
        guint line;
    } cases[] = {
        {"", 1},
        {"{", 1},
        {"[1 2]", 1},
        {"{\"a\" 1}", 1},
        {"{\n\"a\":}", 2},
        {"[\"a\n\"]", 1},
        {"/* x", 1},
        {"[1]\n x", 2},
        {"[\"\\x\"]", 1},
        {"[\"\\u00g0\"]", 1},
        {"[\"\\u0000\"]", 1},
        {"[01]", 1},
        {"[nul]", 1},
        {"[truex]", 1},
        {"[,]", 1},
        {"{a:1}", 1},
        {"[\"\xff\"]", 1},
        {"[1.]", 1},
        {"{\"a\":1,,}", 1},
        {"\"a", 1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *where = g_strdup_printf("f:%u: ", cases[i].line);
        g_assert_null(jsonc_parse(cases[i].text, "f", &error));
        g_assert_cmpstr(berth_error_id(error), ==, "project.json");
        g_assert_true(g_str_has_prefix(error->message, where));
    }
}

static void test_depth(void)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < JSONC_DEPTH_MAX; i++)
        g_string_prepend_c(g_string_append_c(text, ']'), '[');
    g_autoptr(Jsonc) value = jsonc_parse(text->str, "f", NULL);
    g_assert_nonnull(value);
    g_string_prepend_c(g_string_append_c(text, ']'), '[');
    g_autoptr(GError) error = NULL;
    g_assert_null(jsonc_parse(text->str, "f", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "project.json");
}

static const char whole[] =
    "{\"name\":\"My App (dev)\",\"image\":\"debian:12\",\"remoteUser\":\"ada\","
    "\"containerEnv\":{\"A\":\"1\",\"B\":\"${localEnv:B}\"},\"remoteEnv\":{\"C\":\"x "
    "y\",\"D\":null},"
    "\"forwardPorts\":[3000,\"db:5432\"],\"postCreateCommand\":[\"npm\",\"ci now\"],"
    "\"onCreateCommand\":{\"one\":\"a\",\"two\":[\"b\"]},\"features\":{\"ghcr.io/x/y:1\":{}},"
    "\"mounts\":[\"source=${localWorkspaceFolder}/d,target=/d,type=bind\","
    "{\"source\":\"v\",\"target\":\"/v\",\"type\":\"volume\"},"
    "\"source=${localWorkspaceFolder}/../up,target=/e,type=bind\"],"
    "\"hostRequirements\":{\"cpus\":2,\"memory\":\"4gb\"},\"customizations\":{},\"runArgs\":[]}";

static void test_whole(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Project) project = devcontainer_parse(whole, "f", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(project->name, ==, "My-App-dev");
    g_assert_cmpstr(project->image, ==, "debian:12");
    g_assert_cmpstr(project->user, ==, "ada");
    g_assert_cmpstr(project->cpus, ==, "2");
    g_assert_cmpstr(project->memory, ==, "4G");
    g_assert_cmpuint(project->environment->len, ==, 2);
    g_assert_cmpstr(project->environment->pdata[1], ==, "C=x y");
    g_assert_cmpuint(g_strv_length(project->forwards), ==, 1);
    g_assert_cmpstr(project->shares[0], ==, ".");
    g_assert_cmpstr(project->shares[1], ==, "d:/d");
    g_assert_null(project->shares[2]);
    g_assert_cmpuint(project->steps->len, ==, 3);
    const ProjectStep *step = project->steps->pdata[2];
    g_assert_cmpstr(step->command, ==, "'npm' 'ci now'");
    g_assert_false(step->as_root);
    g_assert_cmpstr(((const ProjectStep *)project->steps->pdata[0])->name, ==,
                    "onCreateCommand.one");
    /* B, D, db:5432, the feature, two mounts, runArgs */
    g_assert_cmpuint(project->notices->len, ==, 7);
}

/* Each prefix of a file, and the file with bytes changed, is read or is an error. */
static void test_random(void)
{
    for (guint seed = 0; seed < 1000; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autofree char *text = g_strdup(whole);
        gsize length = strlen(text);
        for (int i = g_rand_int_range(rand, 0, 5); i > 0; i--)
            text[g_rand_int_range(rand, 0, (gint32)length)] =
                "{}[]\",:\\/*\n0-x"[g_rand_int_range(rand, 0, 14)];
        text[g_rand_int_range(rand, 0, (gint32)length + 1)] = '\0';
        g_autoptr(GError) error = NULL;
        g_autoptr(Project) project = devcontainer_parse(text, "f", &error);
        g_assert_true((project == NULL) == (error != NULL));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/devcontainer/values", test_values);
    g_test_add_func("/devcontainer/errors", test_errors);
    g_test_add_func("/devcontainer/depth", test_depth);
    g_test_add_func("/devcontainer/whole", test_whole);
    g_test_add_func("/devcontainer/random", test_random);
    return g_test_run();
}
