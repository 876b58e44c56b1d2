/* SPDX-License-Identifier: MIT
 *
 * berth share — lists and edits the directories of the host that distros see.
 */
#include "commands.h"

#include "action.h"
#include "json.h"
#include "print.h"
#include "share_word.h"

static const Option options[] = {
    {"read-only", 'r', NULL, "With add: the distro cannot write"},
    {"cow", 'c', NULL, "With add: keep the distro's changes beside DIR, to be reviewed"},
    {"json", 0, NULL, "With list: for programs, as JSON"},
    {NULL}};

static void print_text(const GPtrArray *list)
{
    static const char *const headings[] = {"DISTRO", "DIRECTORY", "TARGET", "ACCESS", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < list->len; i++) {
        const BerthShareList *shares = list->pdata[i];
        for (guint j = 0; j < shares->directories->len; j++) {
            const BerthSharedDirectory *shared = shares->directories->pdata[j];
            table_add(table, shares->distro);
            table_add(table, shared->source);
            table_add(table, shared->target);
            table_add(table, shared->read_only  ? "read-only"
                             : shared->reviewed ? "copy-on-write"
                                                : "read-write");
        }
    }
    table_print(table);
}

static void print_json(const GPtrArray *list)
{
    Json *json = json_begin(false);
    json_begin_array(json, "distros");
    for (guint i = 0; i < list->len; i++) {
        const BerthShareList *shares = list->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "distro", shares->distro);
        json_begin_array(json, "shares");
        for (guint j = 0; j < shares->directories->len; j++) {
            const BerthSharedDirectory *shared = shares->directories->pdata[j];
            json_begin_object(json, NULL);
            json_add_string(json, "directory", shared->source);
            json_add_string(json, "target", shared->target);
            json_add_bool(json, "read_only", shared->read_only);
            json_add_bool(json, "copy_on_write", shared->reviewed);
            json_end(json);
        }
        json_end(json);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static int list(Invocation *invocation, GError **error)
{
    invocation->subject = invocation->arguments[1];
    g_autoptr(GPtrArray) distros = berth_share_list(invocation->berth, invocation->subject, error);
    if (distros == NULL)
        return -1;
    (invocation_flag(invocation, "json") ? print_json : print_text)(distros);
    return 0;
}

/* With TARGET, DIR is a path and nothing else. */
static bool parse_share(char **words, ShareWord *ret_share, GError **error)
{
    if (words[1] == NULL)
        return share_word_parse(words[0], ret_share, error);
    *ret_share = (ShareWord){.path = g_strdup(words[0]), .target = g_strdup(words[1])};
    return true;
}

static int add(Invocation *invocation, GError **error)
{
    g_autofree char *notice = NULL;
    g_auto(ShareWord) share = {0};
    char **words = invocation->arguments + 1;
    invocation->subject = words[0];
    if (!parse_share(words + 1, &share, error))
        return -1;
    bool read_only = share.read_only || invocation_flag(invocation, "read-only");
    bool reviewed = invocation_flag(invocation, "cow");
    if (read_only && reviewed) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.option", "leave out one of them",
                        "a share is either read-only or --cow");
        return -1;
    }
    if (!berth_share_add(invocation->berth, words[0], share.path, share.target, read_only, reviewed,
                         &notice, error))
        return -1;
    print_notice(notice);
    return 0;
}

static int remove_share(Invocation *invocation, GError **error)
{
    g_autofree char *notice = NULL;
    char **words = invocation->arguments + 1;
    invocation->subject = words[0];
    if (!berth_share_remove(invocation->berth, words[0], words[1], &notice, error))
        return -1;
    print_notice(notice);
    return 0;
}

static const Action actions[] = {
    {"add", 3, 4, "json", add},
    {"rm", 3, 3, "json", remove_share},
    {"remove", 3, 3, "json", remove_share},
    {"list", 1, 2, "read-only", list},
    {"ls", 1, 2, "read-only", list},
    {NULL},
};

static int run(Invocation *invocation, GError **error)
{
    const char *action = invocation_first(invocation);
    if (invocation_flag(invocation, "cow") && g_strcmp0(action, "add") != 0) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.option", "leave out --cow",
                        "--cow is for add only");
        return -1;
    }
    return action_run(actions,
                      "usage: berth share add NAME DIR[:TARGET][:ro], rm NAME DIR, or list",
                      invocation, error);
}

const Command command_share = {
    .name = "share",
    .synopsis = "add NAME DIR[:TARGET][:ro], rm NAME DIR, or list [NAME]",
    .completes = "add|rm|list distro dir",
    .summary = "Choose further directories of this host that distros see",
    .details =
        "A distro sees DIR below /mnt/host, as TARGET or by its own path: after\n"
        "\"berth share add debian /srv/src:/work:ro\" it is /mnt/host/work, and the distro cannot\n"
        "write there. If DIR contains a colon, give TARGET as a word of its own:\n"
        "\"berth share add debian /srv/a:b /work --read-only\". With --cow the distro can write,\n"
        "and DIR stays as it is: \"berth changes\" lists what the distro changed, and\n"
        "\"berth accept\" makes these changes in DIR. A link is followed when the share is added.\n"
        "A running distro has a change at once, and programs in it keep their open files, but\n"
        "not their locks. A start leaves out a directory that is not there any more, with a\n"
        "warning. A clone has no shares. Your home directory is shared without this: see the\n"
        "setting share-home.",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = options,
    .run = run,
};
