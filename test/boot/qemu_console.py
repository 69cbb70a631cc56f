"""A QEMU whose serial console a test types at and reads from."""
# SPDX-License-Identifier: Apache-2.0
import os
import pty
import select
import shutil
import subprocess
import termios
import time


class Console:
    """QEMU with its serial port on a pseudo-terminal of ours, in raw mode so that the guest's tty does all the editing."""

    def __init__(self, arguments: list[str]) -> None:
        if not shutil.which("qemu-system-x86_64"):
            raise SystemExit("qemu-system-x86_64 is not there: apt-get install qemu-system-x86")
        self.master, slave = pty.openpty()
        mode = termios.tcgetattr(slave)
        mode[0] = mode[1] = mode[3] = 0
        termios.tcsetattr(slave, termios.TCSANOW, mode)
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot",
             "-serial", "stdio", *arguments], stdin=slave, stdout=slave, stderr=subprocess.STDOUT)
        os.close(slave)
        self.log = ""
        self.seen = 0  # what wait_for has passed

    def read_some(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 4096)
        except OSError:
            return False
        self.log += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """Reads until text appears after what was waited for before; what came before it."""
        end = time.monotonic() + seconds
        while True:
            at = self.log.find(text, self.seen)
            if at >= 0:
                before = self.log[self.seen:at]
                self.seen = at + len(text)
                return before
            if time.monotonic() > end or not self.read_some(1):
                raise AssertionError(f"waited for {text!r}; since then the console said:\n{self.log[self.seen:][-3000:]}")

    def type(self, text: str) -> None:
        for char in text:  # as a person would: a 16550 has a FIFO of 16
            os.write(self.master, char.encode())
            time.sleep(0.005)

    def wait_end(self, seconds: float = 30) -> int:
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.read_some(0.2)
        if self.process.poll() is None:
            self.process.kill()
            raise AssertionError("QEMU did not end; the console's last words:\n" + self.log[-2000:])
        while self.read_some(0.1) and select.select([self.master], [], [], 0.1)[0]:
            pass
        return self.process.returncode
