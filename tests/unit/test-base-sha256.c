/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <string.h>

static void check(const BerthSha256 *sha256, const guint8 *data, gsize size)
{
    g_autofree char *actual = berth_sha256_format(sha256);
    g_autofree char *expected = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, size);
    g_assert_cmpstr(actual, ==, expected);
}

/* The examples of FIPS 180-2, appendix B. */
static void test_examples(void)
{
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        berth_sha256_reset(sha256);
        berth_sha256_update(sha256, cases[i].text, strlen(cases[i].text));
        g_autofree char *digest = berth_sha256_format(sha256);
        g_assert_cmpstr(digest, ==, cases[i].digest);
    }
}

/* Parts of every size around a block's, with a digest in between. */
static void test_parts(void)
{
    guint8 data[1024];
    for (gsize i = 0; i < sizeof(data); i++)
        data[i] = (guint8)(i * 7 + i / 256);
    for (gsize part = 1; part <= 130; part++) {
        g_autoptr(BerthSha256) sha256 = berth_sha256_new();
        for (gsize done = 0; done < sizeof(data); done += part) {
            gsize size = MIN(part, sizeof(data) - done);
            berth_sha256_update(sha256, data + done, size);
            check(sha256, data, done + size);
        }
    }
}

static void test_bytes(void)
{
    guint8 digest[BERTH_SHA256_SIZE];
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    berth_sha256_digest(sha256, digest);
    g_assert_cmphex(digest[0], ==, 0xe3);
    g_assert_cmphex(digest[BERTH_SHA256_SIZE - 1], ==, 0x55);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/sha256/examples", test_examples);
    g_test_add_func("/base/sha256/parts", test_parts);
    g_test_add_func("/base/sha256/bytes", test_bytes);
    return g_test_run();
}
