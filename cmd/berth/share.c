/* SPDX-License-Identifier: MIT
 *
 * berth share — lists and edits the directories of the host that distros see.
 */
#include "commands.h"

#include "action.h"
#include "base/size.h"
#include "json.h"
#include "print.h"
#include "share_word.h"

static const Option options[] = {
    {"read-only", 'r', NULL, "With add: the distro cannot write"},
    {"cow", 'c', NULL, "With add: keep the distro's changes beside DIR, to be reviewed"},
    {"quota", 'q', "SIZE", "With add: how much the distro may write, for example 4G"},
    {"json", 0, NULL, "With list: for programs, as JSON"},
    {NULL}};

/* "1.2 GiB of 4 GiB". Free with g_free. */
static char *describe_quota(const BerthSharedDirectory *shared)
{
    g_autofree char *used = berth_size_format(shared->quota_used);
    g_autofree char *limit = berth_size_format(shared->quota);
    return shared->quota > 0 ? g_strdup_printf("%s of %s", used, limit) : g_strdup("-");
}

static void print_text(const GPtrArray *list)
{
    static const char *const headings[] = {"DISTRO", "DIRECTORY", "TARGET",
                                           "ACCESS", "QUOTA",     NULL};
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
            g_autofree char *quota = describe_quota(shared);
            table_add(table, quota);
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
            if (shared->quota > 0) {
                json_add_number(json, "quota", shared->quota);
                json_add_number(json, "quota_used", shared->quota_used);
            }
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

static bool refuse_option(const char *hint, const char *message, GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.option", hint, "%s", message);
    return false;
}

/* The quota of the option, or else of the word; 0: there is none. */
static bool read_quota(const Invocation *invocation, const ShareWord *share, guint64 *ret_quota,
                       GError **error)
{
    const char *text = invocation_value(invocation, "quota");
    *ret_quota = share->quota;
    if (text == NULL)
        return true;
    if (berth_size_parse(text, ret_quota) && *ret_quota > 0 && *ret_quota <= G_MAXINT64)
        return true;
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", "give a size such as 512M or 4G",
                    "--quota: \"%.80s\" is not a size", shown);
    return false;
}

static bool check_options(const ShareWord *share, bool read_only, bool reviewed, guint64 quota,
                          bool has_option, GError **error)
{
    if (read_only && reviewed)
        return refuse_option("leave out one of them", "a share is either read-only or --cow",
                             error);
    if (read_only && quota > 0)
        return refuse_option("leave out one of them",
                             "a read-only share has no quota: nothing is written", error);
    if (share->quota > 0 && has_option)
        return refuse_option("leave out one of them", "the quota is given twice", error);
    return true;
}

static int add(Invocation *invocation, GError **error)
{
    guint64 quota = 0;
    g_autofree char *notice = NULL;
    g_auto(ShareWord) share = {0};
    char **words = invocation->arguments + 1;
    invocation->subject = words[0];
    if (!parse_share(words + 1, &share, error))
        return -1;
    bool read_only = share.read_only || invocation_flag(invocation, "read-only");
    bool reviewed = invocation_flag(invocation, "cow");
    if (!read_quota(invocation, &share, &quota, error) ||
        !check_options(&share, read_only, reviewed, quota,
                       invocation_value(invocation, "quota") != NULL, error) ||
        !berth_share_add(invocation->berth, words[0], share.path, share.target, read_only, reviewed,
                         quota, &notice, error))
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
    bool adds = g_strcmp0(action, "add") == 0;
    if (!adds && invocation_flag(invocation, "cow") &&
        !refuse_option("leave out --cow", "--cow is for add only", error))
        return -1;
    if (!adds && invocation_value(invocation, "quota") != NULL &&
        !refuse_option("leave out --quota", "--quota is for add only", error))
        return -1;
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
        "With --quota 4G, or DIR:TARGET:quota=4G, writes of the distro fail with \"No space left "
        "on\n"
        "device\" once they have added 4 GiB to DIR, net of what the distro freed again; with\n"
        "--cow, once the changes take as much. \"stat -f\" in the distro shows what is left, and\n"
        "\"berth share list\" what is used. What this host writes does not count, nor what the\n"
        "distro writes to DIR through another share. Remove and add the share to count anew.\n"
        "A running distro has a change at once, and programs in it keep their open files, but\n"
        "not their locks. A start leaves out a directory that is not there any more, with a\n"
        "warning. A clone has no shares. Your home directory is shared without this: see the\n"
        "setting share-home.",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = options,
    .run = run,
};
