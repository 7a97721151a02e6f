// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_VIOMMU_COMMAND: the guest's control, base and status registers
 *
 * A VMM traps the guest's control and base registers. The bits of control that
 * are about rings are here; the others are the VMM's to emulate, or nobody's.
 */
#include <linux/bitfield.h>
#include <linux/iommufd.h>

#include "amd_iommu.h"
#include "viommu.h"
#include "viommu_trace.h"

/* Guest control register, where the IOMMU's own has no names for it */
#define CONTROL_DUAL_PPR_LOG	GENMASK_ULL(31, 30)
#define CONTROL_DUAL_EVT_LOG	GENMASK_ULL(33, 32)
#define CONTROL_PPR_AUTO_RSP_EN	BIT_ULL(39)
#define CONTROL_BLK_STOP_MRK_EN	BIT_ULL(41)
#define CONTROL_PPR_AUTO_AON	BIT_ULL(42)

#define CONTROL_MASK							\
	(BIT_ULL(CONTROL_EVT_LOG_EN) | BIT_ULL(CONTROL_EVT_INT_EN) |	\
	 BIT_ULL(CONTROL_COMWAIT_EN) | BIT_ULL(CONTROL_CMDBUF_EN) |	\
	 BIT_ULL(CONTROL_PPRLOG_EN) | BIT_ULL(CONTROL_PPRINT_EN) |	\
	 BIT_ULL(CONTROL_PPR_EN) | CONTROL_DUAL_PPR_LOG |		\
	 CONTROL_DUAL_EVT_LOG | CONTROL_PPR_AUTO_RSP_EN |		\
	 CONTROL_BLK_STOP_MRK_EN | CONTROL_PPR_AUTO_AON)

/* Bits of the guest's control register, and those of the host's registers */
static const struct {
	u64 control;
	u8 reg;
	u64 bits;
} control_map[] = {
	{ BIT_ULL(CONTROL_CMDBUF_EN), VFC_CMD, VFC_CMD_EN },
	{ BIT_ULL(CONTROL_COMWAIT_EN), VFC_CMD, VFC_CMD_CW_INT_EN },
	{ BIT_ULL(CONTROL_EVT_LOG_EN), VFC_EVT, VFC_EVT_EN },
	{ BIT_ULL(CONTROL_EVT_INT_EN), VFC_EVT, VFC_EVT_INT_EN },
	{ CONTROL_DUAL_EVT_LOG, VFC_EVT, VFC_EVT_DUAL },
	{ BIT_ULL(CONTROL_PPRLOG_EN), VFC_PPR, VFC_PPR_EN },
	{ BIT_ULL(CONTROL_PPRINT_EN), VFC_PPR, VFC_PPR_INT_EN },
	{ BIT_ULL(CONTROL_PPR_EN), VFC_PPR, VFC_PPR_SERVICE_EN },
	{ CONTROL_DUAL_PPR_LOG, VFC_PPR, VFC_PPR_DUAL },
	{ CONTROL_PPR_AUTO_RSP_EN, VFC_PPR, VFC_PPR_AUTO_RSP_EN },
	{ CONTROL_BLK_STOP_MRK_EN, VFC_PPR, VFC_PPR_BLK_STOP_EN },
	{ CONTROL_PPR_AUTO_AON, VFC_PPR, VFC_PPR_AUTO_RSP_AON },
};

/* What a bit needs: rings of the guest, features of the IOMMU */
static const struct {
	u64 control;
	unsigned long rings;
	u64 features;
} control_needs[] = {
	{ BIT_ULL(CONTROL_CMDBUF_EN), BIT(AMD_VIOMMU_CMD), 0 },
	{ BIT_ULL(CONTROL_EVT_LOG_EN), BIT(AMD_VIOMMU_EVT), 0 },
	{ CONTROL_DUAL_EVT_LOG, BIT(AMD_VIOMMU_EVT) | BIT(AMD_VIOMMU_EVT_B),
	  0 },
	{ BIT_ULL(CONTROL_PPRLOG_EN), BIT(AMD_VIOMMU_PPR), FEATURE_PPR },
	{ BIT_ULL(CONTROL_PPRINT_EN), 0, FEATURE_PPR },
	{ BIT_ULL(CONTROL_PPR_EN), 0, FEATURE_PPR },
	{ CONTROL_DUAL_PPR_LOG, BIT(AMD_VIOMMU_PPR) | BIT(AMD_VIOMMU_PPR_B),
	  FEATURE_PPR },
	{ CONTROL_PPR_AUTO_RSP_EN, 0, FEATURE_PPR_AUTO_RSP },
	{ CONTROL_BLK_STOP_MRK_EN, 0, FEATURE_BLK_STOP_MRK },
	{ CONTROL_PPR_AUTO_AON, 0, FEATURE_PPR_AUTO_RSP },
};

