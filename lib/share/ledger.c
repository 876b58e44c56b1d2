/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include "base/error.h"
#include "wire/share_report.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC     G_GUINT64_CONSTANT(0x3330726567646c42) /* "Bldger03" */
#define UNIT      16u                                    /* names are made of units, bytes */
#define UNITS     (BERTH_LEDGER_SLOTS * 2u)
#define NAME_MAX_ 255u
#define RUN_MAX   ((NAME_MAX_ + UNIT) / UNIT) /* units of the longest name */
#define SEALS     (F_SEAL_SHRINK | F_SEAL_GROW)
#define USED      128u /* of a node's flags */

typedef struct {
    guint64 magic; /* written last */
    guint64 offset;
    gint64 time;
    guint32 slots;    /* the one after the last used */
    guint32 overflow; /* something had no room */
    guint64 requests;
    guint32 changes, renames; /* that were added; the next is this one, modulo their room */
} Header;

G_STATIC_ASSERT(offsetof(Header, requests) == SHARE_REQUESTS_AT);

typedef struct {
    guint64 device, inode, birth;
    guint64 place; /* the parent's slot << 32 | the name's first unit; 0: it has none */
    guint32 former;
    guint32 lookups;
    guint8 flags; /* with USED */
    guint8 type;
    guint8 zero[6];
} Node;

typedef struct {
    guint64 number; /* 0: unused; written last */
    guint64 node;
    guint32 flags, zero;
} Handle;

/* A lock is used if its type is not 0, which is written last. */
typedef struct {
    guint64 node, owner;
    gint64 start, end;
    guint32 type; /* with USED */
    guint32 zero;
} Lock;

/* Pages that were never written take no memory. */
typedef struct {
    Header header;
    BerthLedgerChange active[BERTH_LEDGER_ACTIVE];
    BerthLedgerChange changes[BERTH_LEDGER_CHANGES];
    BerthLedgerRename renames[BERTH_LEDGER_RENAMES];
    Lock locks[BERTH_LEDGER_LOCKS];
    Handle handles[BERTH_LEDGER_HANDLES];
    Node nodes[BERTH_LEDGER_SLOTS];
    char names[UNITS][UNIT]; /* the first is unused */
} Memory;

struct BerthLedger {
    Memory *memory;
    guint32 units;             /* the one after the last used */
    guint32 free[RUN_MAX + 1]; /* by length, the first of a chain of free runs; 0: none */
    guint32 active;            /* a bit for each place that is taken */
};

/* A store that no other passes: those before it are seen if it is. */
#define COMMIT(target, value) __atomic_store_n(&(target), (value), __ATOMIC_SEQ_CST)

static bool has_room(BerthLedger *ledger, guint64 slot)
{
    if (ledger != NULL && slot >= BERTH_LEDGER_SLOTS)
        ledger->memory->header.overflow = true;
    return ledger != NULL && slot < BERTH_LEDGER_SLOTS;
}

/* ---- names ---- */

static guint32 run_of(const char *name)
{
    return (guint32)strlen(name) / UNIT + 1;
}

/* A free run names the next one of its length. */
static void free_run(BerthLedger *ledger, guint32 unit, guint32 length)
{
    memcpy(ledger->memory->names[unit], &ledger->free[length], sizeof(guint32));
    ledger->free[length] = unit;
}

/* The first of @length units; 0: there are no more. */
static guint32 take_run(BerthLedger *ledger, guint32 length)
{
    guint32 found = length;
    while (found <= RUN_MAX && ledger->free[found] == 0)
        found++;
    if (found <= RUN_MAX) {
        guint32 unit = ledger->free[found];
        memcpy(&ledger->free[found], ledger->memory->names[unit], sizeof(guint32));
        if (found > length)
            free_run(ledger, unit + length, found - length);
        return unit;
    }
    if (ledger->units > UNITS - RUN_MAX)
        return 0;
    ledger->units += length;
    return ledger->units - length;
}

static guint32 unit_of(guint64 place)
{
    return (guint32)place;
}

