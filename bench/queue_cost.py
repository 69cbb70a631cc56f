#!/usr/bin/env python3
"""Counts, with valgrind, the instructions of one dequeue, one enqueue and one pick in the fair queue with N runnable tasks.

usage: queue_cost.py QUEUE_COST [--most INSTRUCTIONS] [N...]
Exit status 0: ten times as many tasks never cost more than --most instructions more: the cost grows as a logarithm."""
# SPDX-License-Identifier: Apache-2.0
import argparse
import itertools
import math
import re
import shutil
import subprocess
import sys

ROUNDS = 5000


def instructions(program: str, tasks: int) -> float:
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=queue_round", program, str(tasks),
                          str(ROUNDS)], capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not collected:
        raise SystemExit(f"valgrind failed: {run.stderr[-2000:]}")
    return int(collected[1]) / ROUNDS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--most", type=float, default=150)
    parser.add_argument("tasks", type=int, nargs="*", default=[10, 100, 1000, 10000, 100000])
    args = parser.parse_args()
    if not shutil.which("valgrind"):
        print("SKIPPED: there is no valgrind here")
        return 0
    costs = []
    for tasks in args.tasks:
        costs.append((tasks, instructions(args.program, tasks)))
        print(f"{tasks:7} runnable: {costs[-1][1]:7.1f} instructions", flush=True)
    steep = [(b[0], b[1] - a[1]) for a, b in itertools.pairwise(costs) if b[1] - a[1] > args.most * math.log10(b[0] / a[0])]
    for tasks, more in steep:
        print(f"at {tasks} tasks a round costs {more:.0f} instructions more: more than a logarithm's", file=sys.stderr)
    return 1 if steep else 0


if __name__ == "__main__":
    sys.exit(main())
