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

/* The lowest layer is a root file system, the second takes from it and adds to it, the third adds.
 */
void layering_set_up(Layering *fixture, gconstpointer data);
void layering_tear_down(Layering *fixture, gconstpointer data);

#define LAYERING_ADD(name, func)                                                                   \
    g_test_add("/disk/layers/" name, Layering, NULL, layering_set_up, (func), layering_tear_down)

/* Another layer on top: to be filled, and ended. */
GByteArray *layering_begin(Layering *fixture);

/* The image @bytes imports. */
void layering_ok(Layering *fixture, const GByteArray *bytes);

/* What was imported is what the three layers make. */
void layering_expect_merged(const Layering *fixture);

/* The layers as a layout are refused. */
void layering_fails(Layering *fixture, const Container *options, const char *id,
                    const char *message);

/* Lists of GByteArray. */
GPtrArray *layering_new_list(void);
