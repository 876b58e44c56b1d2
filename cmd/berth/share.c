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
    {"read-only", 'r', NULL, "With add and set: the distro cannot write"},
    {"ro", 0, NULL, "With set: the same as --read-only"},
    {"rw", 0, NULL, "With set: let the distro write to DIR"},
    {"cow", 'c', NULL, "With add and set: keep changes apart for your review"},
    {"no-cow", 0, NULL, "With set: make a copy-on-write share read-write"},
    {"quota", 'q', "SIZE", "With add and set: limit of the data added; none: no limit"},
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

static bool parse_quota(const char *text, const char *hint, guint64 *ret_quota, GError **error)
{
    if (berth_size_parse(text, ret_quota) && *ret_quota > 0 && *ret_quota <= G_MAXINT64)
        return true;
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", hint,
                    "--quota: \"%.80s\" is not a size", shown);
    return false;
}

/* The quota of the option, or else of the word; 0: there is none. */
static bool read_quota(const Invocation *invocation, const ShareWord *share, guint64 *ret_quota,
                       GError **error)
{
    const char *text = invocation_value(invocation, "quota");
    *ret_quota = share->quota;
    return text == NULL || parse_quota(text, "give a size such as 512M or 4G", ret_quota, error);
}

static bool check_options(const ShareWord *share, bool read_only, bool reviewed, guint64 quota,
                          bool has_option, GError **error)
{
    if (read_only && reviewed)
        return refuse_option("leave out one of them", "a share is either read-only or --cow",
                             error);
    if (read_only && quota > 0)
        return refuse_option("leave out one of them", "a read-only share cannot have a quota",
                             error);
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

/* Set *@ret_setting from the options. */
static bool read_setting(const Invocation *invocation, BerthShareSetting *ret_setting,
                         GError **error)
{
    const char *quota = invocation_value(invocation, "quota");
    BerthShareSetting setting = {
        .read_only = invocation_flag(invocation, "ro") || invocation_flag(invocation, "read-only"),
        .read_write = invocation_flag(invocation, "rw"),
        .reviewed = invocation_flag(invocation, "cow"),
        .unreviewed = invocation_flag(invocation, "no-cow"),
        .sets_quota = quota != NULL,
    };
    int given = setting.read_only + setting.read_write + setting.reviewed + setting.unreviewed;
    if (given > 1)
        return refuse_option("give one of them",
                             "--ro, --rw, --cow and --no-cow exclude each other", error);
    if (given == 0 && quota == NULL)
        return refuse_option("give --ro, --rw, --cow, --no-cow or --quota", "nothing is to be set",
                             error);
    bool none = g_strcmp0(quota, "none") == 0;
    if (quota != NULL && !none &&
        !parse_quota(quota, "give a size such as 512M or 4G, or none", &setting.quota, error))
        return false;
    if (setting.read_only && setting.quota > 0)
        return refuse_option("leave out one of them", "a read-only share cannot have a quota",
                             error);
    *ret_setting = setting;
    return true;
}

static int set(Invocation *invocation, GError **error)
{
    BerthShareSetting setting;
    g_autofree char *notice = NULL;
    char **words = invocation->arguments + 1;
    invocation->subject = words[0];
    if (!read_setting(invocation, &setting, error) ||
        !berth_share_set(invocation->berth, words[0], words[1], &setting, &notice, error))
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
    {"set", 3, 3, "json", set},
    {"rm", 3, 3, "json", remove_share},
    {"remove", 3, 3, "json", remove_share},
    {"list", 1, 2, "read-only", list},
    {"ls", 1, 2, "read-only", list},
    {NULL},
};

/* Options that only some actions have; the others are the actions' rejected_option. */
static const struct {
    const char *option;
    bool with_add;
} restricted[] = {
    {"cow", true}, {"quota", true}, {"ro", false}, {"rw", false}, {"no-cow", false},
};

static bool check_action(const Invocation *invocation, const char *action, GError **error)
{
    if (g_strcmp0(action, "set") == 0)
        return true;
    for (gsize i = 0; i < G_N_ELEMENTS(restricted); i++) {
        const char *option = restricted[i].option;
        if (!invocation_flag(invocation, option) ||
            (restricted[i].with_add && g_strcmp0(action, "add") == 0))
            continue;
        g_autofree char *hint = g_strdup_printf("leave out --%s", option);
        g_autofree char *message = g_strdup_printf("--%s is for %s only", option,
                                                   restricted[i].with_add ? "add and set" : "set");
        return refuse_option(hint, message, error);
    }
    return true;
}

static int run(Invocation *invocation, GError **error)
{
    if (!check_action(invocation, invocation_first(invocation), error))
        return -1;
    return action_run(actions, "usage: berth share add|set|rm NAME DIR, or list [NAME]", invocation,
                      error);
}

const Command command_share = {
    .name = "share",
    .synopsis = "add|set|rm NAME DIR[:TARGET][:ro], or list [NAME]",
    .completes = "add|set|rm|list distro dir",
    .summary = "Share directories of this host with distros",
    .details =
        "The distro sees DIR below /mnt/host, as TARGET if that is given, otherwise by\n"
        "its own path. Example: after \"berth share add debian /srv/src:/work:ro\" the\n"
        "distro sees /srv/src as /mnt/host/work, and cannot write there. If DIR contains\n"
        "a colon, give TARGET as a separate word: \"berth share add debian /srv/a:b /work\n"
        "--read-only\". If DIR is a symbolic link, it is followed when the share is added.\n"
        "\n"
        "With --cow, the distro can write, but DIR does not change: \"berth changes\" lists\n"
        "the distro's changes, \"berth accept\" applies them to DIR, and \"berth discard\"\n"
        "drops them.\n"
        "\n"
        "With --quota 4G, or DIR:TARGET:quota=4G, the distro can add up to 4 GiB to DIR;\n"
        "then its writes fail with \"No space left on device\". Space that it frees is\n"
        "subtracted. With --cow, the limit is the size of the changes. \"stat -f\" in the\n"
        "distro shows the free space, and \"berth share list\" the used space. The quota\n"
        "does not count what this host writes, nor what the distro writes to DIR through\n"
        "another share. To reset the count, remove the share and add it again.\n"
        "\n"
        "\"berth share set debian /work --quota 8G\" changes a share; PATH is its target or\n"
        "its directory. The count of its quota stays. Before you use --rw, --ro or\n"
        "--no-cow on a share with --cow, accept or discard its changes.\n"
        "\n"
        "A change takes effect at once in a running distro. Programs there keep their\n"
        "open files, but lose their file locks. If a shared directory does not exist any\n"
        "more, the next start prints a warning and leaves it out. A clone has no shares.\n"
        "Your home directory is shared already: see the setting share-home.",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = options,
    .run = run,
};
