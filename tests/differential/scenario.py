"""Scenarios as they stand in scenarios/*.txt, and transcripts as they stand in recordings/*.txt.

Both are stories: "=== NAME" and lines. In a transcript the broker's answers stand below the line
that waits for them, set in."""

import dataclasses
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent
LONGEST_VHOST = 28


@dataclasses.dataclass
class Scenario:
    topic: str
    name: str
    lines: list
    vhost: str = ""

    @property
    def title(self):
        return f"{self.topic}: {self.name}"

    @property
    def is_alone(self):
        """Changes the whole node, so nothing else may run."""
        return "alone" in self.lines

    @property
    def commands(self):
        return sum(line.startswith("ctl:") for line in self.lines)


def read_stories(path):
    """(name, lines) in the order of the file."""
    stories = []
    for line in path.read_text().splitlines():
        if line.startswith("=== "):
            stories.append((line[4:], []))
        elif line.strip() and not line.startswith("#"):
            assert stories, f"{path}: a line before the first ==="
            stories[-1][1].append(line.rstrip())
    return stories


def read_scenarios():
    found, vhosts = [], set()
    for path in sorted((FOLDER / "scenarios").glob("*.txt")):
        for name, lines in read_stories(path):
            scenario = Scenario(path.stem, name, lines)
            scenario.vhost = vhost_of(scenario, vhosts)
            vhosts.add(scenario.vhost)
            found.append(scenario)
    titles = [scenario.title for scenario in found]
    twice = {title for title in titles if titles.count(title) > 1}
    assert not twice, f"two scenarios of one name: {twice}"
    return found


def vhost_of(scenario, taken):
    """A short name that says which scenario it is, so that a log can be read."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{scenario.topic}-{scenario.name}".lower())
    name = words[:LONGEST_VHOST].strip("-")
    number = 2
    while name in taken:
        name = f"{words[:LONGEST_VHOST - 3].strip('-')}-{number}"
        number += 1
    return name


def recording_path(topic):
    return FOLDER / "recordings" / f"{topic}.txt"


def read_recordings():
    """The transcript for each title."""
    return {f"{path.stem}: {name}": lines
            for path in sorted((FOLDER / "recordings").glob("*.txt"))
            for name, lines in read_stories(path)}


def write_recordings(scenarios, transcripts):
    """Writes the recordings of the topics of these scenarios; what was not played now stays."""
    kept = read_recordings()
    for topic in sorted({scenario.topic for scenario in scenarios}):
        stories = []
        for scenario in scenarios:
            lines = transcripts.get(scenario.title) or kept.get(scenario.title)
            if scenario.topic == topic and lines:
                stories.append("\n".join([f"=== {scenario.name}", *lines]))
        recording_path(topic).write_text("\n\n".join(stories) + "\n")


def read_waiting():
    """The feature that each title waits for."""
    waiting = {}
    for line in (FOLDER / "waiting.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            title, _, feature = line.rpartition(" | ")
            waiting[title] = feature
    return waiting
