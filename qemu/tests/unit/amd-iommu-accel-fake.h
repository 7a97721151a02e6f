/*
 * Unit test of the accelerated AMD IOMMU: the host, and what else there is
 * around the device, made up
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host keeps the rules of uapi/linux/iommufd.h: it refuses what a kernel
 * refuses, and counts that. Included by the test, with the device's files.
 */

#include <sys/mman.h>

#define OBJS            64
#define VF_SIZE         0x1000
#define RAM_SIZE        0x400000ULL
#define ROM_SIZE        0x200000ULL

#define PARENT          1
#define FIRST_ID        10

typedef enum ObjType {
    OBJ_NONE,
    OBJ_VIOMMU,
    OBJ_VDEVICE,
    OBJ_VEVENTQ,
    OBJ_QUEUE,
    OBJ_NESTED,
} ObjType;

typedef struct Obj {
    ObjType type;
    uint32_t dev;           /* vDEVICE */
    uint32_t kind;          /* type of the queue or event queue */
    uint64_t addr, length;  /* queue */
    uint64_t id;            /* vDEVICE: of the guest */
    uint64_t dte[4];
    unsigned users;         /* devices that are attached */
    int fd;                 /* event queue: the end to write to */
} Obj;

/* Two devices: what they are attached to, 0 for nothing */
#define DEVS            2
#define DEV_ID(n)       (100 + (n))

typedef struct Host {
    Obj obj[OBJS];
    uint32_t next;
    uint32_t attached[DEVS];
    uint64_t control;
    int vf_fd;
    uint64_t *vf;
    uint32_t caps;
    uint64_t vf_length;
    /* Knobs: the errno of the next calls of that kind */
    int fail[AMD_IOCTL__MAX];
    int fail_mmap;
    unsigned fail_inval_at; /* the first command it fails for */
    unsigned fail_attach_skip; /* attaches that still work */
    /* Against the rules */
    unsigned refused;
    unsigned busy;
    /* What it has got */
    unsigned queues, commands, nested, attaches, invs;
    uint64_t started_at;    /* head of the command buffer then */
    uint64_t inv[512][2];
    unsigned num_inv;
} Host;

static Host host;

/* The rest of the machine */
static uint8_t ram[RAM_SIZE];
static uint8_t rom[ROM_SIZE];
static MemoryRegion ram_mr, system_mr;
AddressSpace address_space_memory;
static AMDVIState state;
static AMDVIPCIState pci;
static PCIBus buses[DEVS];
static uint8_t bus_numbers[DEVS];
static HostIOMMUDeviceIOMMUFD hiods[DEVS];
static IOMMUFDBackend backend;
static bool is_iommufd, machine_ready;
static unsigned msis, emulated_runs, iec_notifies, watched_fds;
static int64_t clock_ms;
static uint64_t guest_log[512][2];
static unsigned guest_log_len;

/* What there is on the buses, besides what is plugged by a test */
typedef struct FakeDevice {
    PCIDevice dev;
    PCIBus *bus;
    const char *type;
    bool mdev, no_iommufd;
} FakeDevice;

static FakeDevice fakes[4];
static unsigned num_fakes;

/* The guest's view of the page of hardware: is it there, how often was it made */
static bool vf_in_guest;
static unsigned vf_regions;

static Obj *obj(uint32_t id)
{
    g_assert(id >= FIRST_ID && id < FIRST_ID + OBJS);
    return &host.obj[id - FIRST_ID];
}

static uint32_t new_obj(ObjType type)
{
    uint32_t id = FIRST_ID;

    while (obj(id)->type) {
        id++;
    }
    *obj(id) = (Obj) { .type = type };
    return id;
}

static unsigned num_objs(ObjType type)
{
    unsigned i, n = 0;

    for (i = 0; i < OBJS; i++) {
        n += type ? host.obj[i].type == type : !!host.obj[i].type;
    }
    return n;
}

static Obj *first_obj(ObjType type, uint32_t kind)
{
    unsigned i;

    for (i = 0; i < OBJS; i++) {
        if (host.obj[i].type == type && host.obj[i].kind == kind) {
            return &host.obj[i];
        }
    }
    return NULL;
}

