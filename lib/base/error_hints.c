/* SPDX-License-Identifier: MIT */
#include "error_hints.h"

#define LOG          "\"berth logs NAME --keeper\" shows what failed"
#define REPORT       "\"berth report\" collects what a bug report needs"
#define RETRY        "try again in a moment"
#define TRY_DOCKER   "docker may have the image: docker save IMAGE | berth install --from-file -"
#define BY_HAND      "download it with a browser, then: berth install --from-file FILE"
#define WITHOUT_IT   "make the archive again without this entry: tar --exclude=PATH"
#define CHECK_PATH   "check the path"
#define MAKE_DIR     "make the directory first: mkdir -p DIR"
#define IN_THE_WAY   "move the file away that is in its place"
#define DAMAGED_DISK "go back to a snapshot: \"berth snapshots NAME\" lists them"

/* "*" stands for any characters. The first row that fits counts. */
static const struct {
    const char *ids;
    const char *hint;
} hints[] = {
    {"changes.open.missing",
     "put the directory back, or stop sharing it: berth share rm NAME PATH"},
    {"code.directory", "choose a directory that exists and that this user may enter"},
    {"config.write", "berth.conf is a file of text: " IN_THE_WAY},
    {"config.value", "write the value as UTF-8"},
    {"config.io", "name a file; without FILE the command checks your own berth.conf"},
    {"config.missing", CHECK_PATH "; without FILE the command checks your own berth.conf"},
    {"cp.ended", "copy again; " REPORT},
    {"cp.open.missing",
     CHECK_PATH "; in a distro, a path without / at its start is below the user's home"},
    {"cp.special", "copy it with tar: berth run -- tar -c PATH | tar -x"},
    {"cp.target.missing", MAKE_DIR ", here or in the distro"},
    {"disk.not-ext4", DAMAGED_DISK},
    {"export.create.missing", MAKE_DIR},
    {"export.create.same", "choose another file"},
    {"export.read.damaged", DAMAGED_DISK},
    {"export.read.not-ext4", DAMAGED_DISK},
    {"export.read.unsupported", "copy the disk as it is: berth export --format ext4 NAME FILE"},
    {"export.write.compress", "export without compression: --format tar"},
    {"fetch.denied", BY_HAND},
    {"fetch.image.denied", TRY_DOCKER},
    {"fetch.image.media-type", "choose an image of Linux; " TRY_DOCKER},
    {"fetch.image.*", "try again; " TRY_DOCKER},
    {"fetch.manifest", "check the addresses in the settings distro-list and distro-lists"},
    {"fetch.redirect", BY_HAND},
    {"fetch.refused", "try again later, or " BY_HAND},
    {"fetch.sums", "the distro's publisher has moved its files: " BY_HAND},
    {"fetch.too-big", BY_HAND},
    {"fetch.url", "write it as file:///PATH"},
    {"file.special", "name a regular file; \"berth cp\" copies directories"},
    {"import.archive.missing", CHECK_PATH "; \"berth list --online\" shows distros by name"},
    {"import.create.bad-inodes", "leave out --inodes, or choose a number in this range"},
    {"import.create.exists", "choose another name, or another --location"},
    {"import.create.too-small", "choose a larger --size"},
    {"import.image.*", "save the image again: docker save IMAGE -o FILE"},
    {"import.entry.*", WITHOUT_IT},
    {"import.in-place.not-a-file", "name a raw ext4 image; for an archive: berth import"},
    {"import.in-place.missing", CHECK_PATH},
    {"import.in-place.not-a-rootfs", "name the image of a distro's root file system"},
    {"import.layer.*", "make the image again, or choose another version of it"},
    {"import.location.missing", MAKE_DIR},
    {"import.read.damaged", "download or create the archive again"},
    {"import.strip-root.link", "import it without --strip-root"},
    {"import.tree.*", WITHOUT_IT},
    {"import.unpack.ext4", REPORT},
    {"initramfs.*",
     "free some space, or install berth again; \"berth doctor\" finds what is missing"},
    {"instance.isolated", "set isolated=false, and restart it: berth terminate NAME"},
    {"instance.not-running", "start it: berth start NAME"},
    {"instance.rebooted", "run the command again"},
    {"instance.start.*", "\"berth doctor\" checks the runtime directory"},
    {"instance.stopped", "start it again: berth start NAME"},
    {"instance.stuck", "its disk may not answer: \"dmesg\" shows errors of this host's disks"},
    {"instance.wake", LOG},
    {"machine.qemu.*", "\"berth doctor\" checks QEMU"},
    {"mcp.program.missing", "install berth again; \"berth doctor\" finds what is missing"},
    {"mount.ended", REPORT},
    {"mount.guest", LOG},
    {"move.create.exists", "choose another directory, or " IN_THE_WAY},
    {"move.directory.missing", MAKE_DIR},
    {"net.ended", LOG},
    {"net.start.*", "install berth again; \"berth doctor\" finds what is missing"},
    {"net.stack", "choose another mtu in berth.conf, and restart the distro"},
    {"offer.syntax", "correct the file that is named"},
    {"overlay.busy", RETRY},
    {"park.changed", "start it again: berth start NAME"},
    {"park.damaged", "start it again: berth start NAME"},
    {"park.elsewhere", "start it again: berth start NAME"},
    {"park.refused", "end it when it is not needed: berth terminate NAME"},
    {"park.silent", "start it again: berth start NAME"},
    {"park.version", "start it again: berth start NAME"},
    {"path.working-directory.missing", "change to a directory that exists: cd"},
    {"qmp.*", LOG},
    {"registry.denied", "check the owner and mode of the file and of its directory: ls -ld"},
    {"registry.failed", "\"berth doctor\" checks the registry"},
    {"report.output.missing", MAKE_DIR},
    {"rescue.read", "install busybox-static again"},
    {"resize.busy", "wait until that has ended"},
    {"resize.failed", DAMAGED_DISK},
    {"resize.too-*", "choose another size"},
    {"session.command-not-executable", "\"berth run ls -l FILE\" shows its mode"},
    {"session.command-not-found", "install it in the distro, or give its path there"},
    {"session.f*", REPORT}, /* flood, frame */
    {"session.refused", "\"berth logs NAME\" shows the guest's messages"},
    {"share.ended", LOG},
    {"share.root", "remove one of the two: berth share rm NAME PATH"},
    {"share.serve", LOG},
    {"share.start", LOG},
    {"ssh.config", "move the file away; berth writes a new one"},
    {"ssh.keygen", "install openssh-client"},
    {"ssh.keys.write", "free some space, or check the owner and mode of the directory: ls -ld"},
    {"umount.refused", "\"findmnt\" shows what is mounted there, and by whom"},
    {"up.share.missing", "make the directory, or remove it from shares in berth.conf"},
    {"up.state", "free some space, or check the owner and mode of the directory: ls -ld"},
    {"user-data.kept", "make the distro again: berth import --user-data FILE"},
    {"user-data.read.missing", CHECK_PATH},
    {"user-data.write", "free some space, or check the owner and mode of the directory: ls -ld"},
    {"vmm.state.failed", LOG},
    {"wire.frame", REPORT},
    {"*.protocol", REPORT},
    {"*.worker.silent",
     "the process may have reached a limit: \"ulimit -a\" shows the limits; " REPORT},
    {"save.none", "try again"},
    {"save.refused", "try again, or leave the memory out: berth snapshot --disk NAME"},
};

const char *berth_error_hints_find(const char *id)
{
    for (gsize i = 0; i < G_N_ELEMENTS(hints); i++)
        if (g_pattern_match_simple(hints[i].ids, id))
            return hints[i].hint;
    return NULL;
}
