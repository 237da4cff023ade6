"""registries.toml: where each registry is really found, and how it is spoken to.

One kind of table, `[registry."HOST[:PORT][/PATH]"]`; docs/registries.md describes its keys. Where
several tables fit a repository, the longest decides. Parsing is pure; `ConfigurationFile` reads.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from yarl import URL

from stacker.base.errors import Denied, Failed, Invalid, NotFound
from stacker.oci.reference import Reference

DEFAULT_FILE = Path("/etc/stacker/registries.toml")
SIZE_LIMIT = 1024 * 1024
MIRROR_LIMIT = 20
DIRECT = "direct"
"""The proxy that is none."""

PLACE_KEYS = frozenset({"location", "mirrors", "mirror_tags"})
HOST_KEYS = frozenset(
    {"plain_http", "ca", "certificate", "key", "proxy", "token_servers", "requests"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """How one registry is spoken to."""

    plain_http: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    proxy: URL | str | None = None
    """An address, `DIRECT`, or None: what the environment says."""
    token_servers: frozenset[str] = frozenset()
    requests: int | None = None
    """Blobs at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a table says of the repositories under its name."""

    location: str | None = None
    mirrors: tuple[str, ...] = ()
    mirror_tags: bool = True
    host: Host = Host()


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    tables: Mapping[str, Table] = field(default_factory=dict[str, Table])

    def host(self, domain: str) -> Host:
        table = self.tables.get(domain)
        return table.host if table is not None else Host()

    def location(self, reference: Reference) -> Reference:
        """Where a repository is really found."""
        name, table = self._table(reference)
        if table.location is None:
            return reference
        return _moved(reference, name, table.location)

    def sources(self, reference: Reference) -> tuple[Reference, ...]:
        """Where a pull looks, in this order; the last one is the registry itself."""
        name, table = self._table(reference)
        mirrored = table.mirror_tags or reference.digest is not None
        mirrors = table.mirrors if mirrored else ()
        moved = [_moved(reference, name, mirror) for mirror in mirrors]
        return (*moved, self.location(reference))

    def _table(self, reference: Reference) -> tuple[str, Table]:
        """The most exact table about places, and its name."""
        parts = reference.name.split("/")
        for length in range(len(parts), 0, -1):
            name = "/".join(parts[:length])
            table = self.tables.get(name)
            if table is not None and (table.location or table.mirrors):
                return name, table
        return reference.domain, Table()


class ConfigurationFile:
    """Reads the file again when it has changed."""

    def __init__(self, path: Path | None, *, must_exist: bool = False) -> None:
        self._path = path
        self._must_exist = must_exist
        self._stamp: tuple[int, int, int] | None = None
        self._current = Configuration()

    def current(self) -> Configuration:
        """What the file says now; a broken one is an error, not yesterday's settings."""
        if self._path is None:
            return self._current
        try:
            stat = os.stat(self._path)
            stamp = stat.st_ino, stat.st_mtime_ns, stat.st_size
            if stamp != self._stamp:
                self._current = parse(self._path.read_bytes()[: SIZE_LIMIT + 1], str(self._path))
                self._stamp = stamp
        except FileNotFoundError as error:
            if self._must_exist:
                raise NotFound(f"{self._path}: there is no such file") from error
            self._current, self._stamp = Configuration(), None
        except PermissionError as error:
            raise Denied(f"{self._path}: permission denied") from error
        except OSError as error:
            raise Failed(f"{self._path}: {(error.strerror or str(error)).lower()}") from error
        return self._current