static bool refuse(int err, Error **errp)
{
    errno = err;
    error_setg_errno(errp, err, "refused");
    return false;
}

/* A mistake of QEMU's, which no test makes on purpose */
static bool mistake(int err, Error **errp)
{
    host.refused++;
    return refuse(err, errp);
}

static bool knob(AMDIOMMUIoctl kind, Error **errp)
{
    return !host.fail[kind] || refuse(host.fail[kind], errp);
}

static bool is_blocking(const uint64_t dte[4])
{
    return (dte[0] & 3) != 3;
}

bool iommufd_backend_alloc_viommu(IOMMUFDBackend *be, uint32_t dev_id,
                                  uint32_t viommu_type, uint32_t hwpt_id,
                                  void *data_ptr, uint32_t data_len,
                                  uint32_t *out_id, Error **errp)
{
    struct iommu_viommu_amd *data = data_ptr;

    if (viommu_type != IOMMU_VIOMMU_TYPE_AMD || hwpt_id != PARENT ||
        (data_len && data_len != sizeof(*data)) || num_objs(OBJ_VIOMMU)) {
        return mistake(EINVAL, errp);
    }
    if (!knob(AMD_IOCTL_VIOMMU_ALLOC, errp)) {
        return false;
    }
    if (data && host.caps) {
        data->out_caps = host.caps;
        data->out_vfmmio_mmap_offset = 0x5000;
        data->out_vfmmio_mmap_length = host.vf_length;
    }
    *out_id = new_obj(OBJ_VIOMMU);
    return true;
}

bool iommufd_backend_alloc_vdev(IOMMUFDBackend *be, uint32_t dev_id,
                                uint32_t viommu_id, uint64_t virt_id,
                                uint32_t *out_id, Error **errp)
{
    unsigned i;

    for (i = 0; i < OBJS; i++) {
        if (host.obj[i].type == OBJ_VDEVICE &&
            (host.obj[i].dev == dev_id || host.obj[i].id == virt_id)) {
            return mistake(EEXIST, errp);
        }
    }
    if (obj(viommu_id)->type != OBJ_VIOMMU) {
        return mistake(ENOENT, errp);
    }
    if (!knob(AMD_IOCTL_VDEVICE_ALLOC, errp)) {
        return false;
    }
    *out_id = new_obj(OBJ_VDEVICE);
    obj(*out_id)->dev = dev_id;
    obj(*out_id)->id = virt_id;
    return true;
}

bool iommufd_backend_alloc_veventq(IOMMUFDBackend *be, uint32_t viommu_id,
                                   uint32_t type, uint32_t depth,
                                   uint32_t *out_id, uint32_t *out_fd,
                                   Error **errp)
{
    int fds[2];

    if (obj(viommu_id)->type != OBJ_VIOMMU || !depth ||
        first_obj(OBJ_VEVENTQ, type) ||
        (type == IOMMU_VEVENTQ_TYPE_AMD_IRQ &&
         !(host.caps & IOMMU_VIOMMU_AMD_CAP_LOG_IRQ))) {
        return mistake(EINVAL, errp);
    }
    if (!knob(AMD_IOCTL_VEVENTQ_ALLOC, errp)) {
        return false;
    }
    g_assert_cmpint(pipe(fds), ==, 0);
    *out_id = new_obj(OBJ_VEVENTQ);
    obj(*out_id)->kind = type;
    obj(*out_id)->fd = fds[1];
    *out_fd = fds[0];
    return true;
}

bool iommufd_backend_alloc_hw_queue(IOMMUFDBackend *be, uint32_t viommu_id,
                                    uint32_t type, uint32_t index,
                                    uint64_t addr, uint64_t length,
                                    uint32_t *out_id, Error **errp)
{
    if (obj(viommu_id)->type != OBJ_VIOMMU || index || !addr ||
        (addr & 0xfff) || length < 0x1000 || length > 0x80000 ||
        (length & (length - 1)) || first_obj(OBJ_QUEUE, type) || !host.caps) {
        return mistake(EINVAL, errp);
    }
    if (!knob(AMD_IOCTL_HW_QUEUE_ALLOC, errp)) {
        return false;
    }
    host.queues++;
    if (host.vf) {
        /* As on bare metal */
        memset(&host.vf[type == IOMMU_HW_QUEUE_TYPE_AMD_CMD ? 0 : 2], 0, 16);
    }
    *out_id = new_obj(OBJ_QUEUE);
    obj(*out_id)->kind = type;
    obj(*out_id)->addr = addr;
    obj(*out_id)->length = length;
    return true;
}

