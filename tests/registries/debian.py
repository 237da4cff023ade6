"""The real `docker-registry` of Debian on a port of its own, storing under a test's folder."""

from __future__ import annotations

import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER, PASSWORD = "user", "correct horse"
HTPASSWD = "user:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n"
"""bcrypt of the password above, with the smallest cost: the registry takes no other scheme."""

_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    authority: Path
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """For a server that shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianRegistry:
    host: str
    """`127.0.0.1:PORT`, as in references."""
    tls: bool

    def skopeo(self, *arguments: str, credentials: bool = False) -> None:
        """`skopeo copy`, to or from this registry."""
        insecure = [f"--{side}-tls-verify=false" for side in ("src", "dest")]
        login = ["--dest-creds", f"{USER}:{PASSWORD}"] if credentials else []
        run("skopeo", "copy", "-q", "--preserve-digests", *insecure, *login, *arguments)


@contextmanager
def debian_registry(
    folder: Path,
    *,
    auth: str = "",
    certificate: Certificate | None = None,
) -> Iterator[DebianRegistry]:
    """Run it for as long as the block; `auth` is the YAML below `auth:`."""
    folder.mkdir(parents=True)
    lines = [
        "version: 0.1",
        "log: {level: info, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}",
        "validation: {manifests: {urls: {allow: ['^https://example.org/']}}}",
        "http:",
        "  addr: 127.0.0.1:0",
    ]
    if certificate is not None:
        lines.append(f"  tls: {{certificate: {certificate.certificate}, key: {certificate.key}}}")
    if auth:
        lines += ["auth:", auth]
    config = "\n".join(lines)
    (folder / "config.yml").write_text(config)
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield DebianRegistry(host=f"127.0.0.1:{_port(log, process)}", tls=certificate is not None)
    finally:
        process.kill()
        process.wait()


def htpasswd_auth(folder: Path) -> str:
    """The configuration for basic authentication."""
    file = folder / "htpasswd"
    file.write_text(HTPASSWD)
    return f"  htpasswd: {{realm: test, path: {file}}}"


def make_certificate(folder: Path) -> Certificate:
    """An authority of our own, and a certificate for 127.0.0.1 and localhost by it."""
    folder.mkdir(parents=True)
    authority, key = folder / "ca.crt", folder / "ca.key"
    certificate, request = folder / "server.crt", folder / "server.csr"
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run(
        "openssl", "req", "-x509", *new_key, "-keyout", str(key), "-out", str(authority),
        "-subj", "/CN=stacker test authority", "-days", "2",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    run(
        "openssl", "req", *new_key, "-keyout", str(folder / "server.key"),
        "-out", str(request), "-subj", "/CN=127.0.0.1",
    )  # fmt: skip
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    run(
        "openssl", "x509", "-req", "-in", str(request), "-CA", str(authority), "-CAkey", str(key),
        "-CAcreateserial", "-out", str(certificate), "-days", "2", "-extfile", str(folder / "ext"),
    )  # fmt: skip
    return Certificate(authority=authority, certificate=certificate, key=folder / "server.key")


def run(*argv: str, data: bytes | None = None) -> bytes:
    """Run a tool; what it prints, or its complaint as the failure."""
    done = subprocess.run(argv, input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, f"{argv}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        match = _LISTENING.search(log.read_text(errors="replace"))
        if match:
            return int(match[1])
        time.sleep(0.01)  # a condition with a deadline: the log has no event to wait for
    raise AssertionError(f"docker-registry does not listen: {log.read_text(errors='replace')}")
