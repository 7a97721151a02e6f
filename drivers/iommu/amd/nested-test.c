// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of what a guest has IDs for: domains, devices, events */
#include <linux/iommufd.h>
#include <linux/uaccess.h>

#include "../iommufd/iommufd_private.h"
#include "fake-test.h"
#include "nested.h"

#define XLATE		(DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_IR | DTE_FLAG_IW)

/* Events, by code: is the nested device's guest told? */
struct event {
	const char *name;
	bool for_guest;
};

static const struct event events[16] = {
	[0x0] = { "0" },
	[0x1] = { "ILLEGAL_DEV_TABLE_ENTRY", true },
	[0x2] = { "IO_PAGE_FAULT", true },
	[0x3] = { "DEV_TAB_HARDWARE_ERROR" },
	[0x4] = { "PAGE_TAB_HARDWARE_ERROR", true },
	[0x5] = { "ILLEGAL_COMMAND_ERROR" },
	[0x6] = { "COMMAND_HARDWARE_ERROR" },
	[0x7] = { "IOTLB_INV_TIMEOUT" },
	[0x8] = { "INVALID_DEVICE_REQUEST", true },
	[0x9] = { "INVALID_PPR_REQUEST" },
	[0xa] = { "EVENT_COUNTER_ZERO" },
	[0xb] = { "GUEST_EVENT_FAULT" },
	[0xc] = { "VIOMMU_HARDWARE_ERROR" },
	[0xd] = { "RMP_PAGE_FAULT" },
	[0xe] = { "RMP_HARDWARE_ERROR" },
	[0xf] = { "f" },
};

static void event_for_guest(struct kunit *test)
{
	const struct event *e = test->param_value;
	u32 code = e - events;
	int word, bit;

	for (word = 0; word < 4; word++) {
		for (bit = 0; bit < (word == 1 ? 28 : 32); bit++) {
			u32 event[4] = { 0, code << 28 };
			/* I: it is about an interrupt, which the host remaps */
			bool irq = word == 1 && bit == 19;

			event[word] |= BIT(bit);
			KUNIT_EXPECT_EQ_MSG(test, e->for_guest && !irq,
					    amd_iommu_event_for_guest(event),
					    "bit %d in word %d", bit, word);
		}
	}
}

static void event_desc(const struct event *e, char *desc)
{
	strscpy(desc, e->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(event, events, event_desc);

static void event_translate(struct kunit *test)
{
	static const u32 stage2[4] = { 0xa5a51234, 0x20204321, 0x11, 0x22 };
	static const u32 stage1[4] = { 0x000f1234, 0x20214321, 0x33, 0x44 };
	struct iommu_vevent_amd out;

	amd_iommu_event_translate(stage2, 0xbeef, 0xfeed, &out);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[0]), 0x2020feeda5a5beefULL);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[1]), 0x0000002200000011ULL);

	/* GN: this is the PASID, 0xf4321 */
	amd_iommu_event_translate(stage1, 0x0000, 0xfeed, &out);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[0]), 0x20214321000f0000ULL);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[1]), 0x0000004400000033ULL);
}

/* Where the host has its tables is nothing that a guest needs to know */
static void event_hides_host_table(struct kunit *test)
{
	static const u32 host[4] = { 0x1234, 0x40004321, 0x11, 0x22 };
	static const u32 guest[4] = { 0x1234, 0x40014321, 0x11, 0x22 };
	struct iommu_vevent_amd out;

	amd_iommu_event_translate(host, 1, 2, &out);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[0]), 0x4000000200000001ULL);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[1]), 0);
	amd_iommu_event_translate(guest, 1, 2, &out);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(out.evt[1]), 0x0000002200000011ULL);
}

