"""What was heard on one connection, gathered into whole messages that wait until a scenario asks
for them."""

import dataclasses
import re
import struct
import sys
import zlib

from scenario import FOLDER

sys.path.insert(0, str(FOLDER.parent / "journeys"))
import wire  # noqa: E402  (the folder has to be known first)

WITH_CONTENT = {"basic.deliver", "basic.return", "basic.get-ok"}
CONFIRMS = {"basic.ack", "basic.nack"}
LONGEST_BODY = 100
END = "end"


@dataclasses.dataclass
class Heard:
    channel: int
    name: str
    text: str
    size: int = 0  # of the body that was announced
    body: bytes = b""
    properties: str = ""
    headers: int = 0

    @property
    def is_complete(self):
        return self.name not in WITH_CONTENT or (self.headers and len(self.body) >= self.size)

    @property
    def line(self):
        if self.name not in WITH_CONTENT:
            return self.text
        return f"{self.text}{self.properties} {text_of_body(self.body)}"

    def argument(self, name):
        return wire.arguments_of(wire.words_of(self.text)[1:]).get(name)


def text_of_body(body):
    if len(body) <= LONGEST_BODY:
        return f"body={wire.text_of_octets(body)}"
    return f"body=<{len(body)} octets, {zlib.crc32(body):08x}>"


class Names:
    """Numbers what a broker names by itself, and hides what is another time or place."""

    GENERATED = re.compile(r"(amq\.gen-|amq\.ctag-|amq\.rabbitmq\.reply-to\.)([A-Za-z0-9+/=._-]+)")
    HIDDEN = [
        (re.compile(r"time:T:\d{9,}"), "time:T:<time>"),
        (re.compile(r"\b(cluster_name|copyright|information|platform|product|version):S:"
                    r"(?:\"[^\"]*\"|[^,}]*)"), r"\1:S:<any>"),
        (re.compile(r"[a-z0-9-]+@[A-Za-z0-9-]+(?=')"), "<node>"),
        (re.compile(r"<+[a-z0-9@.-]*\d+\.\d+\.\d+>+"), "<pid>"),
        (re.compile(r"\bnode:S:[a-z0-9-]+@[A-Za-z0-9-]+"), "node:S:<node>"),
        (re.compile(r'(\bconnection:S:"127\.0\.0\.1:)\d+( -> 127\.0\.0\.1:)\d+(?=")'),
         r"\1<port>\2<port>"),
    ]

    def __init__(self):
        self.numbers = {}

    def plain(self, text):
        for pattern, instead in self.HIDDEN:
            text = pattern.sub(instead, text)
        text = re.sub(r'(?<=mechanisms=")[^"]*', lambda found: " ".join(sorted(found[0].split())),
                      text)
        return self.GENERATED.sub(self._number, text)

    def _number(self, found):
        number = self.numbers.setdefault(found[0], len(self.numbers) + 1)
        return f"{found[1]}<{number}>"


class Channel:
    def __init__(self):
        self.is_open = False
        self.is_closing = False
        self.is_midway = False  # a method waits for its header or body
        self.published = 0  # since confirm.select
        self.has_confirms = False
        self.settled = {}  # tag -> basic.ack or basic.nack
        self.told = set()  # the tags that the transcript has
        self.consumers, self.cancelled = set(), set()

    def settle(self, heard):
        tag = int(heard.argument("tag") or 0)
        tags = [tag]
        if heard.argument("multiple"):
            last = tag or self.published
            tags = [each for each in range(1, last + 1) if each not in self.settled]
        for each in tags:
            self.settled[each] = heard.name if each not in self.settled else \
                f"{heard.name} again"

    def untold(self):
        return sorted(set(self.settled) - self.told)

    def lines_of(self, tags):
        """Lines such as "basic.ack 1-20"; how they were put together is the broker's affair."""
        lines, begin = [], None
        for tag in tags:
            if begin is None or self.settled[tag] != self.settled[begin] or tag != last + 1:
                begin = tag
                lines.append("")
            last = tag
            lines[-1] = f"{self.settled[tag]} {begin}" + (f"-{tag}" if tag != begin else "")
        return lines

    def tell(self, tags):
        self.told.update(tags)
        return self.lines_of(tags)


class Conversation:
    """One connection. `inbox` holds what was heard and not yet told, in its order."""

    def __init__(self, name, port):
        self.name = name
        self.client = wire.Client(port)
        self.channels = {}
        self.inbox = []
        self.partial = {}  # channel -> a message whose content is not all here
        self.is_open = False

    def channel(self, number):
        return self.channels.setdefault(number, Channel())

    def send(self, octets):
        self.client.send(octets)

    def hear(self, seconds):
        """Takes in the next frame; False when none came."""
        frame = self.client.next_frame(seconds)
        if frame is None:
            return False
        if isinstance(frame, str):
            name = frame if frame.startswith("AMQP") else END
            self.inbox.append(Heard(0, name.split()[0], name))
            self.is_open = False
            return True
        kind, number, payload = frame
        if kind == 8:
            return True
        heard = self._gather(kind, number, payload)
        if heard and heard.is_complete:
            self.partial.pop(number, None)
            self._file(heard)
        elif heard:
            self.partial[number] = heard
        return True

    def _gather(self, kind, number, payload):
        if kind == 1:
            text = wire.decode_method(payload)
            return Heard(number, text.split()[0], text)
        heard = self.partial.get(number)
        if heard is None:
            return Heard(number, "stray", wire.line_of_frame(kind, number, payload))
        if kind == 2:
            class_id, weight, heard.size = struct.unpack(">HHQ", payload[:12])
            words = wire.decode_header(payload).split(" ", 2)
            heard.properties = f" {words[2]}" if len(words) > 2 else ""
            heard.headers += 1
            if (class_id, weight, heard.headers) != (60, 0, 1):
                heard.properties += f" (class {class_id}, weight {weight}, {heard.headers} headers)"
        elif not heard.headers:
            heard.properties = " (a body before its header)"
        else:
            heard.body += payload
        return heard

    def _file(self, heard):
        channel = self.channel(heard.channel)
        if heard.name in CONFIRMS:
            channel.settle(heard)
            return
        self._check_order(channel, heard)
        self.inbox.append(heard)

    def _check_order(self, channel, heard):
        """A consumer hears nothing before its consume-ok and after its cancel-ok, wherever else
        the order of answers and deliveries is open."""
        if heard.name in ("basic.consume-ok", "basic.cancel-ok"):
            tag = heard.argument("tag")
            was_begun = heard.name == "basic.consume-ok"
            channel.consumers.add(tag) if was_begun else channel.consumers.discard(tag)
        elif heard.name == "basic.deliver" and heard.argument("consumer") not in channel.consumers:
            heard.properties += " (without a consumer)"

    def take(self, matches):
        """The first thing heard that matches, out of the inbox."""
        for index, heard in enumerate(self.inbox):
            if matches(heard):
                return self.inbox.pop(index)
        return None

    def close(self):
        self.client.socket.close()
