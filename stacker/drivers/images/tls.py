"""TLS contexts: the host's certificate authorities, and the ones given for a single registry.

The folders are laid out as docker's and podman's: `DIR/HOST[:PORT]/*.crt` are authorities,
`*.cert` with a `*.key` of the same name is our own certificate for that registry.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path

from stacker.base.errors import Invalid

DEFAULT_DIRECTORIES = (
    Path("/etc/stacker/certs.d"),
    Path("/etc/containers/certs.d"),
    Path("/etc/docker/certs.d"),
)


def context_for(domain: str, directories: Iterable[Path] = DEFAULT_DIRECTORIES) -> ssl.SSLContext:
    """Build the context for one registry; verification is never switched off."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for directory in directories:
        # a domain has passed the grammar of references: it holds no slash and no dot-dot
        _add_files(context, directory / domain)
    return context


def _add_files(context: ssl.SSLContext, folder: Path) -> None:
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return

    for file in files:
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(cafile=file)
            elif file.suffix == ".cert":
                context.load_cert_chain(file, file.with_suffix(".key"))
        except (OSError, ssl.SSLError) as error:
            raise Invalid(f"certificate {file}: {error}") from error
