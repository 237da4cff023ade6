"""What a registry's host could not do is told in the words of whoever knows."""

from __future__ import annotations

import errno
import socket

import pytest
from aiohttp.client_exceptions import ClientConnectorError
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from stacker.base.errors import Unavailable
from stacker.drivers.images.transport import translated

KEY = ConnectionKey(
    host="registry.example",
    port=443,
    is_ssl=True,
    ssl=True,
    proxy=None,
    proxy_auth=None,
    proxy_headers_hash=None,
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            "temporary failure in name resolution",
        ),
        (
            OSError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 443)"),
            "connection refused",
        ),
    ],
)
def test_why_a_registry_cannot_be_reached(error: OSError, reason: str) -> None:
    with (
        pytest.raises(Unavailable, match=f"^cannot reach registry.example:443: {reason}$"),
        translated(URL("https://registry.example/v2/")),
    ):
        raise ClientConnectorError(KEY, error)
