#!/usr/bin/env python3
"""usage: page_test.py SCHEDLAB: runs the examples, checks what must be true of the figures, and has a page drawn by a real browser."""
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# A person's hand: "first 100 ms", then the wheel over the first timeline; then by task, and back to the whole run. What the page says of
# where it is, and how much of the canvas is drawn on, goes where --dump-dom shows it.
HAND = """<script>addEventListener('load', () => {
  const panel = document.querySelector('.panel canvas.zoom').parentElement, canvas = panel.querySelector('canvas');
  const said = [], button = text => [...panel.querySelectorAll('button')].find(b => b.textContent === text);
  const note = () => { const d = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data; let drawn = 0;
    for (let k = 0; k < d.length; k += 4) drawn += d[k + 3] && (d[k] < 230 || d[k + 1] < 230) ? 1 : 0;
    said.push(panel.querySelector('.bar .dim').textContent + ' / ' + (drawn > 1000 ? 'drawn' : 'empty')); };
  const wheel = () => { const b = canvas.getBoundingClientRect();
    canvas.dispatchEvent(new WheelEvent('wheel', {deltaY: -1, clientX: b.left + b.width / 2, clientY: b.top + 20, cancelable: true})); };
  note(); button('first 100 ms').click(); note(); for (let k = 0; k < 10; k++) wheel(); note(); button('by task').click(); note();
  canvas.ondblclick(); note();
  document.body.dataset.hand = said.join('; ');
});</script>"""
PANELS = ["Who ran where, and when", "Ran (colour), runnable but waiting (red), blocked (grey)", "From being woken to running", "Fairness over time",
          "Shares of the tasks", "Tasks"]
EXAMPLES = pathlib.Path(__file__).resolve().parent / "examples"
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]


def lab(schedlab: str, example: str, tmp: str, *options: str) -> list[dict]:
    subprocess.run([schedlab, str(EXAMPLES / example), "--html", f"{tmp}/page.html", "--json", f"{tmp}/runs.json", *options], check=True)
    return json.loads(pathlib.Path(f"{tmp}/runs.json").read_text(encoding="utf-8"))


def task(run: dict, name: str) -> dict:
    return next(t for t in run["tasks"] if t["name"] == name)


def near(what: str, got: float, wanted: float, tolerance: float) -> None:
    assert abs(got - wanted) <= tolerance, f"{what}: {got}, wanted {wanted} within {tolerance}"


def check_sums(run: dict) -> None:
    """What a task did adds up to the run, and what the CPUs did to what the tasks did."""
    whole = run["seconds"] * 1e6
    for t in run["tasks"]:
        assert t["run"] + t["wait"] + t["block"] <= whole * 1.0001 + 10, t["name"]
        near(t["name"] + " in windows", sum(t["series"]) * 1000, t["run"], whole / 1000)
    near("busy", sum(c["busy"] for c in run["perCpu"]), sum(t["run"] for t in run["tasks"]), 100)


def check_perfetto(schedlab: str, tmp: str) -> None:
    """The trace text as trace events: the slices of a task add up to what it ran."""
    run = lab(schedlab, "realtime.json", tmp, "--seconds", "2", "--trace", f"{tmp}/trace.txt")[0]
    tool = pathlib.Path(__file__).resolve().parents[1] / "trace2json.py"
    text = subprocess.run([sys.executable, "-B", str(tool), f"{tmp}/trace.txt"], capture_output=True, text=True, check=True).stdout
    events = json.loads(text)["traceEvents"]
    slices = [e["dur"] for e in events if e["ph"] == "X" and e["pid"] == 1 and e["name"] == "sensor"]
    near("sensor's slices", sum(slices), task(run, "sensor")["run"], 1000)
    assert any(e["name"] == "sched_migrate_task" for e in events) and any(e["name"] == "thread_name" for e in events)