bool iommufd_backend_alloc_hwpt(IOMMUFDBackend *be, uint32_t dev_id,
                                uint32_t pt_id, uint32_t flags,
                                uint32_t data_type, uint32_t data_len,
                                void *data_ptr, uint32_t *out_id,
                                Error **errp)
{
    struct iommu_hwpt_amd_guest *data = data_ptr;

    if (obj(pt_id)->type != OBJ_VIOMMU || flags ||
        data_type != IOMMU_HWPT_DATA_AMD_GUEST || data_len != sizeof(*data)) {
        return mistake(EINVAL, errp);
    }
    if (!knob(AMD_IOCTL_HWPT_ALLOC, errp)) {
        return false;
    }
    /* As a kernel: a reserved bit is the guest's mistake, not QEMU's */
    if ((data->dte[0] & 1) && ((data->dte[0] & 4) || data->dte[3])) {
        return refuse(EINVAL, errp);
    }
    host.nested++;
    *out_id = new_obj(OBJ_NESTED);
    memcpy(obj(*out_id)->dte, data->dte, sizeof(data->dte));
    return true;
}

static void use(uint32_t id, int by)
{
    if (id && id != PARENT) {
        obj(id)->users += by;
    }
}

static bool has_vdevice(uint32_t dev_id)
{
    unsigned i;

    for (i = 0; i < OBJS; i++) {
        if (host.obj[i].type == OBJ_VDEVICE && host.obj[i].dev == dev_id) {
            return true;
        }
    }
    return false;
}

bool host_iommu_device_iommufd_attach_hwpt(HostIOMMUDeviceIOMMUFD *hiodi,
                                           uint32_t pasid, uint32_t id,
                                           Error **errp)
{
    unsigned n = hiodi - hiods;

    if (pasid || (id != PARENT && obj(id)->type != OBJ_NESTED) ||
        (id != PARENT && !is_blocking(obj(id)->dte) &&
         !has_vdevice(DEV_ID(n)))) {
        return mistake(ENOENT, errp);
    }
    if (host.fail[AMD_IOCTL_ATTACH] && host.fail_attach_skip) {
        host.fail_attach_skip--;
    } else if (!knob(AMD_IOCTL_ATTACH, errp)) {
        return false;
    }
    host.attaches++;
    use(host.attached[n], -1);
    use(id, 1);
    host.attached[n] = id;
    return true;
}

bool host_iommu_device_iommufd_detach_hwpt(HostIOMMUDeviceIOMMUFD *hiodi,
                                           uint32_t pasid, Error **errp)
{
    unsigned n = hiodi - hiods;

    if (!knob(AMD_IOCTL_DETACH, errp)) {
        return false;
    }
    use(host.attached[n], -1);
    host.attached[n] = 0;
    return true;
}

static uint64_t run_bits(void)
{
    uint64_t run = 0;

    if ((host.control & 0x1000) &&
        first_obj(OBJ_QUEUE, IOMMU_HW_QUEUE_TYPE_AMD_CMD)) {
        run |= AMDVI_MMIO_STATUS_CMDBUF_RUN;
    }
    if ((host.control & 0x4) &&
        first_obj(OBJ_QUEUE, IOMMU_HW_QUEUE_TYPE_AMD_EVT)) {
        run |= AMDVI_MMIO_STATUS_EVT_RUN;
    }
    return run;
}

static void update_status(void)
{
    if (host.vf) {
        host.vf[4] = (host.vf[4] & ~0x18ULL) | run_bits();
    }
}

