#!/usr/bin/env python3
"""Which numbered requirements of the specification are cited by a test, and which are not.

usage: spec_coverage.py [--spec DIR] [--list] [--write-ids] [FILE-NUMBER...]     (default: all files)

Requirements are read from DIR (default: ../shared/spec beside the repository), or, if that is not there, from docs/spec-ids.txt, which
--write-ids writes. A test cites one in a comment: `spec 20 F-21`, lists and ranges (`spec 20 F-21..F-28, F-30`); an id alone belongs to the
file that the nearest `spec NN` before it in that comment names, or to one that the file's first lines name. What cannot be tested is in
docs/spec-untested.txt, with the reason. Fails if a requirement is in neither, or in both.
--list prints each requirement with its tests."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
IDS = ROOT / "docs/spec-ids.txt"
UNTESTED = ROOT / "docs/spec-untested.txt"
ID = r"[A-Z]{1,2}-\d+"
# `**F-21** text`, `- **F-21** text`, `- F-21 text`, or the first cell of a table's row.
DEFINITION = re.compile(rf"^(?:(?:- )?\*\*({ID})\b|- ({ID}) |\| *({ID}) *\|)")
# spec 20, Specs 20 and 21, "spec 20 section 3", then ids; or a lone id or range.
TOKEN = re.compile(rf"\b[Ss]pecs? (\d\d(?:(?:, | and )\d\d(?!\d))*)|\b({ID})(?:(?:\.\.|–)({ID}))?")
COMMENT = re.compile(r"//(.*)$|^\s*[#*]\s?(.*)$|/\*(.*)$")
SOURCES = {".cc", ".hh", ".c", ".h", ".py", ".sh", ".bzl", ".bazel"}


class Spec:
    """Requirements by spec file: {20: {"F-21": "text"}}, in the order of the file."""

    def __init__(self, folder):
        self.files = collections.defaultdict(dict)
        if folder.is_dir():
            for path in sorted(folder.glob("[0-9][0-9]-*.md")):
                self.read(int(path.name[:2]), path.read_text())
        else:
            for line in IDS.read_text().splitlines():
                if line and not line.startswith("#"):
                    number, name, text = line.split(" ", 2)
                    self.files[int(number)][name] = text

    def read(self, number, text):
        for line in text.splitlines():
            match = DEFINITION.match(line)
            if match:
                words = re.sub(r"[*|`]", " ", line[match.end():])
                self.files[number].setdefault(match[1] or match[2] or match[3], " ".join(words.split())[:90])

    def write_ids(self):
        lines = ["# The numbered requirements of the specification, for those who have not its text. Written by tools/spec_coverage.py."]
        for number, names in sorted(self.files.items()):
            lines += [f"{number} {name} {text}" for name, text in names.items()]
        IDS.write_text("\n".join(lines) + "\n")


def expand(first, last):
    """F-21, F-28 -> F-21 ... F-28"""
    letter, low = first.split("-")
    if not last or last.split("-")[0] != letter:
        return [first] + ([last] if last else [])
    return [f"{letter}-{n}" for n in range(int(low), int(last.split("-")[1]) + 1)]


def comments(path):
    """(line number, text of the comment in it, whether it goes on from the line before)"""
    before = False
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = COMMENT.search(line)
        if match:
            own_line = line.lstrip().startswith(("//", "#", "*"))
            yield number, next(g for g in match.groups() if g is not None), before and own_line
        before = match is not None


def citations(spec):
    """{(20, "F-21"): ["test/x.cc:12"]}"""
    found = collections.defaultdict(list)
    for path in sorted((ROOT / "test").rglob("*")):
        if path.suffix not in SOURCES or not path.is_file():
            continue
        header, nearest = [], []
        for line, text, goes_on in comments(path):
            if not goes_on:
                nearest = []
            for match in TOKEN.finditer(text):
                if match[1]:
                    nearest = [int(n) for n in re.findall(r"\d\d", match[1])]
                    if line <= 8:
                        header += nearest
                    continue
                for name in expand(match[2], match[3]):
                    for number in nearest or header:
                        if name in spec.files[number]:
                            found[number, name].append(f"{path.relative_to(ROOT)}:{line}")
                            break
    return found


def untested():
    """{(20, "T-7"): "reason"}"""
    reasons = {}
    for line in UNTESTED.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(rf"(\d\d) ({ID})(?:\.\.({ID}))?: (.+)", line)
        if not match:
            sys.exit(f"{UNTESTED.name}: not `NN X-n: reason`: {line}")
        for name in expand(match[2], match[3]):
            reasons[int(match[1]), name] = match[4]
    return reasons


def report(spec, number, cited, reasons, verbose):
    """Prints one spec file's state; the number of what is wrong."""
    names = spec.files[number]
    missing = [n for n in names if (number, n) not in cited and (number, n) not in reasons]
    both = [n for n in names if (number, n) in cited and (number, n) in reasons]
    have = sum((number, n) in cited for n in names)
    said = sum((number, n) in reasons for n in names)
    print(f"spec {number}: {len(names)} requirements, {have} cited by tests, {said} not testable, {len(missing)} missing")
    for name in names:
        if verbose and (number, name) in cited:
            print(f"  {number} {name}: {', '.join(cited[number, name][:4])}")
        if verbose and (number, name) in reasons:
            print(f"  {number} {name}: not tested: {reasons[number, name]}")
    for name in missing:
        print(f"  {number} {name} has no test: {names[name]}")
    for name in both:
        print(f"  {number} {name} is said to be untestable, but {cited[number, name][0]} tests it")
    return len(missing) + len(both)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spec", type=pathlib.Path, default=ROOT.parent / "shared/spec")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--write-ids", action="store_true")
    parser.add_argument("files", type=int, nargs="*")
    args = parser.parse_args()
    spec = Spec(args.spec)
    if args.write_ids:
        spec.write_ids()
    cited, reasons = citations(spec), untested()
    unknown = [f"{number} {name}" for number, name in reasons if name not in spec.files[number]]
    for line in unknown:
        print(f"{UNTESTED.name}: no such requirement: {line}")
    wrong = sum(report(spec, number, cited, reasons, args.list) for number in args.files or sorted(spec.files) if spec.files[number])
    return 1 if wrong or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