/* What an event calls the address of a command may be a guest's */
static void event_cmd(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu *iommu = &fake->iommu;
	u64 *regs = kunit_kzalloc(test, 4 * sizeof(*regs), GFP_KERNEL);
	u64 base;

	KUNIT_ASSERT_NOT_NULL(test, regs);
	iommu->cmd_buf = kunit_kzalloc(test, CMD_BUFFER_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, iommu->cmd_buf);
	iommu->mmio_base = (__force u8 __iomem *)regs;
	base = 0x123456789000ULL;
	regs[MMIO_CMD_BUF_OFFSET / 8] = base | MMIO_CMD_SIZE_512;

	KUNIT_EXPECT_PTR_EQ(test, (u8 *)amd_iommu_event_cmd(iommu, base),
			    iommu->cmd_buf);
	KUNIT_EXPECT_PTR_EQ(test, (u8 *)amd_iommu_event_cmd(iommu, base + 8176),
			    iommu->cmd_buf + 8176);
	KUNIT_EXPECT_NULL(test, amd_iommu_event_cmd(iommu, base + 8192));
	KUNIT_EXPECT_NULL(test, amd_iommu_event_cmd(iommu, base + 8));
	KUNIT_EXPECT_NULL(test, amd_iommu_event_cmd(iommu, base - 16));
	KUNIT_EXPECT_NULL(test, amd_iommu_event_cmd(iommu, 0));
	KUNIT_EXPECT_NULL(test, amd_iommu_event_cmd(iommu, U64_MAX));
}

/* So many of 100 in a row get to the log */
static unsigned int logged(struct amd_iommu *iommu, int type, u16 devid)
{
	unsigned int i, num = 0;

	for (i = 0; i < 100; i++)
		num += amd_iommu_may_log_event(iommu, type, devid);
	return num;
}

static void event_limit(struct kunit *test)
{
	/* Those that are limited where they are printed */
	const unsigned int own = BIT(EVENT_TYPE_IO_FAULT) |
				 BIT(EVENT_TYPE_INV_PPR_REQ) |
				 BIT(EVENT_TYPE_RMP_FAULT) |
				 BIT(EVENT_TYPE_RMP_HW_ERR);
	const unsigned int of_device = BIT(EVENT_TYPE_ILL_DEV) |
				       BIT(EVENT_TYPE_DEV_TAB_ERR) |
				       BIT(EVENT_TYPE_PAGE_TAB_ERR) |
				       BIT(EVENT_TYPE_IOTLB_INV_TO) |
				       BIT(EVENT_TYPE_INV_DEV_REQ);
	struct fake_iommu *fake = fake_iommu_init(test);
	struct fake_dev *fdev[2];
	int i, type;

	for (i = 0; i < 2; i++) {
		fdev[i] = fake_dev_init(test, fake, FAKE_DEVID + i, true);
		ratelimit_state_init(&fdev[i]->data.rs, 1000 * HZ, 5);
		llist_add(&fdev[i]->data.dev_data_list,
			  &fake->seg.dev_data_list);
	}
	for (type = 1; type < 16; type++) {
		unsigned int num = logged(&fake->iommu, type, FAKE_DEVID);

		if (own & BIT(type))
			KUNIT_EXPECT_EQ_MSG(test, num, 100, "code %d", type);
		else if (of_device & BIT(type))
			KUNIT_EXPECT_LE_MSG(test, num, 5, "code %d", type);
		else
			KUNIT_EXPECT_LE_MSG(test, num, 20, "code %d", type);
	}
	/* All that the first device has said hides nothing of the other */
	KUNIT_EXPECT_EQ(test, logged(&fake->iommu, EVENT_TYPE_ILL_DEV,
				     FAKE_DEVID + 1), 5);
	/* Nor do the events of a device that nobody knows */
	KUNIT_EXPECT_LE(test, logged(&fake->iommu, EVENT_TYPE_ILL_DEV, 3), 20);
}

/* A vIOMMU that has no parent: nobody is attached to its domains */
static void aviommu_free(void *data)
{
	struct amd_iommu_viommu *aviommu = data;

	xa_destroy(&aviommu->gdomid_array);
	amd_viommu_owner_put(aviommu);
}

static struct amd_iommu_viommu *aviommu_of(struct kunit *test,
					   struct fake_iommu *fake, void *ictx)
{
	struct amd_iommu_viommu *aviommu;