bool iommufd_backend_viommu_set(IOMMUFDBackend *be, uint32_t viommu_id,
                                uint16_t index, uint64_t val, Error **errp)
{
    const uint64_t known = 0x101c;

    if (obj(viommu_id)->type != OBJ_VIOMMU || !host.caps ||
        index != IOMMU_VIOMMU_AMD_CMD_CONTROL || (val & ~known) ||
        ((val & 0x1000) &&
         !first_obj(OBJ_QUEUE, IOMMU_HW_QUEUE_TYPE_AMD_CMD)) ||
        ((val & 0x4) && !first_obj(OBJ_QUEUE, IOMMU_HW_QUEUE_TYPE_AMD_EVT))) {
        return mistake(EINVAL, errp);
    }
    if (!knob(AMD_IOCTL_VIOMMU_COMMAND, errp)) {
        return false;
    }
    host.commands++;
    host.control = val;
    if (val & 0x1000) {
        host.started_at = host.vf[0];
    }
    update_status();
    return true;
}

bool iommufd_backend_invalidate_cache(IOMMUFDBackend *be, uint32_t id,
                                      uint32_t data_type, uint32_t entry_len,
                                      uint32_t *entry_num, void *data,
                                      Error **errp)
{
    uint32_t i, num = *entry_num;
    uint64_t *cmd = data;

    host.invs++;
    if (obj(id)->type != OBJ_VIOMMU || entry_len != 16 || !num ||
        data_type != IOMMU_VIOMMU_INVALIDATE_DATA_AMD) {
        return mistake(EINVAL, errp);
    }
    for (i = 0; i < num; i++) {
        if (host.fail[AMD_IOCTL_HWPT_INVALIDATE] &&
            host.num_inv == host.fail_inval_at) {
            *entry_num = i;
            return refuse(host.fail[AMD_IOCTL_HWPT_INVALIDATE], errp);
        }
        memcpy(host.inv[host.num_inv++], &cmd[i * 2], 16);
    }
    return true;
}

bool iommufd_backend_viommu_mmap(IOMMUFDBackend *be, uint32_t viommu_id,
                                 uint64_t size, off_t offset, void **out_ptr,
                                 Error **errp)
{
    if (size != VF_SIZE || offset != 0x5000) {
        return mistake(ENXIO, errp);
    }
    if (host.fail_mmap) {
        return refuse(host.fail_mmap, errp);
    }
    *out_ptr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
                    host.vf_fd, 0);
    return *out_ptr != MAP_FAILED;
}

/* A vDEVICE of a device that translates: its faults would be nobody's */
static bool is_translating(const Obj *o)
{
    uint32_t id;

    if (o->type != OBJ_VDEVICE) {
        return false;
    }
    id = host.attached[o->dev - DEV_ID(0)];
    return id && id != PARENT && !is_blocking(obj(id)->dte);
}

