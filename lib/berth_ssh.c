/* SPDX-License-Identifier: MIT
 *
 * The public functions about ssh, over lib/lifecycle.
 */
#include "berth_ssh.h"

#include "lifecycle/ssh.h"
#include "lifecycle/ssh_proxy.h"

char *berth_ssh_config(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    return berth_ssh_text(berth, name, ret_notice, error);
}

void berth_ssh_installed_clear(BerthSshInstalled *installed)
{
    g_free(installed->path);
    g_free(installed->config);
    *installed = (BerthSshInstalled){0};
}

bool berth_ssh_config_add(Berth *berth, BerthSshInstalled *ret_installed, GError **error)
{
    BerthSshInstalled installed = {0};
    if (berth_ssh_install(berth, &installed.path, &installed.config, &installed.added, error)) {
        *ret_installed = installed;
        return true;
    }
    berth_ssh_installed_clear(&installed);
    return false;
}

bool berth_ssh_config_is_added(Berth *berth)
{
    return berth_ssh_is_installed(berth);
}

bool berth_ssh_proxy(Berth *berth, const char *name, const char *user, const int streams[3],
                     GError **error)
{
    return berth_ssh_proxy_run(berth, name, user, streams, error);
}
