#!/usr/bin/env python3
"""Boots a kernel image with scale_guest.c as /init in QEMU, counting instructions, and judges what it prints.

usage: scale.py --kernel IMAGE [--mem MiB] [--threads N] [--processes N] [--most PERCENT]
Exit status 0: it ran to its end, and fork among N processes costs at most PERCENT more than among 10."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parent / "tools"


def boot(args: argparse.Namespace, initramfs: str) -> str:
    command = ["qemu-system-x86_64", "-accel", "tcg", "-icount", "shift=0,sleep=off", "-cpu", "max,la57=off,erms=off",
               "-m", str(args.mem), "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot", "-serial", "stdio",
               "-kernel", args.kernel, "-initrd", initramfs,
               "-append", f"console=ttyS0 panic=-1 rdinit=/init {args.append} -- {args.threads} {args.processes}"]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=args.timeout, check=False,
                              text=True, errors="replace").stdout
    except subprocess.TimeoutExpired as e:
        return (e.stdout or b"").decode(errors="replace") + "\n(timed out)\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--mem", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=30000)
    parser.add_argument("--most", type=float, default=20, help="percent that fork may be dearer among many")
    parser.add_argument("--append", default="")
    parser.add_argument("--timeout", type=float, default=590)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        program, initramfs = f"{tmp}/scale", f"{tmp}/initramfs"
        subprocess.run(["musl-gcc", "-static", "-O1", "-no-pie", "-Wl,--build-id=none", "-o", program, HERE / "scale_guest.c"],
                       check=True)
        subprocess.run([sys.executable, "-B", str(TOOLS / "mkinitramfs.py"), "-o", initramfs, f"file:init={program}"], check=True)
        text = boot(args, initramfs)
    lines = [line for line in text.replace("\r", "").split("\n") if line.startswith("scale:")]
    print("\n".join(lines))
    ratio = re.search(r"ratio ([0-9.]+)", text)
    if "scale: done" in lines and ratio and float(ratio[1]) <= 1 + args.most / 100:
        return 0
    print(text[-4000:], file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
