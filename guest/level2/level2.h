/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs in the guest of the three levels, whose kernel is not ours */
#ifndef VIOMMU_LEVEL2_H
#define VIOMMU_LEVEL2_H

#include <stdbool.h>
#include <stddef.h>

/* 32 bytes in hexadecimal, with the end */
#define SHA256_TEXT 65

/* find.c: opened to be read and written past the page cache, or -1 */
int wait_disk(const char *serial, char *name, size_t room);

/* sha256.c: by the kernel; a file descriptor or -1 */
int sha256_start(void);
bool sha256_add(int hash, const void *data, size_t size);
bool sha256_end(int hash, char *text);

#endif /* VIOMMU_LEVEL2_H */
