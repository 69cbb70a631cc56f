// What the compiler and the standard headers call behind our back. None of it may happen: each is a bug report.
// SPDX-License-Identifier: Apache-2.0
#include <linux/bug.h>

namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char* what, ...) { panic("C++ range error: %s", what); }
[[noreturn]] void __throw_out_of_range(const char* what) { panic("C++ range error: %s", what); }
[[noreturn]] void __throw_length_error(const char* what) { panic("C++ length error: %s", what); }
[[noreturn]] void __throw_logic_error(const char* what) { panic("C++ logic error: %s", what); }
[[noreturn]] void __throw_invalid_argument(const char* what) { panic("C++ argument error: %s", what); }
[[noreturn]] void __throw_bad_optional_access() { panic("C++ empty optional"); }
[[noreturn]] void __throw_bad_variant_access(const char* what) { panic("C++ variant: %s", what); }
[[noreturn]] void __throw_bad_function_call() { panic("C++ empty function"); }
[[noreturn]] void __throw_bad_array_new_length() { panic("C++ array length"); }
[[noreturn]] void __throw_bad_alloc() { panic("C++ operator new"); }
[[noreturn]] void terminate() noexcept { panic("std::terminate"); }
[[noreturn]] void __glibcxx_assert_fail(const char* file, int line, const char* function, const char* condition) noexcept {
  panic("%s:%d: %s: %s does not hold", file, line, function, condition);
}
}  // namespace std

extern "C" [[noreturn]] void __cxa_pure_virtual() { panic("pure virtual function called"); }
extern "C" [[noreturn]] void abort() { panic("abort"); }
// Deleting destructors of classes with virtual ones refer to it; nobody deletes through them.
void operator delete(void*, unsigned long) noexcept { panic("operator delete"); }
void operator delete(void*) noexcept { panic("operator delete"); }
