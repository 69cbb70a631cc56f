#!/usr/bin/env python3
"""Adds up the test.xml files of a bazel run and prints `N passed, N failed` as the last line.

usage: test_summary.py LOGDIR [--newer FILE] [--status N]
A GoogleTest binary counts its cases, a boot of KUnit suites the cases it printed, another test is one case. Exit status 0 if
nothing failed and bazel's own status was 0."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

BOOTED = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)


def count(xml: pathlib.Path) -> tuple[int, int]:
    """(passed, failed) of one test target."""
    root = ET.parse(xml).getroot()
    suites = [root] if root.tag == "testsuite" else list(root.iter("testsuite"))
    log = xml.with_name("test.log")
    booted = BOOTED.search(log.read_text(errors="replace")) if log.exists() else None
    bad = sum(int(s.get("failures", 0)) + int(s.get("errors", 0)) for s in suites)
    if booted and len(suites) == 1 and int(suites[0].get("tests", 1)) == 1:
        return int(booted[1]), max(int(booted[2]), bad)
    cases = [c for s in suites for c in s.findall("testcase")]
    failed = sum(1 for c in cases if c.find("failure") is not None or c.find("error") is not None)
    skipped = sum(1 for c in cases if c.find("skipped") is not None)
    return len(cases) - failed - skipped, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs")
    parser.add_argument("--newer")
    parser.add_argument("--status", type=int, default=0)
    args = parser.parse_args()
    passed = failed = 0
    for xml in sorted(pathlib.Path(args.logs).resolve().glob("**/test.xml")):
        ok, bad = count(xml)
        passed += ok
        failed += bad
        if bad:
            print(f"FAILED {xml.parent.relative_to(pathlib.Path(args.logs).resolve())}: {bad}")
    if args.status and not failed:
        print(f"bazel ended with status {args.status}")
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
