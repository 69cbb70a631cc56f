#!/usr/bin/env python3
"""Makes a GRUB2 (BIOS) ISO of a bzImage and an initramfs. usage: mkiso.py --kernel F --initrd F --append WORDS -o OUT"""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--initrd", required=True)
    parser.add_argument("--append", default="")
    parser.add_argument("-o", required=True)
    args = parser.parse_args()
    for program, package in (("grub-mkrescue", "grub-common grub-pc-bin"), ("xorriso", "xorriso"), ("mformat", "mtools")):
        if not shutil.which(program):
            print(f"{program} is not there: apt-get install {package}", file=sys.stderr)
            return 1
    with tempfile.TemporaryDirectory() as tmp:
        boot = pathlib.Path(tmp) / "boot"
        (boot / "grub").mkdir(parents=True)
        shutil.copy(args.kernel, boot / "bzImage")
        shutil.copy(args.initrd, boot / "initramfs")
        (boot / "grub" / "grub.cfg").write_text(
            "serial --unit=0 --speed=115200\nterminal_input serial console\nterminal_output serial console\n"
            "set timeout=0\nmenuentry cleanfork {\n"
            f"  linux /boot/bzImage {args.append}\n  initrd /boot/initramfs\n}}\n")
        done = subprocess.run(["grub-mkrescue", "-o", args.o, tmp], capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
