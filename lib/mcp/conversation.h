/* SPDX-License-Identifier: MIT
 *
 * conversation — the Model Context Protocol with one client, without I/O: messages in, answers out,
 * and calls of tools begun, finished and cancelled in between.
 *
 * Revisions 2024-11-05 to 2025-11-25; batches only in 2025-03-26, the one that has them. Only tools
 * are offered.
 */
#pragma once

#include "call.h"
#include "tools.h"

G_BEGIN_DECLS

#define BERTH_MCP_CALLS_MAX 16  /* at the same time */
#define BERTH_MCP_BATCH_MAX 100 /* messages of a batch */

typedef struct BerthConversation BerthConversation;

typedef struct {
    /* Begin @call (borrowed until berth_conversation_finished), which gets @number; an outcome
     * follows, but not before this returns. */
    void (*begin)(guint number, const BerthMcpCall *call, gpointer user_data);
    /* End the call soon; its outcome follows. */
    void (*cancel)(guint number, gpointer user_data);
    /* Send a line, without its line break. */
    void (*send)(const char *line, gpointer user_data);
} BerthConversationOps;

/* @access and @ops are borrowed. @version: of berth. */
BerthConversation *berth_conversation_new(const char *version, const BerthMcpAccess *access,
                                          const BerthConversationOps *ops, gpointer user_data);
/* The calls that still run have no outcome then. */
void berth_conversation_free(BerthConversation *conversation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthConversation, berth_conversation_free)

/* A line of the client's, without its line break. Empty ones are ignored. */
void berth_conversation_receive(BerthConversation *conversation, const char *line, gsize size);

/* The client has sent a line of more than BERTH_RPC_LINE_MAX bytes, which was skipped. */
void berth_conversation_oversized(BerthConversation *conversation);

void berth_conversation_finished(BerthConversation *conversation, guint number,
                                 const BerthMcpOutcome *outcome);

/* Calls that have no outcome yet. */
guint berth_conversation_calls(const BerthConversation *conversation);

G_END_DECLS
