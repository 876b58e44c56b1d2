/* SPDX-License-Identifier: MIT
 *
 * tiny-kernel — the smallest guest: says its line on the first serial port, waits there for a byte
 * and ends as the first letter of its command line says: "reset" resets, all else powers off.
 * It lets the real QEMU be tested in a fraction of a second and without a Linux.
 *
 * Entered by PVH: 32-bit protected mode, flat segments, no paging, %ebx -> hvm_start_info, whose
 * command line's address is at offset 24 (Xen's public/arch-x86/hvm/start_info.h). The ACPI device
 * of microvm (hw/acpi/generic_event_device.c) takes "sleep state 5, go" and "reset" as bytes.
 */
#define SERIAL      0x3f8
#define SLEEP       0xfea00200
#define SLEEP_OFF   0x34
#define RESET       0xfea00202
#define RESET_VALUE 0x42

    .section .note.pvh, "a", @note
    .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long _start

    .text
    .code32
    .globl _start
_start:
    mov $line, %esi
1:  mov $(SERIAL + 5), %dx
2:  in %dx, %al
    test $0x20, %al /* room for a byte */
    jz 2b
    mov $SERIAL, %dx
    lodsb
    test %al, %al
    jz 3f
    out %al, %dx
    jmp 1b

3:  mov $(SERIAL + 5), %dx
4:  in %dx, %al
    test $0x01, %al /* a byte has come */
    jz 4b
    mov 24(%ebx), %esi
    cmpb $'r', (%esi)
    je 5f
    movb $SLEEP_OFF, SLEEP
    hlt
5:  movb $RESET_VALUE, RESET
    hlt

line:
    .asciz "BERTH-PROBE-OK\r\n"

    .section .note.GNU-stack, "", @progbits
