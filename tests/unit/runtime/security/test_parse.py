"""Limits and labels of config.json: what is refused, and by which name."""

from __future__ import annotations

import pytest

from runtime.errors import SpecInvalid
from runtime.security import apparmor, capabilities, rlimits, selinux

UNLIMITED = (1 << 64) - 1


def test_rlimits_are_read() -> None:
    [limit] = rlimits.resolve([{"type": "RLIMIT_LOCKS", "soft": 1, "hard": UNLIMITED}])
    assert (limit.name, limit.soft, limit.hard) == ("RLIMIT_LOCKS", 1, UNLIMITED)
    assert rlimits.resolve(None) == []


@pytest.mark.parametrize(
    "entries",
    [
        [{"type": "NOFILE", "soft": 1, "hard": 1}],
        [{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}],
        [{"type": "RLIMIT_NOFILE", "soft": -1, "hard": 1}],
        [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1 << 64}],
        [{"type": "RLIMIT_NOFILE", "soft": 1}],
        [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}] * 2,
    ],
)
def test_wrong_rlimits(entries: list[dict[str, object]]) -> None:
    with pytest.raises(SpecInvalid, match=r"process\.rlimits"):
        rlimits.resolve(entries)


def test_capabilities_have_the_kernels_numbers() -> None:
    assert len(capabilities.NAMES) == 41
    assert capabilities.NUMBERS["CAP_CHOWN"] == 0
    assert capabilities.NUMBERS["CAP_SYS_ADMIN"] == 21
    assert capabilities.NUMBERS["CAP_CHECKPOINT_RESTORE"] == 40


def test_capabilities_must_be_names() -> None:
    for wrong in ("CAP_CHOWN", [1], {"CAP_CHOWN": True}):
        with pytest.raises(SpecInvalid, match="array of strings"):
            capabilities.resolve({"bounding": wrong})


def test_labels_must_be_labels() -> None:
    assert selinux.mount_option("u:r:t:s0:c1,c2") == 'context="u:r:t:s0:c1,c2"'
    for wrong in ("", "plain", 'a:b:c"', "a:b:c\n"):
        with pytest.raises(SpecInvalid):
            selinux.open_exec(wrong)
    for wrong in ("", "a\nb"):
        with pytest.raises(SpecInvalid):
            apparmor.open_exec(wrong)
