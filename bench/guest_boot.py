"""For the benchmarks that are one static program, run as /init of an image in QEMU, which counts its instructions."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MKINITRAMFS = HERE.parent / "tools" / "mkinitramfs.py"


def parser(doc: str) -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kernel", required=True)
    p.add_argument("--mem", type=int, default=4096)
    p.add_argument("--append", default="")
    p.add_argument("--timeout", type=float, default=590)
    return p


def make_initramfs(tmp: str, source: str) -> str:
    """SOURCE, a C file of this folder, compiled statically as /init."""
    program, initramfs = f"{tmp}/init", f"{tmp}/initramfs"
    subprocess.run(["musl-gcc", "-static", "-O1", "-no-pie", "-Wl,--build-id=none", "-o", program, HERE / source], check=True)
    subprocess.run([sys.executable, "-B", str(MKINITRAMFS), "-o", initramfs, f"file:init={program}"], check=True)
    return initramfs


def qemu_command(args: argparse.Namespace, initramfs: str, *words: object) -> list[str]:
    """WORDS become the program's arguments; the console is standard output."""
    return ["qemu-system-x86_64", "-accel", "tcg", "-icount", "shift=0,sleep=off", "-cpu", "max,la57=off,erms=off",
            "-m", str(args.mem), "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot", "-serial", "stdio",
            "-kernel", args.kernel, "-initrd", initramfs,
            "-append", f"console=ttyS0 panic=-1 rdinit=/init {args.append} -- {' '.join(map(str, words))}"]
