#!/usr/bin/env python3
"""Compares the verdicts of two kernels for the same argument blocks (test/diff/main.cc), block by block.

usage: diff.py --program BLOCKS [--kind clone3|calls] --kernel IMAGE [--other IMAGE | --golden FILE] [--seed N] [--count N]
               [--show N] [--record FILE]
Exit status 0: no difference."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import collections
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


def compare(ours: dict[int, str], theirs: dict[int, str]) -> int:
    """Prints the differences and their kinds; how many there are."""
    different = [n for n in sorted(ours.keys() | theirs.keys()) if ours.get(n) != theirs.get(n)]
    for n in different[:60]:
        print(f"block {n}: {ours.get(n)}, the other {theirs.get(n)}")
    kinds = collections.Counter((ours.get(n), theirs.get(n)) for n in different)
    for (x, y), count in kinds.most_common():
        print(f"{count} times {x} where the other says {y}")
    verdicts_there = dict(sorted(collections.Counter(theirs.values()).items()))
    print(f"{len(ours)} blocks, {len(different)} different; verdicts {verdicts_there}")
    return len(different)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--other", help="another kernel, to compare with")
    parser.add_argument("--golden", help="recorded verdicts, to compare with; kind, seed and count are then theirs")
    parser.add_argument("--kind", default="clone3", choices=["clone3", "calls"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--show", type=int, help="print this block's arguments and verdict alone")
    parser.add_argument("--record", help="write the first kernel's verdicts here")
    parser.add_argument("--timeout", type=float, default=580, help="seconds for each kernel")
    args = parser.parse_args()
    if args.golden:
        args.golden = pathlib.Path(args.golden).read_text().split("\n")
        _, args.kind, _, args.seed, _, args.count = args.golden[0].split()
    if not shutil.which("qemu-system-x86_64"):
        raise SystemExit("qemu-system-x86_64 is not there: apt-get install qemu-system-x86")
    return args


def main() -> int:
    args = parse()
    words = f"DIFF_KIND={args.kind} DIFF_SEED={args.seed} DIFF_COUNT={args.count}"
    if args.show is not None:
        words += f" DIFF_SHOW={args.show}"
    lines = boot(args.kernel, args.program, words, args.timeout)
    if args.record:
        pathlib.Path(args.record).write_text("\n".join(lines) + "\n")
    theirs = args.golden or (boot(args.other, args.program, words, args.timeout) if args.other else [])
    if args.show is not None:
        print("\n".join(lines + theirs))
    elif theirs:
        print(f"{args.kind}, seed {args.seed}")
        return 1 if compare(verdicts(lines), verdicts(theirs)) or not verdicts(lines) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
