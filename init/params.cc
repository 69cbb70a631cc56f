// Command line: words, quotes, what the kernel knows and what goes to init.
// SPDX-License-Identifier: Apache-2.0
#include "init/params.hh"

#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/string.h>

#include <span>

#include "arch/contract/arch.hh"
#include "lib/late.hh"

namespace {

inline constexpr size_t kCommandLineMax = 2048;  // with NUL, the boot protocol's cmdline_size

struct ParamsState {
  char text[2 * kCommandLineMax];  // NUL-terminated copies of what goes to init
  size_t used = 0;
  InitArguments init{};
  int argc = 0, envc = 0;
};
constinit Late<ParamsState> params;

// Parameters the kernel or one of its subsystems reads with boot_param(). Others without a dot go to init (B-54).
constexpr std::string_view kKnown[] = {
    "console", "quiet", "debug", "loglevel", "ignore_loglevel", "panic", "init", "rdinit", "maxcpus", "nosmp",
    "norandmaps", "debug_exit", "page_owner", "page_poison", "preempt", "schedstats", "noautogroup", "isolcpus", "topology",
    "sched_check", "trace_event", "trace_buf_size",
};
// Linux's own, which therefore do not go to init, but which change nothing here; boot says so.
constexpr std::string_view kWithoutEffect[] = {
    "root", "ro", "rw", "nr_cpus", "tsc", "earlyprintk", "rootfstype", "rootwait", "mitigations", "mem", "initrd", "vga", "nokaslr", "reboot", "noapic", "nolapic",
};

constexpr char fold(char c) { return c == '-' ? '_' : c; }

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++)
    if (fold(a[i]) != fold(b[i])) return false;
  return true;
}

bool any_of(std::span<const std::string_view> names, std::string_view name) {
  for (std::string_view k : names)
    if (same_name(k, name)) return true;
  return false;
}

constexpr bool blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// Takes the next word off line: blanks inside double quotes belong to it.
std::string_view next_word(std::string_view* line) {
  size_t from = 0;
  while (from < line->size() && blank((*line)[from])) from++;
  size_t to = from;
  for (bool quoted = false; to < line->size() && (quoted || !blank((*line)[to])); to++)
    if ((*line)[to] == '"') quoted = !quoted;
  std::string_view word = line->substr(from, to - from);
  line->remove_prefix(to);
  return word;
}

std::string_view unquote(std::string_view s) {
  if (!s.empty() && s.front() == '"') s.remove_prefix(1);
  if (!s.empty() && s.back() == '"') s.remove_suffix(1);
  return s;
}

// A NUL-terminated copy of name[=value] that lives as long as this world.
const char* keep(std::string_view name, std::string_view value, bool has_value) {
  char* at = params->text + params->used;
  size_t need = name.size() + (has_value ? value.size() + 1 : 0) + 1;
  if (params->used + need > sizeof(params->text)) panic("command line too long for init's arguments");
  memcpy(at, name.data(), name.size());
  if (has_value) {
    at[name.size()] = '=';
    memcpy(at + name.size() + 1, value.data(), value.size());
  }
  at[need - 1] = 0;
  params->used += need;
  return at;
}

void add_argument(const char* text) {
  if (params->argc == kMaxInitArgs) panic("Too many boot init vars at `%s'", text);
  params->init.argv[++params->argc] = text;
}

// A variable with the same name is replaced (B-54).
void add_environment(const char* text, size_t name_size) {
  int at = 0;
  while (at < params->envc && strncmp(params->init.envp[at], text, name_size + 1) != 0) at++;
  if (at == params->envc && params->envc++ == kMaxInitEnvs) panic("Too many boot env vars at `%s'", text);
  params->init.envp[at] = text;
}

void give_to_init(const BootWord& w, void*) {
  if (w.after_dashes) return add_argument(keep(w.name, w.value, w.has_value));
  if (same_name(w.name, "init") || same_name(w.name, "rdinit")) {  // B-53
    for (int i = 1; i <= params->argc; i++) params->init.argv[i] = nullptr;
    params->argc = 0;
    return;
  }
  if (any_of(kWithoutEffect, w.name)) {
    pr_notice("parameter %.*s has no effect\n", static_cast<int>(w.name.size()), w.name.data());
    return;
  }
  if (any_of(kKnown, w.name) || w.name.find('.') != std::string_view::npos) return;
  const char* text = keep(w.name, w.value, w.has_value);
  if (w.has_value)
    add_environment(text, w.name.size());
  else
    add_argument(text);
}

struct Lookup {
  std::string_view name, value;
  bool found;
};

}  // namespace

void for_each_boot_word(std::string_view line, void (*visit)(const BootWord&, void*), void* context) {
  bool after = false;
  for (std::string_view word = next_word(&line); !word.empty(); word = next_word(&line)) {
    if (!after && word == "--") {
      after = true;
      continue;
    }
    size_t eq = word.find('=');
    bool has_value = eq != std::string_view::npos;
    std::string_view name = has_value ? word.substr(0, eq) : unquote(word);
    std::string_view value = has_value ? unquote(word.substr(eq + 1)) : std::string_view{};
    if (has_value && !name.empty() && name.front() == '"') {  // "name=value with blanks"
      name.remove_prefix(1);
    }
    visit(BootWord{name, value, has_value, after}, context);
  }
}

bool boot_param(std::string_view name, std::string_view* value) {
  Lookup look{name, {}, false};
  for_each_boot_word(
      arch::boot_info().command_line,
      [](const BootWord& w, void* ctx) {
        auto* l = static_cast<Lookup*>(ctx);
        if (w.after_dashes || !same_name(w.name, l->name)) return;
        l->found = true;
        l->value = w.value;
      },
      &look);
  if (look.found && value) *value = look.value;
  return look.found;
}

long boot_param_long(std::string_view name, long fallback) {
  std::string_view v;
  if (!boot_param(name, &v) || v.empty()) return fallback;
  bool negative = v.front() == '-';
  if (negative) v.remove_prefix(1);
  int base = 10;
  if (v.size() > 2 && v[0] == '0' && (v[1] | 32) == 'x') {
    base = 16;
    v.remove_prefix(2);
  }
  long n = 0;
  for (char c : v) {
    int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
    if (digit >= base || n > (0x7fffffffffffffffl - digit) / base) return fallback;
    n = n * base + digit;
  }
  return v.empty() ? fallback : negative ? -n : n;
}

const InitArguments& init_arguments() { return params->init; }

void params_init() {
  params.construct();
  params->init.argv[0] = "init";
  params->init.envp[0] = "HOME=/";
  params->init.envp[1] = "TERM=linux";
  params->envc = 2;
  for_each_boot_word(arch::boot_info().command_line, give_to_init, nullptr);
}

void params_exit(struct LeakReport&) { params.destroy(); }
