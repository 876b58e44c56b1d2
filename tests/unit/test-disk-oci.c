/* SPDX-License-Identifier: MIT */
#include "disk/oci/oci.h"

#include "base/error.h"

#include <string.h>

#define ZERO "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define ONE  "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static void test_kinds(void)
{
    static const struct {
        const char *type;
        BerthOciKind kind;
    } rows[] = {
        {"application/vnd.oci.image.index.v1+json", BERTH_OCI_INDEX},
        {"application/vnd.docker.distribution.manifest.list.v2+json", BERTH_OCI_INDEX},
        {"application/vnd.oci.image.manifest.v1+json", BERTH_OCI_MANIFEST},
        {"application/vnd.oci.image.manifest.v1+json+gzip", BERTH_OCI_OTHER},
        {"application/vnd.oci.image.layer.v1.tar", BERTH_OCI_LAYER},
        {"application/vnd.oci.image.layer.v1.tar+zstd", BERTH_OCI_LAYER},
        {"application/vnd.docker.image.rootfs.diff.tar.gzip", BERTH_OCI_LAYER},
        {"application/vnd.oci.image.layer.v1.tar+encrypted", BERTH_OCI_ENCRYPTED_LAYER},
        {"application/vnd.oci.image.layer.v1.tar+gzip+encrypted", BERTH_OCI_ENCRYPTED_LAYER},
        {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", BERTH_OCI_FOREIGN_LAYER},
        {"application/vnd.oci.image.layer.v1.tarx", BERTH_OCI_OTHER},
        {"", BERTH_OCI_OTHER},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(berth_oci_kind(rows[i].type), ==, rows[i].kind);
}

static void test_case_48_platforms(void)
{
    static const struct {
        const char *os, *architecture, *variant, *wanted;
        guint rank;
    } rows[] = {
        {"linux", "amd64", NULL, "amd64", 3},   {NULL, "amd64", NULL, "amd64", 3},
        {"linux", "amd64", NULL, "x86_64", 3},  {"linux", "amd64", "v1", "amd64", 2},
        {"linux", "amd64", "v3", "amd64", 1},   {"linux", "arm64", NULL, "amd64", 0},
        {"windows", "amd64", NULL, "amd64", 0}, {"linux", "arm64", "v8", "arm64", 2},
        {"linux", "arm", "v7", "arm/v7", 3},    {"linux", "arm", "v6", "arm/v7", 0},
        {"linux", "arm", NULL, "arm/v7", 2},    {"linux", NULL, NULL, "amd64", 0},
        {"linux", "amd64", NULL, "", 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        const BerthOciPlatform platform = {.os = (char *)rows[i].os,
                                           .architecture = (char *)rows[i].architecture,
                                           .variant = (char *)rows[i].variant};
        g_assert_cmpuint(berth_oci_platform_rank(&platform, rows[i].wanted), ==, rows[i].rank);
    }
    const BerthOciPlatform half = {.architecture = (char *)"arm", .variant = (char *)"v7"};
    g_autofree char *words = berth_oci_platform_format(&half);
    g_assert_cmpstr(words, ==, "?/arm/v7");
}

static void test_digits(void)
{
    g_assert_cmpstr(berth_oci_digits(ZERO), ==, &ZERO[7]);
    g_assert_null(berth_oci_digits(NULL));
    g_assert_null(berth_oci_digits(""));
    g_assert_null(berth_oci_digits("sha256:"));
    g_assert_null(berth_oci_digits(ZERO "0"));
    g_assert_null(berth_oci_digits(&ZERO[1]));
    g_assert_null(berth_oci_digits("sha256:../../../../../../../../../../../../../../../../etc/"
                                   "passwd/////////"));
    g_assert_null(berth_oci_digits(
        "sha256:A000000000000000000000000000000000000000000000000000000000000000"));
}

static void test_index(void)
{
    static const char json[] =
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"a/b\",\"digest\":\"" ZERO "\","
        "\"size\":9007199254740993,\"platform\":{\"architecture\":\"aarch64\",\"os\":\"linux\","
        "\"variant\":\"\"},\"annotations\":{\"org.opencontainers.image.ref.name\":\"12\","
        "\"io.containerd.image.name\":\"debian:12\"}},{\"digest\":\"" ONE "\",\"size\":0,"
        "\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}}]}";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) index = berth_oci_parse_index(json, strlen(json), &error);
    g_assert_no_error(error);
    g_assert_cmpuint(index->len, ==, 2);
    const BerthOciDescriptor *first = index->pdata[0];
    g_assert_cmpstr(first->media_type, ==, "a/b");
    g_assert_cmpstr(first->digest, ==, &ZERO[7]);
    g_assert_cmpuint(first->size, ==, G_GUINT64_CONSTANT(9007199254740993));
    g_assert_cmpstr(first->platform.architecture, ==, "arm64");
    g_assert_null(first->platform.variant);
    g_assert_cmpstr(first->reference, ==, "debian:12");
    g_assert_false(first->attestation);
    const BerthOciDescriptor *second = index->pdata[1];
    g_assert_cmpstr(second->media_type, ==, "");
    g_assert_null(second->platform.architecture);
    g_assert_true(second->attestation);
}

static void test_config(void)
{
    static const char json[] = "{\"created\":\"2024-01-01T00:00:00Z\",\"os\":\"linux\","
                               "\"architecture\":\"x86_64\",\"rootfs\":{\"type\":\"layers\","
                               "\"diff_ids\":[\"" ZERO "\",\"" ONE "\"]}}";
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthOciConfig) config = berth_oci_parse_config(json, strlen(json), &error);
    g_assert_no_error(error);
    g_assert_cmpstr(config->platform.architecture, ==, "amd64");
    g_assert_cmpstr(config->created, ==, "2024-01-01T00:00:00Z");
    g_assert_cmpuint(config->diff_ids->len, ==, 2);
    g_assert_cmpstr(config->diff_ids->pdata[1], ==, &ONE[7]);
}

static void test_invalid_configs(void)
{
    static const struct {
        const char *json;
        const char *id;
    } rows[] = {
        {"{}", "import.image.bad-json"},
        {"{\"rootfs\":[]}", "import.image.bad-json"},
        {"{\"rootfs\":{\"diff_ids\":{}}}", "import.image.bad-json"},
        {"{\"rootfs\":{\"diff_ids\":[1]}}", "import.image.bad-json"},
        {"{\"rootfs\":{\"diff_ids\":[null]}}", "import.image.bad-json"},
        {"{\"rootfs\":{\"diff_ids\":[[]]}}", "import.image.bad-json"},
        {"{\"rootfs\":{\"diff_ids\":[\"sha256:0\"]}}", "import.image.bad-digest"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(berth_oci_parse_config(rows[i].json, strlen(rows[i].json), &error));
        g_assert_cmpstr(berth_error_id(error), ==, rows[i].id);
    }
}

/* Documents that would make the parser recurse, or confuse two kinds. */
static void test_invalid_json(void)
{
    static const char *const rows[] = {
        "",
        " ",
        "{",
        "}",
        "{}}",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "var x = {}",
        "{'a':1}",
        "{}//",
        "{/*\"*/}",
        "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
        "{\"imageLayoutVersion\":1}",
        "{\"imageLayoutVersion\":[\"1.0.0\"]}",
        "[]",
        "\"1.0.0\"",
        "{\"imageLayoutVersion\":\"1.0.0\"} {}",
        "{} {\"imageLayoutVersion\":\"1.0.0\"}",
        "null{\"imageLayoutVersion\":\"1.0.0\"}",
        "\"a\" {\"imageLayoutVersion\":\"1.0.0\"}",
        "-9 {\"imageLayoutVersion\":\"1.0.0\"}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(berth_oci_check_layout(rows[i], strlen(rows[i]), &error));
        g_assert_cmpstr(berth_error_id(error), ==, "import.image.bad-json");
    }
    static const char nul[] = "{\"imageLayoutVersion\":\"1.0.0\"}\0";
    g_assert_true(berth_oci_check_layout(nul, strlen(nul), NULL));
    g_assert_false(berth_oci_check_layout(nul, sizeof(nul), NULL));
    static const char latin[] = "{\"imageLayoutVersion\":\"1.0.0\",\"x\":\"\xe9\"}";
    g_assert_false(berth_oci_check_layout(latin, strlen(latin), NULL));
    static const char odd[] = "{\"imageLayoutVersion\":\"1.1\",\"x\":\"/* ' [[ \\\" {{\"}";
    g_assert_true(berth_oci_check_layout(odd, strlen(odd), NULL));
}

static void test_saved(void)
{
    static const char json[] = "[{\"Config\":\"c\",\"RepoTags\":null,\"Layers\":[\"a\",\"b\"]},"
                               "{\"Config\":\"d\",\"RepoTags\":[\"x:1\",\"y:2\"],\"Layers\":[]}]";
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) images = berth_oci_parse_saved(json, strlen(json), &error);
    g_assert_no_error(error);
    g_assert_cmpuint(images->len, ==, 2);
    const BerthOciSaved *first = images->pdata[0];
    g_assert_null(first->reference);
    g_assert_cmpstr(first->layers->pdata[1], ==, "b");
    const BerthOciSaved *second = images->pdata[1];
    g_assert_cmpstr(second->config, ==, "d");
    g_assert_cmpstr(second->reference, ==, "x:1");
}

/* Every parser on every truncation and every changed byte: a value or an error. */
static void test_damaged_documents(void)
{
    static const char json[] =
        "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"c\",\"digest\":\"" ZERO
        "\",\"size\":1},\"layers\":[{\"digest\":\"" ONE
        "\",\"size\":2}],\"manifests\":[{\"size\":3,"
        "\"digest\":\"" ZERO "\"}],\"rootfs\":{\"diff_ids\":[\"" ONE "\"]}}";
    gsize size = strlen(json);
    for (gsize i = 0; i < size; i++) {
        for (guint how = 0; how < 4; how++) {
            g_autofree char *changed = g_memdup2(json, size + 1);
            gsize length = how == 0 ? i : size;
            changed[i] = (char)(how == 1 ? changed[i] ^ 1 : how == 2 ? '"' : changed[i] ^ 0x20);
            g_autoptr(GPtrArray) index = berth_oci_parse_index(changed, length, NULL);
            g_autoptr(BerthOciManifest) manifest = berth_oci_parse_manifest(changed, length, NULL);
            g_autoptr(BerthOciConfig) config = berth_oci_parse_config(changed, length, NULL);
            g_autoptr(GPtrArray) saved = berth_oci_parse_saved(changed, length, NULL);
            g_assert_null(saved);
            g_assert_true(how != 0 || (index == NULL && manifest == NULL && config == NULL));
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/oci/kinds", test_kinds);
    g_test_add_func("/disk/oci/case-48-platforms", test_case_48_platforms);
    g_test_add_func("/disk/oci/digits", test_digits);
    g_test_add_func("/disk/oci/index", test_index);
    g_test_add_func("/disk/oci/config", test_config);
    g_test_add_func("/disk/oci/invalid-configs", test_invalid_configs);
    g_test_add_func("/disk/oci/invalid-json", test_invalid_json);
    g_test_add_func("/disk/oci/saved", test_saved);
    g_test_add_func("/disk/oci/damaged-documents", test_damaged_documents);
    return g_test_run();
}
