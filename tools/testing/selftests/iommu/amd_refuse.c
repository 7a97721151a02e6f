// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the AMD IOMMU driver refuses, and with which errno. Nothing here needs a
 * device that DMAs, but the fixture has one.
 */
#include "amd_utils.h"

FIXTURE(refuse)
{
	struct amd_setup setup;
	struct amd_guest *guest;
	struct amd_device *dev;
	struct amd_tables tables;
	__u64 dte[4];
};

FIXTURE_SETUP(refuse)
{
	const char *why = amd_setup_device(&self->setup, 0);

	if (why)
		SKIP(return, "%s", why);
	self->guest = &self->setup.guest;
	self->dev = &self->setup.dev;
	ASSERT_EQ(0, amd_tables_init(self->guest, &self->tables, 0, 4));
	amd_tables_dte(&self->tables, AMD_DOMID, self->dte);
}

FIXTURE_TEARDOWN(refuse)
{
	amd_setup_close(&self->setup);
}

static int ioctl_rc(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

/* IOMMU_VIOMMU_ALLOC */

static int alloc_viommu(struct amd_guest *guest, struct amd_device *dev,
			__u32 type, void *data, __u32 len)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = type,
		.dev_id = dev->dev_id,
		.hwpt_id = guest->hwpt_id,
		.data_uptr = (uintptr_t)data,
		.data_len = len,
	};
	int rc = ioctl_rc(guest->iommufd, IOMMU_VIOMMU_ALLOC, &cmd);

	return rc ?: amd_guest_destroy(guest, cmd.out_viommu_id);
}

TEST_F(refuse, viommu_types)
{
	__u32 type;

	for (type = 0; type < 64; type++)
		EXPECT_EQ(type == IOMMU_VIOMMU_TYPE_AMD ? 0 : -EOPNOTSUPP,
			  alloc_viommu(self->guest, self->dev, type, NULL, 0))
			TH_LOG("type %u", type);
	EXPECT_EQ(-EOPNOTSUPP, alloc_viommu(self->guest, self->dev, ~0U, NULL,
					    0));
}

TEST_F(refuse, viommu_data)
{
	struct {
		struct iommu_viommu_amd amd;
		__u64 more;
	} data;

	memset(&data, 0, sizeof(data));
	data.amd.out_caps = ~0U;
	data.amd.out_vfmmio_mmap_offset = ~0ULL;
	data.amd.out_vfmmio_mmap_length = ~0ULL;
	EXPECT_EQ(0, alloc_viommu(self->guest, self->dev,
				  IOMMU_VIOMMU_TYPE_AMD, &data,
				  sizeof(data.amd)));
	/* If software runs the rings, then there is no page to map */
	EXPECT_NE(~0U, data.amd.out_caps);
	EXPECT_EQ(!data.amd.out_caps, !data.amd.out_vfmmio_mmap_offset);
	EXPECT_EQ(data.amd.out_caps ? AMD_PAGE : 0,
		  data.amd.out_vfmmio_mmap_length);

	EXPECT_EQ(-EINVAL, alloc_viommu(self->guest, self->dev,
					IOMMU_VIOMMU_TYPE_AMD, &data,
					sizeof(data)));
	data.amd.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP, alloc_viommu(self->guest, self->dev,
					    IOMMU_VIOMMU_TYPE_AMD, &data,
					    sizeof(data.amd)));
	EXPECT_EQ(-EINVAL, alloc_viommu(self->guest, self->dev,
					IOMMU_VIOMMU_TYPE_AMD, &data, 8));
	EXPECT_EQ(-EFAULT, alloc_viommu(self->guest, self->dev,
					IOMMU_VIOMMU_TYPE_AMD, (void *)8,
					sizeof(data.amd)));
}

/* The VMM is told where it can read and not write: nothing may be left */
TEST_F(refuse, viommu_data_read_only)
{
	void *page = mmap(NULL, AMD_PAGE, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_EQ(-EFAULT, alloc_viommu(self->guest, self->dev,
					IOMMU_VIOMMU_TYPE_AMD, page,
					sizeof(struct iommu_viommu_amd)));
	EXPECT_EQ(0, alloc_viommu(self->guest, self->dev,
				  IOMMU_VIOMMU_TYPE_AMD, NULL, 0));
	munmap(page, AMD_PAGE);
}

TEST_F(refuse, viommu_on_no_nesting_parent)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->dev->dev_id,
		.pt_id = self->guest->ioas_id,
	};
	struct amd_guest guest = *self->guest;

	ASSERT_EQ(0, ioctl_rc(guest.iommufd, IOMMU_HWPT_ALLOC, &cmd));
	guest.hwpt_id = cmd.out_hwpt_id;
	EXPECT_EQ(-EINVAL, alloc_viommu(&guest, self->dev,
					IOMMU_VIOMMU_TYPE_AMD, NULL, 0));
}

