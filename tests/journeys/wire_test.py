"""The wire as clients of RabbitMQ 3.10 know it: plays the cases of wire_rows.txt, octet by octet,
against one node, and compares every frame that comes back. The language of the cases is described
at the top of that file; the client here knows nothing of AMQP but how frames are laid out."""

import concurrent.futures
import pathlib
import re
import socket
import struct
import time
import unittest

from harness import SLOWNESS, Cluster

ROWS = pathlib.Path(__file__).with_name("wire_rows.txt")
HEADER = b"AMQP\0\0\x09\x01"
ANSWER_S = 5 * SLOWNESS  # how long an answer may take
QUIET_S = 0.25  # how long nothing may come for "nothing comes"
TIMED_TOLERANCE_S = 0.35 * SLOWNESS
CAPABILITIES = ["authentication_failure_close", "basic.nack", "consumer_cancel_notify"]

# s S: short and long string, o h l q: 1, 2, 4, 8 octets, b: bit, t: table; - is reserved.
METHODS = {
    "connection.start": (10, 10, "o:version_major o:version_minor t:server_properties "
                                 "S:mechanisms S:locales"),
    "connection.start-ok": (10, 11, "t:client_properties s:mechanism S:response s:locale"),
    "connection.tune": (10, 30, "h:channel_max l:frame_max h:heartbeat"),
    "connection.tune-ok": (10, 31, "h:channel_max l:frame_max h:heartbeat"),
    "connection.open": (10, 40, "s:virtual_host s:- b:-"),
    "connection.open-ok": (10, 41, "s:-"),
    "connection.close": (10, 50, "h:code s:text h:class h:method"),
    "connection.close-ok": (10, 51, ""),
    "connection.update-secret": (10, 70, "S:new_secret s:reason"),
    "connection.update-secret-ok": (10, 71, ""),
    "channel.open": (20, 10, "s:-"),
    "channel.open-ok": (20, 11, "S:-"),
    "channel.flow": (20, 20, "b:active"),
    "channel.flow-ok": (20, 21, "b:active"),
    "channel.close": (20, 40, "h:code s:text h:class h:method"),
    "channel.close-ok": (20, 41, ""),
    "access.request": (30, 10, "s:realm b:exclusive b:passive b:active b:write b:read"),
    "access.request-ok": (30, 11, "h:ticket"),
    "exchange.declare": (40, 10, "h:- s:exchange s:type b:passive b:durable b:auto_delete "
                                 "b:internal b:no_wait t:arguments"),
    "exchange.declare-ok": (40, 11, ""),
    "exchange.delete": (40, 20, "h:- s:exchange b:if_unused b:no_wait"),
    "exchange.delete-ok": (40, 21, ""),
    "exchange.bind": (40, 30, "h:- s:destination s:source s:key b:no_wait t:arguments"),
    "exchange.bind-ok": (40, 31, ""),
    "queue.declare": (50, 10, "h:- s:queue b:passive b:durable b:exclusive b:auto_delete "
                              "b:no_wait t:arguments"),
    "queue.declare-ok": (50, 11, "s:queue l:messages l:consumers"),
    "queue.bind": (50, 20, "h:- s:queue s:exchange s:key b:no_wait t:arguments"),
    "queue.bind-ok": (50, 21, ""),
    "queue.purge": (50, 30, "h:- s:queue b:no_wait"),
    "queue.purge-ok": (50, 31, "l:messages"),
    "queue.delete": (50, 40, "h:- s:queue b:if_unused b:if_empty b:no_wait"),
    "queue.delete-ok": (50, 41, "l:messages"),
    "queue.unbind": (50, 50, "h:- s:queue s:exchange s:key t:arguments"),
    "queue.unbind-ok": (50, 51, ""),
    "basic.qos": (60, 10, "l:size h:count b:global"),
    "basic.qos-ok": (60, 11, ""),
    "basic.consume": (60, 20, "h:- s:queue s:tag b:no_local b:no_ack b:exclusive b:no_wait "
                              "t:arguments"),
    "basic.consume-ok": (60, 21, "s:tag"),
    "basic.cancel": (60, 30, "s:tag b:no_wait"),
    "basic.cancel-ok": (60, 31, "s:tag"),
    "basic.publish": (60, 40, "h:- s:exchange s:key b:mandatory b:immediate"),
    "basic.return": (60, 50, "h:code s:text s:exchange s:key"),
    "basic.deliver": (60, 60, "s:consumer q:tag b:redelivered s:exchange s:key"),
    "basic.get": (60, 70, "h:- s:queue b:no_ack"),
    "basic.get-ok": (60, 71, "q:tag b:redelivered s:exchange s:key l:left"),
    "basic.get-empty": (60, 72, "s:-"),
    "basic.ack": (60, 80, "q:tag b:multiple"),
    "basic.reject": (60, 90, "q:tag b:requeue"),
    "basic.recover-async": (60, 100, "b:requeue"),
    "basic.recover": (60, 110, "b:requeue"),
    "basic.recover-ok": (60, 111, ""),
    "basic.nack": (60, 120, "q:tag b:multiple b:requeue"),
    "confirm.select": (85, 10, "b:no_wait"),
    "confirm.select-ok": (85, 11, ""),
    "tx.select": (90, 10, ""),
    "tx.select-ok": (90, 11, ""),
    "tx.commit": (90, 20, ""),
    "tx.commit-ok": (90, 21, ""),
    "tx.rollback": (90, 30, ""),
    "tx.rollback-ok": (90, 31, ""),
}
NAMES = {(shape[0], shape[1]): name for name, shape in METHODS.items()}
# In the order of their flags, from the highest.
PROPERTIES = [item.split(":") for item in (
    "s:content_type s:content_encoding t:headers o:delivery_mode o:priority s:correlation_id "
    "s:reply_to s:expiration s:message_id q:timestamp s:type s:user_id s:app_id s:cluster_id"
).split()]
NUMBERS = {"o": ">B", "h": ">H", "l": ">I", "q": ">Q"}
FIELD_NUMBERS = {"b": ">b", "s": ">h", "I": ">i", "l": ">q", "d": ">d", "T": ">Q"}


