#!/usr/bin/env python3
"""Writes docs/compat.md: for each system call of Linux 6.1 on x86-64 whether it is there, with the remarks of docs/compat-notes.txt.

usage: compat.py [--check]    --check: do not write, fail if the file is not what would be written
A call is there if a source file defines it (SYSCALL_DEFINEn or extern "C" long sys_NAME)."""
# SPDX-License-Identifier: Apache-2.0
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEFINED = re.compile(r'^(?:SYSCALL_DEFINE\d\((\w+)|extern "C" long sys_(\w+)\()', re.M)
FOLDERS = ["kernel", "mm", "fs", "arch/x86", "ipc"]


def defined_calls() -> dict[str, str]:
    """name -> file that defines it"""
    calls = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.cc")):
            for match in DEFINED.finditer(path.read_text()):
                calls[match[1] or match[2]] = str(path.relative_to(ROOT))
    return calls


def read_notes() -> tuple[dict[str, str], list[str]]:
    """Remarks by call, and the general ones."""
    notes, general = {}, []
    for line in (ROOT / "docs/compat-notes.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, text = line.partition(":")
        if name == "*":
            general.append(text.strip())
        else:
            notes[name.strip()] = text.strip()
    return notes, general


def main() -> int:
    calls, (notes, general) = defined_calls(), read_notes()
    rows = [line.split() for line in (ROOT / "kernel/entry/syscalls.tbl").read_text().splitlines()
            if line.strip() and not line.startswith("#")]
    names = [row[2] for row in rows]
    unknown = [n for n in notes if n not in names]
    if unknown:
        print(f"docs/compat-notes.txt: no such system calls: {unknown}", file=sys.stderr)
        return 1
    here = [n for n in names if n in calls]
    out = ["# Compatibility with Linux 6.1 on x86-64", "",
           "Made by `tools/compat.py` from the system call table, the sources and `docs/compat-notes.txt`.", "",
           f"{len(here)} of {len(names)} system calls are there; the others answer ENOSYS and are counted in",
           "`/proc/cleanfork/enosys`.", "", "## In general", ""]
    out += [f"- {text}" for text in general]
    out += ["", "## System calls that are there", "", "| nr | call | where | differs from Linux in |", "|---|---|---|---|"]
    out += [f"| {row[0]} | {row[2]} | `{calls[row[2]]}` | {notes.get(row[2], '')} |" for row in rows if row[2] in calls]
    out += ["", "## System calls that are not there", "", ", ".join(n for n in names if n not in calls), ""]
    text = "\n".join(out)
    target = ROOT / "docs/compat.md"
    if "--check" in sys.argv[1:]:
        if target.exists() and target.read_text() == text:
            return 0
        print("docs/compat.md is not up to date: run tools/compat.py", file=sys.stderr)
        return 1
    target.write_text(text)
    print(f"{len(here)} of {len(names)} system calls")
    return 0


if __name__ == "__main__":
    sys.exit(main())
