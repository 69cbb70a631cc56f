// What the parallel engine wants of the host: threads, sleep and wake-up, the clock. System calls are made directly: in ThreadSanitizer's
// eyes nothing here orders anything.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "arch/hosted/host/host_api.hh"

#define NOT_TRACED __attribute__((no_sanitize("thread")))

namespace hosted_world {
void catch_faults_of_thread(char* stack, size_t size);  // world.cc
}

namespace {

constexpr unsigned kMaxThreads = 64;
constexpr unsigned long kThreadStack = 256 << 10;
constexpr int kPatience = 60;  // seconds for a CPU of a dead world to come out of the kernel

struct Thread {
  pthread_t id;
  unsigned cpu;
  void (*body)(unsigned cpu, char* low, unsigned long size);
  char alternate_stack[64 << 10];
};
Thread threads[kMaxThreads];
unsigned thread_count;

void* run_thread(void* p) {
  auto* t = static_cast<Thread*>(p);
  hosted_world::catch_faults_of_thread(t->alternate_stack, sizeof t->alternate_stack);
  pthread_attr_t attr;
  void* low;
  size_t size;
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstack(&attr, &low, &size);
  pthread_attr_destroy(&attr);
  t->body(t->cpu, static_cast<char*>(low), size);
  return nullptr;
}

NOT_TRACED timespec to_timespec(unsigned long ns) {
  return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

}  // namespace

extern "C" {

int host_start_threads(unsigned cpus, void (*body)(unsigned cpu, char* low, unsigned long size)) {
  if (cpus > kMaxThreads) return EINVAL;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, kThreadStack);
  for (unsigned cpu = 1; cpu < cpus; cpu++) {
    Thread& t = threads[thread_count];
    t.cpu = cpu;
    t.body = body;
    if (int err = pthread_create(&t.id, &attr, run_thread, &t)) return err;
    thread_count++;
  }
  pthread_attr_destroy(&attr);
  return 0;
}

void host_join_threads() {
  timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += kPatience;
  for (unsigned i = 0; i < thread_count; i++) {
    if (pthread_timedjoin_np(threads[i].id, nullptr, &until)) {
      fprintf(stderr, "hosted: CPU %u does not leave a world that is over\n", threads[i].cpu);
      abort();
    }
  }
  thread_count = 0;
}

NOT_TRACED unsigned long host_clock_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<unsigned long>(t.tv_sec) * 1'000'000'000 + static_cast<unsigned long>(t.tv_nsec);
}

NOT_TRACED void host_wait(const unsigned* word, unsigned value, unsigned long timeout_ns) {
  const timespec t = to_timespec(timeout_ns);
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout_ns == ~0ul ? nullptr : &t, nullptr, 0);
}

NOT_TRACED void host_wake(unsigned* word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 64, nullptr, nullptr, 0); }

NOT_TRACED void host_yield() { syscall(SYS_sched_yield); }

NOT_TRACED void host_sleep(unsigned long ns) {
  const timespec t = to_timespec(ns);
  syscall(SYS_nanosleep, &t, nullptr);
}

}  // extern "C"
