// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts for guests
 *
 * A guest's rings raise interrupts by extended remapping: the interrupt half of
 * the IOMMU's own DTE has a table of tables, indexed by type of event and guest
 * ID. Nobody is known to post them to a vCPU without help of the hypervisor, so
 * here they all become one interrupt of the host, and the VMM is told. All the
 * tables of the second level are the same one then, and there is nothing to do
 * per guest. Posting to a vCPU would give a guest a table of its own.
 *
 * inferred: that an entry can be one of a plain interrupt.
 */
#include <linux/bitfield.h>
#include <linux/interrupt.h>
#include <linux/iommufd.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/pci.h>

#include <asm/apic.h>
#include <asm/hw_irq.h>
#include <asm/irqdomain.h>

#include "amd_iommu.h"
#include "../iommu-pages.h"
#include "viommu.h"
#include "viommu_trace.h"

#define EXT_L1_ENTRIES		1024
#define EXT_L1_USED		512	/* two types of 65536 guest IDs */
#define EXT_L2_ENTRIES		256
#define EXT_L1_VALID		BIT_ULL(0)
#define EXT_L1_LEN		GENMASK_ULL(5, 2)
#define EXT_L1_LEN_256		8ULL
#define EXT_INTTABLEN_1024	10ULL

/**
 * struct amd_viommu_intr - Interrupts of all guests of an IOMMU
 * @iommu: the IOMMU
 * @domain: interrupt domain, of one interrupt
 * @irq: the interrupt
 * @l1: table of tables, 1024 entries
 * @l2: table, 256 entries
 */
struct amd_viommu_intr {
	struct amd_iommu *iommu;
	struct irq_domain *domain;
	int irq;
	u64 *l1;
	struct irte_ga *l2;
};

static void flush_table(struct amd_iommu *iommu)
{
	struct iommu_cmd cmd = { { iommu->devid, CMD_INV_IRT << 28 } };

	if (!iommu_queue_command(iommu, &cmd))
		iommu_completion_wait(iommu);
}

static void write_entries(struct amd_viommu_intr *intr,
			  const struct irq_cfg *cfg)
{
	struct irte_ga irte = {};
	unsigned int i;

	if (cfg) {
		irte.lo.fields_remap.valid = 1;
		irte.lo.fields_remap.dm = apic->dest_mode_logical;
		irte.lo.fields_remap.int_type = APIC_DELIVERY_MODE_FIXED;
		irte.lo.fields_remap.destination =
			APICID_TO_IRTE_DEST_LO(cfg->dest_apicid);
		irte.hi.fields.destination =
			APICID_TO_IRTE_DEST_HI(cfg->dest_apicid);
		irte.hi.fields.vector = cfg->vector;
	}
	for (i = 0; i < EXT_L2_ENTRIES; i++)
		arch_cmpxchg128_local(&intr->l2[i].irte, intr->l2[i].irte,
				      irte.irte);
	flush_table(intr->iommu);
}

static int set_affinity(struct irq_data *irqd, const struct cpumask *mask,
			bool force)
{
	struct irq_data *parent = irqd->parent_data;
	struct irq_cfg *cfg = irqd_cfg(irqd);
	int ret;

	ret = parent->chip->irq_set_affinity(parent, mask, force);
	if (ret < 0 || ret == IRQ_SET_MASK_OK_DONE)
		return ret;
	write_entries(irqd->chip_data, cfg);
	vector_schedule_cleanup(cfg);
	return IRQ_SET_MASK_OK_DONE;
}

static struct irq_chip intr_chip = {
	.name = "AMD-Vi-guest",
	.irq_ack = irq_chip_ack_parent,
	.irq_retrigger = irq_chip_retrigger_hierarchy,
	.irq_set_affinity = set_affinity,
	.flags = IRQCHIP_SKIP_SET_WAKE | IRQCHIP_ONESHOT_SAFE,
};

static int intr_domain_alloc(struct irq_domain *domain, unsigned int virq,
			     unsigned int nr_irqs, void *arg)
{
	int ret = irq_domain_alloc_irqs_parent(domain, virq, nr_irqs, arg);

	if (ret < 0)
		return ret;
	irq_domain_set_info(domain, virq, 0, &intr_chip, domain->host_data,
			    handle_edge_irq, NULL, "edge");
	return 0;
}

static int intr_domain_activate(struct irq_domain *domain,
				struct irq_data *irqd, bool reserve)
{
	write_entries(irqd->chip_data, irqd_cfg(irqd));
	return 0;
}

static void intr_domain_deactivate(struct irq_domain *domain,
				   struct irq_data *irqd)
{
	write_entries(irqd->chip_data, NULL);
}

static const struct irq_domain_ops intr_domain_ops = {
	.alloc = intr_domain_alloc,
	.free = irq_domain_free_irqs_top,
	.activate = intr_domain_activate,
	.deactivate = intr_domain_deactivate,
};

/*
 * Interrupts of a guest in VF_STATUS. Where the rings are says whether one that
 * is still set is new.
 */
