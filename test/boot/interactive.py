#!/usr/bin/env python3
"""Types at the console of the booted image: line editing, ^C, ^Z and fg, ^D, and exit to power off.

usage: interactive.py --kernel IMAGE --init INIT"""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from qemu_console import Console  # noqa: E402

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
PROMPT = "# "


def start_reader(console: Console, command: str) -> None:
    """Types a command that reads the terminal, and waits until the shell has given the terminal to it."""
    console.type(command + "\n")
    console.wait_for("\r\n")
    time.sleep(1)


def session(console: Console) -> None:
    console.wait_for("powers off.")
    console.wait_for(PROMPT)
    console.type("echo hello; tty\n")
    console.wait_for("hello\r\n/dev/")
    console.wait_for(PROMPT)
    # The line discipline's own editing, under a program that reads lines: erase, kill, word erase.
    start_reader(console, "cat")
    console.type("wrogn\x7f\x7fng\x7f\x7fng\n")
    console.wait_for("\r\nwrong\r\n")
    console.type("all of this goes\x15kept words gone\x17here\n")
    console.wait_for("\r\nkept words here\r\n")
    console.type("\x04")
    console.wait_for(PROMPT)
    start_reader(console, "cat; echo status $?")
    console.type("abc\n")
    console.wait_for("abc\r\nabc\r\n")
    console.type("\x03")
    console.wait_for("^C")
    console.wait_for(PROMPT)
    console.type("echo after $?\n")
    console.wait_for("after 130")
    console.wait_for(PROMPT)
    # Job control: stop a cat, list it, bring it back, end it.
    start_reader(console, "cat")
    console.type("one\n")
    console.wait_for("one\r\none\r\n")
    console.type("\x1a")
    console.wait_for("Stopped")
    console.wait_for(PROMPT)
    console.type("jobs\n")
    console.wait_for("Stopped")
    console.wait_for(PROMPT)
    start_reader(console, "fg")
    console.type("two\n")
    console.wait_for("two\r\ntwo\r\n")
    console.type("\x03")
    console.wait_for(PROMPT)
    # A background reader is stopped, a pipeline is interrupted as one.
    console.type("cat &\n")
    console.wait_for(PROMPT)
    console.type("sleep 0.2; jobs\n")
    console.wait_for("Stopped")
    console.wait_for(PROMPT)
    start_reader(console, "kill %1; kill -CONT %1; wait; sleep 100 | cat | cat")
    console.type("\x03")
    console.wait_for(PROMPT)
    start_reader(console, "stty -echo; read x; stty echo; echo \"<$x>\"")
    console.type("unseen\n")
    console.wait_for("<unseen>")
    console.wait_for(PROMPT)
    console.type("exit\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--init", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run([sys.executable, "-B", str(TOOLS / "mkinitramfs.py"), "-o", f"{tmp}/initramfs", "--busybox", "/bin/busybox",
                        f"file:init={args.init}"], check=True)
        console = Console(["-m", "256", "-kernel", args.kernel, "-initrd", f"{tmp}/initramfs", "-append",
                           "console=ttyS0 quiet panic=-1"])
        try:
            session(console)
            return console.wait_end()
        except AssertionError as failure:
            print(failure, file=sys.stderr)
            console.process.kill()
            return 1


if __name__ == "__main__":
    sys.exit(main())
