/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <errno.h>
#include <string.h>

static void test_carries_id_and_hint(void)
{
    g_autoptr(GError) error = NULL;
    berth_error_set(&error, BERTH_ERROR_EXISTS, "registry.exists", "choose another name",
                    "\"%s\" is taken", "debian");
    g_prefix_error(&error, "import debian: ");

    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_EXISTS);
    g_assert_cmpstr(error->message, ==, "import debian: \"debian\" is taken");
    g_assert_cmpstr(berth_error_id(error), ==, "registry.exists");
    g_assert_cmpstr(berth_error_hint(error), ==, "choose another name");

    g_autoptr(GError) copy = g_error_copy(error);
    g_assert_cmpstr(berth_error_id(copy), ==, "registry.exists");
    g_assert_cmpstr(berth_error_hint(copy), ==, "choose another name");
}

static void test_folds_errno(void)
{
    static const struct {
        int errnum;
        BerthErrorCode code;
        const char *id;
        const char *message;
    } cases[] = {
        {ENOSPC, BERTH_ERROR_NO_SPACE, "import.unpack.no-space", "a/b: no space left on device"},
        {EACCES, BERTH_ERROR_DENIED, "import.unpack.denied", "a/b: permission denied"},
        {ENOENT, BERTH_ERROR_NOT_FOUND, "import.unpack.missing", "a/b: no such file or directory"},
        {EIO, BERTH_ERROR_FAILED, "import.unpack.io", "a/b: input/output error"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        berth_error_set_errno(&error, cases[i].errnum, "import.unpack", "%s", "a/b");
        g_assert_error(error, BERTH_ERROR, (int)cases[i].code);
        g_assert_cmpstr(berth_error_id(error), ==, cases[i].id);
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
}

/* An error's own hint is before that of its id, and that before the one of its errno. */
static void test_ids_have_hints(void)
{
    g_autoptr(GError) plain = NULL;
    berth_error_set(&plain, BERTH_ERROR_BUSY, "overlay.busy", NULL, "x");
    g_assert_cmpstr(berth_error_hint(plain), ==, "try again in a moment");

    g_autoptr(GError) own = NULL;
    berth_error_set(&own, BERTH_ERROR_BUSY, "overlay.busy", "stop it", "x");
    g_assert_cmpstr(berth_error_hint(own), ==, "stop it");

    g_autoptr(GError) missing = NULL;
    berth_error_set_errno(&missing, ENOENT, "changes.open", "/src");
    g_assert_nonnull(strstr(berth_error_hint(missing), "berth share rm"));

    g_autoptr(GError) full = NULL;
    berth_error_set_errno(&full, ENOSPC, "changes.open", "/src");
    g_assert_cmpstr(berth_error_hint(full), ==, "free some space, or choose another place");

    g_autoptr(GError) unknown = NULL;
    berth_error_set(&unknown, BERTH_ERROR_BUSY, "overlay.busier", NULL, "x");
    g_assert_null(berth_error_hint(unknown));
}

static void test_remote_code_is_bounded(void)
{
    g_autoptr(GError) error = NULL;
    berth_error_set_remote(&error, 4000, "x.y", "", "went wrong");
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_FAILED);
    g_assert_null(berth_error_hint(error));
}

static void test_errors_of_other_domains_have_an_id(void)
{
    g_autoptr(GError) error = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_IO, "x");
    g_assert_cmpstr(berth_error_id(error), ==, "failed");
    g_assert_null(berth_error_hint(error));
    berth_error_set(NULL, BERTH_ERROR_FAILED, "x", NULL, "ignored");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/error/carries-id-and-hint", test_carries_id_and_hint);
    g_test_add_func("/base/error/folds-errno", test_folds_errno);
    g_test_add_func("/base/error/ids-have-hints", test_ids_have_hints);
    g_test_add_func("/base/error/remote-code-is-bounded", test_remote_code_is_bounded);
    g_test_add_func("/base/error/errors-of-other-domains-have-an-id",
                    test_errors_of_other_domains_have_an_id);
    return g_test_run();
}
