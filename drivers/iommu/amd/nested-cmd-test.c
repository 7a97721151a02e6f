// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of the commands that a VMM forwards for its guest */
#include <linux/bitfield.h>
#include <linux/iommufd.h>

#include "../iommufd/iommufd_private.h"
#include "fake-test.h"
#include "nested.h"

#define CMD(opcode, w0, w1, w2, w3) \
	{ .data = { w0, (u32)(opcode) << 28 | (w1), w2, w3 } }

/* What a guest may set, from the command formats of the IOMMU specification */
struct cmd_spec {
	const char *name;
	bool supported;
	u32 may[4];
};

static const struct cmd_spec cmd_specs[16] = {
	[0x0] = { "0" },
	[0x1] = { "COMPLETION_WAIT" },
	/* Device ID */
	[0x2] = { "INVALIDATE_DEVTAB_ENTRY", true, { 0xffff, 0, 0, 0 } },
	/* PASID; domain ID; S, PDE, GN and the address */
	[0x3] = { "INVALIDATE_IOMMU_PAGES", true,
		  { 0xfffff, 0xffff, 0xfffff007, 0xffffffff } },
	/* Device ID, PASID, MaxPend; QueueID, PASID; S, GN and the address */
	[0x4] = { "INVALIDATE_IOTLB_PAGES", true,
		  { 0xffffffff, 0x0fffffff, 0xfffff005, 0xffffffff } },
	[0x5] = { "INVALIDATE_INTERRUPT_TABLE" },
	[0x6] = { "PREFETCH_IOMMU_PAGES" },
	[0x7] = { "COMPLETE_PPR_REQUEST" },
	[0x8] = { "INVALIDATE_IOMMU_ALL", true, { 0, 0, 0, 0 } },
	[0x9] = { "9" }, [0xa] = { "a" }, [0xb] = { "b" }, [0xc] = { "c" },
	[0xd] = { "d" }, [0xe] = { "e" }, [0xf] = { "f" },
};

static void cmd_check(struct kunit *test)
{
	const struct cmd_spec *spec = test->param_value;
	const struct iommu_cmd none = CMD(spec - cmd_specs, 0, 0, 0, 0);
	struct iommu_cmd cmd, all = none;
	int word, bit, want;

	for (word = 0; word < 4; word++) {
		for (bit = 0; bit < (word == 1 ? 28 : 32); bit++) {
			cmd = none;
			cmd.data[word] |= BIT(bit);
			want = !spec->supported ? -EOPNOTSUPP :
			       spec->may[word] & BIT(bit) ? 0 : -EINVAL;
			KUNIT_EXPECT_EQ_MSG(test, want,
					    amd_iommu_guest_cmd_check(&cmd),
					    "bit %d in word %d", bit, word);
		}
		all.data[word] |= spec->may[word];
	}
	want = spec->supported ? 0 : -EOPNOTSUPP;
	KUNIT_EXPECT_EQ(test, amd_iommu_guest_cmd_check(&none), want);
	KUNIT_EXPECT_EQ(test, amd_iommu_guest_cmd_check(&all), want);
}

