#!/usr/bin/env python3
"""Boots the GRUB ISO in QEMU from its CD drive and waits for the shell prompt. usage: iso.py --iso FILE"""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from qemu_console import Console  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iso", required=True)
    args = parser.parse_args()
    console = Console(["-m", "256", "-cdrom", args.iso, "-boot", "d"])
    try:
        console.wait_for("powers off.", 120)
        console.wait_for("# ")
        console.type("exit\n")
        console.wait_for("leak check: clean")
        return console.wait_end()
    except AssertionError as failure:
        print(failure, file=sys.stderr)
        console.process.kill()
        return 1


if __name__ == "__main__":
    sys.exit(main())
