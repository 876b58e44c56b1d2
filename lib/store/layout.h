/* SPDX-License-Identifier: MIT
 *
 * layout — computes every path that berth uses, once, from an environment.
 *
 *     $XDG_DATA_HOME/berth     registry.db, claims/<name>, distros/<id>/{disk.ext4,console.log},
 *                              distros/<id>/user-data, distros/<id>/ssh/ (keys),
 *                              distros/<id>/overlays/ (changes of shares), runtime (a link),
 *                              distros/<id>/counts/ (what shares use of their quotas)
 *     $XDG_CONFIG_HOME/berth   berth.conf, ssh_config
 *     $XDG_CACHE_HOME/berth    images of archives, downloads, lists, results of probing the
 * accelerator $XDG_RUNTIME_DIR/berth   <id>/{lock,control,...}: lib/instance/client/runtime.h the
 * support directory    berth-keeper, berth-net, berth-image, berth-fetch, ..., vmlinux,
 *                              initramfs.cpio, ssh-server.cpio, templates/
 *
 * The runtime directory holds sockets, whose paths are limited to 107 bytes. It is the one that the
 * last start of a distro recorded in the data directory, while that exists: a login, cron and a
 * service have different XDG_RUNTIME_DIRs and the same distros. Otherwise it is below
 * XDG_RUNTIME_DIR; if that is unset, too long, missing or another user's, /run/user/UID, then
 * /tmp/berth-UID.
 *
 * A layout is a value; making one creates nothing. Paths are absolute. Functions that return char *
 * return a new string, free with g_free.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    char *data;
    char *config;
    char *cache;
    char *runtime;
    char *support;
} BerthLayout;

/* Where berth's own programs and data are searched: below the directory of @code, then in
 * @installed. The former finds them in a build tree, and wherever an installation was moved. */
typedef struct {
    const char *code;      /* path of the program, or of the shared library, that asks; or NULL */
    const char *relative;  /* from the directory of `berth`, as configured; or NULL */
    const char *installed; /* the directory configured at build time */
} BerthLayoutSupport;

/* The layout for @environment ("K=V" strings); BERTH_SUPPORT_DIR wins over @support.
 * Errors: BERTH_ERROR_NOT_FOUND, "layout.home" when there is no home directory. */
BerthLayout *berth_layout_new(const char *const *environment, const BerthLayoutSupport *support,
                              GError **error);
void berth_layout_free(BerthLayout *layout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthLayout, berth_layout_free)

char *berth_layout_registry(const BerthLayout *layout);
char *berth_layout_claims(const BerthLayout *layout);
char *berth_layout_distro(const BerthLayout *layout, const char *id);
char *berth_layout_disk(const BerthLayout *layout, const char *id);
/* The disk of the distro called @name in a directory that the user chose. */
char *berth_layout_disk_in(const char *directory, const char *name);
char *berth_layout_log(const BerthLayout *layout, const char *id);
/* The user-data for cloud-init in the distro; the file is missing if there is none. */
char *berth_layout_user_data(const BerthLayout *layout, const char *id);
/* The directory of the distro's ssh keys. */
char *berth_layout_ssh(const BerthLayout *layout, const char *id);
/* The directory @overlay (lib/overlay) of one of the distro's shares. */
char *berth_layout_overlay(const BerthLayout *layout, const char *id, const char *overlay);
/* The file that keeps how much of its quota one of the distro's shares has used. */
char *berth_layout_count(const BerthLayout *layout, const char *id, const char *count);
/* The OpenSSH configuration that the user's ~/.ssh/config includes. */
char *berth_layout_ssh_config(const BerthLayout *layout);
/* The archive of the ssh server that distros without one are lent; it need not be there. */
char *berth_layout_ssh_server(const BerthLayout *layout);
char *berth_layout_settings(const BerthLayout *layout);
/* The directory of the user's own systemd units, beside berth's configuration. */
char *berth_layout_units(const BerthLayout *layout);
/* The cache of images for repeated imports. */
char *berth_layout_images(const BerthLayout *layout);
/* Downloads kept by their digests, and the last good copies of lists of distros. */
char *berth_layout_downloads(const BerthLayout *layout);
char *berth_layout_lists(const BerthLayout *layout);
char *berth_layout_image_program(const BerthLayout *layout);
char *berth_layout_fetch_program(const BerthLayout *layout);
char *berth_layout_mount_program(const BerthLayout *layout);
char *berth_layout_mcp_program(const BerthLayout *layout);
char *berth_layout_kernel(const BerthLayout *layout);
char *berth_layout_initramfs(const BerthLayout *layout);
char *berth_layout_machine_template(const BerthLayout *layout, const char *architecture);

/* The directory of berth's own descriptions of distros. */
char *berth_layout_distro_templates(const BerthLayout *layout);
/* That of its templates for berth up. */
char *berth_layout_project_templates(const BerthLayout *layout);

/* Create @path and its missing parents with mode 0700. An existing one must be a directory of this
 * user's. Errors: errno's, "layout.*"; BERTH_ERROR_DENIED,
 * "layout.owner". */
bool berth_layout_make(const char *path, GError **error);

/* Record the existing runtime directory for later layouts. Errors are ignored: then keepers are
 * found by their disks alone (lib/manage/hold.h). */
void berth_layout_record_runtime(const BerthLayout *layout);

/* As berth_layout_make, and checks that no other user has access: for the runtime directory, whose
 * parent may be world-writable. Errors: also BERTH_ERROR_DENIED, "layout.mode". */
bool berth_layout_make_private(const char *path, GError **error);

/* As berth_layout_make_private, without creating it: a missing directory is not an error. */
bool berth_layout_check_private(const char *path, GError **error);

G_END_DECLS
