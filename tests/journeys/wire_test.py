"""The wire as clients of RabbitMQ 3.10 know it: plays the cases in wire_rows/, octet by octet,
against one node, and compares every frame that comes back. The language of the cases is described
in its README; the client of wire.py knows nothing of AMQP but how frames are laid out."""

import concurrent.futures
import pathlib
import re
import time
import unittest

from harness import SLOWNESS, Cluster
from wire import HEADER, Client, arguments_of, octets_of_line

ROWS = pathlib.Path(__file__).with_name("wire_rows")
ANSWER_S = 5 * SLOWNESS  # how long an answer may take
QUIET_S = 0.25  # how long nothing may come for "nothing comes"
TIMED_TOLERANCE_S = 0.35 * SLOWNESS
CAPABILITIES = ["authentication_failure_close", "basic.nack", "consumer_cancel_notify"]


class Player:
    """Follows a case line by line and notes what came where lines were expected."""

    def __init__(self, port):
        self.port = port
        self.clients, self.current = {}, None
        self.waiting, self.last = b"", b""
        self.story = []  # the case as it went

    def play(self, lines):
        """True when everything came as expected, and nothing else."""
        try:
            as_expected = all(self.follow(line) for line in lines)
            self.flush()
            for self.current in self.clients.values():
                as_expected = self.hear_nothing() and as_expected
            return as_expected
        finally:
            for client in self.clients.values():
                client.socket.close()

    def follow(self, line):
        word, _, rest = line.partition(" ")
        if word == ">":
            self.story.append(line)
            self.last = octets_of_line(rest)
            self.waiting += self.last
            return True
        if word == "again":
            self.story.append(line)
            self.waiting += self.last * int(rest)
            return True
        self.flush()
        if word == "<":
            return self.hear(rest)
        self.story.append(line)
        return getattr(self, "on_" + word)(*rest.split()) is not False

    def flush(self):
        if self.waiting:
            self.current.send(self.waiting)
        self.waiting = b""

    def hear(self, expected):
        timed = re.match(r"(\d+\.\d)s ", expected)
        due = float(timed[1]) if timed else 0
        heard = self.current.next_line(due + ANSWER_S)
        after = time.monotonic() - self.current.sent_at
        pattern = re.escape(expected[timed.end() if timed else 0:])
        pattern = pattern.replace("<id>", "[A-Za-z0-9_-]{22}").replace("<any>", ".*?")
        is_timely = not timed or abs(after - due) <= TIMED_TOLERANCE_S
        if heard is not None and is_timely and re.fullmatch(pattern, heard):
            self.story.append(f"< {expected}")
            return True
        self.story += [f"- {expected}", f"+ {after:.1f}s {heard}" if timed else f"+ {heard}"]
        self.hear_nothing()
        return False

    def hear_nothing(self):
        is_quiet = True
        while not self.current.ended:
            heard = self.current.next_line(QUIET_S)
            if heard is None:
                break
            self.story.append(f"+ {heard}")
            is_quiet = False
        return is_quiet

    def on_silence(self):
        return self.hear_nothing()

    def on_on(self, name):
        self.current = self.clients[name]

    def on_arrive(self, name="a"):
        self.current = self.clients[name] = Client(self.port)

    def on_greet(self, name="a"):
        self.on_arrive(name)
        self.current.send(HEADER)
        return self.skip("0 connection.start ")

    def on_connect(self, name="a", *words):
        options = arguments_of(words)
        user, capabilities = options.get("user", "guest"), CAPABILITIES
        if "can" in options:
            capabilities = [name for name in options["can"].split(",") if name]
        table = ",".join(f"{name}:t:true" for name in capabilities)
        self.on_greet(name)
        self.current.send(octets_of_line(
            f"0 connection.start-ok client_properties={{capabilities:F:{{{table}}}}} "
            f'mechanism=PLAIN response="\\0{user}\\0{user}" locale=en_US'))
        self.skip("0 connection.tune ")
        self.current.send(
            octets_of_line(f"0 connection.tune-ok channel_max={options.get('channel_max', 2047)} "
                           f"frame_max={options.get('frame_max', 131072)} "
                           f"heartbeat={options.get('heartbeat', 0)}") +
            octets_of_line(f"0 connection.open virtual_host={options.get('vhost', '/')}"))
        return self.skip("0 connection.open-ok")

    def on_channel(self, name="a", *words):
        self.on_connect(name, *words)
        self.current.send(octets_of_line("1 channel.open"))
        return self.skip("1 channel.open-ok")

    def on_octets(self, *words):
        self.current.send(bytes(int(word, 16) for word in words))

    def on_text(self, *words):
        self.current.send((" ".join(words) + "\r\n\r\n").encode())

    def skip(self, start):
        heard = self.current.next_line(ANSWER_S)
        if heard is not None and heard.startswith(start):
            return True
        self.story.append(f"+ {heard}")
        return False


def read_cases():
    """(name, lines) for each case of the files."""
    cases = []
    for file in sorted(ROWS.glob("*.txt")):
        for line in file.read_text().splitlines():
            if line.startswith("=== "):
                cases.append((line[4:], []))
            elif line.strip() and not line.startswith("#"):
                cases[-1][1].append(line)
    return cases


class Wire(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1)
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.node = cls.cluster[1].start()
        cls.node.must("add_vhost", "v2")
        cls.node.must("add_user", "limited", "limited")
        cls.node.must("set_permissions", "limited", "", "", "")

    def play(self, case):
        name, lines = case
        player = Player(self.node.port)
        try:
            if player.play(lines):
                return None
        except Exception as error:  # of one case; the others go on
            player.story.append(repr(error))
        return "\n".join([f"=== {name}", *player.story])

    def test_every_answer_is_that_of_rabbitmq(self):
        cases = read_cases()
        # Those that wait for the node's patience begin first; they all run at once.
        cases.sort(key=lambda case: not any(re.match(r"< \d", line) for line in case[1]))
        with concurrent.futures.ThreadPoolExecutor(48) as pool:
            different = [story for story in pool.map(self.play, cases) if story]
        print(f"   {len(cases)} cases, {len(different)} different")
        if different:
            self.fail("\n" + "\n\n".join(different))


if __name__ == "__main__":
    unittest.main()
