"""The server of the demo, attacked over plain sockets on the loopback address."""

import contextlib
import os
import signal
import socket
import struct
import threading
import time

import pytest

from tfvae.app import demo_server, loopback
from tfvae.export import page_security, web

SECRET = "secret"


@contextlib.contextmanager
def running(folder):
    """A server of a folder, at work in a thread."""
    with demo_server.make_server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A page beside a secret, with links, hidden files, a pipe and a folder in it."""
    around = tmp_path_factory.mktemp("around")
    page = around / "page"
    for inner in ("", "inner", ".git"):
        (page / inner).mkdir()
        (page / inner / "index.html").write_text("<p>page")
    (page / "empty").mkdir()
    (page / "style.css").write_text("p {}")
    (page / ".env").write_text(SECRET)
    (page / "inner" / ".key").write_text(SECRET)
    for outside in (around / "secret.txt", around / "page secret.txt"):
        outside.write_text(SECRET)
    links = {
        "out.txt": around / "secret.txt",
        "up": around,
        "hidden.txt": page / ".env",
        "loop": page / "loop",
        "gone": page / "nothing",
        "within.css": page / "style.css",
    }
    for name, target in links.items():
        (page / name).symlink_to(target)
    os.mkfifo(page / "pipe")
    return page


@pytest.fixture(scope="module")
def server(folder):
    with running(folder) as found:
        yield found


def ask(server, head):
    """The whole answer to bytes, `{port}` filled in."""
    with socket.create_connection(server.server_address, timeout=5) as client:
        client.sendall(head.replace(b"{port}", b"%d" % server.server_port))
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def get(server, target, host="127.0.0.1", method="GET"):
    """The status, the head and the body of an answer."""
    answer = ask(server, f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), body


# Names


OWN = ["127.0.0.1", "127.0.0.1:{port}", "localhost", "LOCALHOST:{port}", "[::1]", "[::1]:{port}"]
OTHERS = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil-localhost",
    "localhost.",
    "127.0.0.1:",
    "127.0.0.1:80@evil.example",
    "user@localhost",
    "0.0.0.0",
    "127.1",
    "2130706433",
    "::1",
    "",
]


@pytest.mark.parametrize("host", OWN)
def test_a_name_of_this_machine_is_answered(server, host):
    assert get(server, "/", host)[::2] == (200, b"<p>page")


@pytest.mark.parametrize("host", OTHERS)
@pytest.mark.parametrize("target", ["/", "/nothing"])
def test_another_name_is_refused_before_anything_is_looked_for(server, host, target):
    assert get(server, target, host)[0] == 403


def test_a_request_must_name_one_host(server):
    for names in (b"", b"Host: localhost\r\nHost: evil.example\r\n", b"X-Host: localhost\r\n"):
        answer = ask(server, b"GET / HTTP/1.1\r\n" + names + b"\r\n")
        assert answer.startswith(b"HTTP/1.0 403")
    assert b"<p>page" not in ask(server, b"GET /\r\n\r\n")


# Paths


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/inner/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..\\secret.txt",
        "/..%5csecret.txt",
        "/%252e%252e/secret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/inner//etc/passwd",
        "/../page%20secret.txt",
        "/out.txt",
        "/up/secret.txt",
        "/up/page/.env",
        "/hidden.txt",
        "/loop",
        "/gone",
        "/pipe",
        "/.env",
        "/%2eenv",
        "/inner/.key",
        "/.git/index.html",
        "/inner",
        "/empty",
        "/empty/",
        "/.git/",
        "/.",
        "/./style.css",
        "/inner/../style.css",
        "/index.html/",
        "/style.css%00.html",
        "/style.css%0d%0aX: 1",
        "/%ff",
        "/" + "x" * 5000,
        "http://localhost/style.css",
        "style.css",
        "*",
        "/?file=../secret.txt#",
    ],
)
def test_a_path_leads_to_files_of_the_folder_alone(server, target):
    status, head, body = get(server, target)
    assert SECRET.encode() not in body and b"root:" not in body
    assert status == (200 if target.startswith("/?") else 404 if " " not in target else 400)
    assert "Location" not in head


def test_files_of_the_folder_and_links_within_it_are_served(server):
    for target in ("/style.css", "/within.css", "/style.css?v=1", "/%73tyle.css"):
        status, head, body = get(server, target)
        assert (status, body) == (200, b"p {}")
        assert "Content-Type: text/css" in head
    assert get(server, "/inner/index.html")[::2] == get(server, "/inner/")[::2] == (200, b"<p>page")


def test_only_get_and_head_are_answered(server):
    status, head, body = get(server, "/style.css", method="HEAD")
    assert (status, body) == (200, b"") and "Content-Length: 4" in head
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "X"):
        status, _, body = get(server, "/style.css", method=method)
        assert status == 405 and b"p {}" not in body


# Headers


@pytest.mark.parametrize("target", ["/", "/style.css", "/nothing"])
def test_every_answer_has_a_policy_and_a_fixed_type(server, target):
    head = get(server, target)[1]
    for line in (
        "Content-Security-Policy: default-src 'none'",
        "frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff",
        "Cross-Origin-Resource-Policy: same-origin",
    ):
        assert line in head
    assert "Python" not in head


@pytest.mark.xdist_group("export")  # one process makes the files
def test_the_policy_sent_is_the_one_in_the_page(exported, tmp_path):
    """And it is the same, whatever else the page says of itself."""
    web.to_web(exported / "batch_1.tflite", tmp_path / "page")
    html = (tmp_path / "page" / "index.html").read_text()
    policy = html.split('Policy" content="')[1].split('"')[0]
    assert page_security.header(html) == f"{policy}; frame-ancestors 'none'"
    assert "https://cdn.jsdelivr.net/npm/@litertjs/core" in policy
    with running(tmp_path) as server:
        assert f"{policy}; frame-ancestors 'none'" in get(server, "/page/")[1]
    evil = html.replace(policy, "x\r\nSet-Cookie: y").replace("cdn.jsdelivr.net/npm/@l", "evil/@l")
    assert "evil" not in page_security.header(evil) and "\n" not in page_security.header(evil)


# Time, and many at once


def held(server, first=b""):
    """A client that has sent some bytes and waits."""
    client = socket.create_connection(server.server_address, timeout=5)
    client.sendall(first)
    return client


def closed_after(client, drip=b""):
    """Seconds until the server ends a connection, into which bytes are dripped meanwhile."""
    start = time.monotonic()
    client.settimeout(0.05)
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - start < 5:
            try:
                if client.recv(1) == b"":
                    break
            except TimeoutError:
                client.sendall(drip)
    return time.monotonic() - start


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_a_client_that_falls_silent_is_let_go(folder, monkeypatch, first):
    monkeypatch.setattr(loopback._Files, "timeout", 0.2)
    with running(folder) as server, held(server, first) as client:
        assert 0.1 < closed_after(client) < 2


def test_a_client_that_drips_is_let_go_too(folder, monkeypatch):
    monkeypatch.setattr(loopback, "_SECONDS", 0.4)
    with running(folder) as server, held(server, b"GET / HTTP/1.1\r\nX: ") as client:
        assert 0.3 < closed_after(client, b"x") < 2
        assert get(server, "/")[0] == 200


def test_a_client_that_takes_nothing_is_let_go(tmp_path, monkeypatch):
    with open(tmp_path / "large", "wb") as file:
        file.truncate(2**26)
    monkeypatch.setattr(loopback, "_SECONDS", 0.3)
    with running(tmp_path) as server:
        with held(server, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            for _ in range(100):
                time.sleep(0.03)
                if not server._ends:
                    break
        assert not server._ends


def test_one_connection_too_many_is_refused_and_the_next_answered(folder):
    with running(folder) as server, contextlib.ExitStack() as stack:
        before = threading.active_count()
        clients = [stack.enter_context(held(server)) for _ in range(loopback._MAX_CONNECTIONS)]
        with held(server) as one_more:
            assert one_more.recv(100).startswith(b"HTTP/1.0 503")
        assert threading.active_count() <= before + loopback._MAX_CONNECTIONS
        for client in clients[:2]:
            client.close()
        deadline = time.monotonic() + 5
        while len(server._ends) == loopback._MAX_CONNECTIONS and time.monotonic() < deadline:
            time.sleep(0.01)
        assert get(server, "/")[0] == 200


def test_a_client_that_resets_leaves_no_trace(folder, capfd):
    with running(folder) as server:
        whole = b"GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for first in (b"", whole[:20], whole):
            client = held(server, first)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        assert get(server, "/")[0] == 200
        while server._ends:
            time.sleep(0.01)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_request_is_answered_or_let_go(server):
    for head in (b"\x16\x03\x01\x02\0\x01\0", b"\r\n\r\n", b"GET\r\n\r\n", b"\0" * 70_000):
        assert b"<p>page" not in ask(server, head)
    many = b"".join(b"X-%d: 1\r\n" % i for i in range(1000))
    with contextlib.suppress(OSError):  # where the server has ended the connection already
        assert b"<p>page" not in ask(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + many)
    assert get(server, "/")[0] == 200


# Ends


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_every_signal_ends_a_body_once_and_leaves_the_handlers(name):
    """In this process: the handlers of the test run stay."""
    number = getattr(signal, name)
    inherited = signal.signal(number, signal.default_int_handler)
    cleaned = []
    try:
        with pytest.raises(KeyboardInterrupt), demo_server.ended_by_signals():
            try:
                signal.raise_signal(number)
            finally:
                signal.raise_signal(number)
                cleaned.append(True)
        assert cleaned == [True]
        assert signal.getsignal(number) is signal.default_int_handler
        signal.signal(number, signal.SIG_IGN)
        with demo_server.ended_by_signals():
            signal.raise_signal(number)
    finally:
        signal.signal(number, inherited)