	aviommu = kunit_kzalloc(test, sizeof(*aviommu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, aviommu);
	aviommu->core.iommu_dev = &fake->iommu.iommu;
	aviommu->core.ictx = ictx;
	xa_init_flags(&aviommu->gdomid_array, XA_FLAGS_ALLOC1);
	KUNIT_ASSERT_EQ(test, 0, amd_viommu_owner_get(aviommu));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, aviommu_free,
							   aviommu));
	return aviommu;
}

static struct amd_iommu_viommu *aviommu_init(struct kunit *test,
					     struct fake_iommu *fake)
{
	return aviommu_of(test, fake, fake);
}

/* One page of user memory does for all entries of a case */
static struct iommu_domain *alloc_gdte(struct kunit *test,
				       struct amd_iommu_viommu *aviommu,
				       u64 w0, u64 w1)
{
	struct fake_iommu *fake = test->priv;
	struct iommu_hwpt_amd_guest gdte = { .dte = { w0, w1 } };
	struct iommu_user_data data = {
		.type = IOMMU_HWPT_DATA_AMD_GUEST,
		.len = sizeof(gdte),
	};

	if (!fake->private)
		fake->private = (__force void *)fake_user(test, &gdte,
							  sizeof(gdte));
	data.uptr = (__force void __user *)fake->private;
	KUNIT_ASSERT_EQ(test, 0, copy_to_user(data.uptr, &gdte, sizeof(gdte)));
	return amd_iommu_alloc_domain_nested(&aviommu->core, 0, &data);
}

static struct iommu_domain *alloc_gdom(struct kunit *test,
				       struct amd_iommu_viommu *aviommu,
				       u16 gdom_id)
{
	struct iommu_domain *dom = alloc_gdte(test, aviommu, XLATE, gdom_id);

	if (!IS_ERR(dom))
		KUNIT_EXPECT_EQ(test, dom->type, IOMMU_DOMAIN_NESTED);
	return dom;
}

static void free_dom(struct iommu_domain *dom)
{
	dom->ops->free(dom);
}

static u16 hdom_id_of(struct iommu_domain *dom)
{
	return container_of(dom, struct nested_domain,
			    domain)->gdom_info->hdom_id;
}

static bool hdom_id_is_free(u16 id)
{
	int ret = amd_iommu_pdom_id_reserve(id, GFP_KERNEL);

	if (ret < 0)
		return false;
	amd_iommu_pdom_id_free(id);
	return true;
}

static void domid_translate(struct kunit *test)
{
	static const u16 ids[] = { 0, 1, 0x8000, U16_MAX };
	struct amd_iommu_viommu *aviommu = aviommu_init(test,
							fake_iommu_init(test));
	struct iommu_domain *doms[ARRAY_SIZE(ids)];
	int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		KUNIT_EXPECT_EQ(test, 0,
				amd_iommu_guest_domid(aviommu, ids[i]));
		doms[i] = alloc_gdom(test, aviommu, ids[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, doms[i]);
		KUNIT_EXPECT_NE(test, hdom_id_of(doms[i]), 0);
		KUNIT_EXPECT_EQ(test, hdom_id_of(doms[i]),
				amd_iommu_guest_domid(aviommu, ids[i]));
	}
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		free_dom(doms[i]);
		KUNIT_EXPECT_EQ(test, 0,
				amd_iommu_guest_domid(aviommu, ids[i]));
	}
}