#define GET	IOMMUFD_VIOMMU_COMMAND_GET
#define SET	IOMMUFD_VIOMMU_COMMAND_SET

const struct iommufd_viommu_command
amd_viommu_commands[AMD_VIOMMU_NUM_COMMANDS] = {
	{ IOMMU_VIOMMU_AMD_CMD_CMD_BASE, IOMMU_VIOMMU_AMD_CMD_CMD_BASE, GET },
	{ IOMMU_VIOMMU_AMD_CMD_EVT_BASE, IOMMU_VIOMMU_AMD_CMD_EVT_BASE, GET },
	{ IOMMU_VIOMMU_AMD_CMD_CONTROL, IOMMU_VIOMMU_AMD_CMD_CONTROL,
	  GET | SET, CONTROL_MASK },
	{ IOMMU_VIOMMU_AMD_CMD_PPR_BASE, IOMMU_VIOMMU_AMD_CMD_PPR_BASE, GET },
	{ IOMMU_VIOMMU_AMD_CMD_PPR_B_BASE, IOMMU_VIOMMU_AMD_CMD_PPR_B_BASE,
	  GET },
	{ IOMMU_VIOMMU_AMD_CMD_EVT_B_BASE, IOMMU_VIOMMU_AMD_CMD_EVT_B_BASE,
	  GET },
	{ IOMMU_VIOMMU_AMD_CMD_STATUS, IOMMU_VIOMMU_AMD_CMD_STATUS, GET },
};

/**
 * amd_viommu_control_to_regs - Put the guest's control register into the host's
 * @control: the guest's, without other bits than those of the command
 * @regs: registers of the host; bases and lengths stay as they are
 */
void amd_viommu_control_to_regs(u64 control, u64 regs[VFC_NUM_REGS])
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(control_map); i++) {
		u64 *reg = &regs[control_map[i].reg / 8];
		u64 value = (control & control_map[i].control) >>
			    __ffs64(control_map[i].control);

		*reg &= ~control_map[i].bits;
		*reg |= value << __ffs64(control_map[i].bits);
	}
}

/**
 * amd_viommu_control_from_regs - The reverse of amd_viommu_control_to_regs()
 * @regs: registers of the host
 *
 * Return: the guest's control register
 */
u64 amd_viommu_control_from_regs(const u64 regs[VFC_NUM_REGS])
{
	u64 control = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(control_map); i++) {
		u64 value = (regs[control_map[i].reg / 8] &
			     control_map[i].bits) >>
			    __ffs64(control_map[i].bits);

		control |= value << __ffs64(control_map[i].control);
	}
	return control;
}

/**
 * amd_viommu_control_check - Is there what a control register enables?
 * @control: the guest's
 * @features: EFR of the IOMMU
 * @rings: bit per enum amd_viommu_ring that has a HW queue
 *
 * Return: 0, -EINVAL
 */
int amd_viommu_control_check(u64 control, u64 features, unsigned long rings)
{
	unsigned int i;

	if (FIELD_GET(CONTROL_DUAL_EVT_LOG, control) > 1 ||
	    FIELD_GET(CONTROL_DUAL_PPR_LOG, control) > 1)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(control_needs); i++) {
		if (!(control & control_needs[i].control))
			continue;
		if ((control_needs[i].rings & ~rings) ||
		    (control_needs[i].features & ~features))
			return -EINVAL;
	}
	return 0;
}

static unsigned long rings_of(const struct amd_viommu_guest *guest)
{
	unsigned long rings = 0;
	unsigned int i;

	for (i = 0; i < AMD_VIOMMU_NUM_RINGS; i++)
		if (guest->queues[i])
			rings |= BIT(i);
	return rings;
}

static int get_base(struct amd_viommu_guest *guest, enum amd_viommu_ring ring,
		    u64 *val64)
{
	u64 regs[VFC_NUM_REGS];
	unsigned int i;

	if (!guest->queues[ring])
		return -ENOENT;
	for (i = VFC_EVT_B_BASE / 8; i < VFC_NUM_REGS; i++)
		regs[i] = amd_viommu_vfc_read(guest, i * 8);
	*val64 = amd_viommu_ring_base(regs, ring);
	return 0;
}

static u64 get_control(struct amd_viommu_guest *guest)
{
	u64 regs[VFC_NUM_REGS];

	regs[VFC_CMD / 8] = amd_viommu_vfc_enables(guest, VFC_CMD);
	regs[VFC_EVT / 8] = amd_viommu_vfc_enables(guest, VFC_EVT);
	regs[VFC_PPR / 8] = amd_viommu_vfc_enables(guest, VFC_PPR);
	return amd_viommu_control_from_regs(regs);
}

