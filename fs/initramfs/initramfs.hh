// The initial contents of the root file system: cpio archives (newc), plain or gzip, one behind the other.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <span>

#include "lib/result.hh"

// Unpacks BootInfo.initrd into the root of the caller and gives its memory back. What is wrong with the archive is logged; what
// came before it stays. Process context, may sleep.
void populate_rootfs();

// Unpacks one image. EINVAL: not an archive, or damaged (the reason is logged).
Result<void> unpack_initramfs(std::span<const unsigned char> image);
