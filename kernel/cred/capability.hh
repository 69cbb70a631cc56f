// The parts of prctl(2) about capabilities: a result or -errno each.
// SPDX-License-Identifier: Apache-2.0
#pragma once

long prctl_capbset_read(unsigned long cap);
long prctl_capbset_drop(unsigned long cap);
long prctl_get_securebits();
long prctl_set_securebits(unsigned long bits);
long prctl_get_keepcaps();
long prctl_set_keepcaps(unsigned long on);
long prctl_cap_ambient(unsigned long op, unsigned long cap);
