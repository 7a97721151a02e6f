/*
 * libqos: AMD hardware vIOMMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Does what a correct host driver does, step by step, so that a test of a
 * deliberate mistake can leave out or falsify one of the steps.
 */

#ifndef QTEST_LIBQOS_AMD_VIOMMU_H
#define QTEST_LIBQOS_AMD_VIOMMU_H

#include "qos-amd-iommu.h"
#include "hw/i386/amd_viommu_regs.h"

#define QAV_PAS_DOMID           0x7f00
#define QAV_TRANS_DEVID         0x1ff0
#define QAV_RING_CODE           8

/**
 * QAMDVIOMMU - the host side
 * @q: IOMMU and device
 * @own: the IOMMU's own device ID
 * @pas_root: of the table of private address space, 4 levels
 */
typedef struct QAMDVIOMMU {
    QAMDIOMMU *q;
    uint16_t own;
    uint64_t pas_root;
} QAMDVIOMMU;

/**
 * QAVGuest - one guest
 * @s2: root of its nesting parent's table, 4 levels
 * @domid: of the parent
 * @trans: its translate device
 * @ring: guest address of the command ring, @ring_spa where that is
 * @sem: guest address of a completion store, @sem_spa where that is
 */
typedef struct QAVGuest {
    QAMDVIOMMU *v;
    uint16_t gid;
    uint16_t domid;
    uint16_t trans;
    uint64_t s2;
    uint64_t ring;
    uint64_t ring_spa;
    uint32_t ring_bytes;
    uint32_t tail;
    uint64_t sem;
    uint64_t sem_spa;
    uint64_t sem_value;
    uint64_t map_spa[4];
} QAVGuest;

/* Machine; nothing is enabled yet */
QAMDVIOMMU *qav_start(const char *props);
void qav_stop(QAMDVIOMMU *v);

/* The steps of qav_enable() */
void qav_map_backing(QAMDVIOMMU *v);
void qav_own_dte(QAMDVIOMMU *v);
void qav_control(QAMDVIOMMU *v, uint64_t set);
/* Rings, own DTE, private memory, control bits: vIOMMU is on */
void qav_enable(QAMDVIOMMU *v);
/* qav_start() and qav_enable() */
QAMDVIOMMU *qav_up(const char *props);

void qav_write_dte(QAMDVIOMMU *v, uint16_t devid, const uint64_t dte[4]);
/* Write a DTE, flush, wait */
void qav_set_dte(QAMDVIOMMU *v, uint16_t devid, const uint64_t dte[4]);
void qav_flush_pas(QAMDVIOMMU *v);
void qav_reset_cmd(QAMDVIOMMU *v, uint16_t gid);

void qav_vfc_write(QAMDVIOMMU *v, uint16_t gid, unsigned reg, uint64_t val);
uint64_t qav_vfc_read(QAMDVIOMMU *v, uint16_t gid, unsigned reg);
void qav_vf_write(QAMDVIOMMU *v, uint16_t gid, unsigned reg, uint64_t val);
uint64_t qav_vf_read(QAMDVIOMMU *v, uint16_t gid, unsigned reg);

/* The steps of qav_guest() */
QAVGuest *qav_guest_alloc(QAMDVIOMMU *v, uint16_t gid);
void qav_guest_tables(QAVGuest *g);
void qav_guest_reset(QAVGuest *g);
void qav_guest_trans(QAVGuest *g);
/* A guest that only has to enable its rings */
QAVGuest *qav_guest(QAMDVIOMMU *v, uint16_t gid);
void qav_guest_free(QAVGuest *g);

/* Memory of the guest; returns its guest address */
uint64_t qav_guest_pages(QAVGuest *g, unsigned n, uint64_t *spa);
void qav_map_guest_page(QAVGuest *g, uint64_t gpa, uint64_t spa);
void qav_unmap_guest_page(QAVGuest *g, uint64_t gpa);
void qav_map_dev(QAVGuest *g, uint16_t gdev, uint16_t hdev);
void qav_map_dom(QAVGuest *g, uint16_t gdom, uint16_t hdom);

/* Command ring in guest memory, programmed and enabled */
void qav_ring(QAVGuest *g, unsigned code);
/* guest event log, enabled; returns where it is */
uint64_t qav_event_log(QAVGuest *g, uint64_t flags);

/* Put a command into the ring; ring the doorbell; both */
void qav_put(QAVGuest *g, uint64_t q0, uint64_t q1);
void qav_doorbell(QAVGuest *g);
void qav_cmd(QAVGuest *g, uint64_t q0, uint64_t q1);
/* COMPLETION_WAIT with a store; true if it came */
bool qav_wait(QAVGuest *g);

/* Counters of the model; 0 for a member that is not there */
uint64_t qav_counter(QAMDVIOMMU *v, const char *name);
uint64_t qav_violations(QAMDVIOMMU *v, const char *name);
uint64_t qav_guest_counter(QAMDVIOMMU *v, uint16_t gid, const char *name);
/* No violation that a host driver is to blame for */
void qav_assert_clean(QAMDVIOMMU *v);
void qav_set_bool(QAMDVIOMMU *v, const char *property, bool value);
void qav_set_str(QAMDVIOMMU *v, const char *property, const char *value);

#endif
