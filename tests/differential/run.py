"""Plays the scenarios against a broker and compares the conversations with the recordings.

Usage: run.py [--broker warren|rabbitmq] [--record] [--all] [PATTERN...]

Only scenarios whose title ("topic: name") holds one of the patterns. --record writes the recordings
anew from what the broker says. --all shows also how the scenarios of waiting.txt differ."""

import argparse
import collections
import concurrent.futures
import difflib
import pathlib
import signal
import sys
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))

from brokers import BROKERS  # noqa: E402  (the folder has to be known first)
from player import ANSWER_S, Player  # noqa: E402
from scenario import read_recordings, read_scenarios, read_waiting, write_recordings  # noqa: E402

# What is known to differ need not be waited for so long.
WAITING_ANSWER_S = ANSWER_S / 3
MEANT = "meant"
SOMETIMES = "sometimes: "  # passes when the broker is quick enough


def play(broker, scenario, expected, answer_s):
    try:
        broker.make_vhost(scenario.vhost)
        return Player(broker, scenario, expected, answer_s).play()
    except Exception as error:  # of one scenario; the others go on
        return [f"{type(error).__name__}: {error}"]


def play_all(broker, scenarios, recordings, waiting):
    """The transcript for each title. Those that change the whole node come last, one by one."""
    def play_one(scenario):
        return scenario.title, play(broker, scenario, recordings.get(scenario.title),
                                    WAITING_ANSWER_S if scenario.title in waiting else ANSWER_S)

    transcripts = {}
    # RabbitMQ's commands take seconds of CPU, in which others would wait in vain.
    for threads, chosen in ((broker.threads, lambda each: not each.is_alone and not each.commands),
                            (broker.command_threads, lambda each: each.commands and
                             not each.is_alone),
                            (1, lambda each: each.is_alone)):
        together = [scenario for scenario in scenarios if chosen(scenario)]
        # The slow ones begin first.
        together.sort(key=lambda scenario: -sum("pause" in line for line in scenario.lines))
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            transcripts.update(pool.map(play_one, together))
    return transcripts


def difference(expected, heard):
    return "\n".join(line for line in difflib.unified_diff(expected, heard, "recorded", "heard",
                                                           n=4, lineterm=""))


def compare(scenarios, recordings, waiting, transcripts, shows_all):
    """Prints what differs, and counts: passed, waiting, and failed."""
    passed, failed, held = 0, 0, collections.Counter()
    meant = (FOLDER.parent.parent / "docs/differences.md").read_text()
    for scenario in scenarios:
        title, heard = scenario.title, transcripts[scenario.title]
        expected, feature = recordings.get(title), waiting.get(title)
        is_same = expected == heard
        if feature == MEANT and title not in meant:
            print(f"=== {title}\nis meant to differ, but docs/differences.md does not say so\n")
            failed += 1
        elif is_same and feature and not feature.startswith(SOMETIMES):
            print(f"=== {title}\npasses; take it out of waiting.txt ({feature})\n")
            failed += 1
        elif is_same:
            passed += 1
        elif feature:
            held[feature] += 1
        else:
            failed += 1
        if not is_same and (shows_all or not feature):
            print(f"=== {title}")
            print(difference(expected, heard) if expected else "no recording", end="\n\n")
    return passed, held, failed


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    options.add_argument("--broker", choices=BROKERS, default="warren")
    options.add_argument("--record", action="store_true")
    options.add_argument("--all", action="store_true")
    options.add_argument("patterns", nargs="*")
    chosen = options.parse_args()
    every = read_scenarios()
    scenarios = [scenario for scenario in every if not chosen.patterns or
                 any(pattern in scenario.title for pattern in chosen.patterns)]
    waiting = read_waiting() if chosen.broker == "warren" else {}
    unknown = set(waiting) - {scenario.title for scenario in every}
    for title in sorted(unknown):
        print(f"waiting.txt: there is no scenario '{title}'")
    recordings = {} if chosen.record else read_recordings()
    began = time.monotonic()
    # However it ends, the broker is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with BROKERS[chosen.broker]() as broker:
        transcripts = play_all(broker, scenarios, recordings, waiting)
    print(f"{len(scenarios)} scenarios in {time.monotonic() - began:.0f} s\n")
    if chosen.record:
        write_recordings(every, transcripts)
        report_doubtful(transcripts)
        return 0
    passed, held, failed = compare(scenarios, recordings, waiting, transcripts, chosen.all)
    for feature, count in sorted(held.items()):
        print(f"waiting for {feature}: {count}")
    failed += len(unknown)
    print(f"differential: {passed} passed, {failed} differing, {sum(held.values())} waiting")
    return 1 if failed or not passed + sum(held.values()) else 0


def report_doubtful(transcripts):
    """Where a recording shows a scenario that waits in vain, or one that is wrong."""
    for title, lines in transcripts.items():
        for line in lines:
            if line.strip().startswith(("(no", "(1 not")) or "Error: " in line:
                print(f"{title}: {line.strip()}")


if __name__ == "__main__":
    sys.exit(main())
