#!/usr/bin/env python3
"""usage: trace2json.py [TRACE.txt] > trace.json: Linux's trace text, of either machine or of a real Linux, as Chrome's trace events.

Perfetto (ui.perfetto.dev) and chrome://tracing open the result. There is a track for each CPU, which shows who ran there, and one for each
task, which shows when it ran, waited for a CPU, and slept; wake-ups, forks and the like are marks on them."""
# SPDX-License-Identifier: Apache-2.0
import json
import re
import sys

LINE = re.compile(r"^\s*(?P<comm>.+)-(?P<pid>\d+)\s+(?:\([-\d ]+\)\s+)?\[(?P<cpu>\d+)\]\s+(?:(?P<flags>\S{4,5})\s+)?"
                  r"(?P<time>\d+\.\d+): (?P<event>\w+): (?P<text>.*)$")
SWITCH = re.compile(r"prev_comm=(.*) prev_pid=(\d+) prev_prio=(-?\d+) prev_state=(\S+) ==> next_comm=(.*) next_pid=(\d+) next_prio=(-?\d+)")
WAKE = re.compile(r"comm=(.*) pid=(\d+) prio=(-?\d+) (?:success=\d+ )?target_cpu=(\d+)")
CPUS, TASKS = 1, 2  # the two "processes" of the picture


class Converter:
    def __init__(self) -> None:
        self.events: list[dict] = []
        self.running: dict[int, tuple[float, int, str, int]] = {}  # CPU: since, pid, comm, prio
        self.state: dict[int, tuple[float, str]] = {}              # pid: since, what
        self.names: dict[int, str] = {}
        self.cpus: set[int] = set()

    def slice(self, track: int, tid: int, name: str, start: float, end: float, **args: object) -> None:
        self.events.append({"name": name, "ph": "X", "pid": track, "tid": tid, "ts": start, "dur": round(end - start, 3), "args": args})

    def enter(self, pid: int, what: str, now: float) -> None:
        if pid in self.state:
            since, was = self.state[pid]
            self.slice(TASKS, pid, was, since, now)
        self.state[pid] = (now, what)

    def switch(self, m: re.Match, cpu: int, now: float) -> None:
        prev, prev_pid, _, state, comm, pid, prio = m.groups()
        self.names[int(prev_pid)], self.names[int(pid)] = prev, comm
        if cpu in self.running:
            since, who, name, p = self.running.pop(cpu)
            if who:
                self.slice(CPUS, cpu, name, since, now, pid=who, prio=p, left=state)
        self.running[cpu] = (now, int(pid), comm, int(prio))
        if int(prev_pid):
            waits = state.startswith("R")
            self.enter(int(prev_pid), "runnable" if waits else f"blocked ({state})", now)
        if int(pid):
            self.enter(int(pid), "running", now)

    def line(self, text: str) -> None:
        m = LINE.match(text)
        if not m:
            return
        cpu, now, event = int(m["cpu"]), round(float(m["time"]) * 1e6, 3), m["event"]
        self.cpus.add(cpu)
        if event == "sched_switch" and (s := SWITCH.match(m["text"])):
            return self.switch(s, cpu, now)
        if event in ("sched_wakeup", "sched_wakeup_new") and (w := WAKE.match(m["text"])):
            pid = int(w[2])
            self.names[pid] = w[1]
            if self.state.get(pid, (0, ""))[1] != "running":
                self.enter(pid, "runnable", now)
        mark = {"name": event, "ph": "i", "s": "t", "pid": CPUS, "tid": cpu, "ts": now, "args": {"by": f"{m['comm']}-{m['pid']}", "text": m["text"]}}
        self.events.append(mark)

    def result(self) -> dict:
        names = [{"name": "process_name", "ph": "M", "pid": p, "tid": 0, "args": {"name": n}} for p, n in ((CPUS, "CPUs"), (TASKS, "tasks"))]
        names += [{"name": "thread_name", "ph": "M", "pid": CPUS, "tid": c, "args": {"name": f"CPU {c}"}} for c in sorted(self.cpus)]
        names += [{"name": "thread_name", "ph": "M", "pid": TASKS, "tid": p, "args": {"name": f"{n} {p}"}} for p, n in sorted(self.names.items()) if p]
        return {"displayTimeUnit": "ns", "traceEvents": names + self.events}


def main() -> int:
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__)
        return 2
    converter = Converter()
    with open(sys.argv[1], encoding="utf-8", errors="replace") if len(sys.argv) == 2 else sys.stdin as lines:
        for text in lines:
            converter.line(text.rstrip("\n"))
    json.dump(converter.result(), sys.stdout, separators=(",", ":"))
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
