/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VMM and a guest do with an AMD IOMMU, without either: iommufd objects,
 * the guest's memory with its tables in it, a device that DMAs on command.
 *
 * Functions return 0 or a negative errno and print nothing.
 */
#ifndef __SELFTEST_IOMMU_AMD_VMM
#define __SELFTEST_IOMMU_AMD_VMM

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/iommufd.h>
#include <linux/types.h>

#define AMD_PAGE 4096UL

/*
 * A word that a device or another process looks at, too, or a register: one
 * access, in the order of the program.
 */
static inline __u32 amd_load(const void *word)
{
	__u32 value = __atomic_load_n((const __u32 *)word, __ATOMIC_RELAXED);

	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return value;
}

static inline void amd_store(void *word, __u32 value)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n((__u32 *)word, value, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Bits of a guest DTE, by word */
#define GDTE_0_V		0x1ULL
#define GDTE_0_TV		0x2ULL
#define GDTE_0_PPR		0x10000000000000ULL
#define GDTE_0_GIOV		0x40000000000000ULL
#define GDTE_0_GV		0x80000000000000ULL
#define GDTE_0_GLX_SHIFT	56
#define GDTE_0_IR		0x2000000000000000ULL
#define GDTE_0_IW		0x4000000000000000ULL
#define GDTE_1_I		0x100000000ULL
#define GDTE_2_LEVELS_SHIFT	54

/* Where the memory of the guest is in its address space */
#define AMD_RAM_GPA		0x10000000ULL

/**
 * struct amd_guest - A guest with one IOMMU
 * @iommufd: the file all the objects are in
 * @ioas_id: address space of the guest
 * @hwpt_id: nesting parent for it, 0 before amd_guest_viommu()
 * @viommu_id: vIOMMU, 0 likewise
 * @ram: memory of the guest
 * @size: bytes of it, mapped at AMD_RAM_GPA
 * @used: bytes that amd_guest_page() has handed out, from the start
 */
struct amd_guest {
	int iommufd;
	__u32 ioas_id;
	__u32 hwpt_id;
	__u32 viommu_id;
	void *ram;
	size_t size;
	size_t used;
};

int amd_guest_init(struct amd_guest *guest, size_t size);
void amd_guest_exit(struct amd_guest *guest);
__u64 amd_guest_page(struct amd_guest *guest);
void *amd_guest_ptr(const struct amd_guest *guest, __u64 gpa);

/**
 * struct amd_device - A device that VFIO has bound to the guest's iommufd
 * @cdev: its VFIO file
 * @dev_id: ID of the device in iommufd
 * @bar: its registers
 * @bar_size: bytes of them
 */
struct amd_device {
	int cdev;
	__u32 dev_id;
	void *bar;
	size_t bar_size;
};

int amd_device_open(struct amd_device *dev, const struct amd_guest *guest,
		    unsigned int nth);
int amd_device_open_ats(struct amd_device *dev, const struct amd_guest *guest,
			char *bdf, size_t room);
void amd_device_close(struct amd_device *dev);
int amd_device_attach(struct amd_device *dev, __u32 pt_id);
int amd_device_detach(struct amd_device *dev);
int amd_device_dma(struct amd_device *dev, __u64 addr);

/* What amd_device_dma() writes */
#define AMD_DMA_VALUE 0x12345678U

/* The objects, in the order in which a VMM allocates them */
int amd_guest_parent(struct amd_guest *guest, struct amd_device *dev,
		     __u32 flags);
int amd_guest_viommu(struct amd_guest *guest, struct amd_device *dev);
int amd_guest_vdevice(struct amd_guest *guest, struct amd_device *dev,
		      __u64 virt_id, __u32 *vdevice_id);
int amd_guest_veventq(struct amd_guest *guest, __u32 depth, __u32 *veventq_id,
		      int *fd);
int amd_guest_nested(struct amd_guest *guest, struct amd_device *dev,
		     const __u64 dte[4], __u32 *hwpt_id);
int amd_guest_destroy(const struct amd_guest *guest, __u32 id);
int amd_guest_map(const struct amd_guest *guest, void *va, __u64 gpa,
		  size_t size);
int amd_guest_unmap(const struct amd_guest *guest, __u64 gpa, size_t size);

/**
 * struct amd_tables - Stage 1 of a guest
 * @gcr3: guest physical address of the GCR3 table
 * @root: of the page table of PASID 0
 * @glx: levels of the GCR3 table, less 1
 * @levels: of the page table, 4 or 5
 */
struct amd_tables {
	__u64 gcr3;
	__u64 root;
	unsigned int glx;
	unsigned int levels;
};

#define AMD_PTE_W	0x2ULL

int amd_tables_init(struct amd_guest *guest, struct amd_tables *tables,
		    unsigned int glx, unsigned int levels);
int amd_tables_map(struct amd_guest *guest, struct amd_tables *tables,
		   __u64 gva, __u64 gpa, __u64 flags, bool large);
int amd_tables_unmap(struct amd_guest *guest, struct amd_tables *tables,
		     __u64 gva);
void amd_tables_dte(const struct amd_tables *tables, __u16 domid,
		    __u64 dte[4]);

/* Commands of the guest */
struct iommu_viommu_amd_invalidate amd_cmd_devtab(__u16 devid);
struct iommu_viommu_amd_invalidate amd_cmd_pages(__u16 domid, __u32 pasid,
						 __u64 gva, bool all);
struct iommu_viommu_amd_invalidate amd_cmd_all(void);
int amd_guest_invalidate(const struct amd_guest *guest,
			 const struct iommu_viommu_amd_invalidate *cmds,
			 __u32 *num);
int amd_guest_inv_domain(const struct amd_guest *guest, __u16 domid);

/**
 * struct amd_event - An event of the guest's IOMMU, taken apart
 * @sequence: number of the event, counting those that got lost
 * @code: 1 to 15
 * @devid: device ID
 * @domid: domain ID, or PASID if @gn
 * @gn: stage 1
 * @write: by a write
 * @addr: where
 */
struct amd_event {
	__u32 sequence;
	unsigned int code;
	__u16 devid;
	__u16 domid;
	bool gn;
	bool write;
	__u64 addr;
};

int amd_event_read(int fd, struct amd_event *event);

#endif
