/* SPDX-License-Identifier: MIT
 *
 * importing — the fixture of tests that import an archive they wrote and ask e2fsprogs about it.
 *
 * The archive in `tarball` begins as a small root file system; a test adds to it. Runs e2fsck on
 * every image; after every failure the directory must be empty.
 */
#pragma once

#include "make_image.h"
#include "oracle.h"
#include "tarball.h"

#include <glib.h>
#include <stdbool.h>

#define IMPORTING_SIZE (G_GUINT64_CONSTANT(256) << 20)

typedef struct {
    char *directory; /* holds the image and nothing else */
    char *image;
    GByteArray *tarball;
    BerthImageReport report; /* of the last import that worked */
} Importing;

void importing_set_up(Importing *fixture, gconstpointer data);
void importing_tear_down(Importing *fixture, gconstpointer data);

#define IMPORTING_ADD(name, func)                                                                  \
    g_test_add((name), Importing, NULL, importing_set_up, (func), importing_tear_down)

/* Import @bytes unchanged. */
bool importing_try(Importing *fixture, const GByteArray *bytes, GError **error);

/* End the archive and import it successfully. */
void importing_ok(Importing *fixture);

/* Expect the import of @bytes to fail with this id and a one-line message that contains
 * @message. */
void importing_fails(Importing *fixture, const GByteArray *bytes, const char *id,
                     const char *message);

/* Expect the import of the current archive to fail. */
void importing_refused(Importing *fixture, const char *id, const char *message);

void importing_expect_nothing_left(const Importing *fixture);