static void spec_desc(const struct cmd_spec *spec, char *desc)
{
	strscpy(desc, spec->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(cmd_check, cmd_specs, spec_desc);

static void cmd_set_dev(struct kunit *test)
{
	const struct iommu_cmd none = CMD(CMD_INV_IOTLB_PAGES, 0, 0, 0, 0);
	struct iommu_cmd cmd = none;

	amd_iommu_guest_cmd_set_dev(&cmd, 0xfedc, 0xab);
	KUNIT_EXPECT_EQ(test, cmd.data[0], 0xab00fedc);
	KUNIT_EXPECT_EQ(test, cmd.data[1], 0x4000fedc);
	KUNIT_EXPECT_EQ(test, cmd.data[2], 0);
	KUNIT_EXPECT_EQ(test, cmd.data[3], 0);

	/* PASID, S, GN and the address are the guest's, nothing else is */
	memset(&cmd, 0xff, sizeof(cmd));
	amd_iommu_guest_cmd_set_dev(&cmd, 0x0000, 0x100);
	KUNIT_EXPECT_EQ(test, cmd.data[0], 0x00ff0000);
	KUNIT_EXPECT_EQ(test, cmd.data[1], 0xffff0000);
	KUNIT_EXPECT_EQ(test, cmd.data[2], 0xffffffff);
	KUNIT_EXPECT_EQ(test, cmd.data[3], 0xffffffff);
}

#define GDEVID		0x0010
#define GDOMID		0x0022
#define HDOMID		0x1234
#define QDEP		0x1f

/* A vIOMMU with a device, which has ATS on, and a domain ID */
struct guest {
	struct fake_iommu *fake;
	struct amd_iommu_viommu aviommu;
	struct iommufd_vdevice vdev;
	struct iommufd_device idev;
	struct fake_dev *fdev;
	struct nested_domain ndom;
	struct guest_domain_mapping_info gdom_info;
	u32 done;
};

static void guest_free(void *data)
{
	struct guest *guest = data;

	xa_destroy(&guest->aviommu.gdomid_array);
	xa_destroy(&guest->aviommu.core.vdevs);
}

static struct guest *guest_init(struct kunit *test)
{
	struct guest *guest = kunit_kzalloc(test, sizeof(*guest), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, guest);
	guest->fake = fake_iommu_init(test);
	guest->aviommu.core.iommu_dev = &guest->fake->iommu.iommu;
	xa_init(&guest->aviommu.core.vdevs);
	xa_init_flags(&guest->aviommu.gdomid_array, XA_FLAGS_ALLOC1);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, guest_free,
							   guest));

	guest->fdev = fake_dev_init(test, guest->fake, FAKE_DEVID, true);
	guest->fdev->data.ats_enabled = 1;
	guest->fdev->data.ats_qdep = QDEP;
	guest->fdev->data.ndom = &guest->ndom;
	guest->ndom.viommu = &guest->aviommu;
	guest->idev.dev = &guest->fdev->pdev.dev;
	guest->vdev.idev = &guest->idev;
	guest->vdev.viommu = &guest->aviommu.core;
	guest->vdev.virt_id = GDEVID;
	guest->gdom_info.hdom_id = HDOMID;
	KUNIT_ASSERT_NULL(test, xa_store(&guest->aviommu.core.vdevs, GDEVID,
					 &guest->vdev, GFP_KERNEL));
	KUNIT_ASSERT_NULL(test, xa_store(&guest->aviommu.gdomid_array, GDOMID,
					 &guest->gdom_info, GFP_KERNEL));
	return guest;
}

static int invalidate_user(struct guest *guest, void __user *uptr, u32 num)
{
	struct iommu_user_data_array array = {
		.type = IOMMU_VIOMMU_INVALIDATE_DATA_AMD,
		.uptr = uptr,
		.entry_len = sizeof(struct iommu_viommu_amd_invalidate),
		.entry_num = num,
	};
	int ret;

	ret = amd_viommu_cache_invalidate(&guest->aviommu.core, &array);
	guest->done = array.entry_num;
	return ret;
}

/* Commands have the same layout in a ring and in the uAPI, on little endian */
static int invalidate(struct kunit *test, struct guest *guest,
		      const struct iommu_cmd *cmds, u32 num)
{
	static_assert(sizeof(struct iommu_viommu_amd_invalidate) ==
		      sizeof(*cmds));

	return invalidate_user(guest, fake_user(test, cmds,
						num * sizeof(*cmds)), num);
}

/* The ring must have got these, and all must have been waited for */
static void expect_cmds(struct kunit *test, const struct guest *guest,
			const struct iommu_cmd *want, unsigned int num)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, guest->fake->count, num);
	for (i = 0; i < num; i++)
		KUNIT_EXPECT_MEMEQ_MSG(test, &guest->fake->cmds[i], &want[i],
				       sizeof(*want), "command %u", i);
	KUNIT_EXPECT_EQ(test, guest->fake->waited, num);
	KUNIT_EXPECT_GT(test, guest->fake->waits, 0);
}

struct translation {
	const char *name;
	struct iommu_cmd guest, host;
	/* How the command names something that this guest does not have */
	bool unknown, no_ats, no_ndom, other_viommu;
};

#define IOTLB_GUEST	CMD(4, 0xff5a0000 | GDEVID, 0x0bcdfff0, 0x00345005, 9)
#define IOTLB_HOST	CMD(4, QDEP << 24 | 0x5a0000 | FAKE_DEVID, \
			    0x0bcd0000 | FAKE_DEVID, 0x00345005, 9)

