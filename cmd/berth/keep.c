/* SPDX-License-Identifier: MIT
 *
 * berth keep — keeps a distro awake that would be idle.
 */
#include "commands.h"

#include "base/duration.h"
#include "print.h"

#include <string.h>

/* Seconds; BERTH_UNTIL_STOP without a word. */
static bool read_duration(const char *word, guint32 *ret_seconds, GError **error)
{
    *ret_seconds = word == NULL ? BERTH_UNTIL_STOP : 0;
    if (word == NULL || strcmp(word, "off") == 0 || berth_duration_parse(word, ret_seconds))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value",
                    "give seconds, or a number with s, m, h or d: 30m, 2h; or off",
                    "%.80s is no duration", word);
    return false;
}

static int run(Invocation *invocation, GError **error)
{
    guint32 seconds;
    g_autofree char *notice = NULL;
    const char *word = invocation->n_arguments > 1 ? invocation->arguments[1] : NULL;
    invocation->subject = invocation_first(invocation);
    bool kept = read_duration(word, &seconds, error) &&
                berth_keep(invocation->berth, invocation->subject, seconds, &notice, error);
    print_notice(notice);
    return kept ? 0 : -1;
}

const Command command_keep = {
    .name = "keep",
    .synopsis = "NAME [DURATION|off]",
    .completes = "distro",
    .summary = "Keep a distro awake while it is idle",
    .details = "Without DURATION, the distro is kept awake until it stops; \"off\" ends that.\n"
               "DURATION is in seconds, or has a unit: 30m, 2h, 1d. If the distro is stopped or\n"
               "suspended, it is started. To keep a distro awake always: berth config set -d\n"
               "NAME idle never",
    .min_arguments = 1,
    .max_arguments = 2,
    .run = run,
};
