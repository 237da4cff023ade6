from __future__ import annotations

from typing import Any

import pytest

from stacker.base.errors import Invalid
from stacker.oci import changes, words
from stacker.oci.durations import parse_ns

GOOD: dict[str, tuple[list[str], dict[str, Any]]] = {
    "exec form": (['CMD ["a", "b c"]'], {"Cmd": ["a", "b c"]}),
    "shell form": (["CMD echo $HOME"], {"Cmd": ["/bin/sh", "-c", "echo $HOME"]}),
    "broken list is a shell line": (["CMD [a]"], {"Cmd": ["/bin/sh", "-c", "[a]"]}),
    "lower case": (["cmd x"], {"Cmd": ["/bin/sh", "-c", "x"]}),
    "last one wins": (["CMD a", 'CMD ["b"]'], {"Cmd": ["b"]}),
    "pairs": (['ENV A=1 B=\'two  words\' C="x\\"y"'], {"Env": ["A=1", "B=two  words", 'C=x"y']}),
    "old form": (["ENV A one  two"], {"Env": ["A=one two"]}),
    "variables": (
        ["ENV A=1", "ENV B=$A-${A}-${NO:-2}-${A:+3} C='$A' D=\\$A"],
        {"Env": ["A=1", "B=1-1-2-3", "C=$A", "D=$A"]},
    ),
    "set again": (["ENV A=1", "ENV A=2"], {"Env": ["A=2"]}),
    "ports": (["EXPOSE 80 53/udp 8000-8001"], {"ExposedPorts": ["53/udp", "80/tcp"]}),
    "label": (['LABEL a="b c" d=e'], {"Labels": {"a": "b c", "d": "e"}}),
    "relative folders": (["WORKDIR /a", "WORKDIR b/../c"], {"WorkingDir": "/a/c"}),
    "volumes": (['VOLUME ["/a b"]', "VOLUME /c /d"], {"Volumes": ["/a b", "/c", "/d"]}),
    "no health check": (["HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
    "health check": (
        ['HEALTHCHECK --interval=1m30s --timeout=500ms --retries=4 CMD ["a"]'],
        {
            "Healthcheck": {
                "Test": ["CMD", "a"],
                "Interval": 90_000_000_000,
                "Timeout": 500_000_000,
                "Retries": 4,
            }
        },
    ),
    "user and signal": (["USER me:us", "STOPSIGNAL 9"], {"User": "me:us", "StopSignal": "9"}),
    "nothing": ([], {}),
}


@pytest.mark.parametrize("kind", GOOD)
def test_good(kind: str) -> None:
    lines, expected = GOOD[kind]
    config = changes.apply(lines).to_json()
    for key, value in expected.items():
        found = config[key]
        if isinstance(found, dict) and isinstance(value, list):
            assert set(value) <= set(found)
        else:
            assert found == value
    assert set(config) == set(expected)


@pytest.mark.parametrize(
    "line",
    [
        "ONBUILD CMD x",
        "RUN x",
        "FROM x",
        "COPY a b",
        "",
        "ENV",
        "ENV =x",
        "ENV A='x",
        "ENV A=${x",
        "LABEL",
        "USER",
        "USER a b",
        "EXPOSE x",
        "EXPOSE 0",
        "EXPOSE 70000",
        "EXPOSE 9-1",
        "EXPOSE 80/icmp",
        "VOLUME",
        'VOLUME [""]',
        "HEALTHCHECK",
        "HEALTHCHECK curl x",
        "HEALTHCHECK CMD",
        "HEALTHCHECK --interval=soon CMD x",
        "HEALTHCHECK --color=red CMD x",
        "HEALTHCHECK --retries=1 NONE",
    ],
)
def test_refused(line: str) -> None:
    with pytest.raises(Invalid, match="change "):
        changes.apply([line])


def test_words() -> None:
    assert words.split("a  'b c' \"d e\" f\\ g", {}) == ["a", "b c", "d e", "f g"]
    assert words.split('"" x', {}) == ["", "x"]
    assert words.split("$A$ ${A}b", {"A": "1"}) == ["1$", "1b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("1s", 10**9), ("1.5h", 5400 * 10**9), ("1m1ms", 60_001_000_000), ("3us", 3000)],
)
def test_durations(text: str, expected: int) -> None:
    assert parse_ns(text) == expected


@pytest.mark.parametrize("text", ["", "1", "s", "1 s", "-1s", "1sx", "x1s", "1d"])
def test_no_durations(text: str) -> None:
    with pytest.raises(Invalid):
        parse_ns(text)
