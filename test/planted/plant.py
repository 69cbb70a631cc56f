#!/usr/bin/env python3
"""Plants the bugs of bugs.txt in a copy of the sources: each change becomes `planted? new : old`, switched on by the number in CF_PLANTED.

  plant.py --out DIR FILE...     writes the planted copies of those FILEs that a bug changes, below DIR; checks that each change applies
  plant.py --list                numbers and names
The sources themselves stay as they are."""
import argparse
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROLOGUE = """// A copy with planted bugs, for tests only.
extern "C" int hosted_planted;
extern "C" unsigned planted_store_buffer[256];
#define CF_PLANTED(n) (!__builtin_is_constant_evaluated() && hosted_planted == (n))
"""


class Bug:
    def __init__(self, number, name, about):
        self.number, self.name, self.about = number, name, about
        self.first = "suites"
        self.changes = []  # dicts: file, after, old, new


def read_bugs(path=os.path.join(HERE, "bugs.txt")):
    bugs = []
    for line in open(path):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        key, value = line.split(": ", 1)
        if key == "bug":
            name, about = value.split(": ", 1)
            bugs.append(Bug(len(bugs) + 1, name, about))
        elif key == "first":
            bugs[-1].first = value
        elif key == "file":
            bugs[-1].changes.append({"file": value, "after": ""})
        else:
            bugs[-1].changes[-1][key] = value
    return bugs


def apply(text, bug, change):
    old, new = change["old"], change["new"]
    start = text.find(change["after"]) if change["after"] else 0
    if start < 0:
        sys.exit(f"{bug.name}: {change['file']} has no {change['after']!r}")
    at = text.find(old, start)
    if at < 0:
        sys.exit(f"{bug.name}: {change['file']} has no {old!r}")
    if re.match(r"\w\w", text[at - 1:at + 1]):
        sys.exit(f"{bug.name}: {change['file']} has {old!r} as the end of a longer name")
    if not change["after"] and text.find(old, at + 1) >= 0:
        sys.exit(f"{bug.name}: {change['file']} has {old!r} twice")
    if old.endswith(";"):
        body = "" if new == ";" else new
        # do-while, so that it is one statement wherever the old one was.
        planted = f"do {{ if (CF_PLANTED({bug.number})) {{ {body} }} else {{ {old} }} }} while (0);"
        if re.search(r"\breturn\b|\bbreak\b|\bcontinue\b", old + new):
            planted = f"if (CF_PLANTED({bug.number})) {{ {body} }} else {{ {old} }}"
    else:
        planted = f"(CF_PLANTED({bug.number}) ? ({new}) : ({old}))"
    return text[:at] + planted + text[at + len(old):]


def plant(root, name, bugs):
    text = open(os.path.join(root, name)).read()
    for bug in bugs:
        for change in bug.changes:
            if change["file"] == name:
                text = apply(text, bug, change)
    return PROLOGUE + text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--root", default=".")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    bugs = read_bugs()
    if args.list:
        for bug in bugs:
            print(f"{bug.number:3} {bug.name}: {bug.about}")
        return
    changed = {c["file"] for b in bugs for c in b.changes}
    for name in sorted(changed if not args.files else changed & set(args.files)):
        path = os.path.join(args.out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        text = plant(args.root, name, bugs)
        if not os.path.exists(path) or open(path).read() != text:
            open(path, "w").write(text)


if __name__ == "__main__":
    main()
