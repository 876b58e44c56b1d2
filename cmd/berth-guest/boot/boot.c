/* SPDX-License-Identifier: MIT */
#include "boot.h"

#include "cloud_init.h"
#include "defaults.h"
#include "mounts.h"
#include "small_init.h"
#include "startup.h"
#include "systemd.h"

#include "agent/agent.h"
#include "agent/calls.h"
#include "fsmonitor/fsmonitor.h"
#include "host/berth_host.h"
#include "agent/logins.h"
#include "distro/account.h"
#include "distro/container.h"
#include "distro/identity.h"
#include "distro/renew.h"
#include "distro/oobe.h"
#include "distro/resolver.h"
#include "distro/user.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/freezer.h"
#include "os/grow.h"
#include "os/interface.h"
#include "os/log.h"
#include "os/report.h"
#include "os/rescue_shell.h"
#include "os/programs.h"
#include "share/berthpath.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* A limit that is reached only without a host: the port gets its name shortly after its driver
 * starts, and the host writes CONFIG before it is read. But QEMU and the keeper may have to wait
 * for a busy host's processors; they have a limit of their own, boot-timeout. */
#define HOST_WAIT_MSEC  30000
#define FLUSH_WAIT_MSEC 1000
/* Growing by a terabyte takes this long under emulation; the host has a timeout, too. */
#define GROW_SEC 20

/* With the @ inits spare them when they kill all at the end. */
#define AGENT_TITLE   "@berth-agent"
#define CARRIER_TITLE "@berth-share"
#define SPARED        "/run/sendsigs.omit.d"

/* ---- failures ---- */

static void explain(char *problem, size_t size, const char *what, int result)
{
    if (result < 0)
        snprintf(problem, size, "%s: %s", what, strerror(-result));
}

__attribute__((noreturn)) static void power_off(Boot *boot)
{
    if (boot->has_channel)
        channel_drain(&boot->channel, FLUSH_WAIT_MSEC);
    sync();
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}

/* ---- stages ---- */

static void stage_channel(Boot *boot, char *problem, size_t size)
{
    int result = access("/sys/bus/virtio/drivers/virtio_console", F_OK) == 0
                     ? channel_open_port(&boot->channel, HOST_WAIT_MSEC)
                     : -ENOENT;
    explain(problem, size, WIRE_PORT_NAME, result);
    if (result < 0)
        return;

    report_hello(&boot->channel.out);
    report_stage_at(&boot->channel.out, "kernel", boot->entered_usec, "");
    boot->has_channel = true;
}

static bool is_rescue(const Boot *boot)
{
    return (boot->config.flags & WIRE_CONFIG_RESCUE) != 0;
}

static void stage_disk(Boot *boot, char *problem, size_t size)
{
    const char *what = "";
    int result = is_rescue(boot) ? mounts_damaged_disk(&what) : mounts_disk(&what);
    boot->has_disk = result == 0;
    explain(problem, size, "/dev/vda", result);
}

static void stage_root(Boot *boot, char *problem, size_t size)
{
    const char *what = "";
    int program = rescue_open();
    int user_data = cloud_open();
    int result = boot->has_disk ? mounts_switch_root(&what) : mounts_stay(&what);
    explain(problem, size, what, result);
    boot->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (result == 0)
        explain(problem, size, RESCUE_DIRECTORY, rescue_install(program));
    if (result == 0)
        explain(problem, size, CLOUD_SEED, cloud_keep(user_data));
    if (result == 0)
        defaults_apply();
}

static void stage_size(Boot *boot, char *problem, size_t size)
{
    const char *what = "";
    int result = grow_to_disk(GROW_SEC, &what);
    if (result == -EAGAIN)
        snprintf(problem, size, "the rest of the disk's growth follows at the next start");
    else
        explain(problem, size, what, result);
}

/* Read NAMES, which the host sends right after CONFIG. */
static void read_names(Boot *boot)
{
    WireFrame frame;
    if (channel_wait_frame(&boot->channel, HOST_WAIT_MSEC, &frame) < 0 || frame.type != WIRE_NAMES)
        return;
    if (!config_read_names(&frame, &boot->config))
        log_line("the host's names cannot be read");
    wire_buffer_consume(&boot->channel.in, WIRE_HEADER_SIZE + frame.size);
}

