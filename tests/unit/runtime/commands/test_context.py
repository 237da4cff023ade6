"""Messages: one line each, whatever the thing they name is called."""

from __future__ import annotations

import pytest

from runtime.commands.context import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("mount /data: no such device", "mount /data: no such device"),
        ("a\nb\x1b[31m", "a\\x0ab\\x1b[31m"),
        ("ä é 漢", "ä é 漢"),
        ("\ud800", "\\xd800"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