/* Mappings of the host's page beside the host's own one */
static unsigned vf_mappings(void)
{
    g_autofree char *maps = NULL;
    unsigned n = 0;
    char *p;

    g_assert(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    for (p = maps; (p = strstr(p, "memfd:viommu-vf")); p++) {
        n++;
    }
    return n - 1;
}

void iommufd_backend_free_id(IOMMUFDBackend *be, uint32_t id)
{
    Obj *o = obj(id);

    if (!o->type || o->users || is_translating(o) ||
        (o->type == OBJ_VIOMMU && (num_objs(OBJ_NONE) > 1 || vf_mappings()))) {
        host.busy++;
        return;
    }
    if (o->type == OBJ_VEVENTQ) {
        close(o->fd);
    }
    if (o->type == OBJ_QUEUE) {
        host.control &= o->kind == IOMMU_HW_QUEUE_TYPE_AMD_CMD ? ~0x1000ULL :
                                                                 ~0x4ULL;
    }
    o->type = OBJ_NONE;
    update_status();
}

/* What amd_iommu.c does */

void amdvi_handle_control_write(AMDVIState *s)
{
    uint64_t control = ldq_le_p(&s->mmior[AMDVI_MMIO_CONTROL]);

    s->enabled = control & 1;
    s->cmdbuf_enabled = !amd_iommu_accel_stopped(s) &&
                        s->enabled && (control & 0x1000);
    s->evtlog_enabled = s->enabled && (control & 0x4);
    emulated_runs += s->cmdbuf_enabled && !amd_iommu_accel_has_rings(s);
}

void amdvi_generate_msi_interrupt(AMDVIState *s)
{
    msis++;
}

void amdvi_intremap_inval_notify_all(AMDVIState *s, bool global,
                                     uint32_t index, uint32_t mask)
{
    iec_notifies++;
}

void amdvi_log_event(AMDVIState *s, uint64_t *evt)
{
    g_assert_cmpuint(guest_log_len, <, ARRAY_SIZE(guest_log));
    memcpy(guest_log[guest_log_len++], evt, 16);
}

uint64_t amdvi_extended_feature_register(AMDVIState *s)
{
    return amd_iommu_accel_efr(s, AMDVI_DEFAULT_EXT_FEATURES);
}

/* Memory */

MemoryRegion *get_system_memory(void)
{
    return &system_mr;
}

void *memory_region_get_ram_ptr(const MemoryRegion *mr)
{
    return mr == &ram_mr ? ram : rom;
}

MemoryRegionSection memory_region_find(MemoryRegion *mr, hwaddr addr,
                                       uint64_t size)
{
    MemoryRegionSection sec = { };

    if (addr < RAM_SIZE) {
        sec.mr = &ram_mr;
        sec.offset_within_region = addr;
        sec.offset_within_address_space = addr;
        sec.size = int128_make64(MIN(size, RAM_SIZE - addr));
    }
    return sec;
}

/* As the guest sees it: with the ROM device on top of its memory */
MemTxResult address_space_rw(const AddressSpace *as, hwaddr addr,
                             MemTxAttrs attrs, void *buf, hwaddr len,
                             bool is_write)
{
    AMDAccelWatch *w = &state.accel->watch;
    hwaddr first = w->table + w->start;

    if (addr + len > RAM_SIZE) {
        return MEMTX_DECODE_ERROR;
    }
    if (is_write) {
        memcpy(ram + addr, buf, len);
    } else if (w->size && addr >= first && addr < first + w->size) {
        memcpy(buf, rom + (addr - w->table), len);
    } else {
        memcpy(buf, ram + addr, len);
    }
    return MEMTX_OK;
}

MemTxResult address_space_write(const AddressSpace *as, hwaddr addr,
                                MemTxAttrs attrs, const void *buf, hwaddr len)
{
    g_assert(as == &state.accel->as);
    return address_space_rw(as, addr, attrs, (void *)buf, len, true);
}

/* The rest has nothing to do here */

void memory_region_init(MemoryRegion *mr, Object *owner, const char *name,
                        uint64_t size)
{
}

void memory_region_init_alias(MemoryRegion *mr, Object *owner,
                              const char *name, MemoryRegion *orig,
                              hwaddr offset, uint64_t size)
{
}

bool memory_region_init_rom_device(MemoryRegion *mr, Object *owner,
                                   const MemoryRegionOps *ops, void *opaque,
                                   const char *name, uint64_t size,
                                   Error **errp)
{
    return true;
}

void memory_region_init_ram_device_ptr(MemoryRegion *mr, Object *owner,
                                       const char *name, uint64_t size,
                                       void *ptr)
{
    vf_regions++;
}

void memory_region_set_skip_iommu_map(MemoryRegion *mr, bool skip)
{
}

void memory_region_add_subregion(MemoryRegion *mr, hwaddr offset,
                                 MemoryRegion *subregion)
{
}

void memory_region_add_subregion_overlap(MemoryRegion *mr, hwaddr offset,
                                         MemoryRegion *subregion, int priority)
{
    vf_in_guest |= state.accel && subregion == &state.accel->vf_mr;
}

void memory_region_del_subregion(MemoryRegion *mr, MemoryRegion *subregion)
{
    vf_in_guest &= subregion != &state.accel->vf_mr;
}

void memory_region_transaction_begin(void)
{
}

void memory_region_transaction_commit(void)
{
}

bool memory_region_is_ram_device(const MemoryRegion *mr)
{
    return false;
}

void memory_region_unref(MemoryRegion *mr)
{
}

uint64_t memory_region_size(const MemoryRegion *mr)
{
    return UINT64_MAX;
}

/* So that a test can tell what is on top of what */
void address_space_init(AddressSpace *as, MemoryRegion *root, const char *name)
{
    as->root = root;
}

void qemu_set_fd_handler(int fd, IOHandler *fd_read, IOHandler *fd_write,
                         void *opaque)
{
    watched_fds += fd_read ? 1 : -1;
}

bool qemu_set_blocking(int fd, bool block, Error **errp)
{
    return !fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* Timers that never fire by themselves */

void timer_init_full(QEMUTimer *ts, QEMUTimerListGroup *group,
                     QEMUClockType type, int scale, int attributes,
                     QEMUTimerCB *cb, void *opaque)
{
    ts->expire_time = -1;
}

void timer_mod(QEMUTimer *ts, int64_t expire_time)
{
    ts->expire_time = expire_time;
}

void timer_del(QEMUTimer *ts)
{
    ts->expire_time = -1;
}

bool timer_pending(const QEMUTimer *ts)
{
    return ts->expire_time >= 0;
}

int64_t qemu_clock_get_ns(QEMUClockType type)
{
    return clock_ms * SCALE_MS;
}

int migrate_add_blocker(Error **reasonp, Error **errp)
{
    return 0;
}

void migrate_del_blocker(Error **reasonp)
{
    error_free(*reasonp);
    *reasonp = NULL;
}

bool phase_check(MachineInitPhase phase)
{
    return machine_ready;
}

int pci_bus_num(PCIBus *bus)
{
    return bus_numbers[bus - buses];
}

bool pci_bus_is_express(const PCIBus *bus)
{
    return bus->flags & PCI_BUS_EXTENDED_CONFIG_SPACE;
}

static FakeDevice *fake_of(const void *obj)
{
    unsigned i;

    for (i = 0; i < num_fakes; i++) {
        if (obj == &fakes[i]) {
            return &fakes[i];
        }
    }
    return NULL;
}

PCIDevice *pci_find_device(PCIBus *bus, int bus_num, uint8_t devfn)
{
    unsigned i;

    for (i = 0; i < num_fakes; i++) {
        if (pci_bus_num(fakes[i].bus) == bus_num &&
            fakes[i].dev.devfn == devfn) {
            return &fakes[i].dev;
        }
    }
    return NULL;
}

bool x86_iommu_ir_supported(X86IOMMUState *s)
{
    return s->intr_supported == ON_OFF_AUTO_ON;
}

X86IOMMUState *x86_iommu_get_default(void)
{
    return &state.iommu;
}

Object *object_dynamic_cast(Object *obj, const char *type)
{
    FakeDevice *fake = fake_of(obj);

    if (fake) {
        return !strcmp(type, fake->type) ? obj : NULL;
    }
    return strcmp(type, TYPE_HOST_IOMMU_DEVICE_IOMMUFD) || is_iommufd ? obj :
                                                                        NULL;
}

Object *object_dynamic_cast_assert(Object *obj, const char *type,
                                   const char *file, int line,
                                   const char *func)
{
    return obj;
}

Object *object_get_root(void)
{
    return NULL;
}

int object_child_foreach_recursive(Object *obj,
                                   int (*fn)(Object *child, void *opaque),
                                   void *opaque)
{
    return 0;
}

BusState *qdev_get_parent_bus(const DeviceState *dev)
{
    FakeDevice *fake = fake_of(dev);

    return fake ? &fake->bus->qbus : NULL;
}

/* docs/devel/memory.rst: of all regions, aliases only */
void object_unparent(Object *obj)
{
    AMDAccelWatch *w = &state.accel->watch;

    g_assert(obj == OBJECT(&w->rom_alias) || obj == OBJECT(&w->ram_alias));
}

Object *object_property_get_link(Object *obj, const char *name, Error **errp)
{
    return fake_of(obj)->no_iommufd ? NULL : obj;
}

VFIODevice *vfio_get_vfio_device(Object *obj)
{
    return (VFIODevice *)obj;
}

bool vfio_device_is_mdev(VFIODevice *vbasedev)
{
    return fake_of(vbasedev)->mdev;
}

ObjectProperty *object_property_add_uint64_ptr(Object *obj, const char *name,
                                               const uint64_t *v,
                                               ObjectPropertyFlags flags)
{
    return NULL;
}

ObjectProperty *object_property_add_str(Object *obj, const char *name,
                                        char *(*get)(Object *, Error **),
                                        void (*set)(Object *, const char *,
                                                    Error **))
{
    return NULL;
}
