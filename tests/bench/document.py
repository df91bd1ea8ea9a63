"""Writes docs/benchmarks.md from the results."""

import datetime
import os
import pathlib
import platform
import subprocess

from brokers import ROOT
from rows import LINES, REDUCED_WHEN_QUICK, ROWS

DOCUMENT = ROOT / "docs/benchmarks.md"
NOTES = ROOT / "docs/benchmarks-notes.md"
SHORT = {"rabbitmq": "", "rabbitmq-v2": "v2", "rabbitmq-quorum": "quorum"}


def number(value, unit=""):
    if value is None:
        return "-"
    if abs(value) >= 1000:
        text = f"{value:,.0f}"
    elif abs(value) >= 100:
        text = f"{value:.0f}"
    elif abs(value) >= 10:
        text = f"{value:.1f}"
    else:
        text = f"{value:.3f}".rstrip("0").rstrip(".")
    return f"{text}{unit if unit.startswith('/') else ' ' + unit if unit else ''}"


def median(results, row, target, figure):
    return results.get(row, {}).get(target, {}).get("median", {}).get(figure)


def rivals(results, line):
    """RabbitMQ's figures by kind of queue."""
    found = {}
    for target in ROWS[line.row][1]:
        value = median(results, line.row, target, line.figure)
        if target.startswith("rabbitmq") and value is not None:
            found[target] = value
    return found


def ratio(line, ours, theirs):
    """How many times better Warren is than the best of RabbitMQ's kinds."""
    if ours is None or not theirs:
        return None
    best = max(theirs.values()) if line.more_is_better else min(theirs.values())
    if line.more_is_better:
        return ours / best if best else None
    return best / ours if ours > 0 else None


def cells(results, line):
    ours = median(results, line.row, "warren", line.figure)
    theirs = rivals(results, line)
    goal = "-"
    if line.goal is not None:
        goal = ("≥ " if line.more_is_better else "≤ ") + number(line.goal, line.unit)
        if ours is not None:
            met = ours >= line.goal if line.more_is_better else ours <= line.goal
            goal += " ✓" if met else " ✗"
    times = ratio(line, ours, theirs)

    def star(target):
        return "\\*" if is_reduced(results, line.row, target) else ""

    # CPU time stands once for each row, at its first line.
    is_first = next(each for each in LINES if each.row == line.row) is line
    cpu = [median(results, line.row, target, "cpu") if is_first else None
           for target in ("rabbitmq", "warren")]
    return [line.title,
            " / ".join(f"{number(value, line.unit)}{star(target)} {SHORT[target]}".strip()
                       for target, value in theirs.items()) or "-",
            number(ours, line.unit) + star("warren"),
            f"x {number(times)}" if times is not None else "-",
            goal,
            f"{number(cpu[0])} / {number(cpu[1])}" if any(cpu) else ""]


def table(results):
    head = ["load", "RabbitMQ", "Warren", "ratio", "goal", "server CPU us each, RabbitMQ / Warren"]
    rows = [head] + [cells(results, line) for line in LINES if line.row in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
             for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def stub_table(results):
    lines = ["| generator against | messages | server CPU us each | generator CPU us each |",
             "|---|---|---|---|"]
    titles = {"sink-12": "the sink, 12 B", "sink-1k": "the sink, 1 KiB",
              "relay-12": "the relay, 12 B", "relay-1k": "the relay, 1 KiB",
              "relay-64k": "the relay, 64 KiB"}
    for row, title in titles.items():
        target = row.split("-")[0]
        if row not in results:
            continue
        result = results[row][target]["runs"][-1]["raw"][0]["result"]
        messages = max(result.get("published", 0), result.get("delivered", 0))
        each = result["generator_cpu_seconds"] * 1e6 / messages if messages else None
        lines.append(f"| {title} | {number(median(results, row, target, 'rate'), '/s')} | "
                     f"{number(median(results, row, target, 'cpu'))} | {number(each)} |")
    return "\n".join(lines)


def floor_of_latency(results):
    lines = ["| at 1,000 a second | p50 | p99 | p99.9 |", "|---|---|---|---|"]
    titles = {"relay-latency": "the relay, 16 B, end to end",
              "disk-latency": "a write of 256 octets and its fdatasync, without any broker"}
    for row, title in titles.items():
        if row not in results:
            continue
        target = ROWS[row][1][0]
        times = " | ".join(number(median(results, row, target, p), "ms")
                           for p in ("p50", "p99", "p99.9"))
        lines.append(f"| {title} | {times} |")
    return "\n".join(lines)


def machine():
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = platform.release()
    return f"{os.cpu_count()} CPUs ({model}), {memory:.0f} GiB memory, Linux {kernel}"


def rabbit_version():
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"],
                           capture_output=True, text=True, check=False)
    return found.stdout.strip() or "not installed"


def commands(results):
    lines = []
    for row in ROWS:
        for target, result in results.get(row, {}).items():
            if target not in ("warren", "sink", "relay"):
                continue
            for command in result["runs"][-1]["commands"]:
                lines.append(f"{row:19} {command}")
    return "\n".join(lines)


def disturbance(results):
    counts = sorted({len(each["runs"]) for row in results.values() for each in row.values()})
    text = "One run each." if counts == [1] else \
        f"Medians of {' to '.join(map(str, counts))} runs."
    others = sorted(run["others_cores"] for row in results.values() for each in row.values()
                    for run in each["runs"] if "others_cores" in run)
    if others:
        text += f" Other work on the machine took {others[0]:g} to {others[-1]:g} cores " \
            f"meanwhile, {others[len(others) // 2]:g} in the median."
    if any(is_reduced(results, row, target) for row in results for target in results[row]):
        text += "\n\n\\* from a short run, with fewer queues, bindings, messages or connections " \
            "than the row says."
    return text


def is_reduced(results, row, target):
    return row in REDUCED_WHEN_QUICK and results.get(row, {}).get(target, {}).get("quick", False)


def write(results):
    notes = NOTES.read_text() if NOTES.exists() else ""
    DOCUMENT.write_text(f"""# Benchmarks

Written by `make bench` (`tests/bench/run.py`); do not edit. Each run's figures and commands stand in
[benchmarks.json](benchmarks.json). What is written by hand stands in
[benchmarks-notes.md](benchmarks-notes.md) and is repeated below.

- Date: {datetime.date.today().isoformat()}
- Machine: {machine()}; broker and load generator share it
- RabbitMQ: Debian's {rabbit_version()}, default configuration, management on, started by hand
- Warren: release build of this tree, management on

Both brokers are started afresh for each run and take turns, so that what disturbs one disturbs the
other. Where RabbitMQ has several kinds of queues the ratio is to the best
of them. CPU is user and system time of the server processes for each message delivered (confirmed
where there is no consumer), or each request. Where RabbitMQ has no figure it was not asked: it
would need hours.

{disturbance(results)}

{table(results)}

## The generator's own ceiling, and the floor under any broker

The sink agrees to everything, reads publishes and drops them. The relay reads, parses frames and
writes each publish as a delivery, and does nothing else.

{stub_table(results)}

And in time: what a message must take that is passed on, and what a confirm must take that is on
disk.

{floor_of_latency(results)}

## Commands

`URI` is the broker's; each server process is given with `--server-pid`.

```
{commands(results)}
```

{notes}""".rstrip() + "\n")
