#!/usr/bin/env python3
"""Says which planted bugs the tests catch. Each bug is on in a run of its own of the same two programs.

  score.py --suites PROGRAM --explore PROGRAM [--only NUMBER,...] [--quick] [--explore-only]
Ends with "N passed, N failed": a bug that nobody catches is a failure, and so is a finding with none planted."""
import argparse
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import plant  # noqa: E402

timeout = 200  # seconds, or four times what it takes with no bug, if that is asked first; a world that a bug hangs is caught


def run(command, number):
    env = dict(os.environ, CF_PLANTED=str(number))
    limit = timeout if number else 3000
    try:
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit, text=True, errors="replace")
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as e:
        return -1, (e.stdout or b"").decode(errors="replace") + "\ndoes not end"


def why(text):
    """The shortest thing to say of a failure: an invariant's name, else how the world ended, else the case."""
    invariants = re.findall(r"sched invariant ([A-Z]+-[\w-]+)", text)
    if invariants:
        return invariants[0]
    for pattern, say in ((r"deadlock", "lost wake-up (deadlock)"), (r"livelock|hung|does not end|timed out", "does not end"),
                         (r"not so: (.*)", None), (r"BUG: ([^\n]{0,60})", None), (r"leak check: (?!clean)([^\n]{0,60})", None),
                         (r"Kernel panic[^\n]*: ([^\n]{0,60})", None)):
        m = re.search(pattern, text)
        if m:
            return say or m.group(1).strip()
    return "an expectation"


def ask_suites(program, number, cases="*"):
    code, text = run([program, "--gtest_fail_fast", "--gtest_brief=1", "--gtest_filter=" + cases], number)
    if code == 0:
        return None
    case = re.search(r"\[  FAILED  \] ([\w.]+)", text) or re.search(r"gtest_filter=([\w.]+)", text)
    return f"{case.group(1) if case else 'suites'}: {why(text)}"


def ask_explorer(program, number, quick, scenarios=()):
    random = "300" if quick else "3000" if scenarios else "1000"
    code, text = run([program, "--first", "--bound", "1", "--random", random, *scenarios], number)
    if code == 0:
        return None
    scenario = re.search(r"FINDING in (\w+) after (\d+)", text)
    where = f"{scenario.group(1)} after {scenario.group(2)} schedules" if scenario else "explorer"
    return f"{where}: {why(text)}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--suites", required=True)
    parser.add_argument("--explore", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--quick", action="store_true", help="every fifth bug")
    parser.add_argument("--explore-only", action="store_true", help="each bug by its own scenario alone, and that scenario without it")
    args = parser.parse_args()
    bugs = plant.read_bugs()
    if args.only:
        wanted = {int(n) for n in args.only.split(",")}
        bugs = [b for b in bugs if b.number in wanted]
    elif args.quick:
        bugs = bugs[::5]
    caught = missed = 0
    global timeout
    if not args.only:
        bugs.insert(0, plant.Bug(0, "nothing", "no bug is on: nobody may find anything"))
    for bug in bugs:
        began = time.time()
        asked = [lambda: ask_suites(args.suites, bug.number), lambda: ask_explorer(args.explore, bug.number, args.quick)]
        own = bug.first.split()[1:] if bug.first.startswith("explore ") else []
        if own:
            asked.insert(0, lambda: ask_explorer(args.explore, bug.number, args.quick, own))
        if bug.first.startswith("suites "):
            asked.insert(0, lambda: ask_suites(args.suites, bug.number, bug.first.split()[1]))
        if args.explore_only:
            asked = asked[:1]
            innocent = ask_explorer(args.explore, 0, True, own)
            if innocent:
                print(f"MISSED {bug.number:2} without the bug: {innocent}", flush=True)
                missed += 1
        found = next(filter(None, (ask() for ask in asked)), None)
        if bug.number == 0:
            timeout = max(timeout, 4 * (time.time() - began))
        good = bool(found) != (bug.number == 0)
        caught += good
        missed += not good
        print(f"{'ok' if good else 'MISSED'} {bug.number:2} {bug.name:34} {found or 'nothing found'} ({time.time() - began:.0f} s)", flush=True)
    print(f"{caught} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
