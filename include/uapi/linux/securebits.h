// Secure bits: how capabilities follow user ids (capabilities(7)).
// SPDX-License-Identifier: Apache-2.0
#ifndef _UAPI_LINUX_SECUREBITS_H
#define _UAPI_LINUX_SECUREBITS_H
#define SECBIT_NOROOT 0x01
#define SECBIT_NOROOT_LOCKED 0x02
#define SECBIT_NO_SETUID_FIXUP 0x04
#define SECBIT_NO_SETUID_FIXUP_LOCKED 0x08
#define SECBIT_KEEP_CAPS 0x10
#define SECBIT_KEEP_CAPS_LOCKED 0x20
#define SECBIT_NO_CAP_AMBIENT_RAISE 0x40
#define SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED 0x80
#define SECURE_ALL_BITS 0x55
#define SECURE_ALL_LOCKS 0xaa
#endif