static const struct {
	u64 status;
	u8 reg;
	u64 enable;
	u8 mark, mark_b;
	u64 overflow;
} amd_viommu_ints[AMD_VIOMMU_NUM_INTS] = {
	{ VF_STATUS_CW_INT, VFC_CMD, VFC_CMD_CW_INT_EN, VF_CMD_HEAD,
	  VF_CMD_HEAD, 0 },
	{ VF_STATUS_EVT_INT, VFC_EVT, VFC_EVT_INT_EN, VF_EVT_TAIL,
	  VF_EVT_B_TAIL, VF_STATUS_EVT_OVERFLOW },
	{ VF_STATUS_PPR_INT, VFC_PPR, VFC_PPR_INT_EN, VF_PPR_TAIL,
	  VF_PPR_B_TAIL, VF_STATUS_PPR_OVERFLOW },
};

/* Of one guest: more are a storm, that hardware is kept from for the rest */
#define INT_PERIOD		(HZ / 10)
#define INT_BURST		100

static u64 amd_viommu_enabled_ints(const struct amd_viommu_guest *guest)
{
	u64 ints = 0;
	unsigned int i;

	for (i = 0; i < AMD_VIOMMU_NUM_INTS; i++)
		if (READ_ONCE(guest->shadow[amd_viommu_ints[i].reg / 8]) &
		    amd_viommu_ints[i].enable)
			ints |= amd_viommu_ints[i].status;
	return ints;
}

/*
 * Status bits are the guest's to clear. One that is still set may be new or
 * old: it is old if its log has no more entries, or the command buffer has
 * executed nothing, since it was reported.
 */
static u64 amd_viommu_new_ints(struct amd_viommu_guest *guest, u64 status,
			       u64 ints)
{
	u64 mark, fresh = 0;
	unsigned int i;

	ints &= status;
	for (i = 0; i < AMD_VIOMMU_NUM_INTS; i++) {
		if (!(ints & amd_viommu_ints[i].status))
			continue;
		mark = amd_viommu_vf_read(guest, amd_viommu_ints[i].mark) |
		       amd_viommu_vf_read(guest,
					  amd_viommu_ints[i].mark_b) << 20 |
		       (status & amd_viommu_ints[i].overflow) << 40;
		if ((guest->irq_reported & amd_viommu_ints[i].status) &&
		    guest->irq_marks[i] == mark)
			continue;
		guest->irq_marks[i] = mark;
		fresh |= amd_viommu_ints[i].status;
	}
	guest->irq_reported = ints;
	return fresh;
}

static void amd_viommu_tell_irq(struct amd_viommu_guest *guest, u64 status)
{
	struct iommu_vevent_amd_irq vevent = {
		.status = cpu_to_le64(status),
	};

	atomic64_inc(&guest->irqs);
	trace_amd_viommu_irq(guest, status);
	iommufd_viommu_report_event(&guest->viommu->core,
				    IOMMU_VEVENTQ_TYPE_AMD_IRQ, &vevent,
				    sizeof(vevent));
}

/* True if there were so many that the guest has to wait for its next one */
static bool amd_viommu_is_storm(struct amd_viommu_guest *guest)
{
	if (time_after(jiffies, guest->irq_begin + INT_PERIOD)) {
		guest->irq_begin = jiffies;
		guest->irq_count = 0;
	}
	return ++guest->irq_count > INT_BURST;
}

/**
 * amd_viommu_report_irq - Tell the VMM of a guest what is new
 * @guest: the guest; one that is being set up has no interrupts enabled
 *
 * Sleeps. Any guest of the IOMMU may have been the reason for the call.
 */
void amd_viommu_report_irq(struct amd_viommu_guest *guest)
{
	u64 status, fresh, ints = amd_viommu_enabled_ints(guest);

	/* Nor has it a page to look at */
	if (!ints)
		return;
	guard(mutex)(&guest->irq_mutex);
	status = amd_viommu_vf_read(guest, VF_STATUS);
	if (status == U64_MAX)
		return;
	fresh = amd_viommu_new_ints(guest, status, ints);
	if (!fresh)
		return;
	amd_viommu_tell_irq(guest, status);
	if (amd_viommu_is_storm(guest)) {
		amd_viommu_set_quiet(guest, true);
		schedule_delayed_work(&guest->loud, INT_PERIOD);
	}
}

/**
 * amd_viommu_report_missed - Tell the VMM of a guest of interrupts over suspend
 * @guest: the guest
 * @status: bits of VF_STATUS that were set before
 */
void amd_viommu_report_missed(struct amd_viommu_guest *guest, u64 status)
{
	guard(mutex)(&guest->irq_mutex);
	guest->irq_reported = 0;
	status &= amd_viommu_enabled_ints(guest);
	if (status)
		amd_viommu_tell_irq(guest, status);
}

/**
 * amd_viommu_rearm - Report again what is set
 * @guest: the guest, which enables or disables something
 */
void amd_viommu_rearm(struct amd_viommu_guest *guest)
{
	guard(mutex)(&guest->irq_mutex);
	guest->irq_reported = 0;
}

