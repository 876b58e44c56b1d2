/* SPDX-License-Identifier: MIT */
#include "rescue_initramfs.h"

#include "base/error.h"
#include "base/fd.h"
#include "initramfs.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Whether @path is an ELF program without a PT_INTERP segment. */
static bool is_static(const char *path)
{
    berth_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr header;
    if (fd < 0 || pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    for (guint i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr program;
        off_t at = (off_t)(header.e_phoff + i * sizeof(program));
        if (pread(fd, &program, sizeof(program), at) != (ssize_t)sizeof(program) ||
            program.p_type == PT_INTERP)
            return false;
    }
    return true;
}

char *berth_rescue_initramfs_busybox(const BerthLayout *layout)
{
    g_autofree char *own = g_build_filename(layout->support, "busybox", NULL);
    const char *const places[] = {own, "/bin/busybox", "/usr/bin/busybox",
                                  "/usr/bin/busybox.static", "/bin/busybox.static"};
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
        if (access(places[i], X_OK) == 0 && is_static(places[i]))
            return g_strdup(places[i]);
    return NULL;
}

bool berth_rescue_initramfs_write(const BerthLayout *layout, const char *busybox, const char *path,
                                  GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *program = NULL;
    gsize size = 0;
    if (!g_file_get_contents(busybox, &program, &size, &problem)) {
        berth_error_set(error, BERTH_ERROR_FAILED, "rescue.read", NULL, "%s", problem->message);
        return false;
    }
    const BerthInitramfsFile file = {.directory = "rescue",
                                     .directory_mode = 0755,
                                     .name = "busybox",
                                     .mode = 0755,
                                     .data = program,
                                     .size = size};
    return berth_initramfs_write(layout, &file, path, error);
}
