#!/usr/bin/env python3
"""Boots a kernel image in QEMU with the guest suite as its init, prints each case's verdict and `N passed, N failed, N skipped`.

usage: run_guest.py --kernel IMAGE --program GUEST_ALL [--filter PATTERN] [--results FILE] [--mem MiB] [--smp N]
--results writes the verdicts, sorted, one case a line: `ok NAME`, `FAIL NAME` or `skip NAME: reason`.
Exit status 0: the suite ran to its end and nothing failed."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
KERNEL_LINE = re.compile(r"^\[ *[0-9]+\.[0-9]{6}\] ")
VERDICT = re.compile(r"^\[( ok |FAIL|skip)\] (\w+\.\w+)(.*)$")
END = re.compile(r"^GUEST-END (\d+) passed, (\d+) failed, (\d+) skipped")


def boot(args: argparse.Namespace, tmp: str) -> str:
    """The console's text."""
    initramfs, log = f"{tmp}/initramfs", pathlib.Path(tmp) / "console"
    subprocess.run([sys.executable, "-B", str(TOOLS / "mkinitramfs.py"), "-o", initramfs, f"file:init={args.program}",
                    "file:bin/guest=" + args.program, *args.add], check=True)
    log.write_text("")
    words = f"console=ttyS0 panic=-1 quiet {args.append}"
    if args.filter:
        words += f" GUEST_FILTER={args.filter}"
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,la57=off", "-m", str(args.mem), "-smp", str(args.smp), "-nodefaults",
               "-display", "none", "-monitor", "none", "-no-reboot", "-serial", f"file:{log}", "-kernel", args.kernel,
               "-initrd", initramfs, "-append", words]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=args.timeout, check=False)
    except subprocess.TimeoutExpired:
        print("QEMU did not end in time")
    return log.read_text(errors="replace").replace("\r\n", "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--results")
    parser.add_argument("--add", action="append", default=[], help="another mkinitramfs entry")
    parser.add_argument("--mem", type=int, default=512)
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--append", default="")
    parser.add_argument("--timeout", type=float, default=1500)
    parser.add_argument("--log", help="keep the console's text here")
    args = parser.parse_args()
    if not shutil.which("qemu-system-x86_64"):
        raise SystemExit("qemu-system-x86_64 is not there: apt-get install qemu-system-x86")
    with tempfile.TemporaryDirectory() as tmp:
        text = boot(args, tmp)
    if args.log:
        pathlib.Path(args.log).write_text(text)
    results, end = [], None
    for line in text.split("\n"):
        verdict = VERDICT.match(line)
        if verdict:
            results.append(f"{verdict[1].strip()} {verdict[2]}{verdict[3] if verdict[1] == 'skip' else ''}")
        end = end or END.match(line)
    print("\n".join(line for line in text.split("\n") if not KERNEL_LINE.match(line)))
    if not end:
        print("the suite did not run to its end; the console's last words:\n" + text[-3000:], file=sys.stderr)
        return 1
    if args.results:
        pathlib.Path(args.results).write_text("\n".join(sorted(results, key=lambda r: r.split(" ", 1)[1])) + "\n")
    print(f"{end[1]} passed, {end[2]} failed, {end[3]} skipped")
    return 1 if int(end[2]) or not int(end[1]) else 0


if __name__ == "__main__":
    sys.exit(main())
