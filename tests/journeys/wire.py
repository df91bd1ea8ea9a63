"""AMQP 0-9-1 in readable lines and in octets, and connections that speak either. Knows how frames
are laid out and nothing of what they mean, so that a test can send anything."""

import re
import socket
import struct
import time

HEADER = b"AMQP\0\0\x09\x01"

# s S: short and long string, o h l q: 1, 2, 4, 8 octets, b: bit, t: table; - is reserved.
METHODS = {
    "connection.start": (10, 10, "o:version_major o:version_minor t:server_properties "
                                 "S:mechanisms S:locales"),
    "connection.start-ok": (10, 11, "t:client_properties s:mechanism S:response s:locale"),
    "connection.secure": (10, 20, "S:challenge"),
    "connection.secure-ok": (10, 21, "S:response"),
    "connection.tune": (10, 30, "h:channel_max l:frame_max h:heartbeat"),
    "connection.tune-ok": (10, 31, "h:channel_max l:frame_max h:heartbeat"),
    "connection.open": (10, 40, "s:virtual_host s:- b:-"),
    "connection.open-ok": (10, 41, "s:-"),
    "connection.close": (10, 50, "h:code s:text h:class h:method"),
    "connection.close-ok": (10, 51, ""),
    "connection.blocked": (10, 60, "s:reason"),
    "connection.unblocked": (10, 61, ""),
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
    "exchange.unbind": (40, 40, "h:- s:destination s:source s:key b:no_wait t:arguments"),
    "exchange.unbind-ok": (40, 51, ""),
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
FIELD_NUMBERS = {"b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q",
                 "f": ">f", "d": ">d", "T": ">Q"}


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
    text = "".join(chr(octet) if 32 <= octet < 127 else f"\\{octet}" for octet in octets)
    if not text or " " in text or '"' in text:
        return '"' + text.replace('"', '\\"') + '"'
    return text


class TableText:
    """Reads {name:TYPE:value,...}; F is a table and A an array, [TYPE:value,...], in it. The type
    may be left out of numbers (I), true and false (t), tables, arrays, and other text (S)."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def is_next(self, mark):
        if self.text[self.at:self.at + len(mark)] != mark:
            return False
        self.at += len(mark)
        return True

    def word(self, ends):
        """Up to one of `ends`, or the whole of a quoted text."""
        found = re.compile(r'"(?:\\.|[^"])*"|(?:\\.|[^' + re.escape(ends) + "])*",
                           re.S).match(self.text, self.at)
        self.at = found.end()
        return found[0]

    def table(self):
        assert self.is_next("{"), self.text
        octets = b""
        while not self.is_next("}"):
            name = octets_of_text(self.word(":"))
            assert self.is_next(":"), self.text
            octets += bytes([len(name)]) + name + self.value()
            self.is_next(",")
            self.is_next(" ")
        return struct.pack(">I", len(octets)) + octets

    def array(self):
        assert self.is_next("["), self.text
        octets = b""
        while not self.is_next("]"):
            octets += self.value()
            self.is_next(",")
        return struct.pack(">I", len(octets)) + octets

    def value(self):
        """The type's letter and the value."""
        typed = re.match(r"([A-Za-z]):", self.text[self.at:])
        if typed:
            self.at += 2
            return typed[1].encode() + self.value_of(typed[1])
        if self.text[self.at] in "{[":
            kind = "F" if self.text[self.at] == "{" else "A"
            return kind.encode() + self.value_of(kind)
        guess = re.match(r"(-?\d+)(?=[,}\]])|(true|false)(?=[,}\]])", self.text[self.at:])
        kind = "S" if not guess else "I" if guess[1] else "t"
        return kind.encode() + self.value_of(kind)

    def value_of(self, kind):
        if kind == "F":
            return self.table()
        if kind == "A":
            return self.array()
        text = self.word(",}]")
        if kind in "Sx":
            octets = octets_of_text(text)
            return struct.pack(">I", len(octets)) + octets
        if kind == "V":
            return b""
        if kind == "t":
            return bytes([text == "true"])
        if kind == "D":
            scale, number = text.split("/")
            return struct.pack(">BI", int(scale), int(number))
        layout = FIELD_NUMBERS.get(kind, ">B")  # an unknown type has an octet
        return struct.pack(layout, float(text) if kind in "df" else int(text))


def encode_table(text):
    return TableText(text).table()


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
            name = text_of_octets(inner.take(inner.number(">B")))
            entries.append(f"{name}:{inner.typed_field()}")
        return "{" + ",".join(entries) + "}"

    def array(self):
        inner, entries = Reader(self.take(self.number(">I"))), []
        while inner.octets:
            entries.append(inner.typed_field())
        return "[" + ",".join(entries) + "]"

    def typed_field(self):
        kind = self.take(1).decode("latin-1")
        return f"{kind}:{self.field(kind)}"

    def field(self, kind):
        if kind == "F":
            return self.table()
        if kind == "A":
            return self.array()
        if kind in "Sx":
            return text_of_octets(self.take(self.number(">I")))
        if kind == "t":
            return "true" if self.number(">B") else "false"
        if kind == "V":
            return ""
        if kind == "D":
            return f"{self.number('>B')}/{self.number('>I')}"
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


def octets_of_line(line, frame_max=None):
    """The frames of "1 queue.declare queue=q durable"; a body that is longer than frame_max allows
    goes in several."""
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
    step = frame_max - 8 if frame_max else len(body) or 1
    return octets + b"".join(frame(3, channel, body[at:at + step])
                             for at in range(0, len(body), step))


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

    def __init__(self, port, address="127.0.0.1"):
        self.socket = socket.create_connection((address, port))
        self.octets, self.ended, self.sent_at = b"", False, time.monotonic()

    def send(self, octets):
        self.sent_at = time.monotonic()
        try:
            self.socket.sendall(octets)
        except OSError:
            pass  # the end is heard when reading

    def next_frame(self, seconds):
        """What comes next: (kind, channel, payload), the text AMQP, RESET or EOF; None when nothing
        comes in time."""
        deadline = time.monotonic() + seconds
        while True:
            found = self._take_frame()
            if found or self.ended:
                return found
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

    def next_line(self, seconds):
        """The same, readable."""
        found = self.next_frame(seconds)
        return line_of_frame(*found) if isinstance(found, tuple) else found

    def _take_frame(self):
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
        return kind, channel, payload
