/* SPDX-License-Identifier: MIT
 *
 * call — one call of a tool as a value: the command line that does the work, its input, its limits,
 * and how its output becomes a result. And the outcome of such a command.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_MCP_JSON, /* the command's --json output */
    BERTH_MCP_RUN,  /* output, errors and exit status of a command of the user's */
    BERTH_MCP_FILE, /* a size in decimal, a newline, and bytes */
    BERTH_MCP_DONE, /* a sentence of the call's, output if there is any, and notices */
} BerthMcpForm;

typedef struct {
    GPtrArray *argv; /* NULL-terminated, begins with "berth" */
    GBytes *input;   /* NULL: none */
    BerthMcpForm form;
    gsize output_limit; /* bytes that are kept of standard output and of standard error, each */
    guint time_limit_sec;
    guint64 offset, limit;     /* of a file */
    bool base64;               /* asked for */
    char *done;                /* that sentence */
    const char *array, *field; /* of JSON output: the array, and its elements' member with the
                                  distro's name; NULL: all of it is shown */
} BerthMcpCall;

void berth_mcp_call_free(BerthMcpCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthMcpCall, berth_mcp_call_free)

/* Output that was kept: all of it, or its begin and its end. */
typedef struct {
    GByteArray *head, *tail;
    gsize limit;   /* of the two together */
    guint64 total; /* bytes that were written */
} BerthMcpOutput;

void berth_mcp_output_init(BerthMcpOutput *output, gsize limit);
void berth_mcp_output_clear(BerthMcpOutput *output);
void berth_mcp_output_add(BerthMcpOutput *output, const guint8 *bytes, gsize size);
static inline bool berth_mcp_output_is_cut(const BerthMcpOutput *output)
{
    return output->total > output->limit;
}

typedef struct {
    BerthMcpOutput out, err;
    int status;       /* exit status; -1: there is none, the error says why */
    bool timed_out;   /* it was ended when its time was over */
    char *error_id;   /* NULL: no error */
    char *error_text; /* set with error_id */
    char *error_hint; /* or NULL */
} BerthMcpOutcome;

void berth_mcp_outcome_clear(BerthMcpOutcome *outcome);

G_END_DECLS
