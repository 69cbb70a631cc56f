// Sets of signals by what they do by default (spec 21 section 11), and operations on masks.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "kernel/signal/signal.hh"

constexpr u64 sig_bit(int sig) { return 1ull << (sig - 1); }
template <class... Sig>
constexpr u64 sig_bits(Sig... sig) {
  return (sig_bit(sig) | ...);
}
inline constexpr u64 kSigOnly = sig_bits(SIGKILL, SIGSTOP);
inline constexpr u64 kSigStops = sig_bits(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);
inline constexpr u64 kSigIgnored = sig_bits(SIGCONT, SIGCHLD, SIGWINCH, SIGURG);
inline constexpr u64 kSigSync = sig_bits(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS);
inline constexpr u64 kSigCore = sig_bits(SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS);
constexpr bool in_set(u64 set, int sig) { return set & sig_bit(sig); }
constexpr bool valid_signal(unsigned long sig) { return sig <= _NSIG; }
inline bool is_special(const kernel_siginfo* info) { return info <= SEND_SIG_PRIV; }

// An action that makes the signal go away by itself.
inline bool action_ignores(const k_sigaction& ka, int sig) {
  return ka.sa.sa_handler == SIG_IGN || (ka.sa.sa_handler == SIG_DFL && in_set(kSigIgnored, sig));
}
// Default action ends the process (S-21).
inline bool action_is_fatal(const k_sigaction& ka, int sig) {
  return ka.sa.sa_handler == SIG_DFL && !in_set(kSigIgnored | kSigStops, sig);
}
