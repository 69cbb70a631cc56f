#!/usr/bin/env python3
"""Boots a kernel image with runnable_guest.c as /init in QEMU, counting instructions: what does a switch cost with N runnable tasks?

usage: runnable.py --kernel IMAGE [--mem MiB] [--most INSTRUCTIONS] [N...]
Exit status 0: it ran to its end, and ten times as many tasks never made a switch dearer by more than --most instructions, as it must
be if the cost grows as the logarithm of their number."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import itertools
import math
import re
import subprocess
import sys
import tempfile
import threading

import guest_boot

LINE = re.compile(r"runnable: (\d+) tasks, ([0-9.]+) instructions")


def boot(args: argparse.Namespace, initramfs: str) -> str:
    args.append += " quiet"
    command = guest_boot.qemu_command(args, initramfs, *args.tasks)
    text = ""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace") as qemu:
        killer = threading.Timer(args.timeout, qemu.kill)
        killer.start()
        for line in qemu.stdout:
            text += line
            m = LINE.search(line)
            if m:
                print(f"{m[1]:>7} runnable: {m[2]:>8} instructions a yield", flush=True)
            if "runnable: done" in line:  # ending so many tasks is not what is measured
                break
        killer.cancel()
        qemu.kill()
    return text


def main() -> int:
    parser = guest_boot.parser(__doc__)
    parser.add_argument("--most", type=float, default=250)
    parser.add_argument("tasks", type=int, nargs="*", default=[10, 100, 1000, 10000, 100000])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        text = boot(args, guest_boot.make_initramfs(tmp, "runnable_guest.c"))
    costs = [(int(m[1]), float(m[2])) for m in LINE.finditer(text)]
    if "runnable: done" not in text or len(costs) != len(args.tasks):
        print(text[-4000:], file=sys.stderr)
        return 1
    steep = [(b[0], b[1] - a[1]) for a, b in itertools.pairwise(costs) if b[1] - a[1] > args.most * math.log10(b[0] / a[0])]
    for tasks, more in steep:
        print(f"at {tasks} tasks a yield is {more:.0f} instructions dearer: more than a logarithm's", file=sys.stderr)
    return 1 if steep else 0


if __name__ == "__main__":
    sys.exit(main())
