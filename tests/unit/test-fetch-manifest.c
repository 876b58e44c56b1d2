/* SPDX-License-Identifier: MIT */
#include "fetch/manifest.h"

#include "base/error.h"

#include <stdbool.h>
#include <string.h>

#define VERSIONS(list)     "{\"ModernDistributions\": {\"Toy\": " list "}}"
#define FILE_OF(arch)      "\"" arch "Url\": {\"Url\": \"https://x/a\", \"Sha256\": \"0x12\"}"
#define FILE_WITH(mirrors) "\"Amd64Url\": {\"Url\": \"https://x/a\", \"Mirrors\": " mirrors "}"

static void test_manifests(void)
{
    static const struct {
        const char *json, *lines; /* NULL: no manifest */
    } cases[] = {
        {VERSIONS("[{\"Name\": \"Toy-1\", \"FriendlyName\": \"One\", \"Default\": true, " FILE_OF(
             "Amd64") "}]"),
         "Toy\tToy-1\tOne\tdefault\thttps://x/a\t0x12\n"},
        {VERSIONS("[{\"Name\": \"Toy-1\", " FILE_OF("Amd64") "}]"),
         "Toy\tToy-1\tToy-1\t\thttps://x/a\t0x12\n"},
        {VERSIONS("[{\"Name\": \"Toy-1\", " FILE_WITH("[\"https://y/a\", \"https://z/a\"]") "}]"),
         "Toy\tToy-1\tToy-1\t\thttps://x/a\t\thttps://y/a https://z/a\n"},
        {VERSIONS("[{\"Name\": \"Toy-1\", " FILE_WITH("[\"https://y/a\", {}]") "}]"),
         "Toy\tToy-1\tToy-1\t\thttps://x/a\t\thttps://y/a ?\n"},
        {VERSIONS("[{\"Name\": \"Toy-1\", " FILE_WITH("[]") "}]"),
         "Toy\tToy-1\tToy-1\t\thttps://x/a\t\n"},
        {VERSIONS("[{\"Name\": \"Toy-1\", " FILE_WITH("\"https://y/a\"") "}]"),
         "Toy\tToy-1\tToy-1\t\thttps://x/a\t\n"},
        {VERSIONS("[{\"Name\": \"Toy-1\", " FILE_OF("Arm64") "}]"), ""},
        {VERSIONS("[{\"Name\": 7, " FILE_OF("Amd64") "}]"), ""},
        {VERSIONS("[{\"Name\": \"a\\tb\", " FILE_OF("Amd64") "}]"), ""},
        {VERSIONS("[{\"Name\": \"a\\nb\", " FILE_OF("Amd64") "}]"), ""},
        {VERSIONS("[{\"Name\": \"a\", \"Amd64Url\": \"https://x\"}]"), ""},
        {VERSIONS("[{\"Name\": null, \"Default\": {}, \"Amd64Url\": []}]"), ""},
        {VERSIONS("[7, null, [], \"x\"]"), ""},
        {VERSIONS("{}"), ""},
        {VERSIONS("null"), ""},
        {"{\"ModernDistributions\": {}}", ""},
        {"{\"ModernDistributions\": {}, \"ModernDistributions\": {}}", NULL},
        {"{\"ModernDistributions\": {}} {}", NULL},
        {"{\"ModernDistributions\": {\"a\": 99999999999999999999}}", NULL},
        {"{\"ModernDistributions\": []}", NULL},
        {"{\"Distributions\": []}", NULL},
        {"[]", NULL},
        {"null", NULL},
        {"", NULL},
        {"{", NULL},
        {"\xff", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *lines =
            berth_fetch_manifest_lines(cases[i].json, strlen(cases[i].json), "Amd64", &error);
        g_assert_cmpstr(lines, ==, cases[i].lines);
        if (lines == NULL)
            g_assert_cmpstr(berth_error_id(error), ==, "fetch.manifest");
    }
}

/* Every beginning of a manifest, and every byte of it changed: an error or lines, never a crash. */
static void test_damage(void)
{
    static const char whole[] =
        VERSIONS("[{\"Name\": \"Toy-1\", \"FriendlyName\": \"One\", \"Default\": true, " FILE_OF(
            "Amd64") "}]");
    for (gsize i = 0; i < sizeof(whole) - 1; i++) {
        g_autofree char *damaged = g_memdup2(whole, sizeof(whole));
        g_autofree char *begun = berth_fetch_manifest_lines(whole, i, "Amd64", NULL);
        g_assert_null(begun);
        damaged[i] = (char)(damaged[i] ^ 0x15);
        g_autoptr(GError) error = NULL;
        g_autofree char *lines =
            berth_fetch_manifest_lines(damaged, sizeof(whole) - 1, "Amd64", &error);
        g_assert_true((lines == NULL) == (error != NULL));
    }
}

/* The list comes from an address that the user may have chosen; json-glib recurses. */
static void test_depth(void)
{
    const gsize size = 8 << 20;
    g_autofree char *brackets = g_malloc(size);
    memset(brackets, '[', size);
    g_autoptr(GError) error = NULL;
    g_assert_null(berth_fetch_manifest_lines(brackets, size, "Amd64", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "fetch.manifest");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fetch/manifest/manifests", test_manifests);
    g_test_add_func("/fetch/manifest/damage", test_damage);
    g_test_add_func("/fetch/manifest/depth", test_depth);
    return g_test_run();
}