def browser_draws(page: str, tmp: str, runs: int, *more: str) -> None:
    browser = next((b for b in BROWSERS if shutil.which(b)), None)
    if not browser:
        print("SKIPPED: no Chromium here to look at the page with")
        return
    options = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp}/profile", "--window-size=1400,1800",
               "--virtual-time-budget=5000"]
    dom = subprocess.run([*options, "--dump-dom", f"file://{page}"], capture_output=True, text=True, timeout=120, check=True).stdout
    assert f'data-ready="{runs} runs drawn"' in dom, "the page's script did not come to its end"
    assert dom.count("<canvas") >= 5 * runs, "panels are missing"
    for panel in [*PANELS, *more]:
        assert dom.count(f">{panel}") >= runs, f"there is no panel {panel}"
    assert not re.search(r"\bNaN\b|undefined", re.sub(r"<script.*?</script>", "", dom, flags=re.S)), "a figure is not one"
    handled = pathlib.Path(tmp) / "handled.html"
    handled.write_text(pathlib.Path(page).read_text(encoding="utf-8").replace("</body>", HAND + "</body>"), encoding="utf-8")
    dom = subprocess.run([*options, "--dump-dom", f"file://{handled}"], capture_output=True, text=True, timeout=120, check=True).stdout
    places = re.search(r'data-hand="([^"]*)"', dom)
    assert places, "the page did not survive being zoomed"
    places = places[1].split("; ")
    assert all(place.endswith("/ drawn") for place in places), places
    assert places[0].startswith("0 µs to 10.000 s") and places[1].startswith("0 µs to 100 ms"), places
    zoomed = re.match(r"([0-9.]+) ms to ([0-9.]+) ms", places[2])
    assert zoomed and 30 < float(zoomed[1]) < float(zoomed[2]) < 60, places
    near("ten turns of the wheel", float(zoomed[2]) - float(zoomed[1]), 100 * 0.8**10, 0.02)
    assert places[4].startswith("0 µs to 10.000 s"), places
    subprocess.run([*options, f"--screenshot={tmp}/page.png", f"file://{page}"], capture_output=True, timeout=120, check=True)
    assert pathlib.Path(f"{tmp}/page.png").stat().st_size > 50000, "the picture is empty"
    print("the page was drawn in", browser)


def main() -> int:
    schedlab = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as tmp:
        for scheduler in ("cfs", "o1", "mlfq", "mlfq-basic"):
            for example in ("desktop.json", "groups.json", "realtime.json"):
                check_sums(lab(schedlab, example, tmp, "--scheduler", scheduler)[0])
        run = lab(schedlab, "realtime.json", tmp)[0]
        hogs = [task(run, name)["run"] for name in ("hog", "hog5", "hog10", "hog19")]
        for hog, weight in zip(hogs, (1024, 335, 110, 15)):
            near("share of a hog", hog / sum(hogs), weight / (1024 + 335 + 110 + 15), 0.02)
        near("control", task(run, "control")["run"] / run["seconds"] / 1e6, 0.25, 0.01)
        capped = [t["run"] for t in lab(schedlab, "groups.json", tmp)[0]["tasks"] if t["name"].startswith("capped")]
        assert sum(capped) <= 10e6 * 0.5 * 1.05, "the held group ran more than half a CPU"
        check_perfetto(schedlab, tmp)
        again = [lab(schedlab, "desktop.json", tmp, "--seed", "7") for _ in range(2)]
        assert again[0] == again[1], "one seed, two results"
        runs = lab(schedlab, "desktop.json", tmp, "--compare-scheduler", "o1")
        assert len(runs) == 2 and runs[1]["scheduler"] == "O(1)"
        page = f"{tmp}/page.html"
        text = pathlib.Path(page).read_text(encoding="utf-8")
        assert not re.search(r'(src|href)="?http', text), "the page wants the network"
        browser_draws(page, tmp, 2)
        lab(schedlab, "groups.json", tmp)
        browser_draws(page, tmp, 1, "Shares of the groups")
    return 0


if __name__ == "__main__":
    sys.exit(main())