static int get_status(struct amd_viommu_guest *guest, u64 *val64)
{
	u64 status = amd_viommu_vf_read(guest, VF_STATUS);

	if (status == U64_MAX)
		return -EIO;
	*val64 = status;
	return 0;
}

/**
 * amd_viommu_get_command - See struct iommufd_viommu_ops
 * @viommu: the vIOMMU
 * @index: one of enum iommu_viommu_amd_command
 * @val64: value
 *
 * Return: 0, -ENOENT for a ring that has no HW queue, -EIO if the hardware is
 * gone
 */
int amd_viommu_get_command(struct iommufd_viommu *viommu, u16 index,
			   u64 *val64)
{
	struct amd_viommu_guest *guest = to_amd_viommu(viommu)->guest;
	int ret = 0;

	if (amd_viommu_is_gone(guest))
		return -EIO;

	switch (index) {
	case IOMMU_VIOMMU_AMD_CMD_CMD_BASE:
		ret = get_base(guest, AMD_VIOMMU_CMD, val64);
		break;
	case IOMMU_VIOMMU_AMD_CMD_EVT_BASE:
		ret = get_base(guest, AMD_VIOMMU_EVT, val64);
		break;
	case IOMMU_VIOMMU_AMD_CMD_PPR_BASE:
		ret = get_base(guest, AMD_VIOMMU_PPR, val64);
		break;
	case IOMMU_VIOMMU_AMD_CMD_EVT_B_BASE:
		ret = get_base(guest, AMD_VIOMMU_EVT_B, val64);
		break;
	case IOMMU_VIOMMU_AMD_CMD_PPR_B_BASE:
		ret = get_base(guest, AMD_VIOMMU_PPR_B, val64);
		break;
	case IOMMU_VIOMMU_AMD_CMD_STATUS:
		ret = get_status(guest, val64);
		break;
	default:
		*val64 = get_control(guest);
	}
	trace_amd_viommu_command(guest, index, false, *val64, ret);
	return ret;
}

/* What goes off has to have stopped before the guest may reuse the memory */
static u64 stops(const struct amd_viommu_guest *guest, const u64 *regs)
{
	const u64 *now = guest->shadow;
	u64 running = 0;

	if (now[VFC_CMD / 8] & ~regs[VFC_CMD / 8] & VFC_CMD_EN)
		running |= VF_STATUS_CMD_RUN;
	if (now[VFC_EVT / 8] & ~regs[VFC_EVT / 8] & VFC_EVT_EN)
		running |= VF_STATUS_EVT_RUN;
	if (now[VFC_PPR / 8] & ~regs[VFC_PPR / 8] & VFC_PPR_EN)
		running |= VF_STATUS_PPR_RUN;
	return running;
}

static int set_control(struct amd_viommu_guest *guest, u64 control)
{
	u64 regs[VFC_NUM_REGS], running;
	bool enable;
	int ret;

	ret = amd_viommu_control_check(control, guest->hw->iommu->features,
				       rings_of(guest));
	if (ret)
		return ret;
	if (amd_viommu_is_gone(guest) || guest->stuck || !guest->trans_devid ||
	    !amd_viommu_has_stopped(guest))
		return -EIO;

	memcpy(regs, guest->shadow, sizeof(regs));
	amd_viommu_control_to_regs(control, regs);
	if (regs[VFC_CMD / 8] & VFC_CMD_EN)
		amd_viommu_fill_maps(guest);

	running = stops(guest, regs);
	amd_viommu_rearm(guest);
	/* What a command does wrong is for the log, so that is on meanwhile */
	enable = regs[VFC_CMD / 8] & VFC_CMD_EN;
	if (!enable)
		amd_viommu_vfc_write(guest, VFC_CMD, regs[VFC_CMD / 8]);
	amd_viommu_vfc_write(guest, VFC_EVT, regs[VFC_EVT / 8]);
	amd_viommu_vfc_write(guest, VFC_PPR, regs[VFC_PPR / 8]);
	if (enable)
		amd_viommu_vfc_write(guest, VFC_CMD, regs[VFC_CMD / 8]);
	if (!running)
		return 0;
	/* They are off, but may go on with what they have begun */
	return amd_viommu_wait_stopped(guest, running);
}

/**
 * amd_viommu_set_command - See struct iommufd_viommu_ops
 * @viommu: the vIOMMU
 * @index: IOMMU_VIOMMU_AMD_CMD_CONTROL, there is no other
 * @val64: value
 *
 * Return: 0, -EINVAL if there is no such ring, -EIO if the hardware is gone or
 * does not stop
 */
int amd_viommu_set_command(struct iommufd_viommu *viommu, u16 index,
			   u64 val64)
{
	struct amd_viommu_guest *guest = to_amd_viommu(viommu)->guest;
	int ret = set_control(guest, val64);

	trace_amd_viommu_command(guest, index, true, val64, ret);
	return ret;
}
