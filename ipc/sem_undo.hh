// Lists of what is to be undone. Private to ipc/.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "ipc/sem.hh"

// current gets an undo for the array of this number if it has none. ENOMEM EINVAL EIDRM. May sleep.
Result<void> sem_make_undo(ipc_namespace* ns, int id);
// current's undo for the array, or null. The namespace's lock is held; it stays while the array and current's list do.
SemUndo* sem_find_undo(const SemArray* a);
void sem_remove(ipc_namespace* ns, SemArray* a);
