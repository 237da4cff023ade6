"""The host's name servers, read again when ``/etc/resolv.conf`` changes (resolv.conf(5))."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

PATH = Path("/etc/resolv.conf")
LARGEST = 64 * 1024
_MOST = 3  # MAXNS


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """What a resolv.conf says."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def parse(data: bytes) -> ResolvConf:
    """Read what is understood and skip the rest, as the resolver of the C library does."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.split("#")[0].split(";")[0].split()
        match words:
            case ["nameserver", address, *_] if _is_address(address):
                servers.append(address)
            case ["search" | "domain", *domains]:
                search = tuple(domains)
            case ["options", *given]:
                options += given
            case _:
                pass
    return ResolvConf(tuple(servers[:_MOST]), search, tuple(options))


class HostResolvers:
    """The host's file, with its parsed content kept until the file is another one."""

    def __init__(self, path: Path = PATH) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._data = b""
        self._parsed = ResolvConf()

    def raw(self) -> bytes:
        self._refresh()
        return self._data

    def servers(self) -> tuple[str, ...]:
        """The addresses to ask; the C library's default when the file names none."""
        self._refresh()
        return self._parsed.servers or ("127.0.0.1",)

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            with self._path.open("rb") as file:
                self._data = file.read(LARGEST)
        except OSError:
            seen, self._data = None, b""
        self._seen = seen
        self._parsed = parse(self._data)


def _is_address(text: str) -> bool:
    try:
        ip_address(text.split("%")[0])
    except ValueError:
        return False
    return True