/**
 * amd_viommu_loud - Let a guest have interrupts again
 * @work: of the guest
 *
 * What came meanwhile is seen now, so none is lost.
 */
void amd_viommu_loud(struct work_struct *work)
{
	struct amd_viommu_guest *guest =
		container_of(to_delayed_work(work), struct amd_viommu_guest,
			     loud);

	scoped_guard(mutex, &guest->irq_mutex) {
		guest->irq_begin = jiffies;
		guest->irq_count = 0;
	}
	amd_viommu_set_quiet(guest, false);
	amd_viommu_report_irq(guest);
}

static irqreturn_t intr_thread(int irq, void *data)
{
	struct amd_viommu_intr *intr = data;
	struct amd_viommu_guest *guest;

	guard(srcu)(&amd_viommu_srcu);
	hlist_for_each_entry_srcu(guest, &intr->iommu->viommu_guests, node,
				  srcu_read_lock_held(&amd_viommu_srcu))
		amd_viommu_report_irq(guest);
	return IRQ_HANDLED;
}

static int alloc_tables(struct amd_viommu_intr *intr, int nid)
{
	u64 entry;
	int i;

	intr->l1 = iommu_alloc_pages_node_sz(nid, GFP_KERNEL,
					     EXT_L1_ENTRIES * sizeof(u64));
	if (!intr->l1)
		return -ENOMEM;
	intr->l2 = iommu_alloc_pages_node_sz(nid, GFP_KERNEL,
					     EXT_L2_ENTRIES *
					     sizeof(*intr->l2));
	if (!intr->l2) {
		iommu_free_pages(intr->l1);
		return -ENOMEM;
	}
	entry = iommu_virt_to_phys(intr->l2) | EXT_L1_VALID |
		FIELD_PREP(EXT_L1_LEN, EXT_L1_LEN_256);
	for (i = 0; i < EXT_L1_USED; i++)
		intr->l1[i] = entry;
	return 0;
}

static int alloc_irq(struct amd_viommu_intr *intr, int nid)
{
	struct fwnode_handle *fn;
	struct irq_alloc_info info;
	int ret;

	fn = irq_domain_alloc_named_id_fwnode("AMD-Vi-guest",
					      intr->iommu->index);
	if (!fn)
		return -ENOMEM;
	intr->domain = irq_domain_create_hierarchy(x86_vector_domain, 0, 1, fn,
						   &intr_domain_ops, intr);
	if (!intr->domain) {
		ret = -ENOMEM;
		goto out_fwnode;
	}

	init_irq_alloc_info(&info, NULL);
	info.type = X86_IRQ_ALLOC_TYPE_AMDVI;
	intr->irq = irq_domain_alloc_irqs(intr->domain, 1, nid, &info);
	if (intr->irq < 0) {
		ret = intr->irq;
		goto out_domain;
	}
	ret = request_threaded_irq(intr->irq, NULL, intr_thread, IRQF_ONESHOT,
				   "AMD-Vi-guest", intr);
	if (ret)
		goto out_irq;
	return 0;

out_irq:
	irq_domain_free_irqs(intr->irq, 1);
out_domain:
	irq_domain_remove(intr->domain);
out_fwnode:
	irq_domain_free_fwnode(fn);
	return ret;
}

/**
 * amd_viommu_intr_init - Get ready for interrupts for guests
 * @hw: the vIOMMU; its DTE is to be written
 *
 * For good: an interrupt that is freed removes its files in /proc, and that
 * warns if there had not been the memory to make one of them.
 *
 * Return: 0, -ENOMEM, or the errno of an interrupt that cannot be allocated
 */
int amd_viommu_intr_init(struct amd_viommu_hw *hw)
{
	struct amd_iommu *iommu = hw->iommu;
	int nid = dev_to_node(&iommu->dev->dev);
	struct amd_viommu_intr *intr;
	int ret;

	if (iommu->viommu_intr)
		return 0;
	intr = kzalloc_obj(*intr);
	if (!intr)
		return -ENOMEM;
	intr->iommu = iommu;
	ret = alloc_tables(intr, nid);
	if (ret)
		goto out_free;
	ret = alloc_irq(intr, nid);
	if (ret)
		goto out_tables;
	iommu->viommu_intr = intr;
	return 0;

out_tables:
	iommu_free_pages(intr->l2);
	iommu_free_pages(intr->l1);
out_free:
	kfree(intr);
	return ret;
}

/**
 * amd_viommu_intr_dte - The interrupt half of the IOMMU's own DTE
 * @hw: the vIOMMU
 * @old: what it is without
 *
 * Return: the quadword
 */
u64 amd_viommu_intr_dte(const struct amd_viommu_hw *hw, u64 old)
{
	if (!hw->iommu->viommu_intr)
		return old;
	return (old & ~DTE_DATA2_INTR_MASK) | DTE_IRQ_REMAP_ENABLE |
	       EXT_INTTABLEN_1024 << 1 | DTE_IRQ_REMAP_INTCTL |
	       iommu_virt_to_phys(hw->iommu->viommu_intr->l1);
}
