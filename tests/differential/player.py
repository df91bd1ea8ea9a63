"""Plays one scenario against a broker and writes down the conversation.

The language is described in README.md."""

import re
import select
import shlex
import sys
import time

from conversation import END, Conversation, Heard, Names
from scenario import FOLDER

sys.path.insert(0, str(FOLDER.parent / "journeys"))
import wire  # noqa: E402  (the folder has to be known first)
from harness import SLOWNESS  # noqa: E402

ANSWER_S = 6 * SLOWNESS
CAPABILITIES = ["authentication_failure_close", "basic.nack", "consumer_cancel_notify",
                "connection.blocked"]
ANSWERS = {
    "basic.get": {"basic.get-ok", "basic.get-empty"},
    "connection.start-ok": {"connection.tune", "connection.secure"},
    "connection.secure-ok": {"connection.tune", "connection.secure"},
}
CLOSES = {"channel.close", "connection.close", END}
SET_IN = "    "


class ScenarioError(Exception):
    """The scenario says what the player does not understand."""


class Differs(Exception):
    """What came is not what was recorded, so there is no sense in going on."""


class Player:
    """`expected` is the transcript that should come out, where the player may stop as soon as it
    does not."""

    def __init__(self, broker, scenario, expected=None, answer_s=ANSWER_S):
        self.broker, self.scenario, self.expected = broker, scenario, expected
        self.answer_s = answer_s
        self.conversations = {}
        self.names = Names()
        self.values = {"vhost": scenario.vhost}
        self.transcript = []
        self.answers_closes = True

    def play(self):
        """The transcript, whole, or up to where it leaves what is expected."""
        try:
            for line in self.scenario.lines:
                self.follow(line)
            self.write("end")
            self.settle(self.broker.quiet_s)
        except Differs:
            for conversation in self.conversations.values():
                self.tell_rest(conversation)
        finally:
            for conversation in self.conversations.values():
                conversation.close()
        return self.transcript

    # ---- The transcript

    def write(self, line):
        self.transcript.append(line)
        count = len(self.transcript)
        if self.expected is not None and self.expected[count - 1:count] != [line]:
            expected, self.expected = self.expected, None
            raise Differs(expected)

    def tell(self, text):
        self.write(SET_IN + self.names.plain(text))

    def tell_heard(self, conversation, heard, prefix=""):
        """Writes down a message, and does what every client does on one."""
        self.remember(heard)
        if heard.name == "channel.close":
            channel = conversation.channel(heard.channel)
            channel.is_open, channel.is_closing = False, not self.answers_closes
            if self.answers_closes:
                conversation.send(wire.octets_of_line(f"{heard.channel} channel.close-ok"))
        elif heard.name == "connection.close":
            conversation.is_open = False
            if self.answers_closes:
                conversation.send(wire.octets_of_line("0 connection.close-ok"))
                while not conversation.client.ended and conversation.hear(1):
                    pass
                conversation.take(lambda other: other.name == END)
        self.tell(prefix + heard.line)

    def remember(self, heard):
        """$queue, $consumer, $tag and $reply_to are the last that the broker told."""
        for method, argument, name in (("queue.declare-ok", "queue", "queue"),
                                       ("basic.consume-ok", "tag", "consumer"),
                                       ("basic.deliver", "tag", "tag"),
                                       ("basic.get-ok", "tag", "tag")):
            if heard.name == method:
                self.values[name] = heard.argument(argument)
        reply_to = re.search(r" reply_to=(\S+)", heard.properties)
        if reply_to:
            self.values["reply_to"] = reply_to[1]

    # ---- Lines

    def follow(self, line):
        self.write(line)
        if line == "alone":
            return
        if line == "manual close":
            self.answers_closes = False
            return
        line = re.sub(r"\$(\w+)", lambda found: self.values.get(found[1], found[0]), line)
        word, _, rest = line.partition(" ")
        if word == "settle":
            self.settle(float(rest or 0) / 1000 * SLOWNESS or self.broker.quiet_s)
        elif word == "pause":
            time.sleep(float(rest) / 1000)
        elif word == "ctl:":
            self.tell(f"exit {self.broker.ctl(*shlex.split(rest))}")
        elif word.endswith(":"):
            name, _, channel = word[:-1].partition(".")
            self.speak(name, int(channel or 1), rest)
        else:
            raise ScenarioError(f"what is '{line}'?")

    def speak(self, name, number, rest):
        verb, _, words = rest.partition(" ")
        if verb in ("arrive", "connect"):
            self.conversations[name] = Conversation(name, self.broker.port)
            if verb == "connect":
                self.connect(self.conversations[name], words, is_told=True)
            return
        if name not in self.conversations:
            self.conversations[name] = Conversation(name, self.broker.port)
            self.connect(self.conversations[name], "", is_told=False)
        conversation = self.conversations[name]
        if verb == "wait":
            self.wait(conversation, number, *words.split())
        elif verb == "octets":
            conversation.channel(number).is_midway = True
            conversation.send(bytes(int(octet, 16) for octet in words.split()))
        elif verb == "text":
            conversation.send((words + "\r\n\r\n").encode())
        elif verb == "drop":
            conversation.close()
            del self.conversations[name]
        else:
            self.send_frame(conversation, number, verb, words)

    def connect(self, conversation, words, is_told):
        options = wire.arguments_of(wire.words_of(words))
        user = options.get("user", "guest")
        can = [each for each in options["can"].split(",") if each] if "can" in options \
            else CAPABILITIES
        table = ",".join(f"{each}:t:true" for each in can)
        conversation.send(wire.HEADER)
        self.expect(conversation, 0, {"connection.start"})
        conversation.send(wire.octets_of_line(
            f"0 connection.start-ok client_properties={{capabilities:F:{{{table}}}}} "
            f'mechanism=PLAIN response="\\0{user}\\0{options.get("password", user)}" '
            "locale=en_US"))
        heard = self.expect(conversation, 0, {"connection.tune"})
        if heard and heard.name == "connection.tune":
            conversation.send(
                wire.octets_of_line(
                    f"0 connection.tune-ok channel_max={options.get('channel_max', 2047)} "
                    f"frame_max={options.get('frame_max', 131072)} "
                    f"heartbeat={options.get('heartbeat', 0)}") +
                wire.octets_of_line("0 connection.open virtual_host="
                                    f"{options.get('vhost', self.scenario.vhost)}"))
            heard = self.expect(conversation, 0, {"connection.open-ok"})
        conversation.is_open = heard is not None and heard.name == "connection.open-ok"
        if is_told or not conversation.is_open:
            self.tell_heard(conversation, heard or Heard(0, "", "(nothing)"))

    def open_channel(self, conversation, number):
        conversation.send(wire.octets_of_line(f"{number} channel.open"))
        heard = self.expect(conversation, number, {"channel.open-ok"})
        conversation.channel(number).is_open = heard is not None and \
            heard.name == "channel.open-ok"
        if not conversation.channel(number).is_open:
            self.tell_heard(conversation, heard or Heard(0, "", "(no channel)"))

    def send_frame(self, conversation, number, verb, words):
        is_new = number not in conversation.channels
        channel = conversation.channel(number)
        if is_new and number and conversation.is_open and "." in verb and verb != "channel.open":
            self.open_channel(conversation, number)
        arguments = wire.arguments_of(wire.words_of(words))
        conversation.send(wire.octets_of_line(f"{number} {verb} {expand(words)}",
                                              frame_max=131072))
        channel.is_midway = verb not in wire.METHODS or \
            verb == "basic.publish" and "body" not in arguments
        if verb == "basic.publish" and channel.has_confirms:
            channel.published += 1
        if verb == "basic.consume" and "no_wait" in arguments:
            channel.consumers.add(arguments["tag"])
        channel.has_confirms = channel.has_confirms or verb == "confirm.select"
        if f"{verb}-ok" not in wire.METHODS and verb not in ANSWERS or "no_wait" in arguments or \
                verb == "basic.recover-async" or number == 0 and verb == "connection.tune-ok":
            return
        heard = self.expect(conversation, number, ANSWERS.get(verb, {f"{verb}-ok"}))
        if heard is None:
            self.tell("(nothing)")
            return
        channel.is_open = heard.name == "channel.open-ok" or \
            channel.is_open and heard.name != "channel.close-ok"
        conversation.is_open = heard.name == "connection.open-ok" or \
            conversation.is_open and heard.name != "connection.close-ok"
        self.tell_heard(conversation, heard)

    # ---- Waiting

    def expect(self, conversation, number, names):
        """The next of these methods on this channel, or what ends the waiting for it."""
        def is_answer(heard):
            return (heard.name in names and heard.channel == number or
                    heard.name in CLOSES and heard.channel in (0, number) or
                    heard.name == "AMQP")

        deadline = time.monotonic() + self.answer_s
        while True:
            heard = conversation.take(is_answer)
            left = deadline - time.monotonic()
            if heard or left <= 0 or conversation.client.ended:
                return heard
            conversation.hear(left)

    def wait(self, conversation, number, name, count=1):
        if name == "confirms":
            self.wait_for_confirms(conversation, number, int(count))
            return
        for _ in range(int(count)):
            heard = self.expect(conversation, 0 if name.startswith("connection.") else number,
                                {name})
            if heard is None:
                self.tell(f"(no {name})")
                return
            self.tell_heard(conversation, heard)
            if heard.name in CLOSES:
                return

    def wait_for_confirms(self, conversation, number, count):
        channel = conversation.channel(number)
        deadline = time.monotonic() + self.answer_s
        while len(channel.untold()) < count and time.monotonic() < deadline:
            if any(heard.name in CLOSES and heard.channel in (0, number)
                   for heard in conversation.inbox):
                break
            conversation.hear(deadline - time.monotonic())
        tags = channel.untold()[:count]
        for line in channel.tell(tags):
            self.tell(line)
        if len(tags) < count:
            self.tell(f"({count - len(tags)} not confirmed)")

    def settle(self, seconds):
        """Until every open channel has answered a question, nothing came for a while, and what the
        recording has is there, if it comes at all; tells everything that nobody waited for."""
        for conversation in self.conversations.values():
            for number, channel in list(conversation.channels.items()):
                if number and channel.is_open and not channel.is_midway and conversation.is_open:
                    conversation.send(wire.octets_of_line(f"{number} channel.flow active"))
                    self.expect_flow_ok(conversation, number)
        wanted = self.count_expected()
        deadline, latest = time.monotonic() + seconds, time.monotonic() + self.answer_s
        while time.monotonic() < deadline or \
                self.count_untold() < wanted and time.monotonic() < latest:
            living = [each for each in self.conversations.values() if not each.client.ended]
            for conversation in living:
                while conversation.client.octets and conversation.hear(0):
                    pass
            readable = select.select([each.client.socket for each in living], [], [],
                                     max(deadline - time.monotonic(), 0.02))[0]
            for conversation in living:
                if conversation.client.socket in readable:
                    while conversation.hear(0):
                        deadline = time.monotonic() + seconds
                        if conversation.client.ended:
                            break
        for conversation in list(self.conversations.values()):
            self.tell_rest(conversation)

    def count_expected(self):
        """How many answers stand below this line in the recording."""
        lines = (self.expected or [])[len(self.transcript):]
        return next((index for index, line in enumerate(lines) if not line.startswith(SET_IN)),
                    len(lines))

    def count_untold(self):
        return sum(len(each.inbox) for each in self.conversations.values()) + \
            sum(len(channel.lines_of(channel.untold()))
                for each in self.conversations.values() for channel in each.channels.values())

    def expect_flow_ok(self, conversation, number):
        """An answer that closes the channel stays for the transcript."""
        deadline = time.monotonic() + self.answer_s
        while time.monotonic() < deadline and not conversation.client.ended:
            if conversation.take(lambda heard: heard.name == "channel.flow-ok" and
                                 heard.channel == number):
                return
            if any(heard.name in CLOSES and heard.channel in (0, number)
                   for heard in conversation.inbox):
                return
            conversation.hear(deadline - time.monotonic())

    def tell_rest(self, conversation):
        """Channel by channel, for order between channels is open."""
        for number in sorted({0} | set(conversation.channels)):
            prefix = f"{conversation.name}{f'.{number}' if number != 1 else ''} "
            while heard := conversation.take(lambda heard, at=number: heard.channel == at):
                self.tell_heard(conversation, heard, prefix)
            channel = conversation.channel(number)
            for line in channel.tell(channel.untold()):
                self.tell(prefix + line)


def expand(words):
    """body=*1000 is a thousand times x."""
    return re.sub(r"(?<==)\*(\d+)", lambda found: "x" * int(found[1]), words)
