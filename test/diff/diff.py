#!/usr/bin/env python3
"""Compares the verdicts of two kernels for the same argument blocks (test/diff/blocks.cc), block by block.

usage: diff.py --program BLOCKS --kernel IMAGE [--other IMAGE | --golden FILE] [--seed N] [--count N] [--show N] [--record FILE]
--record writes the first kernel's verdicts; --show prints one block's arguments and verdict. Exit status 0: no difference."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
LINE = re.compile(r"^(\d+) ((?:[^\s<]|<\d+>)+)$")
ONE = re.compile(r"<\d+>|.")


def boot(kernel: str, program: str, words: str, timeout: float) -> list[str]:
    """The lines between DIFF-BEGIN and DIFF-END."""
    with tempfile.TemporaryDirectory() as tmp:
        initramfs, log = f"{tmp}/initramfs", pathlib.Path(tmp) / "console"
        subprocess.run([sys.executable, "-B", str(TOOLS / "mkinitramfs.py"), "-o", initramfs, f"file:init={program}"], check=True)
        log.write_text("")
        try:
            subprocess.run(["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,la57=off", "-m", "2048", "-smp", "1", "-nodefaults", "-display",
                            "none", "-monitor", "none", "-no-reboot", "-serial", f"file:{log}", "-kernel", kernel, "-initrd", initramfs,
                            "-append", f"console=ttyS0 panic=-1 quiet {words}"], stdin=subprocess.DEVNULL, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            print("QEMU did not end in time", file=sys.stderr)
        lines = log.read_text(errors="replace").replace("\r\n", "\n").split("\n")
    begin = next((i for i, line in enumerate(lines) if line.startswith("DIFF-BEGIN")), None)
    end = next((i for i, line in enumerate(lines) if line.startswith("DIFF-END")), None)
    if begin is None or end is None:
        print("\n".join(lines[-40:]), file=sys.stderr)
        raise SystemExit(f"{kernel}: the run did not end")
    return lines[begin:end + 1]


def verdicts(lines: list[str]) -> dict[int, str]:
    found = {}
    for line in lines:
        match = LINE.match(line)
        if match:
            for i, verdict in enumerate(ONE.findall(match[2])):
                found[int(match[1]) + i] = verdict
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--other")
    parser.add_argument("--golden")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--show", type=int)
    parser.add_argument("--record")
    parser.add_argument("--timeout", type=float, default=580)
    args = parser.parse_args()
    if not shutil.which("qemu-system-x86_64"):
        raise SystemExit("qemu-system-x86_64 is not there: apt-get install qemu-system-x86")
    words = f"DIFF_SEED={args.seed} DIFF_COUNT={args.count}" + (f" DIFF_SHOW={args.show}" if args.show is not None else "")
    lines = boot(args.kernel, args.program, words, args.timeout)
    if args.record:
        pathlib.Path(args.record).write_text("\n".join(lines) + "\n")
    if args.show is not None:
        print("\n".join(lines))
    if not args.other and not args.golden:
        return 0
    theirs = pathlib.Path(args.golden).read_text().split("\n") if args.golden else boot(args.other, args.program, words, args.timeout)
    if args.show is not None:
        print("\n".join(theirs))
    a, b = verdicts(lines), verdicts(theirs)
    different = [n for n in sorted(a.keys() | b.keys()) if a.get(n) != b.get(n)]
    for n in different[:60]:
        print(f"block {n}: {args.kernel} {a.get(n)}, {args.golden or args.other} {b.get(n)}")
    kinds = {}
    for n in different:
        kinds[(a.get(n), b.get(n))] = kinds.get((a.get(n), b.get(n)), 0) + 1
    for (x, y), count in sorted(kinds.items(), key=lambda k: -k[1]):
        print(f"{count} times {x} where the other says {y}")
    print(f"{len(a)} blocks, {len(different)} different, seed {args.seed}; all verdicts: "
          f"{ {v: sum(1 for x in b.values() if x == v) for v in sorted(set(b.values()))} }")
    return 1 if different or not a else 0


if __name__ == "__main__":
    sys.exit(main())
