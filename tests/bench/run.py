#!/usr/bin/env python3
"""Measures Warren and RabbitMQ in alternation and writes docs/benchmarks.md.

    tests/bench/run.py                      every row, three runs each
    tests/bench/run.py --quick              one short run each
    tests/bench/run.py --warren-only transient-12 'persistent-*'
    tests/bench/run.py --list

Figures of rows that are not run are kept from the run before. Raw results: docs/benchmarks.json."""

import argparse
import fnmatch
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import time

import document
from brokers import ROOT, RABBIT_BIN, WARREN_BIN, BenchError
from rows import ROWS, SLOW, Run

URGENT_NICE = -15
RESULTS = ROOT / "docs/benchmarks.json"
TRIAL_RESULTS = ROOT / "build/bench/results.json"


def parse_words():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="names or patterns of rows; none: all")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one short run of each")
    parser.add_argument("--warren-only", action="store_true")
    parser.add_argument("--urgent", action="store_true",
                        help="run before other work on the machine (as root)")
    parser.add_argument("--no-document", action="store_true", help="leave docs/ as it is; raw results: build/bench/")
    parser.add_argument("--list", action="store_true", help="print the rows' names")
    words = parser.parse_args()
    known = list(ROWS)
    words.chosen = [name for name in known if not words.rows or
                    any(fnmatch.fnmatch(name, pattern) for pattern in words.rows)]
    for pattern in words.rows:
        if not fnmatch.filter(known, pattern):
            parser.error(f"no row is named {pattern}; there are {', '.join(known)}")
    return words


def go_first():
    """Puts this and all that it starts before other work on the machine, where it may."""
    try:
        os.setsid()
    except PermissionError:
        pass  # it leads a session already
    try:
        os.setpriority(os.PRIO_PROCESS, 0, URGENT_NICE)
        # The kernel shares time among sessions first; nice alone counts within one.
        pathlib.Path("/proc/self/autogroup").write_text(str(URGENT_NICE))
    except OSError as error:
        print(f"--urgent: {error}", file=sys.stderr)


def busy_seconds():
    """CPU time that the whole machine has spent, and that of ended children."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, soft_irq = map(int, fields[:7])
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ((user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK"),
            own.ru_utime + own.ru_stime)


def run_once(name, target, quick):
    run = Run(target, quick)
    began = time.time()
    busy, own = busy_seconds()
    figures = ROWS[name][0](run)
    busy_after, own_after = busy_seconds()
    others = ((busy_after - busy) - (own_after - own)) / (time.time() - began)
    shown = "  ".join(f"{key} {value:,.3f}".rstrip("0").rstrip(".")
                      for key, value in figures.items())
    print(f"{name:20}{target:17}{shown}", flush=True)
    return {"figures": figures, "commands": run.commands, "raw": run.raw, "at": began,
            "others_cores": max(0, round(others, 2))}


def run_row(name, words, results):
    """All targets in turn, again and again, so that what disturbs one disturbs the other."""
    runs = 1 if words.quick else words.runs
    done = {}
    for number in range(runs):
        for target in ROWS[name][1]:
            if words.warren_only and target.startswith("rabbitmq"):
                continue
            if number > 0 and (name, target) in SLOW:
                continue
            try:
                done.setdefault(target, []).append(run_once(name, target, words.quick))
            except (BenchError, subprocess.TimeoutExpired) as error:
                print(f"{name:20}{target:17}failed: {error}", file=sys.stderr, flush=True)
                done.setdefault(target, [])
    for target, all_runs in done.items():
        if not all_runs:
            results.setdefault(name, {}).pop(target, None)
            continue
        medians = {key: statistics.median(run["figures"][key] for run in all_runs)
                   for key in all_runs[0]["figures"]}
        results.setdefault(name, {})[target] = {
            "median": medians, "runs": all_runs, "quick": words.quick}


def main():
    words = parse_words()
    # So that brokers are stopped whoever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(1))
    if words.list:
        print("\n".join(ROWS))
        return 0
    if not (WARREN_BIN / "warren-perf").exists():
        sys.exit(f"{WARREN_BIN}/warren-perf is missing: make build")
    if not words.warren_only and not RABBIT_BIN.exists():
        sys.exit("RabbitMQ is not installed: tools/setup bench, or --warren-only")
    if words.urgent:
        go_first()
    kept = TRIAL_RESULTS if words.no_document else RESULTS
    kept.parent.mkdir(parents=True, exist_ok=True)
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for name in words.chosen:
        run_row(name, words, results)
        kept.write_text(json.dumps(results, indent=1) + "\n")
    print()
    print(document.table(results))
    if not words.no_document:
        document.write(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
