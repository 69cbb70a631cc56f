#!/usr/bin/env python3
"""Boots a kernel image with scale_guest.c as /init in QEMU, counting instructions, and judges what it prints.

usage: scale.py --kernel IMAGE [--mem MiB] [--threads N] [--processes N] [--most PERCENT]
Exit status 0: it ran to its end, and fork among N processes costs at most PERCENT more than among 10."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import re
import subprocess
import sys
import tempfile

import guest_boot


def boot(args: argparse.Namespace, initramfs: str) -> str:
    command = guest_boot.qemu_command(args, initramfs, args.threads, args.processes)
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=args.timeout, check=False,
                              text=True, errors="replace").stdout
    except subprocess.TimeoutExpired as e:
        return (e.stdout or b"").decode(errors="replace") + "\n(timed out)\n"


def main() -> int:
    parser = guest_boot.parser(__doc__)
    parser.add_argument("--threads", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=30000)
    parser.add_argument("--most", type=float, default=20, help="percent that fork may be dearer among many")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        text = boot(args, guest_boot.make_initramfs(tmp, "scale_guest.c"))
    lines = [line for line in text.replace("\r", "").split("\n") if line.startswith("scale:")]
    print("\n".join(lines))
    ratio = re.search(r"ratio ([0-9.]+)", text)
    if "scale: done" in lines and ratio and float(ratio[1]) <= 1 + args.most / 100:
        return 0
    print(text[-4000:], file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