static void domid_shared(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *one = aviommu_init(test, fake);
	struct amd_iommu_viommu *two = aviommu_init(test, fake);
	struct iommu_domain *a = alloc_gdom(test, one, 7);
	struct iommu_domain *b = alloc_gdom(test, one, 7);
	struct iommu_domain *c = alloc_gdom(test, one, 8);
	struct iommu_domain *d = alloc_gdom(test, two, 7);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, b);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, d);
	KUNIT_EXPECT_EQ(test, hdom_id_of(a), hdom_id_of(b));
	KUNIT_EXPECT_NE(test, hdom_id_of(a), hdom_id_of(c));
	KUNIT_EXPECT_NE(test, hdom_id_of(a), hdom_id_of(d));
	KUNIT_EXPECT_NE(test, hdom_id_of(c), hdom_id_of(d));

	/* The one that remains keeps it */
	free_dom(a);
	KUNIT_EXPECT_EQ(test, fake->count, 0);
	KUNIT_EXPECT_FALSE(test, hdom_id_is_free(hdom_id_of(b)));
	KUNIT_EXPECT_EQ(test, hdom_id_of(b), amd_iommu_guest_domid(one, 7));
	free_dom(b);
	KUNIT_EXPECT_EQ(test, 0, amd_iommu_guest_domid(one, 7));
	free_dom(c);
	free_dom(d);
}

/* At the end of the wait, the last moment at which the ID must be taken */
static void check_id_taken(struct kunit *test)
{
	struct fake_iommu *fake = test->priv;

	KUNIT_EXPECT_EQ(test, fake->count, 2);
	KUNIT_EXPECT_FALSE(test, hdom_id_is_free(fake->cmds[0].data[1]));
}

static void domid_flushed_before_free(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *aviommu = aviommu_init(test, fake);
	struct iommu_domain *dom = alloc_gdom(test, aviommu, 9);
	const struct iommu_cmd *cmd = fake->cmds;
	int i;
	u16 id;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dom);
	id = hdom_id_of(dom);
	KUNIT_EXPECT_FALSE(test, hdom_id_is_free(id));
	fake->on_wait = check_id_taken;
	free_dom(dom);
	KUNIT_EXPECT_TRUE(test, hdom_id_is_free(id));

	/* All pages and tables, of stage 2 and then of stage 1, which is GN */
	KUNIT_EXPECT_EQ(test, fake->waited, 2);
	for (i = 0; i < 2; i++, cmd++) {
		KUNIT_EXPECT_EQ(test, fake_opcode(cmd), CMD_INV_IOMMU_PAGES);
		KUNIT_EXPECT_EQ(test, cmd->data[0], 0);
		KUNIT_EXPECT_EQ(test, cmd->data[1] & 0xffff, id);
		KUNIT_EXPECT_EQ(test, cmd->data[2], 0xfffff003 | i << 2);
		KUNIT_EXPECT_EQ(test, cmd->data[3], 0x7fffffff);
	}
}

/* An ID that may still be in the TLB must not get to anybody else */
static void domid_kept_if_not_flushed(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *aviommu = aviommu_init(test, fake);
	struct iommu_domain *dom;
	int i;
	u16 id;

	for (i = 0; i < 2; i++) {
		dom = alloc_gdom(test, aviommu, 9);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dom);
		id = hdom_id_of(dom);
		fake->queue_ret = i ? -EIO : 0;
		fake->wait_ret = i ? 0 : -EIO;
		free_dom(dom);
		KUNIT_EXPECT_EQ(test, 0, amd_iommu_guest_domid(aviommu, 9));
		KUNIT_EXPECT_FALSE(test, hdom_id_is_free(id));
		amd_iommu_pdom_id_free(id);
	}
}

static void domid_limit(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *aviommu = aviommu_init(test, fake);
	struct iommu_domain **doms, *dom;
	int i;

	doms = kunit_kcalloc(test, AMD_VIOMMU_MAX_GDOM_IDS, sizeof(*doms),
			     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, doms);
	for (i = 0; i < AMD_VIOMMU_MAX_GDOM_IDS; i++) {
		doms[i] = alloc_gdom(test, aviommu, i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, doms[i]);
	}

	dom = alloc_gdom(test, aviommu, i);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dom), -ENOSPC);
	KUNIT_EXPECT_EQ(test, 0, amd_iommu_guest_domid(aviommu, i));
	/* One that is there can be shared, one that blocks needs none */
	dom = alloc_gdom(test, aviommu, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dom);
	free_dom(dom);
	dom = alloc_gdte(test, aviommu, DTE_FLAG_V, i);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dom);
	free_dom(dom);

	free_dom(doms[0]);
	doms[0] = alloc_gdom(test, aviommu, i);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, doms[0]);
	for (i = 0; i < AMD_VIOMMU_MAX_GDOM_IDS; i++)
		if (!IS_ERR_OR_NULL(doms[i]))
			free_dom(doms[i]);
	KUNIT_EXPECT_TRUE(test, xa_empty(&aviommu->gdomid_array));
}

