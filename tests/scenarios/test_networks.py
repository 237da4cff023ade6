"""Who reaches whom: by name, by address, by published port, and who does not."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.supervisor import IMAGE, Stacker

pytestmark = pytest.mark.root

HTTPD = '[httpd, -f, -p, "80", -h, /etc]'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def host_address() -> str:
    """An address of this host that is not loopback: where the default route goes out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return probe.getsockname()[0]


def stack(local: int, everywhere: int) -> str:
    return f"""
name: net
x-idle: &idle
  image: {IMAGE}
  command: [sleep, infinity]
  init: true
services:
  web:
    image: {IMAGE}
    command: {HTTPD}
    init: true
    ports: ["127.0.0.1:{local}:80", "{everywhere}:80"]
    networks:
      front: {{aliases: [shop, www.example.org]}}
      back: {{}}
    healthcheck: &healthy
      test: wget -q -O /dev/null http://127.0.0.1/passwd
      start_period: 10s
      start_interval: 100ms
  db:
    image: {IMAGE}
    command: {HTTPD}
    init: true
    networks: [back]
    healthcheck: *healthy
  client:
    <<: *idle
    networks: [front]
  sealed:
    <<: *idle
    networks: [back]
  hosted:
    <<: *idle
    network_mode: host
  alone:
    <<: *idle
    network_mode: none
  beside:
    <<: *idle
    network_mode: service:web
networks:
  front: {{}}
  back:
    internal: true
"""


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def net(stacker: Stacker, ports: tuple[int, int]) -> Iterator[Stacker]:
    stacker.up(stack(*ports))
    return stacker


def run(net: Stacker, service: str, *command: str) -> subprocess.CompletedProcess[str]:
    return net("exec", "-T", "-p", "net", service, *command)


def reaches(net: Stacker, service: str, url: str) -> bool:
    # Debian's static busybox crashes on `wget -T`
    done = run(net, service, "timeout", "2", "wget", "-q", "-O", "-", f"http://{url}/passwd")
    return "nobody" in done.stdout


def test_who_reaches_whom(net: Stacker, ports: tuple[int, int]) -> None:
    rows = net.containers()
    address = {
        (name, a["network"]): a["ipv4_address"]
        for name, row in rows.items()
        for a in row["addresses"]
    }
    db = next(ip for (name, _), ip in address.items() if name == "net-db-1")
    host, (local, everywhere) = host_address(), ports

    allowed = {
        "client": ["web", "shop", "www.example.org", "net-web-1", f"{host}:{everywhere}"],
        "sealed": ["web", "db"],
        "web": ["db", f"{host}:{everywhere}"],  # itself, by the host's address
        "hosted": [f"127.0.0.1:{local}", f"127.0.0.1:{everywhere}", f"{host}:{everywhere}"],
        "beside": ["127.0.0.1", "db"],
    }
    denied = {
        "client": ["db", db, f"{host}:{local}"],
        "sealed": ["shop", f"{host}:{everywhere}"],
        "alone": ["web", db, f"{host}:{everywhere}"],
    }
    told = {(s, t): reaches(net, s, t) for s, targets in allowed.items() for t in targets}
    assert told == dict.fromkeys(told, True)
    told = {(s, t): reaches(net, s, t) for s, targets in denied.items() for t in targets}
    assert told == dict.fromkeys(told, False)

    for published in (f"127.0.0.1:{local}", f"127.0.0.1:{everywhere}", f"{host}:{everywhere}"):
        with urllib.request.urlopen(f"http://{published}/passwd", timeout=5) as answer:
            assert b"nobody" in answer.read()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://{host}:{local}/passwd", timeout=5)


def test_what_is_inside_each_network_mode(net: Stacker) -> None:
    pids = {name: row["pid"] for name, row in net.containers().items()}

    def namespace(service: str) -> str:
        return os.readlink(f"/proc/{pids[f'net-{service}-1']}/ns/net")

    assert namespace("hosted") == os.readlink("/proc/self/ns/net")
    assert namespace("beside") == namespace("web")
    assert namespace("alone") not in (namespace("hosted"), namespace("web"))
    assert run(net, "alone", "ls", "/sys/class/net").stdout.split() == ["lo"]
    # an internal network has no way out
    assert "default" in run(net, "client", "ip", "route").stdout
    assert "default" not in run(net, "sealed", "ip", "route").stdout


def test_a_udp_port(stacker: Stacker) -> None:
    """Busybox has no server for datagrams: one of ours answers inside the namespace."""
    port = free_port()
    stacker.up(f"""
name: dgram
services:
  echo:
    image: {IMAGE}
    command: [sleep, infinity]
    init: true
    ports: ["127.0.0.1:{port}:9000/udp"]
""")
    pid = stacker.containers()["dgram-echo-1"]["pid"]
    script = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        "s.bind(('', 9000)); print('up', flush=True); m, a = s.recvfrom(99); s.sendto(m.upper(), a)"
    )
    server = subprocess.Popen(
        ["nsenter", "-n", "-t", str(pid), "python3", "-c", script], stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.connect(("127.0.0.1", port))
            client.send(b"ping")
            assert client.recv(99) == b"PING"
    finally:
        server.kill()
        server.communicate()
