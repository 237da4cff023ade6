"""Device rules of version 1: only what differs from the list of now is written."""

from __future__ import annotations

import pytest

from runtime.cgroups.device_rules import device_rules
from runtime.cgroups.v1.devices import plan
from runtime.errors import NotSupported

DENY = {"allow": False, "access": "rwm"}
ALL = "a *:* rwm\n"


def rule(allow: bool, numbers: str, access: str = "rwm") -> dict[str, object]:
    kind, major, minor = numbers.split(":")
    return {
        "allow": allow,
        "type": kind,
        "major": -1 if major == "*" else int(major),
        "minor": -1 if minor == "*" else int(minor),
        "access": access,
    }


def lines(listed: str, *entries: dict[str, object]) -> list[tuple[str, str]]:
    return [(one.file, one.value) for one in plan(device_rules({"devices": list(entries)}), listed)]


def test_a_new_cgroup_denies_all_and_then_allows() -> None:
    first, *others = lines(ALL, DENY, rule(True, "c:10:229", "rw"))
    assert first == ("devices.deny", "a")
    assert ("devices.allow", "c 10:229 rw") in others
    assert ("devices.allow", "c 1:3 rwm") in others
    assert {file for file, _ in others} == {"devices.allow"}


def test_an_update_takes_nothing_away_for_a_moment() -> None:
    before = "\n".join(
        value.removeprefix("a") for file, value in lines(ALL, DENY) if file == "devices.allow"
    )
    assert lines(f"{before}\n", DENY, rule(True, "c:10:229")) == [("devices.allow", "c 10:229 rwm")]
    assert lines(f"{before}\nc 10:229 rwm", DENY, rule(True, "c:10:229", "r")) == [
        ("devices.deny", "c 10:229 wm")
    ]


def test_all_allowed_but_some() -> None:
    everything = {"allow": True, "access": "rwm"}
    assert lines("c 1:3 rwm", everything, rule(False, "c:1:11")) == [
        ("devices.allow", "a"),
        ("devices.deny", "c 1:11 rwm"),
    ]


def test_a_rule_that_the_kernel_would_not_keep_is_refused() -> None:
    with pytest.raises(NotSupported, match=r"linux\.resources\.devices: c 1:11 rw"):
        lines(ALL, DENY, rule(True, "c:*:*"), rule(False, "c:1:11", "rw"))
