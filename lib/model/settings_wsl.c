/* SPDX-License-Identifier: MIT */
#include "settings_wsl.h"

#include <string.h>

static const BerthWslKey keys[] = {
    {"wsl2", "kernel", "kernel", false, NULL},
    {"wsl2", "memory", "memory", false, NULL},
    {"wsl2", "processors", "cpus", false, NULL},
    {"wsl2", "localhostForwarding", "ports", false, NULL},
    {"wsl2", "defaultVhdSize", "disk-size", false, NULL},
    {"wsl2", "hostFileSystemAccess", "share-home", false, NULL},
    {"wsl2", "kernelBootTimeout", "boot-timeout", true, NULL},
    {"wsl2", "distributionStartTimeout", "init-timeout", true, NULL},
    {"experimental", "ignoredPorts", "ports-ignore", false, NULL},
    {"wsl2", "kernelCommandLine", "kernel-command-line", false, NULL},
    {"experimental", "hostAddressLoopback", NULL, false,
     "the distro's ports have an address of their own here, 127.0.N.1; this host's ports: "
     "host-ports"},
    {"wsl2", "swap", "swap", false, NULL},
    {"wsl2", "swapFile", NULL, false, "swap is in the distro's memory, compressed"},
    {"wsl2", "networkingMode", NULL, false,
     "each distro has a network of its own, in user mode; for none: outbound=none isolated=true"},
    {"wsl2", "dnsProxy", NULL, false, "names are always looked up through the host"},
    {"wsl2", "dnsTunneling", NULL, false, "names are always looked up through the host"},
    {"wsl2", "vmIdleTimeout", "idle-timeout", true, NULL},
    {"general", "instanceIdleTimeout", "idle-timeout", true, NULL},
    {"general", "distributionInstallPath", NULL, false,
     "give the directory with the import: berth import NAME DIR FILE"},
    {"wsl2", "safeMode", NULL, false,
     "start a distro that is broken with: berth start --rescue NAME"},
    {"wsl2", "kernelModules", NULL, false, "the kernel loads no modules; another one: kernel"},
    {"wsl2", "loadKernelModules", NULL, false, "the kernel loads no modules; another one: kernel"},
    {"wsl2", "loadDefaultKernelModules", NULL, false,
     "the kernel loads no modules; another one: kernel"},
    {"wsl2", "virtio", NULL, false, "files of this host are always shared by FUSE"},
    {"wsl2", "virtio9p", NULL, false, "files of this host are always shared by FUSE"},
    {"wsl2", "virtiofs", NULL, false, "files of this host are always shared by FUSE"},
    {"wsl2", "mountDeviceTimeout", NULL, false,
     "boot-timeout has the time for the mount of the disk"},
    {"wsl2", "autoProxy", NULL, false,
     "commands always get this host's proxy variables; without one: berth run --env https_proxy="},
    {"wsl2", "guiApplications", NULL, false, "programs with windows are not supported"},
    {"wsl2", "nestedVirtualization", NULL, false, "distros have no /dev/kvm"},
    {"wsl2", "debugConsole", NULL, false, "see the kernel's messages with: berth logs NAME"},
    {"wsl2", "debugConsoleLogFile", NULL, false, "see the kernel's messages with: berth logs NAME"},
    {"wsl2", "earlyBootLogging", NULL, false, "see the kernel's messages with: berth logs NAME"},
    {"wsl2", "maxCrashDumpCount", NULL, false, "core dumps stay in the distro"},
    {"wsl2", "crashDumpFolder", NULL, false, "core dumps stay in the distro"},
    {"experimental", "autoMemoryReclaim", NULL, false,
     "memory that a distro no longer uses always goes back to this host"},
    {"experimental", "sparseVhd", NULL, false, "each disk is a sparse file"},
};

const BerthWslKey *berth_wsl_key_find(const char *word)
{
    const char *dot = strchr(word, '.');
    g_autofree char *section = dot != NULL ? g_strndup(word, (gsize)(dot - word)) : NULL;
    const char *key = dot != NULL ? dot + 1 : word;
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        if (g_ascii_strcasecmp(keys[i].key, key) == 0 &&
            (section == NULL || g_ascii_strcasecmp(keys[i].section, section) == 0))
            return &keys[i];
    return NULL;
}

const char *berth_wsl_convert(const BerthWslKey *key, const char *value, char **ret_value)
{
    guint64 milliseconds;
    if (strcmp(key->ours, "idle-timeout") == 0 && value[0] == '-') {
        *ret_value = g_strdup("never");
        return "idle";
    }
    *ret_value = key->milliseconds &&
                         g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT, &milliseconds, NULL)
                     ? g_strdup_printf("%" G_GUINT64_FORMAT, (milliseconds + 999) / 1000)
                     : g_strdup(value);
    return key->ours;
}
