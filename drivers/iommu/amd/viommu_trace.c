// SPDX-License-Identifier: GPL-2.0-only
/* Trace points of the AMD hardware vIOMMU */
#define CREATE_TRACE_POINTS
#include "viommu_trace.h"
