/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AMD hardware vIOMMU: the IOMMU runs the rings of guests itself
 *
 *   viommu_hw.c	is it there? on with the first guest, off after the last
 *   viommu_pas.c	the IOMMU's private address space
 *   viommu_id.c	guest IDs, and device IDs that translate for guests
 *   viommu_vfctrl.c	registers of a guest, and commands of the host about it
 *   viommu_map.c	guest to host IDs of devices and domains
 *   viommu_guest.c	life of a guest: all the above in the right order
 *   viommu_queue.c	rings
 *   viommu_command.c	IOMMU_VIOMMU_COMMAND
 *   viommu_event.c	what the IOMMU reports about guests
 *   viommu_intr.c	interrupts for guests
 *   viommu_pm.c	suspend, kexec
 *   viommu_debugfs.c	what can be seen of it
 *
 * Locks, outermost first:
 *   amd_viommu_hw_mutex	users of the vIOMMU of each IOMMU
 *   amd_viommu_guests_mutex	lists of guests, translate device IDs
 *   iommufd_viommu->lock	rings and enables of a guest, its vDEVICEs
 *   iommu_dev_data->mutex	guest IDs in DTEs
 *   protection_domain->lock	DTE of the translate device, the parent's top
 *   gdomid_array.xa_lock	domain IDs in the map
 *   amd_viommu_guest->devices.xa_lock	device IDs in the map
 *   amd_iommu->lock		command ring
 * Interrupt threads find guests by amd_viommu_srcu, and take of each
 *   amd_viommu_guest->irq_mutex	what was reported
 *   amd_viommu_guest->vfc_lock	registers of the host with enables
 * so that no guest, nor who makes one, is in the way of another. Suspend takes
 * none: nothing else runs then.
 */
#ifndef AMD_VIOMMU_H
#define AMD_VIOMMU_H

#include <linux/irq_work.h>
#include <linux/idr.h>
#include <linux/ioport.h>
#include <linux/mutex.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "amd_iommu_types.h"
#include "viommu_regs.h"

struct dentry;
struct iommu_vevent_amd;

/**
 * struct amd_viommu_mem - Memory that the IOMMU accesses by private addresses
 * @pages: the pages, zeroed and mapped uncached
 * @num: how many there are
 */
struct amd_viommu_mem {
	struct page **pages;
	unsigned int num;
};

/**
 * struct amd_viommu_windows - What the vendor-specific capability says
 * @vf: physical base of the registers of guests
 * @vfc: physical base of the registers of the host
 */
struct amd_viommu_windows {
	phys_addr_t vf;
	phys_addr_t vfc;
};

/**
 * struct amd_viommu_hw - vIOMMU of one IOMMU
 * @iommu: the IOMMU
 * @users: guests; under amd_viommu_hw_mutex
 * @windows: physical bases
 * @vf_res: VF window, in /proc/iomem
 * @vfc_res: VFCtrl window, likewise
 * @vfc: VFCtrl window, mapped
 * @pas: private address space
 * @backing: memory at PAS_BACKING
 * @own_dte: what the DTE of the IOMMU itself was before
 * @block_devid: device ID the DTE of which translates nothing: for guests that
 *               have no other; under amd_viommu_guests_mutex, 0 if none is left
 * @block_dte: what the DTE of that ID was before
 * @gids: guest IDs
 * @suspended: guests are saved
 *
 * There is one as long as there are guests.
 */
struct amd_viommu_hw {
	struct amd_iommu *iommu;
	unsigned int users;
	struct amd_viommu_windows windows;
	struct resource vf_res;
	struct resource vfc_res;
	void __iomem *vfc;
	struct protection_domain *pas;
	struct amd_viommu_mem backing;
	struct dev_table_entry own_dte;
	u16 block_devid;
	struct dev_table_entry block_dte;
	struct ida gids;
	bool suspended;
};

/* A device that commands of the guest get to, in amd_viommu_guest->devices */
#define AMD_VIOMMU_IN_REACH	BIT(16)