/* One user's vIOMMUs share what is allowed, another user has the same again */
static void domid_limit_is_of_user(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *one[2] = {
		aviommu_init(test, fake), aviommu_init(test, fake)
	};
	struct amd_iommu_viommu *other = aviommu_of(test, fake, test);
	struct iommu_domain **doms, *dom;
	int i;

	doms = kunit_kcalloc(test, AMD_VIOMMU_MAX_GDOM_IDS, sizeof(*doms),
			     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, doms);
	for (i = 0; i < AMD_VIOMMU_MAX_GDOM_IDS; i++) {
		doms[i] = alloc_gdom(test, one[i & 1], i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, doms[i]);
		/* There is a rest that is not for guests */
		KUNIT_EXPECT_GE(test, hdom_id_of(doms[i]), MIN_GUEST_DOMAIN_ID);
	}
	for (i = 0; i < 2; i++) {
		dom = alloc_gdom(test, one[i], 0xffff);
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dom), -ENOSPC);
	}
	dom = alloc_gdom(test, other, 0xffff);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, dom);
	if (!IS_ERR_OR_NULL(dom))
		free_dom(dom);
	for (i = 0; i < AMD_VIOMMU_MAX_GDOM_IDS; i++)
		free_dom(doms[i]);
}

static void guest_limit_is_of_user(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *one[2] = {
		aviommu_init(test, fake), aviommu_init(test, fake)
	};
	struct amd_iommu_viommu *other = aviommu_of(test, fake, test);
	int i;

	for (i = 0; i < AMD_VIOMMU_MAX_GUESTS; i++)
		KUNIT_ASSERT_EQ(test, 0, amd_viommu_charge(one[i & 1],
							   AMD_VIOMMU_GUESTS));
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, -ENOSPC,
				amd_viommu_charge(one[i], AMD_VIOMMU_GUESTS));
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_charge(other, AMD_VIOMMU_GUESTS));
	amd_viommu_uncharge(one[0], AMD_VIOMMU_GUESTS);
	KUNIT_EXPECT_EQ(test, 0, amd_viommu_charge(one[1], AMD_VIOMMU_GUESTS));
}

/* Commands that an unmap of a page queues, with interrupts off */
static unsigned int unmap_commands(struct fake_iommu *fake,
				   struct protection_domain *pdom)
{
	unsigned long flags;

	fake->count = 0;
	spin_lock_irqsave(&pdom->lock, flags);
	amd_iommu_domain_flush_pages(pdom, 0x1000, 0x1fff, 0);
	spin_unlock_irqrestore(&pdom->lock, flags);
	return fake->count;
}

static struct protection_domain *fake_parent(struct kunit *test)
{
	struct protection_domain *pdom;

	pdom = kunit_kzalloc(test, sizeof(*pdom), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pdom);
	spin_lock_init(&pdom->lock);
	INIT_LIST_HEAD(&pdom->dev_list);
	INIT_LIST_HEAD(&pdom->viommu_list);
	xa_init(&pdom->iommu_array);
	pdom->pd_mode = PD_MODE_V1;
	pdom->id = 0x111;
	return pdom;
}

