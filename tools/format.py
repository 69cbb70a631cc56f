#!/usr/bin/env python3
"""clang-format over the C++ sources (the C face keeps its own layout). usage: format.py [--check]"""
# SPDX-License-Identifier: Apache-2.0
import shutil
import subprocess
import sys


def main() -> int:
    tool = shutil.which("clang-format-19") or shutil.which("clang-format")
    if not tool:
        print("clang-format is not there: apt-get install clang-format", file=sys.stderr)
        return 1
    files = subprocess.run(["git", "ls-files", "*.cc", "*.hh"], capture_output=True, text=True, check=True).stdout.split()
    check = ["--dry-run", "-Werror"] if "--check" in sys.argv[1:] else ["-i"]
    return subprocess.run([tool, *check, *files], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
