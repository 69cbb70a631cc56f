#!/usr/bin/env python3
"""Writes docs/compat.md: for each system call of Linux 6.1 on x86-64, and each flag that the guest suite tries, whether it is the same
on our image, differs, or is not there.

usage: compat.py [--check]    --check: do not write, fail if the file is not what would be written
It puts together the system call table, the calls that the sources define (SYSCALL_DEFINEn or extern "C" long sys_NAME), the guest
suite's cases with the calls and flags that they name, their recorded verdicts on Debian's 6.1 and on the image
(test/guest/results-*.txt, made by test/guest/record), and the remarks of docs/compat-notes.txt."""
# SPDX-License-Identifier: Apache-2.0
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEFINED = re.compile(r'^(?:SYSCALL_DEFINE\d\((\w+)|extern "C" long sys_(\w+)\()', re.M)
FOLDERS = ["kernel", "mm", "fs", "arch/x86", "ipc"]
CASE = re.compile(r"^// spec [^|\n]*\| *([^\n]*)\nTEST(?:_F)?\((\w+), (\w+)\)", re.M)
Subject = tuple[str, str]  # a call and one of its flags, or "" for the call


def defined_calls() -> dict[str, str]:
    """name -> file that defines it"""
    calls = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.cc")):
            for match in DEFINED.finditer(path.read_text()):
                calls[match[1] or match[2]] = str(path.relative_to(ROOT))
    return calls


def read_notes() -> tuple[dict[Subject, str], list[str]]:
    """Remarks by call or call and flag, and the general ones."""
    notes, general = {}, []
    for line in (ROOT / "docs/compat-notes.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, text = line.partition(":")
        if name == "*":
            general.append(text.strip())
        else:
            call, _, flag = name.strip().partition(" ")
            notes[call, flag] = text.strip()
    return notes, general


def guest_cases() -> dict[Subject, list[str]]:
    """The cases about each subject."""
    cases = collections.defaultdict(list)
    for path in sorted((ROOT / "test/guest").glob("*_test.cc")):
        for match in CASE.finditer(path.read_text()):
            for subject in match[1].split(";"):
                call, *flags = subject.split()
                cases[call, ""].append(f"{match[2]}.{match[3]}")
                for flag in flags:
                    cases[call, flag].append(f"{match[2]}.{match[3]}")
    return cases


def results(where: str) -> dict[str, str]:
    """case -> ok, FAIL or skip"""
    lines = (ROOT / f"test/guest/results-{where}.txt").read_text().splitlines()
    return {line.split()[1].rstrip(":"): line.split()[0] for line in lines if line.strip()}


class Verdicts:
    """What the recorded runs say about a subject."""

    def __init__(self):
        self.linux, self.image, self.cases = results("6.1"), results("image"), guest_cases()

    def of(self, subject: Subject) -> tuple[str, int, list[str]]:
        """same, differs, not there, or "" if no case tells; the number of cases that do; those that do not pass on the image."""
        told = [c for c in dict.fromkeys(self.cases.get(subject, [])) if self.linux.get(c) == "ok" and c in self.image]
        odd = [c for c in told if self.image[c] != "ok"]
        if not told:
            return "", 0, []
        if not odd:
            return "same", len(told), []
        return "not there" if all(self.image[c] == "skip" for c in told) else "differs", len(told), odd


def row_of(subject: Subject, verdicts: Verdicts, notes: dict[Subject, str]) -> tuple[str, int, str]:
    """state, number of cases, remark"""
    state, count, odd = verdicts.of(subject)
    note = notes.get(subject, "")
    if note:
        state = "not there" if note.startswith("not there") else "differs"
    remark = note + ("; " if note and odd else "") + (f"not as on Linux: {', '.join(odd)}" if odd else "")
    return state, count, remark


def call_table(rows, calls, verdicts, notes) -> list[str]:
    out = ["| nr | call | state | cases | where | differs from Linux in |", "|---|---|---|---|---|---|"]
    for row in rows:
        nr, name = row[0], row[2]
        if name not in calls:
            continue
        state, count, remark = row_of((name, ""), verdicts, notes)
        flags = [flag for call, flag in notes if call == name and flag]
        if flags:
            state, remark = "differs", "; ".join(filter(None, [remark, "flags: " + ", ".join(flags)]))
        out.append(f"| {nr} | {name} | {state or 'there'} | {count or ''} | `{calls[name]}` | {remark} |")
    return out


def flag_table(names, verdicts, notes) -> list[str]:
    subjects = sorted({s for s in [*verdicts.cases, *notes] if s[1] and s[0] in names})
    out = ["| call | flag | state | cases | differs from Linux in |", "|---|---|---|---|---|"]
    for subject in subjects:
        state, count, remark = row_of(subject, verdicts, notes)
        if state:
            out.append(f"| {subject[0]} | {subject[1]} | {state} | {count or ''} | {remark} |")
    return out


def other_table(names, verdicts, notes) -> list[str]:
    out = ["| what | state | cases | differs from Linux in |", "|---|---|---|---|"]
    for subject in sorted(s for s in verdicts.cases if not s[1] and s[0] not in names):
        state, count, remark = row_of(subject, verdicts, notes)
        if state:
            out.append(f"| {subject[0]} | {state} | {count} | {remark} |")
    return out


def document() -> str:
    calls, (notes, general), verdicts = defined_calls(), read_notes(), Verdicts()
    rows = [line.split() for line in (ROOT / "kernel/entry/syscalls.tbl").read_text().splitlines()
            if line.strip() and not line.startswith("#")]
    names = [row[2] for row in rows]
    unknown = [call for call, _ in notes if call not in names]
    if unknown:
        raise SystemExit(f"docs/compat-notes.txt: no such system calls: {unknown}")
    here = [n for n in names if n in calls]
    counts = [collections.Counter(r.values()) for r in (verdicts.linux, verdicts.image)]
    said = [f"{c['ok']} passed, {c['FAIL']} failed, {c['skip']} skipped" for c in counts]
    out = ["# Compatibility with Linux 6.1 on x86-64", "",
           "Made by `tools/compat.py` from the system call table, the sources, the guest suite's recorded verdicts and",
           "`docs/compat-notes.txt`. Not to be edited.", "",
           f"{len(here)} of {len(names)} system calls are there; the others answer ENOSYS and are counted in `/proc/cleanfork/enosys`.", "",
           f"The guest suite (test/guest): on Debian's 6.1 {said[0]}; on the image {said[1]}.", "",
           "States: **same**: all cases of the guest suite about it pass on Debian's Linux 6.1 and on the image. **differs**: a case does",
           "not, or a difference is known. **not there**. **there**: no case is about it; it is tested otherwise, not against Linux here.",
           "Verdicts on random arguments of clone3 and the calls around it are compared in test/diff: there is no difference known.", "",
           "## In general", ""]
    out += [f"- {text}" for text in general]
    out += ["", "## System calls that are there", ""] + call_table(rows, calls, verdicts, notes)
    out += ["", "## Flags and options", ""] + flag_table(names, verdicts, notes)
    out += ["", "## Files and other behaviour", ""] + other_table(names, verdicts, notes)
    out += ["", "## System calls that are not there", "", ", ".join(n for n in names if n not in calls), ""]
    return "\n".join(out)


def main() -> int:
    text, target = document(), ROOT / "docs/compat.md"
    if "--check" not in sys.argv[1:]:
        target.write_text(text)
        return 0
    if target.exists() and target.read_text() == text:
        return 0
    print("docs/compat.md is not up to date: run tools/compat.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