/* Domains that no device has cost others nothing, however many there are */
static void unmap_cost(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *aviommu = aviommu_init(test, fake);
	struct fake_dev *fdev = fake_dev_init(test, fake, FAKE_DEVID, true);
	struct pdom_iommu_info info = { .iommu = &fake->iommu, .refcnt = 1 };
	struct protection_domain *pdom = fake_parent(test);
	static struct iommu_domain *doms[512];
	unsigned int few, many;
	int i;

	xa_store(&pdom->iommu_array, 0, &info, GFP_KERNEL);
	list_add(&aviommu->pdom_list, &pdom->viommu_list);
	doms[0] = alloc_gdom(test, aviommu, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, doms[0]);
	fdev->data.ndom = container_of(doms[0], struct nested_domain, domain);
	list_add(&fdev->data.list, &pdom->dev_list);

	few = unmap_commands(fake, pdom);
	KUNIT_EXPECT_EQ(test, few, 2);
	KUNIT_EXPECT_EQ(test, fake->cmds[0].data[1] & 0xffff, pdom->id);
	KUNIT_EXPECT_EQ(test, fake->cmds[1].data[1] & 0xffff,
			hdom_id_of(doms[0]));
	for (i = 1; i < ARRAY_SIZE(doms); i++) {
		doms[i] = alloc_gdom(test, aviommu, i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, doms[i]);
	}
	many = unmap_commands(fake, pdom);
	KUNIT_EXPECT_EQ(test, few, many);
	kunit_info(test, "%u commands with 1 domain ID, %u with %zu", few, many,
		   ARRAY_SIZE(doms));

	for (i = 0; i < ARRAY_SIZE(doms); i++)
		free_dom(doms[i]);
	xa_destroy(&pdom->iommu_array);
}

/* Memory that the IOMMU may still access is known as such */
static void flush_failure_is_kept(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct pdom_iommu_info info = { .iommu = &fake->iommu, .refcnt = 1 };
	struct protection_domain *pdom = fake_parent(test);

	xa_store(&pdom->iommu_array, 0, &info, GFP_KERNEL);
	unmap_commands(fake, pdom);
	KUNIT_EXPECT_FALSE(test, pdom->domain.flush_failed);

	fake->wait_ret = -EIO;
	unmap_commands(fake, pdom);
	KUNIT_EXPECT_TRUE(test, pdom->domain.flush_failed);
	fake->wait_ret = 0;
	unmap_commands(fake, pdom);
	KUNIT_EXPECT_TRUE(test, pdom->domain.flush_failed);

	/* A command that found no room */
	pdom->domain.flush_failed = false;
	fake->queue_ret = -EIO;
	unmap_commands(fake, pdom);
	KUNIT_EXPECT_TRUE(test, pdom->domain.flush_failed);
	xa_destroy(&pdom->iommu_array);
}

static void domid_none_if_blocked(struct kunit *test)
{
	static const u64 blocked[] = { 0, DTE_FLAG_V, DTE_FLAG_TV,
				       DTE_FLAG_TV | DTE_FLAG_GV };
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *aviommu = aviommu_init(test, fake);
	struct iommu_domain *dom;
	int i;

	for (i = 0; i < ARRAY_SIZE(blocked); i++) {
		dom = alloc_gdte(test, aviommu, blocked[i], 3);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dom);
		KUNIT_EXPECT_TRUE(test, xa_empty(&aviommu->gdomid_array));
		free_dom(dom);
	}
	KUNIT_EXPECT_EQ(test, fake->count, 0);
}

static void domain_refused(struct kunit *test)
{
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *aviommu = aviommu_init(test, fake);
	u64 gdte[6] = { XLATE, 5 };
	struct iommu_user_data good = {
		.type = IOMMU_HWPT_DATA_AMD_GUEST,
		.uptr = fake_user(test, gdte, sizeof(gdte)),
		.len = sizeof(struct iommu_hwpt_amd_guest),
	}, data;

#define REFUSED(flags, err) do {					\
	struct iommu_domain *dom =					\
		amd_iommu_alloc_domain_nested(&aviommu->core, flags,	\
					      &data);			\
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(dom), err);		\
	data = good;							\
} while (0)

	data = good;
	REFUSED(IOMMU_HWPT_ALLOC_PASID, -EOPNOTSUPP);
	data.type = IOMMU_HWPT_DATA_ARM_SMMUV3;
	REFUSED(0, -EOPNOTSUPP);
	data.len -= 1;
	REFUSED(0, -EINVAL);
	data.len += 1;
	REFUSED(0, -EINVAL);
	data.uptr = (void __user *)gdte;
	REFUSED(0, -EFAULT);
	gdte[3] = 1;
	data.uptr = fake_user(test, gdte, sizeof(gdte));
	REFUSED(0, -EINVAL);