def parse(data: bytes, where: str) -> Configuration:
    """Read the file's bytes, or raise Invalid with the place of what is wrong."""
    if len(data) > SIZE_LIMIT:
        raise Invalid(f"{where}: it has more than {SIZE_LIMIT} bytes")
    try:
        document = cast("dict[str, object]", tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{where}: it is not TOML: {str(error)[:200]}") from error

    for name in document.keys() - {"registry"}:
        raise Invalid(f"{where}: {name[:80]!r} is not known; tables are [registry.NAME]")
    tables = _Values(document, where).table("registry")
    return Configuration(
        tables={
            _prefix(name, where): _parsed(tables.table(name), is_host="/" not in name)
            for name in tables.names()
        }
    )


def _parsed(values: _Values, *, is_host: bool) -> Table:
    known = PLACE_KEYS | (HOST_KEYS if is_host else frozenset[str]())
    for name in values.names() - known:
        if name in HOST_KEYS:
            raise values.wrong(name, "belongs to a registry as a whole, not to a path in it")
        raise values.wrong(name, f"is not known; keys are {', '.join(sorted(known))}")

    location = values.text("location")
    mirrors = values.texts("mirrors")
    if len(mirrors) > MIRROR_LIMIT:
        raise values.wrong("mirrors", f"are more than {MIRROR_LIMIT}")
    certificate, key = values.path("certificate"), values.path("key")
    if (certificate is None) != (key is None):
        raise values.wrong("certificate", "and key go together")
    requests = values.number("requests")
    if requests is not None and not 1 <= requests <= 100:
        raise values.wrong("requests", "is a number from 1 to 100")
    return Table(
        location=_prefix(location, values.where_is("location")) if location else None,
        mirrors=tuple(_prefix(mirror, values.where_is("mirrors")) for mirror in mirrors),
        mirror_tags=values.flag("mirror_tags", default=True),
        host=Host(
            plain_http=values.flag("plain_http", default=False),
            ca=values.path("ca"),
            certificate=certificate,
            key=key,
            proxy=_proxy(values),
            token_servers=frozenset(values.texts("token_servers")),
            requests=requests,
        ),
    )


def _proxy(values: _Values) -> URL | str | None:
    text = values.text("proxy")
    if text is None or text == DIRECT:
        return text
    try:
        return proxy_url(text)
    except ValueError as error:
        raise values.wrong("proxy", f"is http://HOST:PORT or {DIRECT!r}") from error


def proxy_url(text: str) -> URL:
    """An address of a proxy; ValueError when it is none that we can speak to."""
    url = URL(text if "://" in text else f"http://{text}")
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("no address of an HTTP proxy")
    return url


def _prefix(text: str, where: str) -> str:
    """A registry, or one with a path: what a reference may start with."""
    name = f"{text}/any/any"
    try:
        known = Reference.parse(name).name == name
    except Invalid:
        known = False
    if not known:
        raise Invalid(f"{where}: {text[:200]!r} is not HOST[:PORT][/PATH]")

    return text


def _moved(reference: Reference, prefix: str, target: str) -> Reference:
    rest = reference.name.removeprefix(prefix)
    domain, _, path = f"{target}{rest}".partition("/")
    return Reference(domain=domain, path=path, tag=reference.tag, digest=reference.digest)


class _Values:
    """One TOML table, and the way to it for messages."""

    def __init__(self, values: Mapping[str, object], where: str, path: str = "") -> None:
        self._values = values
        self._where = where
        self._path = path

    def names(self) -> set[str]:
        return set(self._values)

    def where_is(self, name: str) -> str:
        return f"{self._where}: {self._path}{name}"

    def wrong(self, name: str, why: str) -> Invalid:
        place = f"{self._where}: {self._path}".rstrip(": .")
        return Invalid(f"{place}: {name[:80]} {why}")

    def table(self, name: str) -> _Values:
        value = self._values.get(name, {})
        if not isinstance(value, dict):
            raise self.wrong(name, "is not a table")
        inner = f'{self._path}"{name}".' if self._path else f"{name}."
        return _Values(cast("dict[str, object]", value), self._where, inner)

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise self.wrong(name, "is not a text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._values.get(name, [])
        if not isinstance(value, list):
            raise self.wrong(name, "is not a list")
        found: list[str] = []
        for item in cast("list[object]", value):
            if not isinstance(item, str) or not item:
                raise self.wrong(name, "is not a list of texts")
            found.append(item)
        return tuple(found)

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, "is neither true nor false")
        return value

    def number(self, name: str) -> int | None:
        value = self._values.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise self.wrong(name, "is not a number")
        return value

    def path(self, name: str) -> Path | None:
        text = self.text(name)
        if text is not None and not text.startswith("/"):
            raise self.wrong(name, "is not an absolute path")
        return Path(text) if text is not None else None
