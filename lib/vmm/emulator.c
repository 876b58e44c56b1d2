/* SPDX-License-Identifier: MIT */
#include "emulator.h"

#include "base/error.h"
#include "probe.h"

#include <glib/gstdio.h>

static const char hint_refused[] =
    "name another QEMU with emulator= in berth.conf; 7.2 to 11.1 are known to work";

static char *cache_path(const BerthMachine *machine, const char *cache_dir, GError **error)
{
    g_autoptr(GChecksum) digest = berth_probe_digest(machine, BERTH_ACCEL_TCG, error);
    if (digest == NULL)
        return NULL;
    return g_build_filename(cache_dir, "emulator", g_checksum_get_string(digest), NULL);
}

/* The boot id of the host, NULL when unknown. */
static char *read_boot_id(void)
{
    char *text = NULL;
    if (g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
        g_strchomp(text);
    return text;
}

/* False when no valid answer is cached; an unproven one is valid for the same boot only. */
static bool load_answer(const char *path, guint variants, BerthEmulatorAnswer *ret_answer)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return false;
    g_auto(GStrv) lines = g_strsplit(text, "\n", 4);
    const guint count = g_strv_length(lines);
    guint64 variant = 0;
    if (count < 2 || count > 3 || lines[count - 1][0] != '\0' ||
        !g_ascii_string_to_unsigned(lines[0], 10, 0, variants - 1, &variant, NULL))
        return false;
    g_autofree char *boot_id = read_boot_id();
    if (count == 3 && g_strcmp0(lines[1], boot_id) != 0)
        return false;
    *ret_answer = (BerthEmulatorAnswer){.variant = (guint)variant, .proven = count == 2};
    return true;
}

/* Best effort: an answer that is not cached is probed again. */
static void save_answer(const char *path, const BerthEmulatorAnswer *answer)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *boot_id = answer->proven ? NULL : read_boot_id();
    if (!answer->proven && boot_id == NULL)
        return;
    g_autofree char *text = boot_id != NULL ? g_strdup_printf("%u\n%s\n", answer->variant, boot_id)
                                            : g_strdup_printf("%u\n", answer->variant);
    if (g_mkdir_with_parents(directory, 0700) == 0)
        g_file_set_contents(path, text, -1, NULL); /* atomic: by rename */
}

/* Find the first variant whose guest reaches user space, otherwise the first that QEMU accepts.
 * After a variant that QEMU accepted but whose guest failed, skip to its counterpart with the
 * fallback machine options. */
static bool probe_variants(const BerthMachine *machine, guint limit_msec,
                           BerthEmulatorAnswer *ret_answer, GError **error)
{
    const guint variants = berth_machine_variants(machine);
    guint chosen = variants;
    g_auto(BerthProbe) probe = {0};
    for (guint index = 0; index < variants;) {
        berth_probe_clear(&probe);
        if (!berth_probe_run(machine, index, BERTH_ACCEL_TCG, limit_msec, &probe, error))
            return false;
        bool works = probe.kind == BERTH_PROBE_WORKS;
        *ret_answer = (BerthEmulatorAnswer){.variant = index, .proven = works, .fresh = true};
        if (works)
            return true;
        if (probe.kind == BERTH_PROBE_FAILED && chosen == variants)
            chosen = index;
        index += probe.kind == BERTH_PROBE_REFUSED ? 1 : MAX(variants / 2, 1);
    }
    ret_answer->variant = chosen;
    if (chosen < variants)
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "vmm.qemu-refused", hint_refused,
                    "%s refuses the machine's options: %s", machine->emulator, probe.reason);
    return false;
}

bool berth_emulator_find(const BerthMachine *machine, guint limit_msec, const char *cache_dir,
                         BerthEmulatorAnswer *ret_answer, GError **error)
{
    g_autofree char *path = cache_dir != NULL ? cache_path(machine, cache_dir, error) : NULL;
    if (cache_dir != NULL && path == NULL)
        return false;
    if (path != NULL && load_answer(path, berth_machine_variants(machine), ret_answer))
        return true;
    if (!probe_variants(machine, limit_msec, ret_answer, error))
        return false;
    if (path != NULL)
        save_answer(path, ret_answer);
    return true;
}

bool berth_emulator_is_known(const BerthMachine *machine, const char *cache_dir)
{
    BerthEmulatorAnswer ignored;
    g_autofree char *path = cache_path(machine, cache_dir, NULL);
    return path != NULL && load_answer(path, berth_machine_variants(machine), &ignored);
}

void berth_emulator_forget(const char *cache_dir)
{
    berth_probe_forget(cache_dir, "emulator");
}
