// printk: into the ring under one lock, and from there to the console by whoever finds the console free.
// SPDX-License-Identifier: Apache-2.0
#include "kernel/printk/printk.hh"

#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "arch/contract/arch.hh"
#include "init/params.hh"
#include "kernel/printk/internal.hh"
#include "kernel/sync/guards.hh"

int console_printk[4] = {7, 4, 1, 7};

namespace {

// Usable before printk_init and after printk_exit, hence not in a Late<>.
struct LogState {
  raw_spinlock_t lock;      // ring, cursors; interrupts off. Not known to the lock checker, which itself prints
  unsigned holder;          // CPU that has it, plus 1: printk from within printk's own section must not wait for itself
  LogRing ring;
  u64 console_seq;          // next record for the console, and what of it has been printed
  size_t console_offset;
  u64 dropped;              // records that the console missed
  int console_busy;         // somebody prints: xchg
  bool ignore_loglevel;
  wait_queue_head wait;
  bool ready;               // wait may be used
};
constinit LogState log_state{};
constinit char console_text[LogRing::kMaxText + 64];  // console_busy's holder

class LogGuard {
 public:
  LogGuard() : flags_(arch::irq_save()) {
    unsigned self = arch::cpu_id() + 1;
    if (READ_ONCE(log_state.holder) == self) return;
    while (__atomic_exchange_n(&log_state.lock.val, 1, __ATOMIC_ACQUIRE)) arch::cpu_relax();
    WRITE_ONCE(log_state.holder, self);
    held_ = true;
  }
  ~LogGuard() {
    if (held_) {
      WRITE_ONCE(log_state.holder, 0);
      __atomic_store_n(&log_state.lock.val, 0, __ATOMIC_RELEASE);
    }
    arch::irq_restore(flags_);
  }
  LogGuard(const LogGuard&) = delete;
  LogGuard& operator=(const LogGuard&) = delete;
  explicit operator bool() const { return held_; }  // false: this CPU is in the section already

 private:
  unsigned long flags_;
  bool held_ = false;
};

u32 caller_id() {
  const task_struct* t = arch::current_task();
  return in_task() && t ? static_cast<u32>(t->pid) : 0x80000000u + arch::cpu_id();
}

bool wanted_on_console(const LogRecord& r) { return log_state.ignore_loglevel || r.level < console_loglevel; }

size_t put_time(char* buf, size_t size, u64 ns) {
  return static_cast<size_t>(scnprintf(buf, size, "[%5llu.%06llu] ", ns / 1000000000, ns % 1000000000 / 1000));
}

// The next piece for the console into console_text; 0 if there is none. log lock held.
size_t next_console_text() {
  LogRecord r;
  std::string_view text;
  while (log_state.ring.read(log_state.console_seq, &r, &text)) {
    if (r.seq != log_state.console_seq) {
      log_state.console_seq = r.seq;
      log_state.console_offset = 0;
    }
    size_t n = 0, from = log_state.console_offset;
    if (wanted_on_console(r)) {
      if (from == 0) n = put_time(console_text, sizeof(console_text), r.time_ns);
      memcpy(console_text + n, text.data() + from, text.size() - from);
      n += text.size() - from;
      if (!r.open) console_text[n++] = '\n';
    }
    if (r.open) {
      if (from == text.size()) return 0;  // nothing new in it, and it may grow
      log_state.console_offset = text.size();
    } else {
      log_state.console_seq++;
      log_state.console_offset = 0;
    }
    if (n) return n;
    if (r.open) return 0;
  }
  return 0;
}

void print_pending() {
  for (;;) {
    size_t n = 0;
    if (LogGuard guard; guard) n = next_console_text();
    if (!n) return;
    arch::console_write({console_text, n});
  }
}

bool console_has_work() {
  LogGuard guard;
  if (!guard || log_state.console_seq >= log_state.ring.next_seq()) return false;
  LogRecord r;
  std::string_view text;
  log_state.ring.read(log_state.console_seq, &r, &text);
  return !r.open || text.size() > log_state.console_offset;
}

void wake_readers() {
  if (!READ_ONCE(log_state.ready)) return;
  // Locks may be held here that a wake-up takes too; readers look again by themselves (log_wait).
  if (irqs_disabled() || in_atomic()) return;
  if (waitqueue_active(&log_state.wait)) wake_up_interruptible(&log_state.wait);
}

struct Prefix {
  int level;  // -1: none given
  bool cont;
};
Prefix take_prefix(std::string_view* text) {
  Prefix p{-1, false};
  while (text->size() >= 2 && (*text)[0] == KERN_SOH_ASCII) {
    char c = (*text)[1];
    if (c >= '0' && c <= '7') p.level = c - '0';
    else if (c == 'c') p.cont = true;
    else break;
    text->remove_prefix(2);
  }
  return p;
}

void store_line(std::string_view text, Prefix prefix, u8 facility, bool open) {
  LogGuard guard;
  if (!guard) {  // from within: straight out, so that it is not lost
    arch::console_write({text.data(), text.size()});
    return;
  }
  u32 caller = caller_id();
  if (prefix.cont && log_state.ring.extend(caller, text, open)) return;
  u64 oldest_wanted = log_state.console_seq;
  LogRecord r{.seq = 0, .time_ns = arch::clock_ns(), .caller = caller, .length = 0,
              .level = static_cast<u8>(prefix.level >= 0 ? prefix.level : console_printk[1]), .facility = facility, .open = open};
  log_state.ring.push(r, text);
  if (log_state.ring.first_seq() > oldest_wanted) log_state.dropped += log_state.ring.first_seq() - oldest_wanted;
}

}  // namespace

