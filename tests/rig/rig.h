/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers of rig_check: results, files, devices that VFIO drives */
#ifndef RIG_H
#define RIG_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE 4096

/* results.c: one KTAP result; the name may have what was seen behind ": " */
__attribute__((format(printf, 2, 3)))
void result(bool ok, const char *name, ...);
int results_end(void);

/* system.c */
const char *file_text(const char *path);
bool file_write(const char *path, const char *text);
bool kernel_said(const char *text);
uint64_t physical(const volatile void *va);

/* device.c: a PCI device of which this process has BAR 0 */
struct device {
	const char *name;
	const char *bdf;
	int fd;
	uint32_t id;
	volatile void *bar;
};

/* 0 or an errno */
int device_bind(struct device *dev, int iommufd);
int device_attach(struct device *dev, uint32_t pt);

/* What iommu-testdev says of a write that did not go through */
#define TESTDEV_FAILED 0xdead0002U

uint32_t testdev_dma(struct device *dev, uint64_t iova, uint64_t pa);

enum edu_direction {
	EDU_READ,	/* memory to device */
	EDU_WRITE,
};

void edu_dma(struct device *dev, uint64_t iova, enum edu_direction direction);

#endif /* RIG_H */
