#!/usr/bin/env python3
"""Boots a kernel image with busybox and a shell script in QEMU and prints what the script printed.

usage: qemu_script.py --kernel IMAGE --init INIT --script SCRIPT [--mem MiB] [--append WORDS] [--timeout S] [--golden FILE]
With --golden the output is compared with FILE, and a difference is shown as a diff. Exit status 0: the script ran to its end,
QEMU ended, and the output is the golden one."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import difflib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BUSYBOX = "/bin/busybox"
KERNEL_LINE = re.compile(r"\[ *[0-9]+\.[0-9]{6}\] ")
TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


def need(program: str, package: str) -> None:
    if not shutil.which(program) and not pathlib.Path(program).exists():
        raise SystemExit(f"{program} is not there: apt-get install {package}")


def build_programs(programs: list[str], tmp: str) -> list[str]:
    """Compiles each PATH=SOURCE.c statically; the mkinitramfs entries for them."""
    entries = []
    for program in programs:
        need("musl-gcc", "musl-tools")
        path, source = program.split("=")
        out = f"{tmp}/{pathlib.Path(path).name}.elf"
        subprocess.run(["musl-gcc", "-static", "-O1", "-w", "-no-pie", "-Wl,--build-id=none", "-o", out, source], check=True)
        entries.append(f"file:{path}={out}")
    return entries


def debian_programs(programs: list[str]) -> list[str]:
    """The mkinitramfs entries for each program of the machine's own, and for the libraries that ldd lists."""
    entries = []
    for program in programs:
        path, _, host = program.rpartition("=")
        need(host, pathlib.Path(host).name)
        listing = subprocess.run(["ldd", host], capture_output=True, text=True, check=True).stdout
        files = {path or host: host, **{library: library for library in re.findall(r"(/\S+) \(0x", listing)}}
        entries += [f"file:{path.lstrip('/')}={pathlib.Path(host).resolve()}:755" for path, host in files.items()]
    return list(dict.fromkeys(entries))


def boot(args: argparse.Namespace, initramfs: str, log: pathlib.Path) -> int:
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", args.cpu, "-m", str(args.mem), "-smp", str(args.smp), "-nodefaults",
               "-display", "none", "-monitor", "none", "-no-reboot", "-serial", f"file:{log}", "-kernel", args.kernel,
               *(["-icount", f"shift={args.icount},sleep=off"] if args.icount is not None else []), "-initrd", initramfs, "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               "-append", f"debug_exit={'0xf4' if args.crash else 0} console=ttyS0 panic=-1 {'' if args.expect else 'quiet'} {args.append}"]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, timeout=args.timeout, check=False).returncode
    except subprocess.TimeoutExpired:
        return -1


def script_output(text: str) -> list[str] | None:
    """The lines up to the script's exit line, without the kernel's own messages; None if it is not there."""
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if not KERNEL_LINE.match(line)]
    start = next((i for i, line in enumerate(lines) if line.startswith("== ")), None)
    end = next((i for i, line in enumerate(lines) if line.startswith("SCRIPT-EXIT")), None)
    return None if start is None or end is None else lines[start:end + 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--init", required=True)
    parser.add_argument("--script", required=True)
    parser.add_argument("--golden")
    parser.add_argument("--crash", type=int, help="the script ends in a panic, and the machine stops with this status")
    parser.add_argument("--add", action="append", default=[], help="another mkinitramfs entry")
    parser.add_argument("--program", action="append", default=[], help="PATH=SOURCE.c: a static program built with musl-gcc")
    parser.add_argument("--debian", action="append", default=[], help="[PATH=]PROGRAM: a program of this machine, taken along with its libraries")
    parser.add_argument("--mem", type=int, default=512)
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--cpu", default="max,la57=off")
    parser.add_argument("--append", default="")
    parser.add_argument("--icount", type=int, help="an instruction takes 2^N ns of the guest's time, however busy the host is")
    parser.add_argument("--log", help="keep the console's text here")
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--gzip", action="store_true", help="compress the initramfs")
    parser.add_argument("--expect", action="append", default=[], help="a text that the console must show somewhere")
    args = parser.parse_args()
    need("qemu-system-x86_64", "qemu-system-x86")
    need(BUSYBOX, "busybox-static")
    with tempfile.TemporaryDirectory() as tmp:
        initramfs, log = f"{tmp}/initramfs", pathlib.Path(tmp) / "console"
        log.write_text("")
        entries = [f"file:init={args.init}", f"file:script={args.script}", *args.add, *build_programs(args.program, tmp),
                   *debian_programs(args.debian)]
        subprocess.run([sys.executable, "-B", str(TOOLS / "mkinitramfs.py"), "-o", initramfs, "--busybox", BUSYBOX,
                        *(["--gzip"] if args.gzip else []), *entries], check=True)
        status = boot(args, initramfs, log)
        text = log.read_text(errors="replace")
    if args.log:
        pathlib.Path(args.log).write_text(text)
    lines = script_output(text)
    if args.crash is not None:
        # isa-debug-exit makes 2n+1 of the status n that the kernel gave.
        lines, status = [], 0 if status == 2 * args.crash + 1 else status
    if lines is None or status != 0:
        print(text[-6000:], file=sys.stderr)
        print(f"the script did not run to its end, or QEMU's status {status} is not 0", file=sys.stderr)
        return 1
    missing = [e for e in args.expect if e not in text]
    if missing:
        print(text[-3000:], file=sys.stderr)
        print(f"not on the console: {missing}", file=sys.stderr)
        return 1
    if not args.golden:
        print("\n".join(lines))
        return 0
    golden = pathlib.Path(args.golden).read_text().rstrip("\n").split("\n")
    diff = list(difflib.unified_diff(golden, lines, "real Linux", "this kernel", lineterm=""))
    print("\n".join(diff) if diff else f"{len(lines)} lines as on a real Linux")
    return 1 if diff else 0


if __name__ == "__main__":
    sys.exit(main())