void log_store(std::string_view text, int level, u8 facility) {
  Prefix prefix = take_prefix(&text);
  if (prefix.level < 0) prefix.level = level;
  bool open = text.empty() || text.back() != '\n';
  if (!open) text.remove_suffix(1);
  // Several lines are several records.
  for (size_t nl; (nl = text.find('\n')) != std::string_view::npos; text.remove_prefix(nl + 1))
    store_line(text.substr(0, nl), prefix, facility, false);
  // Without a newline the record is closed by the next one that does not continue it.
  store_line(text, prefix, facility, open);
  console_flush();
  wake_readers();
}

void console_flush() {
  PreemptGuard still;  // else who prints could be kept from the CPU while others wait to be printed
  do {
    if (xchg(&log_state.console_busy, 1)) return;  // it will print ours too
    print_pending();
    __atomic_store_n(&log_state.console_busy, 0, __ATOMIC_SEQ_CST);
  } while (console_has_work());  // came after the holder's last look
}

void console_flush_panic() {
  if (READ_ONCE(log_state.holder) != 0) {
    WRITE_ONCE(log_state.holder, 0);
    __atomic_store_n(&log_state.lock.val, 0, __ATOMIC_RELEASE);
  }
  WRITE_ONCE(log_state.console_busy, 0);
  console_flush();
}

bool log_read(u64* seq, LogRecord* meta, std::span<char> out, size_t* length) {
  LogGuard guard;
  std::string_view text;
  if (!guard || !log_state.ring.read(*seq, meta, &text)) return false;
  if (meta->open && meta->seq + 1 == log_state.ring.next_seq()) return false;  // not finished yet
  *length = text.size() < out.size() ? text.size() : out.size();
  memcpy(out.data(), text.data(), *length);
  *seq = meta->seq;
  return true;
}
u64 log_first_seq() {
  LogGuard guard;
  return log_state.ring.first_seq();
}
u64 log_next_seq() {
  LogGuard guard;
  return log_state.ring.next_seq();
}
wait_queue_head* log_wait_queue() { return &log_state.wait; }

long log_wait(u64 seq) {
  while (log_next_seq() <= seq) {
    // Bounded: printk from atomic context does not wake (wake_readers).
    long left = wait_event_interruptible_timeout(log_state.wait, log_next_seq() > seq, HZ / 4);
    if (left < 0) return left;
  }
  return 0;
}

