"""Writes first inputs for the fuzz targets: what the scenarios of tests/differential say, and a
little of everything else that nodes read. make_seeds.py FOLDER gives FOLDER/TARGET/NUMBER."""

import hmac
import pathlib
import re
import struct
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
for each in ("journeys", "differential"):
    sys.path.insert(0, str(FOLDER.parent / each))
import wire  # noqa: E402  (the folders have to be known first)
from player import expand  # noqa: E402
from scenario import read_recordings, read_scenarios  # noqa: E402

LOGGED_IN = b"\x03"  # see session.cc
LONGEST = 8192

TEXTS = {
    "erlang": ["[rabbitmq_management].", "[{rabbit,[{tcp_listeners,[5672]},{heartbeat,60}]}].",
               "{a,\"b\\n\",<<\"c\">>,'D e',1.5e3,-7,$x,#{k => v},[1,2|3],16#ff}",
               "-rabbitmq_management listener [{port,15672}]", "<0.12.3>", "% comment\n[a,[],{}]."],
    "conf": ["listeners.tcp.default = 5672\n# comment\nheartbeat = 30\n",
             "listeners.tcp.1 = 127.0.0.1:5673\nloopback_users.guest = false\n",
             "vm_memory_high_watermark.relative = 0.6\ndisk_free_limit.absolute = 1GB\n",
             "NODENAME=rabbit@$HOSTNAME\nexport X=\"a ${HOME}\"\nMNESIA_BASE='/x y'\n",
             "[{rabbit,[{loopback_users,[]},{default_user,<<\"u\">>}]}].",
             '{"ha-mode":"exactly","ha-params":2,"max-length":5,"overflow":"drop-head"}',
             "^(?!amq\\.).*", "cluster_formation.classic_config.nodes.1 = rabbit@a\n"],
    "http": ["0GET /api/overview HTTP/1.1\r\nHost: x\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n",
             "1PUT /api/queues/%2F/q HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
             "0POST /x?a=b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
             "0GET / HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
             '0{"a":[1,2.5,true,null,"x\\u00e9"],"b":{"c":-1}}'],
}
API = [
    *(f"GET /api/{each}" for each in (
        "overview", "whoami", "nodes", "nodes/rabbit1@vm", "queues", "queues/%2F/q", "bindings",
        "exchanges/%2F", "users", "vhosts", "permissions", "policies", "operator-policies",
        "connections", "channels", "consumers", "healthchecks/node", "definitions",
        "queues?page=1&page_size=2&name=q&use_regex=true&sort=name&columns=name,messages")),
    'PUT /api/queues/%2F/q {"durable":true,"arguments":{"x-max-length":5}}',
    'PUT /api/exchanges/%2F/x {"type":"topic","durable":true}',
    'POST /api/bindings/%2F/e/x/q/q {"routing_key":"k","arguments":{"a":[1,{"b":null}]}}',
    'POST /api/exchanges/%2F/amq.default/publish {"properties":{"headers":{"h":1.5},"priority":1},'
    '"routing_key":"q","payload":"aGk=","payload_encoding":"base64"}',
    'POST /api/queues/%2F/q/get {"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}',
    "DELETE /api/queues/%2F/q/contents", "DELETE /api/queues/%2F/q?if-empty=true",
    'PUT /api/users/u {"password":"p","tags":"administrator"}', "PUT /api/vhosts/v",
    'PUT /api/permissions/v/u {"configure":"^(?!a)","write":".*","read":""}',
    'PUT /api/policies/%2F/p {"pattern":"^q","definition":{"max-length":1},"priority":1}',
    'PUT /api/operator-policies/%2F/p {"pattern":"^q","definition":{"expires":1}}',
    'PUT /api/vhost-limits/v/max-queues {"value":5}',
    'PUT /api/user-limits/u/max-channels {"value":5}',
    *(f'{{"command":"{name}","vhost":"/","arguments":{arguments},"options":{options}}}'
      for name, arguments, options in (
          ("add_user", '["u","p"]', "{}"), ("list_users", "[]", "{}"), ("status", "[]", "{}"),
          ("cluster_status", "[]", "{}"), ("list_queues", '["name","messages"]', '{"online":true}'),
          ("list_bindings", "[]", "{}"), ("stop_app", "[]", "{}"), ("add_vhost", '["v"]', "{}"),
          ("set_policy", '["p","^q","{}"]', '{"priority":1,"apply_to":"all"}'),
          ("set_permissions", '["guest","a","b","c"]', "{}"), ("list_policies", "[]", "{}"),
          ("set_vhost_limits", '["{}"]', "{}"), ("set_parameter", '["a","b","{}"]', "{}"),
          ("close_connection", '["<0.1.2>","why"]', "{}"), ("environment", "[]", "{}"),
          ("set_disk_free_limit", "[]", '{"bytes":5}'), ("delete_queue", '["q"]', "{}"))),
]
PATTERNS = ["^(?!amq\\.).*\namq.x", "(a*)*b\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "^(x+x+)+y\nxxxxxxxxx",
            "[[:alpha:]]{1,50}\nq", "(?<n>a)\\k<n>|(?R)?\naa", "\\p{L}+$\nq\xe9", "(a|b|ab)*c\nabab"]