static void stage_config(Boot *boot, char *problem, size_t size)
{
    WireFrame frame;
    if (!boot->has_channel)
        return;
    int result = channel_wait_frame(&boot->channel, HOST_WAIT_MSEC, &frame);
    if (result < 0) {
        explain(problem, size, "no configuration from the host", result);
        return;
    }
    if (frame.type != WIRE_CONFIG) {
        snprintf(problem, size, "the first frame from the host is not CONFIG but %s",
                 wire_type_name(frame.type));
        return; /* the agent handles the frame */
    }
    uint32_t version = config_version(&frame);
    boot->mismatch = version != WIRE_VERSION;
    if (boot->mismatch)
        snprintf(problem, size, "the keeper has version %u of the protocol, this guest has %u",
                 version, WIRE_VERSION);
    else if (!config_read(&frame, &boot->config))
        snprintf(problem, size, "the host's configuration cannot be read");
    else
        clock_follow(boot->config.realtime_nsec, clock_boottime_usec());
    wire_buffer_consume(&boot->channel.in, WIRE_HEADER_SIZE + frame.size);
    read_names(boot);
}

static void note(void *data, const char *text)
{
    Boot *boot = data;
    log_line("%s", text);
    report_text(&boot->channel.out, WIRE_NOTE, text);
}

static void stage_settings(Boot *boot, char *problem, size_t size)
{
    settings_load(&boot->settings, note, boot);
    boot->init = handover_find(boot->settings.systemd);
    identity_choose_hostname(&boot->config, &boot->settings);
}

static void stage_name(Boot *boot, char *problem, size_t size)
{
    explain(problem, size, "host name", identity_set_hostname(&boot->config));
}

static int renew(int root, const Config *config, const Settings *settings)
{
    return renew_identity(config);
}

static int prepare_oobe(int root, const Config *config, const Settings *settings)
{
    return oobe_prepare(config, settings);
}

static int seed_cloud(int root, const Config *config, const Settings *settings)
{
    return cloud_describe(config->hostname);
}

static void stage_identity(Boot *boot, char *problem, size_t size)
{
    static const struct {
        const char *what;
        int (*function)(int root, const Config *config, const Settings *settings);
    } parts[] = {
        {"/etc/hostname", identity_hostname},
        {"/etc/hosts", identity_hosts},
        {"/etc/resolv.conf", resolver_prepare},
        {"time zone", identity_time_zone},
        {"new identity", renew},
        {"first-run command", prepare_oobe},
        {CLOUD_SEED, seed_cloud},
    };
    container_hide_marks(boot->root);
    mkdir("/etc", 0755); /* a distro may be just a shell */
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        explain(problem, size, parts[i].what,
                parts[i].function(boot->root, &boot->config, &boot->settings));
    const char *obstacle = cloud_obstacle(boot->init.kind);
    if (obstacle != NULL)
        note(boot, obstacle);
}

static void stage_user(Boot *boot, char *problem, size_t size)
{
    account_make(boot->root, &boot->config, &boot->settings, problem, size);
    account_default(&boot->config, &boot->settings, boot->user, problem, size);
}

static void stage_network(Boot *boot, char *problem, size_t size)
{
    const char *what = "";
    int result = network_up(&boot->config, &what);
    explain(problem, size, what, result);
}

static void stage_mounts(Boot *boot, char *problem, size_t size)
{
    const StartupMount startup = {boot->root, boot->init.kind, &boot->settings, note, boot};
    startup_mount(&startup, problem, size);
}

static void prepare_init(Boot *boot, char *problem, size_t size)
{
    const DefaultUsers users = {"", boot->user};
    const char *what = "";
    int result = 0;
    if (boot->init.kind == INIT_BERTH)
        result = mounts_cgroup(&what);
    if (boot->init.kind == INIT_SYSTEMD) {
        mounts_for_systemd();
        result = systemd_prepare(&boot->settings, &what);
        if (result == 0)
            result = logins_prepare(&users, &what);
        boot->notify = handover_open_notify();
    }
    explain(problem, size, what, result);
    explain(problem, size, "boot.command", startup_command(boot->init.kind, &boot->settings));
}