/* What a vIOMMU without hardware does not have */
TEST_F(refuse, hw_queue)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = self->guest->viommu_id,
		.nesting_parent_iova = AMD_RAM_GPA,
		.length = AMD_PAGE,
	};

	for (cmd.type = 1; cmd.type < 16; cmd.type++)
		EXPECT_EQ(-EOPNOTSUPP, ioctl_rc(self->guest->iommufd,
						IOMMU_HW_QUEUE_ALLOC, &cmd));
}

TEST_F(refuse, command)
{
	struct iommu_viommu_command cmd = {
		.size = sizeof(cmd),
		.object_id = self->guest->viommu_id,
	};
	unsigned int index;

	for (index = 0; index <= UINT16_MAX; index++) {
		cmd.index = index;
		ASSERT_EQ(-EOPNOTSUPP, ioctl_rc(self->guest->iommufd,
						IOMMU_VIOMMU_COMMAND, &cmd));
	}
}

/* IOMMU_VDEVICE_ALLOC */

TEST_F(refuse, vdevice_id)
{
	__u32 id;
	int bit;

	for (bit = 16; bit < 64; bit++)
		EXPECT_EQ(-EINVAL, amd_guest_vdevice(self->guest, self->dev,
						     1ULL << bit, NULL));
	ASSERT_EQ(0, amd_guest_vdevice(self->guest, self->dev, 0xffff, &id));
	EXPECT_EQ(-EEXIST, amd_guest_vdevice(self->guest, self->dev, 1, NULL));
	ASSERT_EQ(0, amd_guest_destroy(self->guest, id));
	ASSERT_EQ(0, amd_guest_vdevice(self->guest, self->dev, 0, &id));
}

/* IOMMU_HWPT_ALLOC */

/* 0 is undone, so that cases can go on */
static int try_dte(struct amd_guest *guest, struct amd_device *dev,
		   const __u64 dte[4])
{
	__u32 id;
	int rc = amd_guest_nested(guest, dev, dte, &id);

	return rc ?: amd_guest_destroy(guest, id);
}

/* What each bit of a DTE is for, as the uAPI header has it */
static int expected(unsigned int word, unsigned int bit)
{
	static const __u64 taken[4] = {
		/* V TV GIOV GV, GLX bit 0, GCR3, IR IW */
		0x7dc0000000000003ULL,
		~0ULL,
		/* All but 53:52, and the levels have one bit */
		~0x00b0000000000000ULL,
		0,
	};

	if (word == 0 && (1ULL << bit) == GDTE_0_PPR)
		return -EOPNOTSUPP;
	/* GLX of 2, where the hardware has 1 */
	if (word == 0 && bit == GDTE_0_GLX_SHIFT + 1)
		return -EOPNOTSUPP;
	return taken[word] & (1ULL << bit) ? 0 : -EINVAL;
}

TEST_F(refuse, each_bit_of_a_dte)
{
	unsigned int word, bit;
	__u64 dte[4];

	for (word = 0; word < 4; word++) {
		for (bit = 0; bit < 64; bit++) {
			memcpy(dte, self->dte, sizeof(dte));
			dte[word] |= 1ULL << bit;
			EXPECT_EQ(expected(word, bit),
				  try_dte(self->guest, self->dev, dte))
				TH_LOG("word %u bit %u", word, bit);
		}
	}
}

/* Not valid: the hardware does not look, and so does nobody */
TEST_F(refuse, no_bit_of_a_dte_that_is_not_valid)
{
	__u64 dte[4] = { ~GDTE_0_V, ~0ULL, ~0ULL, ~0ULL };

	EXPECT_EQ(0, try_dte(self->guest, self->dev, dte));
	dte[0] |= GDTE_0_V;
	EXPECT_EQ(-EINVAL, try_dte(self->guest, self->dev, dte));
}

