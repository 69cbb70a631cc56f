"""The packages of KUnit suites: test/<area>."""

# Suites that run on both machines.
TEST_AREAS = [
    "cgroup",
    "cred",
    "entry",
    "exec",
    "exit",
    "fork",
    "initramfs",
    "kthread",
    "kunit",
    "lib",
    "mm",
    "nsproxy",
    "pid",
    "pipe",
    "printk",
    "ptrace",
    "rcu",
    "sched",
    "signal",
    "socket",
    "softirq",
    "sync",
    "time",
    "trace",
    "tty",
    "vfs",
    "wait",
]

# Suites that need what only the hosted machine has: programs as functions, seeds, several CPUs.
HOSTED_AREAS = ["faults", "hosted"]

# Suites about the x86 machine itself.
X86_AREAS = ["x86"]
