/* SPDX-License-Identifier: MIT
 *
 * bare-init — a minimal user space: prints a line and powers off. The baseline for cold starts of
 * berth (tests/bench/start).
 */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
    static const char line[] = "bare-init: up\n";
    ssize_t written = write(STDOUT_FILENO, line, sizeof(line) - 1);
    return reboot(RB_POWER_OFF) + (written < 0);
}