/**
 * enum amd_viommu_ring - Rings of a guest
 * @AMD_VIOMMU_CMD: command buffer
 * @AMD_VIOMMU_EVT: event log
 * @AMD_VIOMMU_PPR: PPR log
 * @AMD_VIOMMU_EVT_B: event log B
 * @AMD_VIOMMU_PPR_B: PPR log B
 * @AMD_VIOMMU_NUM_RINGS: how many there are
 */
enum amd_viommu_ring {
	AMD_VIOMMU_CMD,
	AMD_VIOMMU_EVT,
	AMD_VIOMMU_PPR,
	AMD_VIOMMU_EVT_B,
	AMD_VIOMMU_PPR_B,
	AMD_VIOMMU_NUM_RINGS
};

/* Interrupts of a guest: of the command buffer, the event and the PPR log */
#define AMD_VIOMMU_NUM_INTS	3

/**
 * struct amd_viommu_queue - HW queue of a guest
 * @core: as the core knows it
 * @ring: which one it is
 */
struct amd_viommu_queue {
	struct iommufd_hw_queue core;
	enum amd_viommu_ring ring;
};

/**
 * struct amd_viommu_guest - Hardware side of a vIOMMU
 * @hw: vIOMMU of the IOMMU it is on
 * @viommu: the vIOMMU
 * @gid: guest ID
 * @scratch_domid: host domain ID for what the guest has no domain for. Nothing
 *                 is tagged with it, so the guest may flush it
 * @trans_devid: device ID the DTE of which translates for the rings; under
 *               amd_viommu_guests_mutex, 0 if there is none
 * @trans_dte: what the DTE of that ID was before
 * @trans_set: that DTE is the guest's; under the lock of the parent
 * @maps_filled: all of the DevID and of the DomID map is written
 * @running: bits of VF_STATUS of rings that have not stopped in time. As long
 *           as they are set, nothing is enabled
 * @stuck: hardware has not confirmed something, so nothing may be used again
 * @vf: page of registers that the guest has
 * @vfc: registers of the host
 * @vfc_lock: writes of registers that enable interrupts
 * @shadow: what was last written to those, but for the two of maps
 * @quiet: interrupts are off in hardware, whatever @shadow says, since there
 *         were too many; under @vfc_lock
 * @saved: those of the guest, during suspend
 * @resumed_irq: starts @resumed with the next tick
 * @resumed: tells the VMM what has become of the rings over that
 * @dev_map: memory of the DevID map
 * @dom_map: memory of the DomID map
 * @devices: device IDs that the guest has a device for, with the host's ID and
 *           AMD_VIOMMU_IN_REACH. Its lock is the one of the DevID map
 * @no_devid: what others, and devices out of reach, mean: the translate device
 *            ID; under that lock
 * @queues: HW queues
 * @caps: what user space was told, enum iommu_viommu_amd_caps
 * @mmap_offset: of @vf, for user space
 * @node: in the list of guests of the IOMMU
 * @irq_mutex: what follows
 * @irq_reported: bits of VF_STATUS that were reported, and still set then
 * @irq_marks: where the rings were at that
 * @irq_begin: of a period in which reports are counted
 * @irq_count: how many there were
 * @loud: makes @quiet false again
 * @map_writes: writes to the maps, for debugfs
 * @events: events reported to the VMM, likewise
 * @irqs: interrupts reported, likewise
 * @debugfs: directory
 */
struct amd_viommu_guest {
	struct amd_viommu_hw *hw;
	struct amd_iommu_viommu *viommu;
	u16 gid;
	u16 scratch_domid;
	u16 trans_devid;
	struct dev_table_entry trans_dte;
	bool trans_set;
	bool maps_filled;
	u64 running;
	bool stuck;
	void __iomem *vf;
	void __iomem *vfc;
	spinlock_t vfc_lock;	/* of registers that enable interrupts */
	u64 shadow[VFC_NUM_REGS];
	bool quiet;
	u64 saved[VF_EVT_B_TAIL / 8 + 1];
	struct irq_work resumed_irq;
	struct work_struct resumed;
	struct amd_viommu_mem dev_map;
	struct amd_viommu_mem dom_map;
	struct xarray devices;
	u16 no_devid;
	struct amd_viommu_queue *queues[AMD_VIOMMU_NUM_RINGS];
	u32 caps;
	unsigned long mmap_offset;
	struct hlist_node node;
	struct mutex irq_mutex;	/* of what was reported */
	u64 irq_reported;
	u64 irq_marks[AMD_VIOMMU_NUM_INTS];
	unsigned long irq_begin;
	unsigned int irq_count;
	struct delayed_work loud;
	atomic64_t map_writes;
	atomic64_t events;
	atomic64_t irqs;
	struct dentry *debugfs;
};

