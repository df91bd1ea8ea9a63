"""Listeners with TLS, logins by certificate, renewed certificates, and the PROXY protocol."""

import json
import shutil
import socket
import ssl
import struct
import subprocess
import time
import unittest
import urllib.request

import pika
import pika.credentials
import pika.exceptions

from amqp import connect
from harness import SLOWNESS, Cluster, is_open, wait_until

GREETING = b"AMQP\x00\x00\x09\x01"
V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def run_openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Certificates:
    """An authority in a folder, and what it has signed."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.ca = folder / "ca.pem"
        run_openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                    "/CN=Test CA", "-keyout", folder / "ca.key", "-out", self.ca)

    def issue(self, name, subject, names):
        """NAME.pem and NAME.key, each replaced in one step."""
        made = {kind: self.folder / f"new-{name}.{kind}" for kind in ("key", "csr", "ext", "pem")}
        made["ext"].write_text(f"subjectAltName={names}\n")
        run_openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout",
                    made["key"], "-out", made["csr"])
        run_openssl("x509", "-req", "-in", made["csr"], "-CA", self.ca, "-CAkey",
                    self.folder / "ca.key", "-CAcreateserial", "-days", "30", "-extfile",
                    made["ext"], "-out", made["pem"])
        for kind in "key", "pem":
            made[kind].rename(self.folder / f"{name}.{kind}")

    def context(self, client=None):
        context = ssl.create_default_context(cafile=self.ca)
        if client:
            context.load_cert_chain(self.folder / f"{client}.pem", self.folder / f"{client}.key")
        return context


class Base(unittest.TestCase):
    conf = ""
    plugins = "[rabbitmq_management,rabbitmq_auth_mechanism_ssl].\n"

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(1, plugins=cls.plugins)
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.node = cls.cluster[1]
        cls.tls_port, cls.https_port = cls.cluster.slot.first + 10, cls.cluster.slot.first + 11
        cls.certificates = Certificates(cls.cluster.home / "certificates")
        cls.certificates.issue("server", "/CN=server", "DNS:localhost,IP:127.0.0.1")
        cls.certificates.issue("mq", "/CN=mq", "DNS:mq.example")
        cls.certificates.issue("client", "/C=DE/O=Warren/CN=client", "DNS:client.example")
        path = cls.cluster.home / "rabbitmq.conf"
        path.write_text(cls.conf.format(tls=cls.tls_port, https=cls.https_port,
                                        certificates=cls.certificates.folder))
        cls.cluster.environment["RABBITMQ_CONFIG_FILE"] = str(path)
        cls.node.start()

    def open(self, client=None, port=None, **options):
        return pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", port or self.tls_port, heartbeat=30, socket_timeout=10 * SLOWNESS,
            ssl_options=pika.SSLOptions(self.certificates.context(client), "localhost"),
            **options))

    def rows(self, *columns):
        return self.node.json("list_connections", *columns)


class Tls(Base):
    conf = """
