/* SPDX-License-Identifier: MIT */
#include "crash.h"

#include "base/error.h"

#include <sys/wait.h>

GError *berth_crash_error(const BerthCrash *crash)
{
    GError *error = NULL;
    g_autofree char *hint =
        g_strdup_printf("\"berth logs %s\" shows the console, \"berth console %s\" gives a shell",
                        crash->name, crash->name);
    if (crash->panic != NULL)
        berth_error_set(&error, BERTH_ERROR_GUEST, "instance.panic", hint,
                        "the guest's kernel panicked: %s", crash->panic);
    else if (crash->stage != NULL)
        berth_error_set(&error, BERTH_ERROR_GUEST,
                        crash->no_disk ? "instance.disk" : "instance.boot-stage", hint,
                        "the guest could not start: %s", crash->stage);
    else if (*crash->qemu_words != '\0')
        berth_error_set(&error, BERTH_ERROR_FAILED, "instance.qemu", hint, "QEMU stopped: %s",
                        crash->qemu_words);
    else if (crash->guest_ended)
        berth_error_set(&error, BERTH_ERROR_GUEST, "instance.boot", hint,
                        "the guest stopped while it was starting");
    else if (WIFSIGNALED(crash->wait_status))
        berth_error_set(&error, BERTH_ERROR_FAILED, "instance.qemu", hint,
                        "QEMU was ended by signal %d", WTERMSIG(crash->wait_status));
    else
        berth_error_set(&error, BERTH_ERROR_FAILED, "instance.qemu", hint,
                        "QEMU stopped with status %d", WEXITSTATUS(crash->wait_status));
    return error;
}