/* viommu_hw.c */
int amd_viommu_parse_vsc(const u32 vsc[VSC_LENGTH / 4],
			 struct amd_viommu_windows *windows);
struct amd_viommu_hw *amd_viommu_hw_get(struct amd_iommu *iommu);
void amd_viommu_hw_put(struct amd_viommu_hw *hw);
u32 amd_viommu_hw_caps(const struct amd_viommu_hw *hw);
int amd_viommu_hw_enable(struct amd_iommu *iommu);
void amd_viommu_hw_disable(struct amd_iommu *iommu);

/* viommu_pas.c */
int amd_viommu_mem_alloc(struct amd_viommu_mem *mem, size_t size, int nid,
			 gfp_t gfp);
void amd_viommu_mem_free(struct amd_viommu_mem *mem);
int amd_viommu_pas_map(struct amd_viommu_hw *hw, u64 addr,
		       const struct amd_viommu_mem *mem);
int amd_viommu_pas_unmap(struct amd_viommu_hw *hw, u64 addr,
			 const struct amd_viommu_mem *mem);
int amd_viommu_pas_init(struct amd_viommu_hw *hw);
void amd_viommu_pas_exit(struct amd_viommu_hw *hw, bool gone);
void amd_viommu_plain_dte(struct dev_table_entry *dte,
			  const struct pt_iommu_amdv1_hw_info *pt_info,
			  u16 domid);
int amd_viommu_set_dte(struct amd_iommu *iommu, u16 devid,
		       const struct dev_table_entry *new);
int amd_viommu_pas_set_own_dte(struct amd_viommu_hw *hw);
int amd_viommu_pas_reset_own_dte(struct amd_viommu_hw *hw);

/* viommu_id.c */
extern struct mutex amd_viommu_guests_mutex;
extern struct srcu_struct amd_viommu_srcu;
void amd_viommu_init_locks(struct amd_viommu_guest *guest);
int amd_viommu_add_guest(struct amd_viommu_guest *guest);
void amd_viommu_del_guest(struct amd_viommu_guest *guest);
struct amd_viommu_guest *amd_viommu_find_guest(struct amd_iommu *iommu,
					       u16 gid);
bool amd_viommu_devid_is_free(struct amd_iommu *iommu, u16 devid);
int amd_viommu_get_trans_devid(struct amd_viommu_guest *guest);
void amd_viommu_put_trans_devid(struct amd_viommu_guest *guest);
int amd_viommu_get_block_devid(struct amd_viommu_hw *hw);
void amd_viommu_put_block_devid(struct amd_viommu_hw *hw);
int amd_viommu_park(struct amd_viommu_guest *guest);

/* viommu_vfctrl.c */
u64 amd_viommu_vfc_map_entry(u16 guest_id, u16 host_id);
void amd_viommu_vfc_write_raw(struct amd_viommu_guest *guest,
			      unsigned int reg, u64 val);
void amd_viommu_vfc_write(struct amd_viommu_guest *guest, unsigned int reg,
			  u64 val);
void amd_viommu_set_quiet(struct amd_viommu_guest *guest, bool quiet);
u64 amd_viommu_vfc_enables(struct amd_viommu_guest *guest, unsigned int reg);
u64 amd_viommu_vfc_read(struct amd_viommu_guest *guest, unsigned int reg);
void amd_viommu_vfc_post(struct amd_viommu_guest *guest);
bool amd_viommu_is_gone(struct amd_viommu_guest *guest);
u64 amd_viommu_vf_read(struct amd_viommu_guest *guest, unsigned int reg);
void amd_viommu_vf_write(struct amd_viommu_guest *guest, unsigned int reg,
			 u64 val);