void printk_init() {
  log_state.ring.reset();
  log_state.console_seq = log_state.console_offset = log_state.dropped = 0;
  log_state.console_busy = 0;
  log_state.lock = {};
  log_state.holder = 0;
  init_waitqueue_head(&log_state.wait);
  log_state.ready = true;
  log_state.ignore_loglevel = boot_param("ignore_loglevel");
  console_loglevel = static_cast<int>(boot_param_long("loglevel", 7));
  if (boot_param("quiet")) console_loglevel = 4;
  if (boot_param("debug")) console_loglevel = 10;
  console_printk[1] = 4;
  console_printk[2] = 1;
  console_printk[3] = 7;
  panic_options_init();
  syslog_reset();
}

void printk_exit(LeakReport& report) {
  panic_options_exit(report);
  console_flush();
  log_state.ready = false;
}

extern "C" {

int vprintk(const char* fmt, va_list args) {
  char buf[LogRing::kMaxText + 8];
  int n = vscnprintf(buf, sizeof(buf), fmt, args);
  log_store({buf, static_cast<size_t>(n)}, -1, 0);
  return n;
}
int _printk(const char* fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vprintk(fmt, args);
  va_end(args);
  return n;
}

void dump_stack(void) { arch::dump_stack_of(nullptr); }

// Ten in five seconds for each place.
bool cf_printk_ratelimit(void* site) {
  constexpr u64 kInterval = 5000000000;
  constexpr u32 kBurst = 10;
  auto* rl = static_cast<cf_ratelimit*>(site);
  if (READ_ONCE(rl->boot) != cf_boot_number) *rl = {.begin = 0, .printed = 0, .missed = 0, .boot = cf_boot_number};
  u64 now = arch::clock_ns() + 1, begin = READ_ONCE(rl->begin);  // never 0
  if (!begin || now - begin >= kInterval) {
    WRITE_ONCE(rl->begin, now);
    u32 missed = xchg(&rl->missed, 0u);
    WRITE_ONCE(rl->printed, 0);
    if (missed) printk(KERN_WARNING "%u messages suppressed\n", missed);
  }
  if (__atomic_fetch_add(&rl->printed, 1, __ATOMIC_RELAXED) < kBurst) return true;
  __atomic_fetch_add(&rl->missed, 1, __ATOMIC_RELAXED);
  return false;
}

void print_hex_dump(const char* level, const char* prefix, int prefix_type, int rowsize, int groupsize, const void* buf,
                    size_t len, bool ascii) {
  auto* p = static_cast<const unsigned char*>(buf);
  if (rowsize != 32) rowsize = 16;
  if (groupsize != 2 && groupsize != 4 && groupsize != 8) groupsize = 1;
  for (size_t at = 0; at < len; at += static_cast<size_t>(rowsize)) {
    char line[200];
    size_t n = 0, row = len - at < static_cast<size_t>(rowsize) ? len - at : static_cast<size_t>(rowsize);
    auto add = [&](const char* fmt, auto... v) { n += static_cast<size_t>(scnprintf(line + n, sizeof(line) - n, fmt, v...)); };
    for (size_t i = 0; i < static_cast<size_t>(rowsize); i += static_cast<size_t>(groupsize)) {
      if (i) add(" ");
      for (int k = groupsize; k-- > 0;) {  // groups are little-endian numbers
        size_t byte = i + static_cast<size_t>(k);
        if (byte < row) add("%02x", p[at + byte]);
        else if (ascii) add("  ");
      }
    }
    if (ascii) {
      add("  ");
      for (size_t i = 0; i < row; i++) add("%c", p[at + i] >= ' ' && p[at + i] < 0x7f ? p[at + i] : '.');
    }
    if (prefix_type == DUMP_PREFIX_OFFSET) printk("%s%s%.8zx: %s\n", level, prefix, at, line);
    else if (prefix_type == DUMP_PREFIX_ADDRESS) printk("%s%s%px: %s\n", level, prefix, p + at, line);
    else printk("%s%s%s\n", level, prefix, line);
  }
}

}  // extern "C"
