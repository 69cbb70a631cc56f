// Marks of code and data that Linux throws away after boot; kept here.
// (Include after headers of the C++ library: C libraries have members called __init.)
// SPDX-License-Identifier: Apache-2.0
#ifndef _LINUX_INIT_H
#define _LINUX_INIT_H
#define __init
#define __exit
#define __initdata
#define __initconst
#define __exitdata
#endif