listeners.ssl.default = 127.0.0.1:{tls}
ssl_options.cacertfile = {certificates}/ca.pem
ssl_options.certfile = {certificates}/server.pem
ssl_options.keyfile = {certificates}/server.key
ssl_options.sni_hosts.mq.example.certfile = {certificates}/mq.pem
ssl_options.sni_hosts.mq.example.keyfile = {certificates}/mq.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
ssl_handshake_timeout = 1000
ssl_cert_login_from = common_name
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = AMQPLAIN
auth_mechanisms.3 = EXTERNAL
management.ssl.port = {https}
management.ssl.ip = 127.0.0.1
"""

    def test_messages_of_all_sizes_pass(self):
        channel = self.open().channel()
        channel.confirm_delivery()
        channel.queue_declare("tls", durable=True)
        for size in 0, 1, 16_384, 1_000_000, 20_000_000:
            channel.basic_publish("", "tls", b"x" * size)
            self.assertEqual(len(channel.basic_get("tls", auto_ack=True)[2]), size)

    def test_a_client_is_shown_with_its_certificate(self):
        with self.open("client"):
            row = next(row for row in self.rows(
                "ssl", "ssl_protocol", "ssl_key_exchange", "ssl_cipher", "ssl_hash",
                "peer_cert_subject", "peer_cert_issuer", "peer_cert_validity")
                if row["peer_cert_subject"])
            self.assertRegex(row.pop("peer_cert_validity"),
                             r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ - \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertEqual(row, {
                "ssl": True, "ssl_protocol": "tlsv1.3", "ssl_key_exchange": "any",
                "ssl_cipher": "aes_256_gcm", "ssl_hash": "aead",
                "peer_cert_subject": "CN=client,O=Warren,C=DE", "peer_cert_issuer": "CN=Test CA"})

    def test_a_certificate_logs_in(self):
        external = pika.credentials.ExternalCredentials()
        with self.assertRaises(pika.exceptions.ProbableAuthenticationError):
            self.open("client", credentials=external)
        self.node.must("add_user", "client", "unused")
        self.node.must("set_permissions", "client", ".*", ".*", ".*")
        with self.open("client", credentials=external):
            users = {(row["user"], row["auth_mechanism"])
                     for row in self.rows("user", "auth_mechanism")}
            self.assertIn(("client", "EXTERNAL"), users)
        with self.assertRaises(pika.exceptions.ProbableAuthenticationError):
            self.open(credentials=external)
        self.assertIn("EXTERNAL login refused: connection peer presented no TLS (x.509) "
                      "certificate", self.node.log())
        with self.assertRaises(pika.exceptions.AuthenticationError):
            connect_external = pika.ConnectionParameters("127.0.0.1", self.node.port,
                                                         credentials=external)
            pika.BlockingConnection(connect_external)

    def test_a_stranger_is_turned_away(self):
        strangers = Certificates(self.cluster.home / f"strangers-{time.monotonic_ns()}")
        strangers.issue("client", "/CN=client", "DNS:client.example")
        context = self.certificates.context()
        context.load_cert_chain(strangers.folder / "client.pem", strangers.folder / "client.key")
        with socket.create_connection(("127.0.0.1", self.tls_port)) as plain:
            with self.assertRaises((ssl.SSLError, OSError)):
                with context.wrap_socket(plain, server_hostname="localhost") as secure:
                    secure.sendall(GREETING)
                    if secure.recv(1) == b"":
                        raise OSError("closed")

    def test_who_speaks_no_tls_is_turned_away(self):
        for said in GREETING, b"":
            with socket.create_connection(("127.0.0.1", self.tls_port)) as plain:
                plain.settimeout(5 * SLOWNESS)
                plain.sendall(said)
                with self.subTest(said=said):
                    try:
                        self.assertNotIn(b"AMQP", plain.recv(100))
                    except ConnectionResetError:
                        pass

    def shown(self, host="localhost"):
        """The common name of the certificate that a client gets which asks for that host."""
        with socket.create_connection(("127.0.0.1", self.tls_port)) as plain:
            with self.certificates.context().wrap_socket(plain, server_hostname=host) as secure:
                return dict(pair[0] for pair in secure.getpeercert()["subject"])["commonName"]

    def test_a_renewed_certificate_is_shown_without_a_restart(self):
        held = self.open()
        self.assertEqual(self.shown(), "server")
        self.certificates.issue("server", "/CN=renewed", "DNS:localhost,IP:127.0.0.1")
        wait_until(lambda: self.shown() == "renewed", 10, "the renewed certificate")
        held.channel()
        self.certificates.issue("server", "/CN=server", "DNS:localhost,IP:127.0.0.1")
        wait_until(lambda: self.shown() == "server", 10, "the old name again")

    def test_a_client_gets_the_certificate_of_the_host_that_it_asks_for(self):
        self.assertEqual(self.shown("mq.example"), "mq")
        self.certificates.issue("mq", "/CN=renewed", "DNS:mq.example")
        wait_until(lambda: self.shown("mq.example") == "renewed", 10, "the renewed certificate")
        self.assertEqual(self.shown(), "server")

    def test_listeners_are_listed(self):
        listed = self.cluster.run("rabbitmq-diagnostics", "-n", self.node.name, "listeners").out
        self.assertIn(f"Interface: 127.0.0.1, port: {self.tls_port}, protocol: amqp/ssl, "
                      "purpose: AMQP 0-9-1 and AMQP 1.0 over TLS", listed)
        self.assertIn(f"Interface: 127.0.0.1, port: {self.https_port}, protocol: https, "
                      "purpose: HTTP API over TLS (HTTPS)", listed)
        self.assertIn("protocol: amqp/ssl", self.node.must("status"))
        self.assertIn(f"started TLS (SSL) listener on 127.0.0.1:{self.tls_port}", self.node.log())

    def test_the_http_api_speaks_tls(self):
        request = urllib.request.Request(f"https://localhost:{self.https_port}/api/whoami")
        request.add_header("Authorization", "Basic Z3Vlc3Q6Z3Vlc3Q=")
        with urllib.request.urlopen(request, context=self.certificates.context(),
                                    timeout=10 * SLOWNESS) as answer:
            self.assertEqual(json.load(answer)["name"], "guest")


class Proxied(Base):
    conf = """
