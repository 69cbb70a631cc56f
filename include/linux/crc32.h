// CRC-32 (IEEE 802.3, reflected). No inversion before or after: that is the caller's.
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_CRC32_H
#define _LINUX_CRC32_H
#include <linux/types.h>
CF_C_BEGIN
u32 crc32_le(u32 crc, const unsigned char *p, size_t len);
CF_C_END
#define crc32(seed, data, len) crc32_le((seed), (const unsigned char *)(data), (len))
#endif