static const struct translation translations[] = {
	{ "DTE", CMD(2, GDEVID, 0, 0, 0), CMD(2, FAKE_DEVID, 0, 0, 0) },
	{ "DTE, unknown device", CMD(2, GDEVID + 1, 0, 0, 0), .unknown = true },
	{ "DTE, ID of the host", CMD(2, FAKE_DEVID, 0, 0, 0), .unknown = true },
	{ "pages", CMD(3, 0xabcde, GDOMID, 0x6789a007, 0x12345),
	  CMD(3, 0xabcde, HDOMID, 0x6789a007, 0x12345) },
	{ "pages, unknown domain", CMD(3, 0, GDOMID + 1, 1, 0),
	  .unknown = true },
	{ "pages, ID of the host", CMD(3, 0, HDOMID, 1, 0), .unknown = true },
	{ "pages, ID 0", CMD(3, 0, 0, 1, 0), .unknown = true },
	{ "IOTLB", IOTLB_GUEST, IOTLB_HOST },
	{ "IOTLB, GN=0", CMD(4, 0xff5a0000 | GDEVID, 0x0bcdfff0, 0x00345001, 9),
	  CMD(4, QDEP << 24 | FAKE_DEVID, FAKE_DEVID, 0x00345001, 9) },
	{ "IOTLB, unknown device", CMD(4, GDEVID + 1, GDEVID + 1, 1, 0),
	  .unknown = true },
	{ "IOTLB, ATS off", IOTLB_GUEST, .no_ats = true },
	{ "IOTLB, no nested domain", IOTLB_GUEST, .no_ndom = true },
	{ "IOTLB, other guest's domain", IOTLB_GUEST, .other_viommu = true },
};

static void cmd_translate(struct kunit *test)
{
	const struct translation *t = test->param_value;
	struct guest *guest = guest_init(test);
	bool none = t->unknown || t->no_ats || t->no_ndom || t->other_viommu;

	if (t->no_ats)
		guest->fdev->data.ats_enabled = 0;
	if (t->no_ndom)
		guest->fdev->data.ndom = NULL;
	if (t->other_viommu)
		guest->ndom.viommu = NULL;

	KUNIT_EXPECT_EQ(test, 0, invalidate(test, guest, &t->guest, 1));
	KUNIT_EXPECT_EQ(test, guest->done, 1);
	expect_cmds(test, guest, &t->host, none ? 0 : 1);
}

