#!/usr/bin/env python3
"""Boots an image with KUnit suites and reads their KTAP from the console.

usage: kunit_qemu.py --kernel IMAGE [--filter GLOB] [--mem MiB] [--smp N] [--icount N] [--preempt MODE] [--append WORDS]
Prints the failing cases with what they said, and a last line `N passed, M failed, K skipped`; exit status 0 if none failed, at least one ran and
QEMU ended by itself."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from qemu_console import Console  # noqa: E402

# A case is indented once below its suite; a parameter of one, twice.
CASE = re.compile(r"^(?:\[ *[\d.]+\] )?    (not )?ok \d+ (?:- )?(\S+)(.*)$")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--filter", default="*")
    parser.add_argument("--mem", default="512")
    parser.add_argument("--smp", default="1")
    parser.add_argument("--icount", type=int, help="an instruction takes 2^N ns of the guest's time, however busy the host is; CPUs take turns")
    parser.add_argument("--preempt", default="full", choices=["none", "voluntary", "full"])
    parser.add_argument("--append", default="")
    args = parser.parse_args()
    clock = ["-icount", f"shift={args.icount},sleep=off"] if args.icount is not None else []
    console = Console([*clock, "-cpu", "max,la57=off", "-m", args.mem, "-smp", args.smp, "-kernel", args.kernel, "-append",
                       f"console=ttyS0 panic=-1 preempt={args.preempt} kunit.enable=1 kunit.filter={args.filter} {args.append}"])
    try:
        console.wait_end(540)
    except AssertionError as failure:
        print(failure, file=sys.stderr)
        return 1
    text = console.log.replace("\r\n", "\n")
    passed = failed = skipped = 0
    said: list[str] = []
    for line in text.split("\n"):
        match = CASE.match(line)
        said = [] if match and not match[1] else [*said[-30:], line]
        if not match:
            continue
        if match[1]:
            failed += 1
            print(f"FAILED {match[2]}", *said, sep="\n  ")
            said = []
        elif "# SKIP" in match[3]:
            skipped += 1
        else:
            passed += 1
    whole = "leak check: clean" in text
    if not passed or not whole:
        print(text[-8000:], file=sys.stderr)
    if not whole:
        print("the power-off report is missing or names leaks", file=sys.stderr)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed and whole else 1


if __name__ == "__main__":
    sys.exit(main())
