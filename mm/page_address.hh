// Between pages and addresses of the direct map: inline for C++ (linux/page_ref.h declares them for C).
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "arch/contract/arch.hh"

extern "C" inline void* page_address(const page* p) { return arch::phys_to_virt(page_to_phys(p)); }
extern "C" inline page* virt_to_page(const void* addr) { return phys_to_page(arch::virt_to_phys(addr)); }