static void translation_desc(const struct translation *t, char *desc)
{
	strscpy(desc, t->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(translation, translations, translation_desc);

/* Both readings of the address, and no PASID where it is reserved */
static void cmd_pages_without_gn(struct kunit *test)
{
	const struct iommu_cmd cmd = CMD(3, 0xabcde, GDOMID, 0x6789a003, 0x12);
	static const struct iommu_cmd want[] = {
		CMD(3, 0, HDOMID, 0x6789a003, 0x12),
		CMD(3, 0, HDOMID, 0x6789a007, 0x12),
	};
	struct guest *guest = guest_init(test);

	KUNIT_EXPECT_EQ(test, 0, invalidate(test, guest, &cmd, 1));
	KUNIT_EXPECT_EQ(test, guest->done, 1);
	expect_cmds(test, guest, want, ARRAY_SIZE(want));
}

/* All that this guest has cached, and no command that affects others */
static void cmd_all(struct kunit *test)
{
	static const struct iommu_cmd all = CMD(8, 0, 0, 0, 0);
	static const struct iommu_cmd want[] = {
		CMD(3, 0, HDOMID, 0xfffff003, 0x7fffffff),
		CMD(3, 0, HDOMID, 0xfffff007, 0x7fffffff),
		CMD(2, FAKE_DEVID, 0, 0, 0),
		CMD(4, QDEP << 24 | FAKE_DEVID, FAKE_DEVID, 0xfffff001,
		    0x7fffffff),
	};
	struct guest *guest = guest_init(test);

	KUNIT_EXPECT_EQ(test, 0, invalidate(test, guest, &all, 1));
	KUNIT_EXPECT_EQ(test, guest->done, 1);
	expect_cmds(test, guest, want, ARRAY_SIZE(want));
}

/* What stands before a bad command is done, what follows is not */
static void cmd_batch_stops(struct kunit *test)
{
	static const struct {
		struct iommu_cmd bad;
		int want;
	} tries[] = {
		{ CMD(1, 0, 0, 0, 0), -EOPNOTSUPP },
		{ CMD(2, 0x10000, 0, 0, 0), -EINVAL },
	};
	struct iommu_cmd cmds[] = {
		CMD(2, GDEVID, 0, 0, 0), CMD(3, 0, GDOMID, 5, 0),
		CMD(0, 0, 0, 0, 0), CMD(2, GDEVID, 0, 0, 0),
	};
	static const struct iommu_cmd want[] = {
		CMD(2, FAKE_DEVID, 0, 0, 0), CMD(3, 0, HDOMID, 5, 0),
	};
	struct guest *guest = guest_init(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		guest->fake->count = 0;
		cmds[2] = tries[i].bad;
		KUNIT_EXPECT_EQ(test, tries[i].want,
				invalidate(test, guest, cmds, 4));
		KUNIT_EXPECT_EQ(test, guest->done, 2);
		expect_cmds(test, guest, want, ARRAY_SIZE(want));
	}
}

/* One wait for a batch, however long it is */
static void cmd_batch_waits_once(struct kunit *test)
{
	const struct iommu_cmd one = CMD(3, 0, GDOMID, 5, 0);
	struct guest *guest = guest_init(test);
	struct iommu_cmd *cmds;
	int i;

	cmds = kunit_kcalloc(test, 300, sizeof(*cmds), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cmds);
	for (i = 0; i < 300; i++)
		cmds[i] = one;
	KUNIT_EXPECT_EQ(test, 0, invalidate(test, guest, cmds, 300));
	KUNIT_EXPECT_EQ(test, guest->done, 300);
	KUNIT_EXPECT_EQ(test, guest->fake->count, 300);
	KUNIT_EXPECT_EQ(test, guest->fake->waited, 300);
	KUNIT_EXPECT_EQ(test, guest->fake->waits, 1);
}

static void cmd_batch_of_none(struct kunit *test)
{
	struct guest *guest = guest_init(test);

	KUNIT_EXPECT_EQ(test, 0, invalidate_user(guest, NULL, 0));
	KUNIT_EXPECT_EQ(test, guest->done, 0);
	KUNIT_EXPECT_EQ(test, guest->fake->count, 0);
}

static void cmd_bad_array(struct kunit *test)
{
	struct guest *guest = guest_init(test);
	struct iommu_user_data_array array = {
		.type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
		.entry_len = sizeof(struct iommu_viommu_amd_invalidate),
		.entry_num = 3,
	};

	KUNIT_EXPECT_EQ(test, -EINVAL,
			amd_viommu_cache_invalidate(&guest->aviommu.core,
						    &array));
	KUNIT_EXPECT_EQ(test, array.entry_num, 0);
	/* No entries: it asks whether the type is supported */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			amd_viommu_cache_invalidate(&guest->aviommu.core,
						    &array));
	KUNIT_EXPECT_EQ(test, guest->fake->waits, 0);

	/* An address of the kernel's is none of user space */
	KUNIT_EXPECT_EQ(test, -EFAULT,
			invalidate_user(guest, (void __user *)guest, 1));
	KUNIT_EXPECT_EQ(test, guest->done, 0);
	KUNIT_EXPECT_EQ(test, guest->fake->count, 0);
}

static void cmd_ring_fails(struct kunit *test)
{
	const struct iommu_cmd cmds[] = {
		CMD(2, GDEVID, 0, 0, 0), CMD(2, GDEVID, 0, 0, 0),
		CMD(2, GDEVID, 0, 0, 0),
	};
	struct guest *guest = guest_init(test);

	guest->fake->queue_ret = -EIO;
	guest->fake->fail_from = 2;
	KUNIT_EXPECT_EQ(test, -EIO, invalidate(test, guest, cmds, 3));
	KUNIT_EXPECT_EQ(test, guest->done, 2);

	/* Nobody knows what was executed if the wait times out */
	guest->fake->queue_ret = 0;
	guest->fake->wait_ret = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, invalidate(test, guest, cmds, 3));
	KUNIT_EXPECT_EQ(test, guest->done, 0);
}

static struct kunit_case cmd_cases[] = {
	KUNIT_CASE_PARAM(cmd_check, cmd_check_gen_params),
	KUNIT_CASE(cmd_set_dev),
	KUNIT_CASE_PARAM(cmd_translate, translation_gen_params),
	KUNIT_CASE(cmd_pages_without_gn),
	KUNIT_CASE(cmd_all),
	KUNIT_CASE(cmd_batch_stops),
	KUNIT_CASE(cmd_batch_waits_once),
	KUNIT_CASE(cmd_batch_of_none),
	KUNIT_CASE(cmd_bad_array),
	KUNIT_CASE(cmd_ring_fails),
	{}
};

static struct kunit_suite cmd_suite = {
	.name = "amd_iommu_guest_cmd",
	.test_cases = cmd_cases,
};

kunit_test_suite(cmd_suite);
