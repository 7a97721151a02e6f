/*
 * Host side of the Tegra241 CMDQV: what a guest's command may do
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Called by the SMMU's command engine for each command of a virtual queue. A
 * VINTF that the hypervisor owns is trusted. In any other the VMID of the
 * VINTF takes the place of the one in the command, StreamIDs go through the
 * map of the VINTF, and all but a few commands are illegal.
 */

#include "qemu/osdep.h"
#include "hw/core/irq.h"
#include "tegra241-host.h"
#include "trace.h"

bool tegra241_host_stopped(TegraHostQueue *vq)
{
    return !(vq->status & TH_Q_EN) || (th_pending(vq) & TH_GERROR_CMDQ) ||
           th_bit(vq->h->queue_stall, vq->index);
}

MemTxResult tegra241_host_fetched(TegraHostQueue *vq, MemTxResult res)
{
    return th_bit(vq->h->fetch_error, vq->index) ? MEMTX_ERROR : res;
}

static bool replace_sid(TegraHostQueue *vq, Cmd *cmd)
{
    TegraHostVintf *vi = tegra241_host_vintf(vq);
    unsigned i;

    for (i = 0; i < 1u << vq->h->log2_sids; i++) {
        if (FIELD_EX32(vi->match[i], TH_SID_MATCH, EN) &&
            CMD_SID(cmd) == FIELD_EX32(vi->match[i], TH_SID_MATCH, VIRT_SID)) {
            trace_tegra241_host_sid(vq->index, CMD_SID(cmd), vi->replace[i]);
            cmd->word[1] = vi->replace[i];
            return true;
        }
    }
    return false;
}

/* What the queue of a guest has; the SMMU itself decides on all others */
static int guest_command(TegraHostQueue *vq, Cmd *cmd)
{
    uint32_t config = tegra241_host_vintf(vq)->config;
    uint32_t vmid = FIELD_EX32(config, TH_VI_CONFIG, VMID);

    switch (CMD_TYPE(cmd)) {
    case SMMU_CMD_TLBI_NH_ASID:
    case SMMU_CMD_TLBI_NH_VA:
        cmd->word[1] = deposit32(cmd->word[1], 0, 16, vmid);
        return SMMU_CERROR_NONE;
    case SMMU_CMD_ATC_INV:
        return replace_sid(vq, cmd) ? SMMU_CERROR_NONE : TH_CERROR_ILL_ACCESS;
    case SMMU_CMD_SYNC:
        return SMMU_CERROR_NONE;
    default:
        return SMMU_CERROR_ILL;
    }
}

int tegra241_host_filter(TegraHostQueue *vq, Cmd *cmd)
{
    int error = SMMU_CERROR_NONE;

    trace_tegra241_host_command(vq->index, smmu_cmd_string(CMD_TYPE(cmd)),
                                CMD_SID(cmd));
    if (!FIELD_EX32(tegra241_host_vintf(vq)->config, TH_VI_CONFIG, HYP_OWN)) {
        error = guest_command(vq, cmd);
    }
    if (CMD_TYPE(cmd) == SMMU_CMD_SYNC) {
        /* Nothing but polling CONS tells of the completion */
        if (CMD_SYNC_CS(cmd) != CMD_SYNC_SIG_NONE) {
            error = SMMU_CERROR_ILL;
        } else if (vq->atc_pending) {
            vq->atc_pending = false;
            error = SMMU_CERROR_ATC_INV_SYNC;
        } else {
            vq->syncs++;
        }
    }
    if (error) {
        vq->refused++;
        return error;
    }
    vq->last_id = CMD_TYPE(cmd) == SMMU_CMD_ATC_INV ? CMD_SID(cmd) :
                  CMD_TYPE(cmd) == SMMU_CMD_SYNC ? vq->last_id :
                  CMD_VMID(cmd);
    if (CMD_TYPE(cmd) == SMMU_CMD_ATC_INV && vq->h->atc_timeout) {
        vq->atc_pending = true;
    }
    vq->commands++;
    return SMMU_CERROR_NONE;
}

/* CONS goes to memory as well, if software has asked for that */
static void store_cons(TegraHostQueue *vq)
{
    uint32_t cons = cpu_to_le32(vq->q.cons);

    if (!vq->dram || !FIELD_EX32(vq->h->config, TH_CONFIG, CONS_DRAM_EN)) {
        return;
    }
    if (dma_memory_write(&address_space_memory, vq->dram, &cons, sizeof(cons),
                         MEMTXATTRS_UNSPECIFIED) != MEMTX_OK) {
        tegra241_host_raise(vq, TH_GERROR_DRAM);
    }
}

/* The engine has stopped: the queue is empty or the command at CONS is bad */
void tegra241_host_done(TegraHostQueue *vq, int error)
{
    if (error) {
        vq->q.cons = deposit32(vq->q.cons, 24, 7, error);
        tegra241_host_raise(vq, TH_GERROR_CMDQ);
    }
    store_cons(vq);
}

/*
 * A CMD_SYNC of the SMMU's own queue collects the timeouts that disabled
 * virtual queues have left behind. Without it the next owner gets them.
 */
void tegra241_host_smmu_command(SMMUv3State *s, const Cmd *cmd)
{
    TegraHost *h = s->cmdqv_host;
    unsigned i;

    h->smmu_commands++;
    if (CMD_TYPE(cmd) != SMMU_CMD_SYNC) {
        return;
    }
    h->smmu_syncs++;
    for (i = 0; i < th_queues(h); i++) {
        if (!(h->queue[i].status & TH_Q_EN)) {
            h->queue[i].atc_pending = false;
        }
    }
}
