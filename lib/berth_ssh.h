/* SPDX-License-Identifier: MIT
 *
 * berth_ssh — distros as hosts of ssh. A part of the public interface (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

/* OpenSSH's configuration for @name, or with NULL for all distros; free with g_free. Makes the keys
 * that are not there. A distro that is named and whose default user was never known is started.
 * *@ret_notice as berth_connect's. Errors: also "ssh.*". */
char *berth_ssh_config(Berth *berth, const char *name, char **ret_notice, GError **error);

typedef struct {
    char *path;   /* of the file that was written */
    char *config; /* the user's file, which includes it */
    bool added;   /* the line there is new */
} BerthSshInstalled;

void berth_ssh_installed_clear(BerthSshInstalled *installed);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthSshInstalled, berth_ssh_installed_clear)

/* Write that of all distros into a file of berth's, and the line that includes it into the user's
 * own. From then on the file follows the distros. Errors: also "ssh.*". */
bool berth_ssh_config_add(Berth *berth, BerthSshInstalled *ret_installed, GError **error);

/* Whether that has been done. */
bool berth_ssh_config_is_added(Berth *berth);

/* Be an ssh client's connection, on the first two of @streams, to @user of @name (or NAME.berth);
 * what the server complains of goes to the third. Errors: also "ssh.*". */
bool berth_ssh_proxy(Berth *berth, const char *name, const char *user, const int streams[3],
                     GError **error);

G_END_DECLS