listeners.ssl.default = 127.0.0.1:{tls}
ssl_options.cacertfile = {certificates}/ca.pem
ssl_options.certfile = {certificates}/server.pem
ssl_options.keyfile = {certificates}/server.key
proxy_protocol = true
"""

    def greet(self, header):
        """A connection that was answered, or None when it was reset."""
        peer = socket.create_connection(("127.0.0.1", self.node.port))
        self.addCleanup(peer.close)
        peer.settimeout(10 * SLOWNESS)
        try:
            peer.sendall(header)
            return peer if peer.recv(1) == b"\x01" else None
        except ConnectionResetError:
            return None

    def names(self):
        return {row["name"] for row in self.rows("name")}

    def test_both_versions_name_the_client(self):
        headers = {
            "192.168.7.7:5555 -> 10.1.1.1:5672": b"PROXY TCP4 192.168.7.7 10.1.1.1 5555 5672\r\n",
            "[2001:db8::1]:5555 -> [2001:db8::2]:5672":
                b"PROXY TCP6 2001:db8::1 2001:db8::2 5555 5672\r\n",
            "172.16.0.9:7777 -> 10.0.0.1:5672":
                V2 + b"\x21\x11\x00\x0c" + bytes([172, 16, 0, 9, 10, 0, 0, 1]) +
                struct.pack(">HH", 7777, 5672),
        }
        for header in headers.values():
            self.assertTrue(self.greet(header + GREETING))
        self.assertLessEqual(set(headers), self.names())

    def test_a_proxy_that_speaks_for_itself_is_let_in(self):
        for header in V2 + b"\x20\x00\x00\x00", b"PROXY UNKNOWN\r\n":
            self.assertTrue(self.greet(header + GREETING))
        self.assertTrue(any(name.startswith("127.0.0.1:") for name in self.names()))

    def test_without_a_header_nobody_comes_in(self):
        self.assertIsNone(self.greet(GREETING))
        self.assertIsNone(self.greet(b"PROXY TCP4 1.2.3.4\r\n"))
        self.assertIsNone(self.greet(b"PROXY"))  # and nothing more: three seconds

    def test_tls_behind_a_header(self):
        plain = socket.create_connection(("127.0.0.1", self.tls_port))
        plain.sendall(b"PROXY TCP4 192.168.7.8 10.1.1.1 6666 5671\r\n")
        with self.certificates.context().wrap_socket(plain, server_hostname="localhost") as secure:
            secure.sendall(GREETING)
            self.assertEqual(secure.recv(1), b"\x01")
            self.assertIn("192.168.7.8:6666 -> 10.1.1.1:5671", self.names())

    def test_haproxy_passes_clients_on(self):
        program = shutil.which("haproxy", path=self.cluster.environment["PATH"])
        if not program:
            self.skipTest("haproxy is not installed")
        first = self.cluster.slot.first + 12
        config = self.cluster.home / "haproxy.cfg"
        sections = "".join(f"""
listen v{version}
  bind 127.0.0.1:{first + version}
  mode tcp
  server node 127.0.0.1:{self.node.port} {option} check
""" for version, option in ((1, "send-proxy"), (2, "send-proxy-v2")))
        config.write_text("defaults\n  timeout connect 2s\n  timeout client 1h\n"
                          f"  timeout server 1h\n{sections}")
        self.cluster.processes.append(subprocess.Popen(
            [program, "-f", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for port in first + 1, first + 2:
            wait_until(lambda p=port: is_open(p), 10, "haproxy listening")
            connection = wait_until(lambda p=port: try_connect(p), 10, "a connection")
            own = connection._impl._transport._sock.getsockname()[1]
            self.assertIn(f"127.0.0.1:{own} -> 127.0.0.1:{port}", self.names())
            connection.close()


def try_connect(port):
    try:
        return connect(port)
    except (pika.exceptions.AMQPError, OSError):
        return None


class Boot(unittest.TestCase):
    def test_a_taken_management_port_fails_the_boot(self):
        with Cluster(1) as cluster, socket.socket() as taken:
            # Connections of an earlier journey to this port may linger.
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(("", cluster[1].http_port))
            taken.listen()
            result = cluster.run("rabbitmq-server", env=cluster[1].environment())
            self.assertEqual(result.code, 1, result)
            self.assertIn("BOOT FAILED", result.err)
            self.assertIn(f"the listener of rabbitmq_management: port {cluster[1].http_port}",
                          result.err)

    def test_unknown_plugins_are_named(self):
        with Cluster(1, plugins="[rabbitmq_management,nonsense_plugin].\n") as cluster:
            cluster[1].start()
            self.assertIn("plugins currently enabled but missing: nonsense_plugin",
                          cluster[1].log())
            self.assertIn("WARNING - plugins currently enabled but missing: nonsense_plugin",
                          cluster[1].plugins("list").out)


if __name__ == "__main__":
    unittest.main()
