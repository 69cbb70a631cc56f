// #! scripts (spec 40 section 13).
// SPDX-License-Identifier: Apache-2.0
#include <linux/errno.h>
#include <linux/string.h>

#include "fs/binfmt/script.hh"
#include "kernel/exec/exec.hh"

namespace {
constexpr bool blank(char c) { return c == ' ' || c == '\t'; }

// Index of the end of the line in the buffer. X-50: without newline the name may have been cut, unless something follows it.
Result<size_t> line_end(const char* buf, size_t size) {
  if (auto* newline = static_cast<const char*>(memchr(buf, '\n', size))) return static_cast<size_t>(newline - buf);
  size_t i = 2;
  while (i < size && blank(buf[i])) i++;
  if (i == size) return fail(ENOEXEC);
  for (; i < size - 1; i++)
    if (blank(buf[i]) || !buf[i]) return size - 1;
  return fail(ENOEXEC);
}
}  // namespace

Result<ScriptLine> parse_script_line(char* buf, size_t size) {
  if (buf[0] != '#' || buf[1] != '!') return fail(ENOEXEC);
  size_t end = TRY(line_end(buf, size));
  while (end > 2 && blank(buf[end - 1])) end--;
  size_t from = 2;
  while (from < end && blank(buf[from])) from++;
  if (from == end) return fail(ENOEXEC);
  buf[end] = 0;
  size_t name_end = from;
  while (buf[name_end] && !blank(buf[name_end])) name_end++;
  ScriptLine line{buf + from, nullptr};
  if (!buf[name_end]) return line;
  size_t arg = name_end;
  while (blank(buf[arg])) arg++;
  buf[name_end] = 0;
  if (buf[arg]) line.argument = buf + arg;
  return line;
}

static Result<void> prepare_script(linux_binprm* b) {
  char* buf = reinterpret_cast<char*>(b->buf);
  ScriptLine line = TRY(parse_script_line(buf, sizeof(b->buf)));
  if (b->path_inaccessible) return fail(ENOENT);
  if (!line.interpreter[0]) return fail(EACCES);  // an empty name is the current directory
  b->args.drop_first();
  b->argc--;
  TRY(b->args.push_string(b->interp));
  if (line.argument) {
    TRY(b->args.push_string(line.argument));
    b->argc++;
  }
  TRY(b->args.push_string(line.interpreter));
  b->argc += 2;
  TRY(b->set_interp(line.interpreter));
  b->next = ExecFile(TRY(open_exec(line.interpreter)));
  return {};
}

constinit const linux_binfmt script_format{"script", prepare_script, nullptr};