static guint32 parent_of(guint64 place)
{
    return (guint32)(place >> 32);
}

/* ---- what a former server left ---- */

static bool is_name(const char *name)
{
    gsize length = strnlen(name, NAME_MAX_ + 1);
    return length > 0 && length <= NAME_MAX_ && memchr(name, '/', length) == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The units of all names. */
typedef struct {
    guint8 bits[UNITS / 8];
    guint32 end; /* the one after the last */
} Taken;

static bool is_taken(const Taken *taken, guint32 unit)
{
    return (taken->bits[unit / 8] & 1u << unit % 8) != 0;
}

/* Mark the units of @node's name; false: it is none, or another node has one of them. */
static bool check_name(const Memory *memory, const Node *node, Taken *taken)
{
    guint32 unit = unit_of(node->place);
    if (unit == 0 || unit > UNITS - RUN_MAX || !is_name(memory->names[unit]))
        return false;
    for (guint32 left = run_of(memory->names[unit]); left > 0; left--, unit++) {
        if (is_taken(taken, unit))
            return false;
        taken->bits[unit / 8] |= (guint8)(1u << unit % 8);
    }
    taken->end = MAX(taken->end, unit);
    return true;
}

static bool is_used(const Memory *memory, guint32 slot)
{
    return slot < memory->header.slots && (memory->nodes[slot].flags & USED) != 0 &&
           memory->nodes[slot].place != 0;
}

/* The root has no record. */
static bool check_node(const Memory *memory, const Node *node, Taken *taken)
{
    guint32 parent = parent_of(node->place);
    return (parent <= 1 || is_used(memory, parent)) && node->former < BERTH_LEDGER_SLOTS &&
           check_name(memory, node, taken);
}

/* Whether all nodes have an end of their chain of parents. */
static bool check_chains(const Memory *memory)
{
    g_autofree bool *ends = g_new0(bool, memory->header.slots + 1);
    for (guint32 slot = 2; slot < memory->header.slots; slot++) {
        guint32 steps = 0;
        for (guint32 at = slot; is_used(memory, at) && !ends[at];
             at = parent_of(memory->nodes[at].place))
            if (++steps > memory->header.slots)
                return false;
        for (guint32 at = slot; is_used(memory, at) && !ends[at];
             at = parent_of(memory->nodes[at].place))
            ends[at] = true;
    }
    return true;
}

static Taken *check_nodes(const Memory *memory)
{
    g_autofree Taken *taken = g_new0(Taken, 1);
    taken->end = 1;
    for (guint32 slot = 2; slot < memory->header.slots; slot++)
        if (is_used(memory, slot) && !check_node(memory, &memory->nodes[slot], taken))
            return NULL;
    return check_chains(memory) ? g_steal_pointer(&taken) : NULL;
}

static bool check_header(const Header *header)
{
    return header->magic == MAGIC && !header->overflow && header->slots <= BERTH_LEDGER_SLOTS &&
           header->offset >> 32 != 0 && header->offset >> 63 == 0 && (guint32)header->offset == 0;
}

/* Find the free runs. */
static void collect_runs(BerthLedger *ledger, const Taken *taken)
{
    guint32 length = 0;
    memset(ledger->free, 0, sizeof(ledger->free));
    ledger->units = taken->end;
    for (guint32 unit = 1; unit < taken->end; unit++) {
        bool ends = is_taken(taken, unit);
        if (length > 0 && (ends || length == RUN_MAX)) {
            free_run(ledger, unit - length, length);
            length = 0;
        }
        length += !ends;
    }
}

bool berth_ledger_take_over(BerthLedger *ledger)
{
    if (!check_header(&ledger->memory->header))
        return false;
    g_autofree Taken *taken = check_nodes(ledger->memory);
    if (taken != NULL)
        collect_runs(ledger, taken);
    return taken != NULL;
}

static void clear_records(Memory *memory)
{
    memset(memory->handles, 0, sizeof(memory->handles));
    memset(memory->active, 0, sizeof(memory->active));
    memset(memory->changes, 0, sizeof(memory->changes));
    memset(memory->renames, 0, sizeof(memory->renames));
    memset(memory->locks, 0, sizeof(memory->locks));
}

void berth_ledger_clear(BerthLedger *ledger, guint64 offset)
{
    guint64 requests = ledger->memory->header.requests;
    COMMIT(ledger->memory->header.magic, 0);
    if (madvise(ledger->memory, sizeof(Memory), MADV_REMOVE) < 0)
        clear_records(ledger->memory);
    memset(ledger->free, 0, sizeof(ledger->free));
    ledger->units = 1;
    ledger->memory->header = (Header){.offset = offset, .slots = 2, .requests = requests};
    COMMIT(ledger->memory->header.magic, MAGIC);
}

void berth_ledger_count_request(BerthLedger *ledger)
{
    __atomic_add_fetch(&ledger->memory->header.requests, 1, __ATOMIC_RELAXED);
}

/* ---- the whole ---- */

/* Give @fd its size for good: who maps it later must not be killed by a smaller one. */
static bool size_up(int fd)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return false;
    if (info.st_size == 0 &&
        (ftruncate(fd, sizeof(Memory)) < 0 || fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0))
        return false;
    int seals = fcntl(fd, F_GET_SEALS);
    bool right = info.st_size == 0 || info.st_size == sizeof(Memory);
    if (seals >= 0 && right && (seals & SEALS) == SEALS)
        return true;
    errno = EINVAL;
    return false;
}