def words_of(text):
    """Split at spaces outside of quotes and braces; the quotes stay."""
    words, word, depth, is_quoted, is_escaped = [], "", 0, False, False
    for letter in text + " ":
        if letter == " " and depth == 0 and not is_quoted:
            if word:
                words.append(word)
            word = ""
            continue
        word += letter
        if letter == '"' and not is_escaped:
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += {"{": 1, "}": -1}.get(letter, 0)
        is_escaped = letter == "\\" and not is_escaped
    return words


def arguments_of(words):
    """name=value, and a name alone for a bit that is set."""
    return dict(word.split("=", 1) if "=" in word else (word, "1") for word in words)


def octets_of_text(text):
    if text.startswith('"'):
        text = text[1:-1]
    return re.sub(rb"\\(\d+|.)",
                  lambda m: bytes([int(m[1])]) if m[1].isdigit() else m[1], text.encode())


def text_of_octets(octets):
    text = "".join(chr(octet) if octet >= 32 else f"\\{octet}" for octet in octets)
    if not text or " " in text or '"' in text:
        return '"' + text.replace('"', '\\"') + '"'
    return text


def encode_table(text):
    """{name:TYPE:value,...}, with F for a table in a table."""
    entries = []
    for entry in re.findall(r"[^,{}]+:F:\{[^{}]*\}|[^,{}]+", text[1:-1]):
        name, kind, value = entry.split(":", 2)
        if kind == "F":
            octets = encode_table(value)
        elif kind == "S":
            octets = struct.pack(">I", len(octets_of_text(value))) + octets_of_text(value)
        elif kind == "t":
            octets = bytes([value == "true"])
        else:
            octets = struct.pack(FIELD_NUMBERS[kind], float(value) if kind == "d" else int(value))
        entries.append(bytes([len(name)]) + name.encode() + kind.encode() + octets)
    return struct.pack(">I", sum(map(len, entries))) + b"".join(entries)