TEST_F(refuse, glx)
{
	const __u64 glx = 3ULL << GDTE_0_GLX_SHIFT;

	EXPECT_EQ(-EINVAL, try_dte(self->guest, self->dev, (__u64[]){
		self->dte[0] | glx, self->dte[1], self->dte[2], 0 }));
	/* There are no tables, so they have no levels */
	EXPECT_EQ(0, try_dte(self->guest, self->dev, (__u64[]){
		(self->dte[0] | glx) & ~GDTE_0_GV, self->dte[1], 0, 0 }));
}

TEST_F(refuse, no_gcr3_table)
{
	self->tables.gcr3 = 0;
	amd_tables_dte(&self->tables, AMD_DOMID, self->dte);
	EXPECT_EQ(-EINVAL, try_dte(self->guest, self->dev, self->dte));
	self->dte[0] &= ~GDTE_0_GV;
	EXPECT_EQ(0, try_dte(self->guest, self->dev, self->dte));
}

TEST_F(refuse, nested_data)
{
	struct {
		struct iommu_hwpt_amd_guest dte;
		__u64 more;
	} data = {};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->dev->dev_id,
		.pt_id = self->guest->viommu_id,
		.data_type = IOMMU_HWPT_DATA_AMD_GUEST,
		.data_len = sizeof(data.dte),
		.data_uptr = (uintptr_t)&data,
	};
	int fd = self->guest->iommufd;

	memcpy(data.dte.dte, self->dte, sizeof(self->dte));
	cmd.flags = IOMMU_HWPT_ALLOC_PASID;
	EXPECT_EQ(-EOPNOTSUPP, ioctl_rc(fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	EXPECT_EQ(-EOPNOTSUPP, ioctl_rc(fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.flags = 0;

	cmd.data_type = IOMMU_HWPT_DATA_VTD_S1;
	EXPECT_EQ(-EOPNOTSUPP, ioctl_rc(fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.data_type = IOMMU_HWPT_DATA_ARM_SMMUV3;
	EXPECT_EQ(-EOPNOTSUPP, ioctl_rc(fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.data_type = IOMMU_HWPT_DATA_AMD_GUEST;

	cmd.data_len = sizeof(data.dte) - 8;
	EXPECT_EQ(-EINVAL, ioctl_rc(fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.data_len = sizeof(data);
	EXPECT_EQ(-EINVAL, ioctl_rc(fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.data_len = sizeof(data.dte);
	EXPECT_EQ(0, ioctl_rc(fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.data_uptr = 8;
	EXPECT_EQ(-EFAULT, ioctl_rc(fd, IOMMU_HWPT_ALLOC, &cmd));

	/* A nested HWPT is on a vIOMMU only */
	cmd.data_uptr = (uintptr_t)&data;
	cmd.pt_id = self->guest->hwpt_id;
	EXPECT_EQ(-EOPNOTSUPP, ioctl_rc(fd, IOMMU_HWPT_ALLOC, &cmd));
}

/* All the domain IDs of the host are not for one guest */
TEST_F(refuse, too_many_domains)
{
	static __u32 ids[1024];
	const __u64 nothing[4] = {};
	__u32 more;
	int i;

	for (i = 0; i < 1024; i++) {
		amd_tables_dte(&self->tables, i, self->dte);
		ASSERT_EQ(0, amd_guest_nested(self->guest, self->dev, self->dte,
					      &ids[i]));
	}
	amd_tables_dte(&self->tables, 1024, self->dte);
	EXPECT_EQ(-ENOSPC, try_dte(self->guest, self->dev, self->dte));
	EXPECT_EQ(-ENOSPC, try_dte(self->guest, self->dev, self->dte));
	/* One that is there already, or needs none */
	amd_tables_dte(&self->tables, 7, self->dte);
	EXPECT_EQ(0, try_dte(self->guest, self->dev, self->dte));
	EXPECT_EQ(0, try_dte(self->guest, self->dev, nothing));

	ASSERT_EQ(0, amd_guest_destroy(self->guest, ids[1023]));
	amd_tables_dte(&self->tables, 1024, self->dte);
	EXPECT_EQ(0, amd_guest_nested(self->guest, self->dev, self->dte,
				      &more));
	EXPECT_EQ(0, amd_guest_destroy(self->guest, more));
	for (i = 0; i < 1023; i++)
		ASSERT_EQ(0, amd_guest_destroy(self->guest, ids[i]));
}

/* More vIOMMUs are no more IDs, and somebody else gets what he needs */
TEST_F(refuse, too_many_domains_of_many_viommus)
{
	enum { VIOMMUS = 16, IDS = 1024 };
	static __u32 ids[IDS];
	struct amd_guest guests[VIOMMUS];
	struct amd_setup other;
	__u32 hwpt_id;
	int i;

	for (i = 0; i < VIOMMUS; i++) {
		guests[i] = *self->guest;
		ASSERT_EQ(0, amd_guest_viommu(&guests[i], self->dev));
	}
	for (i = 0; i < IDS; i++) {
		amd_tables_dte(&self->tables, i, self->dte);
		ASSERT_EQ(0, amd_guest_nested(&guests[i % VIOMMUS], self->dev,
					      self->dte, &ids[i]));
	}
	amd_tables_dte(&self->tables, IDS, self->dte);
	for (i = 0; i < VIOMMUS; i++)
		EXPECT_EQ(-ENOSPC, try_dte(&guests[i], self->dev, self->dte));
	EXPECT_EQ(-ENOSPC, try_dte(self->guest, self->dev, self->dte));

	/* Its nesting parent takes one of the host's IDs, the rest does not */
	ASSERT_EQ(NULL, amd_setup_device(&other, 1));
	EXPECT_EQ(0, amd_guest_nested(&other.guest, &other.dev, self->dte,
				      &hwpt_id));
	amd_setup_close(&other);

	for (i = 0; i < IDS; i++)
		ASSERT_EQ(0, amd_guest_destroy(self->guest, ids[i]));
	for (i = 0; i < VIOMMUS; i++)
		ASSERT_EQ(0, amd_guest_destroy(self->guest,
					       guests[i].viommu_id));
	EXPECT_EQ(0, try_dte(self->guest, self->dev, self->dte));
}

/* Attach */

/* Not refused, as it must not be after a reset, but the device is blocked */
TEST_F(refuse, attach_without_vdevice)
{
	const __u64 blocking[4] = { GDTE_0_V };
	__u64 page = amd_guest_page(self->guest);
	__u32 nested, blocked;

	ASSERT_EQ(0, amd_tables_map(self->guest, &self->tables, AMD_GVA, page,
				    AMD_PTE_W, false));
	ASSERT_EQ(0, amd_guest_nested(self->guest, self->dev, self->dte,
				      &nested));
	EXPECT_EQ(0, amd_device_attach(self->dev, nested));
	test_no_dma_at(&self->setup, AMD_GVA, page);
	test_no_dma_at(&self->setup, page, page);
	ASSERT_EQ(0, amd_guest_nested(self->guest, self->dev,
				      blocking, &blocked));
	EXPECT_EQ(0, amd_device_attach(self->dev, blocked));
	EXPECT_EQ(0, amd_device_attach(self->dev, nested));
	test_no_dma_at(&self->setup, AMD_GVA, page);
	ASSERT_EQ(0, amd_setup_vdevice(&self->setup));
	test_dma_at(&self->setup, AMD_GVA, page);
}

/* IOMMU_HWPT_INVALIDATE */

static int invalidate(struct amd_guest *guest, __u64 cmd0, __u64 cmd1)
{
	struct iommu_viommu_amd_invalidate cmd = { { cmd0, cmd1 } };
	__u32 num = 1;
	int rc = amd_guest_invalidate(guest, &cmd, &num);

	return num == !rc ? rc : -EPROTO;
}

TEST_F(refuse, opcodes)
{
	__u64 op;

	for (op = 0; op < 16; op++)
		EXPECT_EQ(op == 2 || op == 3 || op == 4 || op == 8 ?
			  0 : -EOPNOTSUPP,
			  invalidate(self->guest, op << 60, 0))
			TH_LOG("opcode %llu", op);
}

TEST_F(refuse, each_bit_of_a_command)
{
	/* Words 0 and 1: what a guest may set beside the opcode */
	static const struct {
		__u64 op;
		__u64 may[2];
	} cmds[] = {
		{ 2, { 0xffffULL, 0 } },
		{ 3, { 0x0000ffff000fffffULL, 0xfffffffffffff007ULL } },
		{ 4, { 0x0fffffffffffffffULL, 0xfffffffffffff005ULL } },
		{ 8, { 0, 0 } },
	};
	unsigned int i, bit;

	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		for (bit = 0; bit < 60; bit++)
			EXPECT_EQ(cmds[i].may[0] >> bit & 1 ? 0 : -EINVAL,
				  invalidate(self->guest, cmds[i].op << 60 |
					     1ULL << bit, 0))
				TH_LOG("opcode %llu bit %u", cmds[i].op, bit);
		for (bit = 0; bit < 64; bit++)
			EXPECT_EQ(cmds[i].may[1] >> bit & 1 ? 0 : -EINVAL,
				  invalidate(self->guest, cmds[i].op << 60,
					     1ULL << bit))
				TH_LOG("opcode %llu bit %u", cmds[i].op,
				       64 + bit);
	}
}

/* Those before the wrong one are done, and the VMM knows how many */
TEST_F(refuse, wrong_command_in_a_batch)
{
	struct iommu_viommu_amd_invalidate cmds[1000];
	__u32 num;
	int i;

	for (i = 0; i < 1000; i++)
		cmds[i] = amd_cmd_pages(i, 0, AMD_GVA, i & 1);
	num = 1000;
	EXPECT_EQ(0, amd_guest_invalidate(self->guest, cmds, &num));
	EXPECT_EQ(1000, num);

	cmds[700].cmd[1] |= 8;
	EXPECT_EQ(-EINVAL, amd_guest_invalidate(self->guest, cmds, &num));
	EXPECT_EQ(700, num);
	cmds[300].cmd[0] = 1ULL << 60;
	num = 1000;
	EXPECT_EQ(-EOPNOTSUPP, amd_guest_invalidate(self->guest, cmds, &num));
	EXPECT_EQ(300, num);
	cmds[0].cmd[0] = 0;
	num = 1000;
	EXPECT_EQ(-EOPNOTSUPP, amd_guest_invalidate(self->guest, cmds, &num));
	EXPECT_EQ(0, num);
}

TEST_F(refuse, invalidation_array)
{
	struct iommu_viommu_amd_invalidate inv[2] = {};
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = self->guest->viommu_id,
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_AMD,
	};
	int fd = self->guest->iommufd;

	/* The question whether the type is known */
	EXPECT_EQ(0, ioctl_rc(fd, IOMMU_HWPT_INVALIDATE, &cmd));
	cmd.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3;
	EXPECT_EQ(-EINVAL, ioctl_rc(fd, IOMMU_HWPT_INVALIDATE, &cmd));
	cmd.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_AMD;

	cmd.data_uptr = (uintptr_t)inv;
	cmd.entry_num = 1;
	cmd.entry_len = 8;
	EXPECT_EQ(-EINVAL, ioctl_rc(fd, IOMMU_HWPT_INVALIDATE, &cmd));
	EXPECT_EQ(0, cmd.entry_num);

	inv[0] = amd_cmd_all();
	cmd.entry_num = 1;
	cmd.entry_len = sizeof(inv);
	EXPECT_EQ(-EINVAL, ioctl_rc(fd, IOMMU_HWPT_INVALIDATE, &cmd));
	cmd.entry_num = 1;
	cmd.entry_len = sizeof(*inv);
	EXPECT_EQ(0, ioctl_rc(fd, IOMMU_HWPT_INVALIDATE, &cmd));
	EXPECT_EQ(1, cmd.entry_num);
	cmd.data_uptr = 8;
	EXPECT_EQ(-EFAULT, ioctl_rc(fd, IOMMU_HWPT_INVALIDATE, &cmd));
	EXPECT_EQ(0, cmd.entry_num);
}

/* As Linux does it at boot, for IDs that nothing has been allocated for */
TEST_F(refuse, no_unknown_id)
{
	struct iommu_viommu_amd_invalidate *cmds;
	__u32 num = 0x20000, i;

	cmds = calloc(num, sizeof(*cmds));
	ASSERT_NE(NULL, cmds);
	for (i = 0; i < 0x10000; i++) {
		cmds[i] = amd_cmd_devtab(i);
		cmds[0x10000 + i] = amd_cmd_pages(i, 0, 0, true);
	}
	EXPECT_EQ(0, amd_guest_invalidate(self->guest, cmds, &num));
	EXPECT_EQ(0x20000, num);
	free(cmds);
}

/* The queue is for one type, of which there is one */
TEST_F(refuse, second_veventq)
{
	__u32 id;
	int fd;

	ASSERT_EQ(0, amd_setup_vdevice(&self->setup));
	EXPECT_EQ(-EEXIST, amd_guest_veventq(self->guest, 4, &id, &fd));
}

TEST_HARNESS_MAIN