/* ---- the agent ---- */

/* Overwrite argv and the environment after it, which the kernel shows as the title of the process;
 * the environment is moved first. */
static void set_title(char **argv, const char *title)
{
    char *end = argv[0] + strlen(argv[0]) + 1;
    size_t count = 0;
    for (char **string = argv + 1; *string != NULL; string++)
        end = *string + strlen(*string) + 1;
    while (environ[count] != NULL) {
        end = environ[count] + strlen(environ[count]) + 1;
        environ[count] = strdup(environ[count]);
        count++;
    }
    size_t room = (size_t)(end - argv[0]);
    memset(argv[0], 0, room);
    strncpy(argv[0], title, room - 1);
    prctl(PR_SET_NAME, title + 1);
}

/* In a process that outlives the hand-over. */
static void go_on_beside_init(Boot *boot, const char *title)
{
    setsid();
    set_title(boot->argv, title);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    file_write("/proc/self/oom_score_adj", "-1000");
}

__attribute__((noreturn)) static void become_agent(Boot *boot, int handover, const char *problem)
{
    report_stage(&boot->channel.out, "agent", problem);
    go_on_beside_init(boot, AGENT_TITLE);

    AgentOptions options = {
        .channel = &boot->channel,
        .init = boot->init.kind,
        .user = boot->user,
        .hello_sent = true,
        .listeners = true,
        .in_machine = true,
        .cgroups = FREEZER_ROOT,
        .proc = "/proc",
        .timers = "",
        .calls = is_rescue(boot) ? NULL : CALLS_SOCKET,
        .device = boot->config.address[0] != '\0' ? NETWORK_DEVICE : NULL,
        .addresses = &boot->config,
        .handover = handover,
        .notify = boot->notify,
        .umask = boot->settings.umask,
        .follow_zone = boot->settings.follow_zone && !is_rescue(boot),
        .config = is_rescue(boot) ? NULL : &boot->config,
        .settings = &boot->settings,
        .root = boot->root,
        .shares = boot->shares,
        .init_timeout_msec = boot->settings.init_timeout_msec,
    };
    _exit(agent_run(&options));
}

/* Exempt the agent from sysvinit's killing at shutdown; other inits exempt it by the @ of its argv.
 * Source: /etc/init.d/sendsigs of Debian's initscripts. */
static int exempt_agent(pid_t pid)
{
    char line[16];
    snprintf(line, sizeof(line), "%d\n", pid);
    int result = file_make_directories(SPARED, 0755);
    return result == 0 ? file_replace(SPARED "/berth", line, 0644) : result;
}

static void become_carrier(void *data)
{
    Boot *boot = data;
    small_init_hold_signals();
    close(boot->channel.fd);
    go_on_beside_init(boot, CARRIER_TITLE);
}

static void stage_share(Boot *boot, char *problem, size_t size)
{
    const DefaultUsers defaults = {boot->settings.user != NULL ? boot->settings.user : "",
                                   boot->user};
    const char *root = boot->settings.automount_root;
    const char *what = "";
    char message[256];
    User user = {0};
    for (const char *const *name = berth_host_names; *name != NULL; name++)
        explain(problem, size, PROGRAMS_DIRECTORY, programs_install(*name));
    explain(problem, size, PROGRAMS_DIRECTORY, programs_install(FSMONITOR_NAME));
    if ((boot->config.flags & WIRE_CONFIG_SHARES) == 0 || !boot->settings.automount)
        return;
    if (user_choose("", &defaults, &user, message, sizeof(message))) {
        boot->shares.uid = user.uid;
        boot->shares.gid = user.gid;
        user_clear(&user);
    }
    int result =
        shares_mount(&boot->shares, root != NULL ? root : "/mnt", become_carrier, boot, &what);
    explain(problem, size, what, result);
    if (result == 0) {
        explain(problem, size, PROGRAMS_DIRECTORY, programs_install(BERTHPATH_NAME));
        shares_report(&boot->shares, &boot->channel.out);
    }
}