class Reader:
    def __init__(self, octets):
        self.octets = octets

    def take(self, size):
        taken, self.octets = self.octets[:size], self.octets[size:]
        return taken

    def number(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def table(self):
        inner, entries = Reader(self.take(self.number(">I"))), []
        while inner.octets:
            name = inner.take(inner.number(">B")).decode()
            kind = inner.take(1).decode()
            entries.append(f"{name}:{kind}:{inner.field(kind)}")
        return "{" + ",".join(entries) + "}"

    def field(self, kind):
        if kind == "F":
            return self.table()
        if kind == "S":
            return text_of_octets(self.take(self.number(">I")))
        if kind == "t":
            return "true" if self.number(">B") else "false"
        return self.number(FIELD_NUMBERS[kind])

    def argument(self, kind):
        if kind == "t":
            return self.table()
        if kind in "sS":
            return text_of_octets(self.take(self.number(">B" if kind == "s" else ">I")))
        return self.number(NUMBERS[kind])


def encode_argument(kind, text):
    if kind == "t":
        return encode_table(text or "{}")
    if kind in "sS":
        octets = octets_of_text(text or "")
        return struct.pack(">B" if kind == "s" else ">I", len(octets)) + octets
    return struct.pack(NUMBERS[kind], int(text or 0))


def encode_method(name, arguments):
    class_id, method_id, shape = METHODS[name]
    octets, bits, bit = struct.pack(">HH", class_id, method_id), 0, 0
    for item in [*shape.split(), None]:
        kind, field = item.split(":") if item else ("", "")
        if kind == "b":
            bits |= ("0", "1").index(arguments.pop(field, "0")) << bit
            bit += 1
            continue
        if bit:
            octets, bits, bit = octets + bytes([bits]), 0, 0
        if item:
            octets += encode_argument(kind, arguments.pop(field, None))
    assert not arguments, f"{name} has no {arguments}"
    return octets


def decode_method(octets):
    reader = Reader(octets)
    name = NAMES[reader.number(">H"), reader.number(">H")]
    words, bits, bit = [name], 0, 0
    for item in METHODS[name][2].split():
        kind, field = item.split(":")
        if kind != "b":
            bit, value = 0, reader.argument(kind)
            if field != "-":
                words.append(f"{field}={value}")
            continue
        if bit == 0:
            bits = reader.number(">B")
        if bits >> bit & 1:
            words.append(field)
        bit += 1
    assert not reader.octets, f"{name} has octets too many: {reader.octets}"
    return " ".join(words)


def encode_header(arguments):
    octets, flags = b"", 0
    class_id, size = int(arguments.pop("class", 60)), int(arguments.pop("size"))
    for index, (kind, name) in enumerate(PROPERTIES):
        if name in arguments:
            flags |= 1 << 15 - index
            octets += encode_argument(kind, arguments.pop(name))
    assert not arguments, f"a header has no {arguments}"
    return struct.pack(">HHQH", class_id, 0, size, flags) + octets


def decode_header(octets):
    reader = Reader(octets)
    class_id, _, size, flags = (reader.number(layout) for layout in (">H", ">H", ">Q", ">H"))
    words = ["header", f"size={size}"] if class_id == 60 else ["header", f"class={class_id}"]
    for index, (kind, name) in enumerate(PROPERTIES):
        if flags >> 15 - index & 1:
            words.append(f"{name}={reader.argument(kind)}")
    return " ".join(words)


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def octets_of_line(line):
    """The frames of "1 queue.declare queue=q durable"."""
    channel, name, *words = words_of(line)
    channel = int(channel)
    if name == "heartbeat":
        return frame(8, channel, b"")
    if name == "frame":
        return frame(int(words[0]), channel, octets_of_text(words[1]))
    if name == "body":
        return frame(3, channel, octets_of_text(words[0]))
    arguments = arguments_of(words)
    if name == "header":
        return frame(2, channel, encode_header(arguments))
    if name != "basic.publish" or "body" not in arguments:
        return frame(1, channel, encode_method(name, arguments))
    body = octets_of_text(arguments.pop("body"))
    properties = {key: arguments.pop(key) for _, key in PROPERTIES if key in arguments}
    octets = frame(1, channel, encode_method(name, arguments))
    octets += frame(2, channel, encode_header(properties | {"size": str(len(body))}))
    return octets + (frame(3, channel, body) if body else b"")


def line_of_frame(kind, channel, payload):
    if kind == 1:
        return f"{channel} {decode_method(payload)}"
    if kind == 2:
        return f"{channel} {decode_header(payload)}"
    if kind == 3:
        return f"{channel} body {text_of_octets(payload)}"
    return f"{channel} heartbeat" if kind == 8 else f"{channel} frame {kind} {payload}"


class Client:
    """A connection, and what was heard on it."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.octets, self.ended, self.sent_at = b"", False, time.monotonic()

    def send(self, octets):
        self.sent_at = time.monotonic()
        try:
            self.socket.sendall(octets)
        except OSError:
            pass  # the end is heard when reading

    def next_line(self, seconds):
        """What comes next: a frame, AMQP, RESET or EOF; None when nothing comes in time."""
        deadline = time.monotonic() + seconds
        while True:
            line = self._take_line()
            if line or self.ended:
                return line
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                more = self.socket.recv(1 << 16)
            except TimeoutError:
                return None
            except OSError:
                self.ended = True
                return "RESET"
            if not more:
                self.ended = True
                return "EOF"
            self.octets += more

    def _take_line(self):
        if self.octets.startswith(b"AMQP") and len(self.octets) >= 8:
            reader = Reader(self.octets[4:8])
            self.octets = self.octets[8:]
            return "AMQP " + " ".join(str(reader.number(">B")) for _ in range(4))
        if len(self.octets) < 7:
            return None
        kind, channel, size = struct.unpack(">BHI", self.octets[:7])
        if len(self.octets) < size + 8:
            return None
        payload, end = self.octets[7:7 + size], self.octets[7 + size]
        self.octets = self.octets[8 + size:]
        assert end == 0xce, "a frame without its end"
        return line_of_frame(kind, channel, payload)


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
    """(name, lines) for each case of the file."""
    cases = []
    for line in ROWS.read_text().splitlines():
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
