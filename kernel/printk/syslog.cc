// syslog(2) and the text forms of the log for user space: "<6>[    1.234567] text" and /dev/kmsg's records.
// SPDX-License-Identifier: Apache-2.0
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kernel/cred/cred.hh"
#include "kernel/entry/syscall.hh"
#include "kernel/printk/internal.hh"
#include "kernel/printk/printk.hh"
#include "kernel/sync/guards.hh"
#include "mm/uaccess.hh"

namespace {

enum Action { CLOSE, OPEN, READ, READ_ALL, READ_CLEAR, CLEAR, CONSOLE_OFF, CONSOLE_ON, CONSOLE_LEVEL, SIZE_UNREAD, SIZE_BUFFER };

struct SyslogState {
  u64 seq;        // the next record that READ takes
  size_t offset;  // of its text form, what has been taken already
  u64 clear_seq;  // READ_ALL begins here
  int saved_level;
};
constinit SyslogState st{};
constinit mutex syslog_lock = __MUTEX_INITIALIZER(syslog_lock);  // st

constexpr size_t kLine = LogRing::kMaxText + 64;

// One record as syslog shows it; 0 if there is none at or after *seq.
size_t format_syslog(u64* seq, char* out) {
  LogRecord r;
  char text[LogRing::kMaxText];
  size_t n;
  if (!log_read(seq, &r, text, &n)) return 0;
  return static_cast<size_t>(scnprintf(out, kLine, "<%d>[%5llu.%06llu] %.*s\n", r.facility << 3 | r.level, r.time_ns / 1000000000,
                                       r.time_ns % 1000000000 / 1000, static_cast<int>(n), text));
}

struct LineBuffer {
  char* p = static_cast<char*>(kmalloc(kLine, GFP_KERNEL));
  ~LineBuffer() { kfree(p); }
};

long do_read(char* ubuf, size_t size) {
  LineBuffer line;
  if (!line.p) return -ENOMEM;
  if (long err = log_wait(st.seq)) return err;
  MutexGuard guard(syslog_lock);
  size_t done = 0;
  while (done < size) {
    size_t n = format_syslog(&st.seq, line.p);
    if (!n) break;
    if (st.offset > n) st.offset = 0;  // another record than the one begun
    size_t take = min(n - st.offset, size - done);
    if (copy_to_user(ubuf + done, line.p + st.offset, take)) return done ? static_cast<long>(done) : -EFAULT;
    done += take;
    st.offset += take;
    if (st.offset == n) st.offset = 0, st.seq++;
  }
  return static_cast<long>(done);
}

// The newest lines that fit into size.
u64 first_that_fits(char* line, size_t size) {
  size_t total = 0;
  for (u64 s = st.clear_seq; size_t n = format_syslog(&s, line); s++) total += n;
  u64 s = st.clear_seq;
  while (total > size) {
    size_t n = format_syslog(&s, line);
    if (!n) break;
    total -= n;
    s++;
  }
  return s;
}

long do_read_all(char* ubuf, size_t size, Action action) {
  LineBuffer line;
  if (!line.p) return -ENOMEM;
  MutexGuard guard(syslog_lock);
  size_t done = 0;
  u64 s = first_that_fits(line.p, size);
  for (size_t n; (n = format_syslog(&s, line.p)) && done + n <= size; s++, done += n)
    if (copy_to_user(ubuf + done, line.p, n)) return -EFAULT;
  if (action == READ_CLEAR) st.clear_seq = s;
  return static_cast<long>(done);
}

long unread_size() {
  LineBuffer line;
  if (!line.p) return -ENOMEM;
  MutexGuard guard(syslog_lock);
  size_t total = 0;
  for (u64 s = st.seq; size_t n = format_syslog(&s, line.p); s++) total += n;
  return static_cast<long>(total - min(total, st.offset));
}

long do_syslog(int type, char* buf, int len) {
  if (type != READ_ALL && type != SIZE_BUFFER && !capable(CAP_SYSLOG) && !capable(CAP_SYS_ADMIN)) return -EPERM;
  bool reads = type == READ || type == READ_ALL || type == READ_CLEAR;
  if (reads && (!buf || len < 0)) return -EINVAL;
  if (reads && len == 0) return 0;
  if (reads && !access_ok(buf, static_cast<unsigned long>(len))) return -EFAULT;
  switch (type) {
    case CLOSE:
    case OPEN: return 0;
    case READ: return do_read(buf, static_cast<size_t>(len));
    case READ_ALL:
    case READ_CLEAR: return do_read_all(buf, static_cast<size_t>(len), static_cast<Action>(type));
    case CLEAR: st.clear_seq = log_next_seq(); return 0;
    case CONSOLE_OFF:
      if (!st.saved_level) st.saved_level = console_loglevel;
      console_loglevel = console_printk[2];
      return 0;
    case CONSOLE_ON:
      if (st.saved_level) console_loglevel = st.saved_level;
      st.saved_level = 0;
      return 0;
    case CONSOLE_LEVEL:
      if (len < 1 || len > 8) return -EINVAL;
      console_loglevel = max(len, console_printk[2]);
      st.saved_level = 0;
      return 0;
    case SIZE_UNREAD: return unread_size();
    case SIZE_BUFFER: return LogRing::kSize;
  }
  return -EINVAL;
}

}  // namespace

void syslog_reset() { st = {}; }
u64 syslog_clear_seq() { return READ_ONCE(st.clear_seq); }

SYSCALL_DEFINE3(syslog, int, type, char*, buf, int, len) { return do_syslog(type, buf, len); }

ssize_t kmsg_format_next(u64* seq, std::span<char> buf) {
  if (*seq < log_first_seq()) {
    *seq = log_first_seq();
    return -EPIPE;
  }
  LogRecord r;
  char text[LogRing::kMaxText];
  size_t n;
  if (!log_read(seq, &r, text, &n)) return 0;
  auto len = static_cast<size_t>(scnprintf(buf.data(), buf.size(), "%d,%llu,%llu,-;", r.facility << 3 | r.level, r.seq, r.time_ns / 1000));
  for (size_t i = 0; i < n && len < buf.size(); i++) {  // what is not printable is escaped
    auto c = static_cast<unsigned char>(text[i]);
    if (c < ' ' || c >= 127 || c == '\\') len += static_cast<size_t>(scnprintf(buf.data() + len, buf.size() - len, "\\x%02x", c));
    else buf[len++] = text[i];
  }
  if (len + 1 > buf.size()) return -EINVAL;
  buf[len++] = '\n';
  ++*seq;
  return static_cast<ssize_t>(len);
}

ssize_t kmsg_write(std::string_view line) {
  auto taken = static_cast<ssize_t>(line.size());
  if (line.size() > LogRing::kMaxText) return -EINVAL;
  int level = console_printk[1], facility = 1;  // user
  if (!line.empty() && line[0] == '<') {
    unsigned v = 0;
    size_t i = 1;
    while (i < line.size() && isdigit(line[i]) && v < 10000) v = v * 10 + static_cast<unsigned>(line[i++] - '0');
    if (i > 1 && i < line.size() && line[i] == '>') {
      level = static_cast<int>(v & 7);
      if (v >> 3) facility = static_cast<int>(v >> 3 & 0xff);
      line.remove_prefix(i + 1);
    }
  }
  char buf[LogRing::kMaxText + 1];
  size_t n = line.size();
  while (n && line[n - 1] == '\n') n--;
  memcpy(buf, line.data(), n);
  buf[n] = '\n';
  log_store({buf, n + 1}, level, static_cast<u8>(facility));
  return taken;
}
