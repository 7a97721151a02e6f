/*
 * AMD hardware vIOMMU: what the strictness engine can find wrong
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One line per violation: symbol, name as shown in QMP and traces, and who is
 * to blame. HOST means that the host driver made a mistake and fails a strict
 * run. GUEST means that an untrusted guest can cause it alone: it is counted,
 * but must never fail the host. A guest command that names an ID without a map
 * entry is the host's fault: it has to fill both maps, since hardware makes an
 * event in the host's log of each such command.
 *
 * Included several times with R() defined by the includer; no include guard.
 */

/* accesses */
R(VFC_UNDEFINED_BIT,    "vfc-undefined-bit",            HOST),
R(VFC_ACCESS,           "vfc-access-not-64-bit",        HOST),
R(BAR_DISABLED,         "access-while-bar-disabled",    HOST),
R(GID_ZERO,             "gid-zero",                     HOST),
R(NO_RESET,             "vfc-write-before-reset",       HOST),
R(VF_NO_GUEST,          "vf-page-of-unused-gid",        HOST),
R(NO_WAIT,              "no-completion-wait",           HOST),
R(VF_ACCESS,            "vf-access-width",              GUEST),
/* host control, own DTE and private address space */
R(CTRL_ORDER,           "control-enable-order",         HOST),
R(BEFORE_GA,            "viommu-before-ga",             HOST),
R(OWN_DTE,              "own-dte-not-ready",            HOST),
R(VIOMMU_OFF,           "use-while-viommu-off",         HOST),
R(DTE_STALE,            "dte-changed-without-flush",    HOST),
R(PAS_BACKING,          "backing-not-mapped",           HOST),
R(PAS_STALE,            "pas-translation-stale",        HOST),
R(PAS_FREE,             "pas-unmap-without-flush",      HOST),
/* maps */
R(MAP_PAS_UNMAPPED,     "map-write-while-unmapped",     HOST),
R(MAP_LIVE_UNMAPPED,    "map-unmapped-while-enabled",   HOST),
R(MAP_NO_TRIGGER,       "map-write-without-trigger",    HOST),
R(MAP_NOT_VALID,        "map-write-without-valid",      HOST),
R(HDOM_SHARED,          "hdomid-shared-with-host",      HOST),
R(HDOM_CROSS,           "hdomid-of-another-guest",      HOST),
R(HDEV_CROSS,           "hdevid-of-another-guest",      HOST),
R(HDEV_ALIAS,           "cleared-hdevid-used-as-0",     HOST),
R(GDOM_UNMAPPED,        "gdomid-not-mapped",            HOST),
R(GDEV_UNMAPPED,        "gdevid-not-mapped",            HOST),
/* translate device */
R(TRANS_MISSING,        "ring-without-translate-dte",   HOST),
R(TRANS_PERM,           "translate-dte-permissions",    HOST),
R(TRANS_EXTRA,          "translate-dte-extra-fields",   HOST),
R(TRANS_INTR,           "translate-dte-interrupts",     HOST),
R(TRANS_DOMID,          "translate-dte-domid",          HOST),
R(TRANS_REAL,           "translate-id-is-a-device",     HOST),
R(TRANS_LIVE_CLEAR,     "translate-id-cleared-live",    HOST),
R(GPA_STALE,            "gpa-translation-stale",        HOST),
/* rings */
R(TRP_OFF,              "ring-without-buffer-mode",     HOST),
R(RING_LENGTH,          "ring-length-code",             HOST),
R(RING_BASE,            "ring-base-zero",               HOST),
R(RING_LIVE_CHANGE,     "ring-changed-while-enabled",   HOST),
R(DUAL_MODE,            "dual-log-mode-undefined",      HOST),
R(RING_UNMAPPED,        "ring-address-not-mapped",      GUEST),
R(CW_UNMAPPED,          "store-address-not-mapped",     GUEST),
R(TAIL_BEYOND,          "pointer-beyond-ring",          GUEST),
R(GUEST_ILLEGAL,        "guest-command-illegal",        GUEST),
/* nested DTEs */
R(DTE_GID_UNUSED,       "dte-gid-never-set-up",         HOST),
R(DTE_GDEV_UNMAPPED,    "dte-gdevid-not-mapped",        HOST),
/* host commands and interrupts */
R(RESET_FIELDS,         "reset-vmmio-fields",           HOST),
R(INSERT_EVENT,         "insert-guest-event-issued",    HOST),
R(EXTIR_BAD,            "extended-ir-entry-invalid",    HOST),
R(EXTIR_STALE,          "extended-ir-entry-stale",      HOST),
