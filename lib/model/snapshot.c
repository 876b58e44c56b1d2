/* SPDX-License-Identifier: MIT */
#include "snapshot.h"

#include "base/error.h"

/* Free with g_free. */
static char *format_time(GDateTime *time, const char *format)
{
    char *text = time != NULL ? g_date_time_format(time, format) : NULL;
    if (time != NULL)
        g_date_time_unref(time);
    return text != NULL ? text : g_strdup("0");
}

/* In UTC with microseconds: two snapshots of a distro never have the same. */
static char *make_suffix(gint64 usec)
{
    g_autofree char *seconds =
        format_time(g_date_time_new_from_unix_utc(usec / G_USEC_PER_SEC), "%Y%m%dT%H%M%S");
    return g_strdup_printf("%s.%06dZ", seconds, (int)(usec % G_USEC_PER_SEC));
}

BerthSnapshot *berth_snapshot_new(const BerthDistro *distro, const char *tag, gint64 taken_usec)
{
    BerthSnapshot *snapshot = g_new0(BerthSnapshot, 1);
    snapshot->distro = g_strdup(distro->id);
    snapshot->tag = tag != NULL
                        ? g_strdup(tag)
                        : format_time(g_date_time_new_from_unix_local(taken_usec / G_USEC_PER_SEC),
                                      "%Y%m%d-%H%M%S");
    snapshot->suffix = make_suffix(taken_usec);
    snapshot->taken_usec = taken_usec;
    return snapshot;
}

BerthSnapshot *berth_snapshot_new_checkpoint(const BerthDistro *distro, gint64 taken_usec)
{
    BerthSnapshot *snapshot = berth_snapshot_new(distro, NULL, taken_usec);
    g_autofree char *stamp = snapshot->tag;
    snapshot->tag = g_strconcat(BERTH_SNAPSHOT_CHECKPOINT, stamp, NULL);
    snapshot->automatic = true;
    return snapshot;
}

bool berth_snapshot_is_checkpoint(const BerthSnapshot *snapshot)
{
    return snapshot->automatic && g_str_has_prefix(snapshot->tag, BERTH_SNAPSHOT_CHECKPOINT);
}

bool berth_snapshot_is_replaced(const BerthSnapshot *snapshot)
{
    return snapshot->automatic && !berth_snapshot_is_checkpoint(snapshot);
}

void berth_snapshot_free(BerthSnapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    g_free(snapshot->distro);
    g_free(snapshot->tag);
    g_free(snapshot->suffix);
    g_free(snapshot);
}

bool berth_snapshot_check_tag(const char *tag, GError **error)
{
    if (!berth_distro_is_name(tag)) {
        g_autofree char *shown = g_strescape(tag, NULL);
        berth_error_set(error, BERTH_ERROR_INVALID, "snapshot.tag", BERTH_DISTRO_NAME_HINT,
                        "\"%.80s\" cannot be a snapshot's name", shown);
        return false;
    }
    if (g_ascii_strcasecmp(tag, BERTH_SNAPSHOT_BEFORE_RESTORE) != 0)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "snapshot.tag", "choose another name",
                    "\"%s\" cannot be a snapshot's name: a restore makes the one of that name",
                    tag);
    return false;
}

char *berth_snapshot_file(const BerthSnapshot *snapshot, const char *disk)
{
    return g_strdup_printf("%s@%s", disk, snapshot->suffix);
}

const BerthSnapshot *berth_snapshot_find(const GPtrArray *snapshots, const char *tag)
{
    for (guint i = 0; i < snapshots->len; i++) {
        const BerthSnapshot *snapshot = snapshots->pdata[i];
        if (g_ascii_strcasecmp(snapshot->tag, tag) == 0)
            return snapshot;
    }
    return NULL;
}