static void stage_agent(Boot *boot, char *problem, size_t size)
{
    int pair[2];
    prepare_init(boot, problem, size);
    if (!boot->has_channel)
        return;
    if (pipe2(pair, O_CLOEXEC) < 0) {
        explain(problem, size, "pipe", -errno);
        return;
    }
    small_init_hold_signals();
    pid_t pid = fork();
    if (pid < 0)
        explain(problem, size, "fork", -errno);
    if (pid == 0) {
        close(pair[1]);
        become_agent(boot, pair[0], problem);
    }
    if (boot->init.kind == INIT_OTHER && pid > 0)
        explain(problem, size, SPARED, exempt_agent(pid));
    close(pair[0]);
    boot->handover = pair[1];
    close(boot->channel.fd);
    boot->has_channel = false; /* the agent owns it and reports this stage */
    if (boot->notify >= 0)
        close(boot->notify);
}

/* ---- table of stages ---- */

static const Stage stages[] = {
    {.name = "channel", stage_channel, .rescue = true},
    {.name = "config", stage_config, .rescue = true},
    {.name = "disk", stage_disk, .fatal = true, .rescue = true},
    {.name = "root", stage_root, .fatal = true, .rescue = true},
    {.name = "size", stage_size},
    {.name = "settings", stage_settings},
    {.name = "name", stage_name, .rescue = true},
    {.name = "identity", stage_identity},
    {.name = "user", stage_user},
    {.name = "network", stage_network, .rescue = true},
    {.name = "mounts", stage_mounts},
    {.name = "share", stage_share},
    {.name = "agent", stage_agent, .rescue = true},
};

static void run_stage(Boot *boot, const Stage *stage)
{
    char problem[256] = "";
    stage->function(boot, problem, sizeof(problem));
    if (problem[0] != '\0')
        log_line("%s: %s", stage->name, problem);
    report_stage(&boot->channel.out, stage->name, problem);
    if (boot->has_channel)
        channel_flush(&boot->channel);
    if (boot->mismatch || (problem[0] != '\0' && stage->fatal && !is_rescue(boot)))
        power_off(boot);
}

static void run_stages(Boot *boot)
{
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
        if (stages[i].rescue || !is_rescue(boot))
            run_stage(boot, &stages[i]);
}

/* ---- accelerator probe ---- */

/* `berth.probe`: report that user space was reached, and power off. */
static void answer_probe(Boot *boot)
{
    static const char answer[] = "BERTH-PROBE-OK\n";
    char *command_line = file_read("/proc/cmdline");
    char *rest = command_line;
    const char *word;
    while ((word = strsep(&rest, " \n")) != NULL) {
        if (strcmp(word, "berth.probe") != 0)
            continue;
        ssize_t written = write(STDOUT_FILENO, answer, sizeof(answer) - 1);
        (void)written;
        tcdrain(STDOUT_FILENO);
        power_off(boot);
    }
    free(command_line);
}

/* Exec the distro's init. Returns only on failure, after reporting it to the agent. */
static void hand_over(Boot *boot)
{
    int result = handover_exec(&boot->init);
    char problem[256];
    snprintf(problem, sizeof(problem), "%.200s: %s", boot->init.path, strerror(-result));
    small_init_hold_signals();
    log_to_kernel();
    log_line("%s", problem);
    ssize_t written = write(boot->handover, problem, strlen(problem));
    (void)written; /* there may be no agent */
}

void boot(char **argv)
{
    static Boot state = {.config = CONFIG_DEFAULT,
                         .init = {.kind = INIT_BERTH},
                         .notify = -1,
                         .handover = -1,
                         .shares = SHARES_NONE,
                         .root = -1};
    const char *what = "";
    state.argv = argv;
    state.entered_usec = clock_boottime_usec();
    settings_init(&state.settings);
    umask(022);
    int result = mounts_kernel(&what);
    answer_probe(&state);
    log_to_kernel();
    if (result < 0)
        log_line("cannot mount %s: %s", what, strerror(-result));

    run_stages(&state);

    if (state.init.kind != INIT_BERTH)
        hand_over(&state);
    close(state.handover); /* EOF: the agent reports the end of the hand-over */
    small_init_run();
}
