/* SPDX-License-Identifier: MIT
 *
 * bare-init — the least a user space can be: says that it is there and powers off. What a cold
 * start of berth is measured against (tests/bench/start).
 */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
    static const char line[] = "bare-init: up\n";
    ssize_t written = write(STDOUT_FILENO, line, sizeof(line) - 1);
    return reboot(RB_POWER_OFF) + (written < 0);
}