#undef REFUSED

	KUNIT_EXPECT_TRUE(test, xa_empty(&aviommu->gdomid_array));
}

/* vDEVICEs */
struct vdev_case {
	const char *name;
	u64 virt_id;
	int want;
	bool no_pci, ivrs_alias, pci_alias;
};

static const struct vdev_case vdev_cases[] = {
	{ "ID 0", 0, 0 },
	{ "ID with 16 bits", 0xffff, 0 },
	{ "ID with 17 bits", 0x10000, -EINVAL },
	{ "ID with 33 bits", BIT_ULL(32), -EINVAL },
	{ "ID with 64 bits", U64_MAX, -EINVAL },
	{ "not PCI", 8, -EOPNOTSUPP, .no_pci = true },
	{ "alias in the IVRS", 8, -EOPNOTSUPP, .ivrs_alias = true },
	{ "alias of PCI", 8, -EOPNOTSUPP, .pci_alias = true },
};

static void vdevice(struct kunit *test)
{
	const struct vdev_case *c = test->param_value;
	struct fake_iommu *fake = fake_iommu_init(test);
	struct amd_iommu_viommu *aviommu = aviommu_init(test, fake);
	struct fake_dev *fdev = fake_dev_init(test, fake, FAKE_DEVID,
					      !c->no_pci);
	unsigned long alias_mask[BITS_TO_LONGS(U8_MAX + 1)] = {};
	struct iommufd_device idev = { .dev = &fdev->pdev.dev };
	struct iommufd_vdevice vdev = {
		.viommu = &aviommu->core,
		.idev = &idev,
		.virt_id = c->virt_id,
	};

	if (c->ivrs_alias)
		fake->alias_table[FAKE_DEVID] = FAKE_DEVID + 1;
	if (c->pci_alias) {
		__set_bit((FAKE_DEVID + 1) & 0xff, alias_mask);
		fdev->pdev.dma_alias_mask = alias_mask;
	}
	KUNIT_EXPECT_EQ(test, amd_viommu_vdevice_init(&vdev), c->want);
	KUNIT_EXPECT_PTR_EQ(test, fdev->data.vdev_viommu,
			    c->want ? NULL : aviommu);
	if (!c->want)
		vdev.destroy(&vdev);
	KUNIT_EXPECT_NULL(test, fdev->data.vdev_viommu);
}

static void vdev_desc(const struct vdev_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vdevice, vdev_cases, vdev_desc);

static struct kunit_case nested_cases[] = {
	KUNIT_CASE_PARAM(event_for_guest, event_gen_params),
	KUNIT_CASE(event_translate),
	KUNIT_CASE(event_hides_host_table),
	KUNIT_CASE(event_cmd),
	KUNIT_CASE(event_limit),
	KUNIT_CASE(domid_translate),
	KUNIT_CASE(domid_shared),
	KUNIT_CASE(domid_flushed_before_free),
	KUNIT_CASE(domid_kept_if_not_flushed),
	KUNIT_CASE(domid_limit),
	KUNIT_CASE(domid_limit_is_of_user),
	KUNIT_CASE(guest_limit_is_of_user),
	KUNIT_CASE(unmap_cost),
	KUNIT_CASE(flush_failure_is_kept),
	KUNIT_CASE(domid_none_if_blocked),
	KUNIT_CASE(domain_refused),
	KUNIT_CASE_PARAM(vdevice, vdevice_gen_params),
	{}
};

static struct kunit_suite nested_suite = {
	.name = "amd_iommu_nested",
	.test_cases = nested_cases,
};

kunit_test_suite(nested_suite);
