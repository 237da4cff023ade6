"""TLS contexts: the host's certificate authorities, and the ones given for a single registry.

The folders are laid out as docker's and podman's: `DIR/HOST[:PORT]/*.crt` are authorities,
`*.cert` with a `*.key` of the same name is our own certificate for that registry.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from stacker.base.errors import Invalid

DEFAULT_DIRECTORIES = (
    Path("/etc/stacker/certs.d"),
    Path("/etc/containers/certs.d"),
    Path("/etc/docker/certs.d"),
)


@dataclass(frozen=True, slots=True)
class Authority:
    """A file of certificates that are trusted."""

    file: Path


@dataclass(frozen=True, slots=True)
class Own:
    """A certificate of ours, and its key."""

    file: Path
    key: Path


Part = Authority | Own


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """For one registry; verification is never switched off."""

    own: ssl.SSLContext
    """For it, and its token servers."""
    others: ssl.SSLContext
    """For where it sends us: its authorities are trusted there too, as an object store may well
    have its certificate from the same one, but nobody is told who we are."""


def contexts_for(
    domain: str,
    directories: Iterable[Path] = DEFAULT_DIRECTORIES,
    *,
    more: Sequence[Part] = (),
) -> Contexts:
    """`more` is what registries.toml names for the registry."""
    # a domain has passed the grammar of references: it holds no slash and no dot-dot
    found = [part for directory in directories for part in _parts(directory / domain)]
    parts = [(part, _changed(part.file)) for part in (*found, *more)]
    authorities = [each for each in parts if isinstance(each[0], Authority)]
    return Contexts(own=_context(tuple(parts)), others=_context(tuple(authorities)))


@lru_cache(maxsize=16)
def _context(parts: tuple[tuple[Part, int], ...]) -> ssl.SSLContext:
    """Built again only when a file changes: reading the host's authorities takes 20 ms."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for part, _ in parts:
        try:
            if isinstance(part, Authority):
                context.load_verify_locations(cafile=part.file)
            else:
                context.load_cert_chain(part.file, part.key)
        except (OSError, ssl.SSLError) as error:
            raise Invalid(f"certificate {part.file}: {error}") from error

    return context


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError as error:
        raise Invalid(f"certificate {file}: {(error.strerror or str(error)).lower()}") from error


def _parts(folder: Path) -> list[Part]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in (".crt", ".cert"))
    except OSError:
        return []

    return [
        Authority(file) if file.suffix == ".crt" else Own(file, file.with_suffix(".key"))
        for file in files
    ]
