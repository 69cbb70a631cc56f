// Result<T>: a value or an errno, and TRY, which hands the errno up.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/errno.h>

#include <expected>
#include <utility>

// A kernel error number: always positive here (ENOMEM, not -ENOMEM). The sign is put on once, where a result leaves
// for user space or for the C face.
class [[nodiscard]] Errno {
 public:
  constexpr explicit Errno(int code) : code_(code) {}
  constexpr int code() const { return code_; }
  constexpr long neg() const { return -static_cast<long>(code_); }
  constexpr bool operator==(const Errno&) const = default;

 private:
  int code_;
};

template <class T = void>
using Result = std::expected<T, Errno>;

// fail(ENOMEM) is what a function that returns any Result<T> returns on error.
constexpr std::unexpected<Errno> fail(int code) { return std::unexpected<Errno>(Errno(code)); }

// The ABI form: value or -errno.
template <class T>
constexpr long to_abi(const Result<T>& r) {
  return r ? static_cast<long>(*r) : r.error().neg();
}
constexpr long to_abi(const Result<void>& r) { return r ? 0 : r.error().neg(); }

// The other way round, for callers of C-face functions.
constexpr Result<long> from_abi(long v) {
  if (v < 0 && v >= -4095) return fail(static_cast<int>(-v));
  return v;
}
constexpr Result<void> check_abi(long v) {
  if (v < 0) return fail(static_cast<int>(-v));
  return {};
}

// `auto x = TRY(expr);` returns the error to the caller if there is one. A GNU statement expression: both compilers we
// build with have it, and a macro is the only way to return from the caller.
#define TRY(...)                                                        \
  ({                                                                    \
    auto&& try_result_ = (__VA_ARGS__);                                 \
    if (!try_result_) [[unlikely]]                                      \
      return std::unexpected<Errno>(std::move(try_result_).error());    \
    try_take(std::move(try_result_));                                   \
  })

template <class T>
constexpr T try_take(Result<T>&& r) {
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

// TRY in a function that answers in ABI form (a system call): returns -errno.
#define TRY_ABI(...)                                            \
  ({                                                            \
    auto&& try_result_ = (__VA_ARGS__);                         \
    if (!try_result_) [[unlikely]]                              \
      return try_result_.error().neg();                         \
    try_take(std::move(try_result_));                           \
  })
