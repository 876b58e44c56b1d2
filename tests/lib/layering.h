/* SPDX-License-Identifier: MIT
 *
 * layering — the fixture of tests that import container images: three layers, to which a test adds.
 */
#pragma once

#include "container.h"
#include "importing.h"

#include <glib.h>

typedef struct {
    Importing base;
    GPtrArray *layers; /* GByteArray */
} Layering;

/* The lowest layer is a root file system, the second removes and adds files, the third adds
 * files. */
void layering_set_up(Layering *fixture, gconstpointer data);
void layering_tear_down(Layering *fixture, gconstpointer data);

#define LAYERING_ADD(name, func)                                                                   \
    g_test_add("/disk/layers/" name, Layering, NULL, layering_set_up, (func), layering_tear_down)

/* Add a layer on top; the caller fills and ends it. */
GByteArray *layering_begin(Layering *fixture);

/* Import the image @bytes successfully. */
void layering_ok(Layering *fixture, const GByteArray *bytes);

/* Expect the merged content of the three layers. */
void layering_expect_merged(const Layering *fixture);

/* Expect the import of the layers as an OCI layout to fail. */
void layering_fails(Layering *fixture, const Container *options, const char *id,
                    const char *message);

/* Lists of GByteArray. */
GPtrArray *layering_new_list(void);
