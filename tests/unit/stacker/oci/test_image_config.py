from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Corrupt
from stacker.oci import image_config
from stacker.oci.image_config import Healthcheck

DIFF_ID = "sha256:" + "c" * 64


def config(run: object = None, **changes: Any) -> bytes:
    document = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]},
        "config": run,
    }
    return json.dumps({**document, **changes}).encode()


def test_documented_fields() -> None:
    run = {
        "User": "1:2",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Env": ["A=1", "B=x=y", "EMPTY="],
        "Entrypoint": ["/init"],
        "Cmd": ["run", "--all"],
        "Volumes": {"/data": {}},
        "WorkingDir": "/srv",
        "Labels": {"a": "b"},
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5, "Retries": 2, "StartPeriod": 7},
    }
    data = config(
        run,
        created="2026-01-02T03:04:05.123456789Z",
        author="me",
        variant="v8",
        history=[{"created_by": "x", "empty_layer": True}],
        unknown={"kept": True},
    )
    parsed = image_config.parse(data)
    assert parsed.user == "1:2"
    assert parsed.exposed_ports == ("80/tcp", "53/udp")
    assert parsed.env == ("A=1", "B=x=y", "EMPTY=")
    assert (parsed.entrypoint, parsed.cmd) == (("/init",), ("run", "--all"))
    assert parsed.volumes == ("/data",)
    assert parsed.healthcheck == Healthcheck(
        test=("CMD", "true"), interval_ns=5, retries=2, start_period_ns=7
    )
    assert parsed.created == datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
    assert parsed.history[0].empty_layer
    assert str(parsed.diff_ids[0]) == DIFF_ID
    assert parsed.raw == data


def test_absent_and_null_are_the_same() -> None:
    nothing = dict.fromkeys(("User", "Env", "Cmd", "Entrypoint", "Volumes", "Labels"))
    empty = image_config.parse(config(None))
    null = image_config.parse(config(nothing))
    assert (empty.env, empty.cmd, empty.labels) == (null.env, null.cmd, null.labels) == ((), (), {})


def test_malformed_environment_is_left_out() -> None:
    """CVE-2026-57231: an entry without an equals sign took the value of the host's variable."""
    parsed = image_config.parse(config({"Env": ["PATH", "*", "=x", "", "GOOD=1", "A=\0b"]}))
    assert parsed.env == ("GOOD=1",)


@pytest.mark.parametrize("moment", ["", "yesterday", "2026-01-02", "2026-01-02T03:04:05"])
def test_times_decide_nothing(moment: str) -> None:
    assert image_config.parse(config(created=moment)).created is None


@pytest.mark.parametrize(
    "change",
    [
        {"os": None},
        {"architecture": 1},
        {"rootfs": None},
        {"rootfs": {"type": "other", "diff_ids": []}},
        {"rootfs": {"type": "layers", "diff_ids": ["sha256:../x"]}},
        {"rootfs": {"type": "layers", "diff_ids": [DIFF_ID] * 501}},
        {"config": []},
        {"config": {"Env": "A=1"}},
        {"config": {"Cmd": [1]}},
        {"config": {"Labels": {"a": 1}}},
        {"config": {"Healthcheck": {"Test": ["CMD"], "Interval": "5s"}}},
        {"history": {}},
    ],
)
def test_wrong_types(change: dict[str, Any]) -> None:
    with pytest.raises(Corrupt, match="image config"):
        image_config.parse(config(**change))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
FIELDS = ("User", "ExposedPorts", "Env", "Entrypoint", "Volumes", "Labels", "Healthcheck")


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES))
def test_anything_is_parsed_or_refused(run: dict[str, Any]) -> None:
    with suppress(Corrupt):
        image_config.parse(config(run))