OCTETS = {
    "epmd": [b"\0\x11x\x13\xba\x4d\0\0\6\0\5\0\6rabbit\0\0", b"\0\7zrabbit", b"\0\1n",
             b"v\0\0\0\0\1", b"y\0\0\5", b"w\0\x13\xbaM\0\0\6\0\5\0\6rabbit\0\0",
             b"\0\0\x11\x11name rabbit at port 25672\n"],
    "proxy": [b"PROXY TCP4 192.168.7.7 10.1.1.1 5555 5672\r\n", b"PROXY UNKNOWN\r\n",
              b"PROXY TCP6 2001:db8::1 ::1 65535 0\r\nAMQP",
              b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xac\x10\0\x09\x0a\0\0\1\x1e\x61\x16\x28",
              b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
              b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x27" + bytes(range(36)) + b"\4\0\0"],
    "segment": [b"\0\5" + b"\1\x20" * 6, b"\0\x1f" + b"\3\x80" * 32 + b"\0\0\x50\xff",
                b"\0\x08" + b"\1\x10" * 9 + b"\0\3\0\0", b"\1" + bytes(80)],
    "log": [b"\0\x08" + bytes(range(40)) + b"\0\0\x50\xff", b"\0\x20" + b"\1\x40" * 32,
            b"\1" + bytes(64), b"\0\x10" + b"\x0b\x80" * 16 + b"\0\1\0\0"],
}


def handshakes():
    """A caller's whole part of docs/formats/handshake.md, and what the called side would say; see
    fuzz_handshake for the names."""
    def name(text):
        return bytes([len(text)]) + text

    def frame(payload):
        return struct.pack(">H", len(payload)) + payload

    hello = b"WRN1\1" + name(b"a@here") + name(b"b@here") + b"c" * 32
    challenge = b"\0" + name(b"b@here") + b"n" * 32
    talk = hello + challenge
    proof = hmac.digest(b"cookie", b"warren initiator" + struct.pack(">I", len(talk)) + talk,
                        "sha256")
    return [b"\0" + frame(hello) + frame(proof), b"\2" + frame(hello) + frame(proof) + b"rest",
            b"\1" + frame(b"\0" + name(b"b@here") + b"r" * 32) + frame(b"\0\0" + b"v" * 32),
            b"\1" + frame(b"\xff" + name(b"no"))]


def lines_of(scenario, actor="a"):
    """What one connection sends, as "1 queue.declare ..."."""
    for line in scenario.lines:
        found = re.match(rf"{actor}(?:\.(\d+))?: (\S+) ?(.*)", line)
        if not found:
            continue
        verb, words = found[2], found[3].replace("$queue", "amq.gen-x").replace("$tag", "1")
        if verb == "octets":
            yield bytes(int(octet, 16) for octet in words.split())
        elif verb in wire.METHODS or verb in ("header", "body", "frame", "heartbeat"):
            words = re.sub(r"\*(\d{4,})", "*3000", words)
            yield wire.octets_of_line(f"{found[1] or 1} {verb} {expand(words)}")


def frames_of(octets):
    """(kind, payload) as far as they are whole."""
    while len(octets) >= 8:
        kind, _, size = struct.unpack(">BHI", octets[:7])
        yield kind, octets[7:7 + size]
        octets = octets[8 + size:]


def answers():
    """The methods of the recordings, encoded again."""
    for lines in read_recordings().values():
        for line in lines:
            words = line.split()
            if line.startswith("    ") and words[0] in wire.METHODS and "header" not in line:
                try:
                    yield wire.octets_of_line(f"1 {line.strip()}")
                except (AssertionError, KeyError, ValueError, IndexError, struct.error):
                    pass  # normalised beyond recognition


def seeds():
    """Target to inputs."""
    found = {name: [text.encode() for text in texts] for name, texts in TEXTS.items()}
    found |= {name: list(inputs) for name, inputs in OCTETS.items()}
    found["handshake"] = handshakes()
    # Each alone, and a story of all of them.
    found["api"] = [line.encode() for line in API]
    found["api"] += ["\n".join(API[start:start + 16]).encode() for start in range(0, len(API), 8)]
    found["pattern"] = [text.encode() for text in PATTERNS]
    for name in ("session", "frame", "method", "table", "content"):
        found[name] = []
    for scenario in read_scenarios():
        pieces = list(lines_of(scenario))
        stream = b"".join(pieces)
        if len(stream) <= LONGEST:
            found["session"].append(LOGGED_IN + stream)
            found["frame"].append(b"\x10" + stream)
        for line in scenario.lines:
            for text in re.findall(r"(?:arguments|headers)=(\{\S*\})", line):
                found["table"].append(wire.encode_table(text)[4:])
        for kind, payload in (frame for piece in pieces for frame in frames_of(piece)):
            if kind == 1:
                found["method"].append(payload)
            elif kind == 2:
                found["content"].append(payload)
    for answer in answers():
        found["method"] += [payload for kind, payload in frames_of(answer) if kind == 1]
    return found


def main():
    for target, inputs in seeds().items():
        folder = pathlib.Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for number, octets in enumerate(sorted(set(inputs))):
            (folder / f"{number:04}").write_bytes(octets)


if __name__ == "__main__":
    main()
