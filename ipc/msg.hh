// System V message queues. Private to ipc/.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/list.h>

#include "ipc/ipc_namespace.hh"

enum : int { MSG_STAT = 11, MSG_INFO = 12, MSG_STAT_ANY = 13, MSG_NOERROR = 010000, MSG_EXCEPT = 020000, MSG_COPY = 040000 };
inline constexpr int MSGMAX = 8192, MSGMNB = 16384, MSGMNI = 32000;

struct Message {
  list_head list;
  long type;
  size_t size;
  char text[];
};

struct MsgQueue {
  IpcObject ipc;  // first; all below: the namespace's queues.lock
  s64 stime, rtime, ctime;
  unsigned long bytes, count, max_bytes;
  struct pid *last_sender, *last_receiver;  // referenced
  list_head messages, receivers, senders;
};
inline MsgQueue* to_queue(IpcObject* o) { return container_of(o, MsgQueue, ipc); }

extern const IpcKind kMsgKind;
void msg_wake_senders(MsgQueue* q, int error);  // 0: there may be room. Lock held
void msg_remove(ipc_namespace* ns, MsgQueue* q);  // lock held; the table's reference becomes the caller's