void amd_viommu_build_reset(struct iommu_cmd *cmd, u16 gid);
int amd_viommu_reset(struct amd_viommu_guest *guest);
int amd_viommu_wait_stopped(struct amd_viommu_guest *guest, u64 running);
bool amd_viommu_has_stopped(struct amd_viommu_guest *guest);
int amd_viommu_stop(struct amd_viommu_guest *guest);
void amd_viommu_stop_atomic(struct amd_viommu_guest *guest);

/* viommu_map.c */
int amd_viommu_maps_init(struct amd_viommu_guest *guest);
int amd_viommu_maps_exit(struct amd_viommu_guest *guest);
void amd_viommu_fill_maps(struct amd_viommu_guest *guest);
void amd_viommu_set_no_devid(struct amd_viommu_guest *guest, u16 devid);
void amd_viommu_remap_devices(struct amd_viommu_guest *guest, u16 devid);
int amd_viommu_map_vdevice(struct iommufd_vdevice *vdev);

/* viommu_queue.c */
int amd_viommu_ring_of(u32 caps, enum iommu_hw_queue_type type, u32 index);
bool amd_viommu_ring_fits(u64 base, u64 length);
void amd_viommu_ring_regs(u64 regs[VFC_NUM_REGS], enum amd_viommu_ring ring,
			  u64 base, u64 length);
u64 amd_viommu_ring_base(const u64 regs[VFC_NUM_REGS],
			 enum amd_viommu_ring ring);
size_t amd_viommu_queue_size(struct iommufd_viommu *viommu,
			     enum iommu_hw_queue_type type);
int amd_viommu_queue_validate(struct iommufd_viommu *viommu,
			      enum iommu_hw_queue_type type, u32 index,
			      u64 base, u64 length);
int amd_viommu_queue_init(struct iommufd_hw_queue *hw_queue, u32 index);

/* viommu_command.c */
#define AMD_VIOMMU_NUM_COMMANDS	7
extern const struct iommufd_viommu_command
amd_viommu_commands[AMD_VIOMMU_NUM_COMMANDS];
void amd_viommu_control_to_regs(u64 control, u64 regs[VFC_NUM_REGS]);
u64 amd_viommu_control_from_regs(const u64 regs[VFC_NUM_REGS]);
int amd_viommu_control_check(u64 control, u64 features, unsigned long rings);
int amd_viommu_get_command(struct iommufd_viommu *viommu, u16 index,
			   u64 *val64);
int amd_viommu_set_command(struct iommufd_viommu *viommu, u16 index,
			   u64 val64);

/* viommu_event.c */
u16 amd_viommu_event_guest(const u32 event[4]);
void amd_viommu_event_translate(const u32 event[4],
				struct iommu_vevent_amd *out);
void amd_viommu_report_lost(struct amd_viommu_guest *guest);

/* viommu_pm.c */
void amd_viommu_save(struct amd_viommu_guest *guest);
void amd_viommu_restore(struct amd_viommu_guest *guest);
void amd_viommu_resumed_irq(struct irq_work *work);
void amd_viommu_resumed(struct work_struct *work);

/* viommu_intr.c */
void amd_viommu_report_irq(struct amd_viommu_guest *guest);
void amd_viommu_report_missed(struct amd_viommu_guest *guest, u64 status);
void amd_viommu_rearm(struct amd_viommu_guest *guest);
void amd_viommu_loud(struct work_struct *work);
int amd_viommu_intr_init(struct amd_viommu_hw *hw);
u64 amd_viommu_intr_dte(const struct amd_viommu_hw *hw, u64 old);

/* viommu_debugfs.c */
#ifdef CONFIG_AMD_IOMMU_DEBUGFS
void amd_viommu_debugfs_add(struct amd_viommu_guest *guest);
void amd_viommu_debugfs_del(struct amd_viommu_guest *guest);
#else
static inline void amd_viommu_debugfs_add(struct amd_viommu_guest *guest) { }
static inline void amd_viommu_debugfs_del(struct amd_viommu_guest *guest) { }
#endif

static inline struct amd_iommu_viommu *
to_amd_viommu(struct iommufd_viommu *viommu)
{
	return container_of(viommu, struct amd_iommu_viommu, core);
}

#endif /* AMD_VIOMMU_H */
