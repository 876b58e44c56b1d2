/* SPDX-License-Identifier: MIT */
#include "rescue.h"

#include "base/error.h"
#include "base/fd.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGNMENT 4 /* of what is in an archive, and of one behind another */

/* An ELF program without an interpreter, which is what a dynamic linker is to it. */
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

char *berth_rescue_busybox(const BerthLayout *layout)
{
    g_autofree char *own = g_build_filename(layout->support, "busybox", NULL);
    const char *const places[] = {own, "/bin/busybox", "/usr/bin/busybox",
                                  "/usr/bin/busybox.static", "/bin/busybox.static"};
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
        if (access(places[i], X_OK) == 0 && is_static(places[i]))
            return g_strdup(places[i]);
    return NULL;
}

static void pad(GString *archive)
{
    while (archive->len % ALIGNMENT != 0)
        g_string_append_c(archive, '\0');
}

/* One entry of the newc format. Source: the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst. */
static void add_entry(GString *archive, const char *name, guint mode, const char *data, gsize size)
{
    guint inode = (guint)archive->len; /* all that counts is that they differ */
    g_string_append_printf(archive, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
                           inode, mode, 0u, 0u, 1u, 0u, (guint)size, 0u, 0u, 0u, 0u,
                           (guint)strlen(name) + 1, 0u);
    g_string_append_len(archive, name, (gssize)strlen(name) + 1);
    pad(archive);
    if (size > 0)
        g_string_append_len(archive, data, (gssize)size);
    pad(archive);
}

bool berth_rescue_write(const BerthLayout *layout, const char *busybox, const char *path,
                        GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *initramfs = berth_layout_initramfs(layout);
    g_autofree char *own = NULL;
    g_autofree char *program = NULL;
    gsize own_size = 0, size = 0;
    if (!g_file_get_contents(initramfs, &own, &own_size, &problem) ||
        !g_file_get_contents(busybox, &program, &size, &problem)) {
        berth_error_set(error, BERTH_ERROR_FAILED, "rescue.read", NULL, "%s", problem->message);
        return false;
    }
    g_autoptr(GString) archive = g_string_new_len(own, (gssize)own_size);
    pad(archive);
    add_entry(archive, "rescue", S_IFDIR | 0755, NULL, 0);
    add_entry(archive, "rescue/busybox", S_IFREG | 0755, program, size);
    add_entry(archive, "TRAILER!!!", 0, NULL, 0);
    if (g_file_set_contents_full(path, archive->str, (gssize)archive->len,
                                 G_FILE_SET_CONTENTS_CONSISTENT, 0600, &problem))
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "rescue.write", NULL, "%s", problem->message);
    return false;
}