/* Where the user's limit of a file's size is too small, the next server starts anew. */
static void *map(int fd)
{
    const int access = PROT_READ | PROT_WRITE;
    if (size_up(fd))
        return mmap(NULL, sizeof(Memory), access, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (errno == EFBIG)
        return mmap(NULL, sizeof(Memory), access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                    0);
    return MAP_FAILED;
}

BerthLedger *berth_ledger_open(int fd, GError **error)
{
    void *memory = map(fd);
    if (memory == MAP_FAILED) {
        berth_error_set_errno(error, errno, "share.ledger", "map the ledger");
        return NULL;
    }
    BerthLedger *ledger = g_new0(BerthLedger, 1);
    ledger->memory = memory;
    return ledger;
}

void berth_ledger_free(BerthLedger *ledger)
{
    if (ledger == NULL)
        return;
    munmap(ledger->memory, sizeof(Memory));
    g_free(ledger);
}

guint64 berth_ledger_offset(const BerthLedger *ledger)
{
    return ledger->memory->header.offset;
}

void berth_ledger_set_time(BerthLedger *ledger, gint64 nsec)
{
    COMMIT(ledger->memory->header.time, nsec);
}

gint64 berth_ledger_time(const BerthLedger *ledger)
{
    return ledger->memory->header.time;
}

/* ---- nodes ---- */

guint32 berth_ledger_end(const BerthLedger *ledger)
{
    return ledger->memory->header.slots;
}

bool berth_ledger_node(const BerthLedger *ledger, guint64 slot, BerthLedgerNode *ret_node)
{
    if (slot >= BERTH_LEDGER_SLOTS || !is_used(ledger->memory, (guint32)slot))
        return false;
    const Node *node = &ledger->memory->nodes[slot];
    *ret_node = (BerthLedgerNode){.key = {node->device, node->inode, node->birth},
                                  .name = ledger->memory->names[unit_of(node->place)],
                                  .parent = parent_of(node->place),
                                  .former = node->former,
                                  .lookups = node->lookups,
                                  .type = node->type,
                                  .flags = node->flags & (guint8)~USED};
    return true;
}

void berth_ledger_add(BerthLedger *ledger, guint64 slot, const BerthNodeKey *key, guint8 flags)
{
    if (!has_room(ledger, slot))
        return;
    Node *node = &ledger->memory->nodes[slot];
    Header *header = &ledger->memory->header;
    COMMIT(node->flags, 0);
    *node = (Node){.device = key->device, .inode = key->inode, .birth = key->birth_nsec};
    COMMIT(header->slots, MAX(header->slots, (guint32)slot + 1));
    COMMIT(node->flags, (guint8)(flags | USED));
}

void berth_ledger_remove(BerthLedger *ledger, guint64 slot)
{
    if (!has_room(ledger, slot))
        return;
    Node *node = &ledger->memory->nodes[slot];
    guint32 unit = unit_of(node->place);
    COMMIT(node->flags, 0);
    COMMIT(node->place, 0);
    if (unit != 0)
        free_run(ledger, unit, run_of(ledger->memory->names[unit]));
}

void berth_ledger_place(BerthLedger *ledger, guint64 slot, guint64 parent, const char *name)
{
    if (!has_room(ledger, slot))
        return;
    Node *node = &ledger->memory->nodes[slot];
    guint32 length = run_of(name), former = unit_of(node->place);
    guint32 unit = length <= RUN_MAX ? take_run(ledger, length) : 0;
    if (unit == 0) {
        ledger->memory->header.overflow = true;
        return;
    }
    memcpy(ledger->memory->names[unit], name, strlen(name) + 1);
    COMMIT(node->place, parent << 32 | unit);
    if (former != 0)
        free_run(ledger, former, run_of(ledger->memory->names[former]));
}

/* Without an inode number it is no file's meanwhile. */
void berth_ledger_set_key(BerthLedger *ledger, guint64 slot, const BerthNodeKey *key)
{
    if (!has_room(ledger, slot))
        return;
    Node *node = &ledger->memory->nodes[slot];
    COMMIT(node->inode, 0);
    COMMIT(node->device, key->device);
    COMMIT(node->birth, key->birth_nsec);
    COMMIT(node->inode, key->inode);
}

void berth_ledger_set_former(BerthLedger *ledger, guint64 slot, guint64 former)
{
    if (has_room(ledger, slot))
        ledger->memory->nodes[slot].former = (guint32)former;
}

void berth_ledger_set_lookups(BerthLedger *ledger, guint64 slot, guint64 lookups)
{
    if (has_room(ledger, slot))
        ledger->memory->nodes[slot].lookups = (guint32)MIN(lookups, G_MAXUINT32);
}

void berth_ledger_set_type(BerthLedger *ledger, guint64 slot, guint8 type)
{
    if (has_room(ledger, slot))
        ledger->memory->nodes[slot].type = type;
}

void berth_ledger_set_flag(BerthLedger *ledger, guint64 slot, guint8 flag, bool on)
{
    if (!has_room(ledger, slot))
        return;
    guint8 *flags = &ledger->memory->nodes[slot].flags;
    *flags = on ? *flags | flag : *flags & (guint8)~flag;
}

/* ---- handles ---- */

bool berth_ledger_handle(const BerthLedger *ledger, guint at, BerthLedgerHandle *ret_handle)
{
    const Handle *handle = &ledger->memory->handles[at];
    *ret_handle = (BerthLedgerHandle){handle->number, handle->node, handle->flags};
    return handle->number != 0;
}

void berth_ledger_set_handle(BerthLedger *ledger, guint at, const BerthLedgerHandle *handle)
{
    if (ledger == NULL)
        return;
    Handle *record = &ledger->memory->handles[at];
    record->node = handle->node;
    record->flags = handle->flags;
    COMMIT(record->number, handle->number);
}

void berth_ledger_clear_handle(BerthLedger *ledger, guint at)
{
    if (ledger != NULL)
        COMMIT(ledger->memory->handles[at].number, 0);
}

/* ---- changes ---- */

/* Copy @from over *@to, each of @size bytes that begin with the request's number: never half of it
 * with a number. */
static void put(void *to, const void *from, gsize size)
{
    guint64 *number = to;
    COMMIT(*number, 0);
    memcpy((guint8 *)to + sizeof(*number), (const guint8 *)from + sizeof(*number),
           size - sizeof(*number));
    COMMIT(*number, *(const guint64 *)from);
}

static void add_ended(BerthLedger *ledger, const BerthLedgerChange *change)
{
    Memory *memory = ledger->memory;
    guint32 at = __atomic_fetch_add(&memory->header.changes, 1, __ATOMIC_SEQ_CST);
    put(&memory->changes[at % BERTH_LEDGER_CHANGES], change, sizeof(*change));
}

/* A free place, which is taken then; -1: there is none. */
static int take_place(BerthLedger *ledger)
{
    guint32 taken = __atomic_load_n(&ledger->active, __ATOMIC_SEQ_CST);
    for (;;) {
        int place = __builtin_ffs((int)~taken) - 1;
        if (place < 0 || place >= (int)BERTH_LEDGER_ACTIVE)
            return -1;
        if (__atomic_compare_exchange_n(&ledger->active, &taken, taken | 1u << place, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return place;
    }
}

int berth_ledger_begin_change(BerthLedger *ledger, const BerthLedgerChange *change)
{
    int place = take_place(ledger);
    if (place < 0)
        add_ended(ledger, change);
    else
        put(&ledger->memory->active[place], change, sizeof(*change));
    return place;
}

static void end_place(BerthLedger *ledger, guint place)
{
    BerthLedgerChange *active = &ledger->memory->active[place];
    if (active->unique != 0)
        add_ended(ledger, active);
    COMMIT(active->unique, 0);
}

void berth_ledger_end_change(BerthLedger *ledger, int place)
{
    if (place < 0)
        return;
    end_place(ledger, (guint)place);
    __atomic_fetch_and(&ledger->active, ~(1u << place), __ATOMIC_SEQ_CST);
}

void berth_ledger_end_changes(BerthLedger *ledger)
{
    for (guint place = 0; place < BERTH_LEDGER_ACTIVE; place++)
        end_place(ledger, place);
}

void berth_ledger_add_rename(BerthLedger *ledger, const BerthLedgerRename *rename)
{
    Memory *memory = ledger->memory;
    guint32 at = __atomic_fetch_add(&memory->header.renames, 1, __ATOMIC_SEQ_CST);
    put(&memory->renames[at % BERTH_LEDGER_RENAMES], rename, sizeof(*rename));
}

bool berth_ledger_change(const BerthLedger *ledger, guint at, BerthLedgerChange *ret_change)
{
    const Memory *memory = ledger->memory;
    *ret_change = memory->changes[(memory->header.changes + at) % BERTH_LEDGER_CHANGES];
    return ret_change->unique != 0;
}

static bool ends_within(const char *name)
{
    return memchr(name, '\0', NAME_MAX_ + 1) != NULL && is_name(name);
}

bool berth_ledger_rename(const BerthLedger *ledger, guint at, BerthLedgerRename *ret_rename)
{
    const Memory *memory = ledger->memory;
    *ret_rename = memory->renames[(memory->header.renames + at) % BERTH_LEDGER_RENAMES];
    return ret_rename->unique != 0 && ends_within(ret_rename->name) &&
           ends_within(ret_rename->new_name);
}

/* ---- locks ---- */

bool berth_ledger_lock(const BerthLedger *ledger, guint at, BerthLedgerLock *ret_lock)
{
    const Lock *lock = &ledger->memory->locks[at];
    *ret_lock =
        (BerthLedgerLock){lock->node, lock->owner, lock->start, lock->end, lock->type & ~USED};
    bool is_lock = ret_lock->type == F_RDLCK || ret_lock->type == F_WRLCK;
    return (lock->type & USED) != 0 && is_lock && lock->start >= 0 && lock->start <= lock->end;
}

void berth_ledger_set_lock(BerthLedger *ledger, guint at, const BerthLedgerLock *lock)
{
    Lock *record = &ledger->memory->locks[at];
    record->node = lock->node;
    record->owner = lock->owner;
    record->start = lock->start;
    record->end = lock->end;
    COMMIT(record->type, lock->type | USED);
}

void berth_ledger_clear_lock(BerthLedger *ledger, guint at)
{
    COMMIT(ledger->memory->locks[at].type, 0);
}
