"""TLS contexts: the host's certificate authorities, and the ones given for a single registry.

The folders are laid out as docker's and podman's: `DIR/HOST[:PORT]/*.crt` are authorities,
`*.cert` with a `*.key` of the same name is our own certificate for that registry.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from stacker.base.errors import Invalid

DEFAULT_DIRECTORIES = (
    Path("/etc/stacker/certs.d"),
    Path("/etc/containers/certs.d"),
    Path("/etc/docker/certs.d"),
)


def context_for(domain: str, directories: Iterable[Path] = DEFAULT_DIRECTORIES) -> ssl.SSLContext:
    """The context for one registry; verification is never switched off."""
    # a domain has passed the grammar of references: it holds no slash and no dot-dot
    files = [file for directory in directories for file in _files(directory / domain)]
    return _context(tuple((file, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=16)
def _context(files: tuple[tuple[Path, int], ...]) -> ssl.SSLContext:
    """Built again only when a file changes: reading the host's authorities takes 20 ms."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for file, _ in files:
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(cafile=file)
            else:
                context.load_cert_chain(file, file.with_suffix(".key"))
        except (OSError, ssl.SSLError) as error:
            raise Invalid(f"certificate {file}: {error}") from error

    return context


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.suffix in (".crt", ".cert"))
    except OSError:
        return []
