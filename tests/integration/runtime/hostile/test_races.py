"""E4: containers start while another one exchanges what they mount on, in a volume they share.

CI takes a seeded sample; STACKER_SOAK=1 the 20,000 starts of the scoreboard.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from tests.integration.runtime.conftest import Bundle, Config
from tests.integration.runtime.hostile.conftest import Caller, Witness, exchange

pytestmark = [pytest.mark.root, pytest.mark.soak]

SOAK = os.environ.get("STACKER_SOAK") == "1"
STARTS = 20_000 if SOAK else 200
LOOKED_EVERY = 20
SEED = 3
CORE_PATTERN = "/proc/sys/kernel/core_pattern"


def lay_pairs(volume: Path, canary: Path) -> list[tuple[Path, Path]]:
    """In each pair one is what the runtime expects, the other what it must not follow."""
    pairs: list[tuple[Path, Path]] = []
    for name, other in (
        ("target", canary), ("deep/er", canary), ("work", canary / "below"), ("masked", canary),
        ("readonly", canary), ("devices", canary), ("copied", canary),
    ):  # fmt: skip
        directory = volume / name
        directory.mkdir(parents=True)
        (directory / "inside").write_text("")
        trap = volume / f"{name.replace('/', '-')}.trap"
        trap.symlink_to(other)
        pairs.append((directory, trap))
    for name, other in (("file", str(canary / "file")), ("maskedfile", CORE_PATTERN)):
        (volume / name).write_text("")
        trap = volume / f"{name}.trap"
        trap.symlink_to(other)
        pairs.append((volume / name, trap))
    return pairs


def mounts_of(kind: str, source: str) -> tuple[list[Config], Config]:
    """What a start under attack has in its config.json: mounts, and parts of `linux`."""
    bind = {"type": "bind", "source": source, "options": ["rbind", "ro"]}
    tmpfs = {"type": "tmpfs", "source": "tmpfs"}
    return {
        "a bind": ([{"destination": "/data/target", **bind}], {}),
        "a tmpfs": ([{"destination": "/data/target/below", **tmpfs}], {}),
        "a deep target": ([{"destination": "/data/deep/er/and/deeper", **bind}], {}),
        "a file": ([{"destination": "/data/file", **bind, "source": f"{source}/one"}], {}),
        "copy up": ([{"destination": "/data/copied", **tmpfs, "options": ["tmpcopyup"]}], {}),
        "a remount": (
            [{"destination": "/data/target", **bind},
             {"destination": "/data/target", **bind, "options": ["bind", "remount", "noexec"]}],
            {},
        ),
        "masks": ([], {"maskedPaths": ["/data/masked", "/data/maskedfile", "/data/masked/inside"]}),
        "read-only paths": ([], {"readonlyPaths": ["/data/readonly", "/data/maskedfile"]}),
        "devices": (
            [],
            {"devices": [{"path": "/data/devices/own", "type": "c", "major": 1, "minor": 3,
                          "uid": 5, "gid": 6, "fileMode": 0o666},
                         {"path": "/data/devices/deep/pipe", "type": "p", "uid": 5}]},
        ),
    }[kind]  # fmt: skip


KINDS = (
    "a bind", "a tmpfs", "a deep target", "a file", "copy up", "a remount", "masks",
    "read-only paths", "devices",
)  # fmt: skip


def exchange_for_ever(pairs: list[tuple[Path, Path]], chance: random.Random) -> None:
    while True:
        one, other = chance.choice(pairs)
        exchange(one, other)


@pytest.mark.timeout(3600)
def test_what_is_exchanged_while_containers_start_leads_nowhere(
    call: Caller, bundle: Bundle, identity: str, canary: Path, witness: Witness
) -> None:
    """E4, R3, R4, R12, R16: CVE-2021-30465, CVE-2024-45310, CVE-2025-31133, CVE-2021-32760."""
    volume, source = bundle.path / "volume", bundle.path / "source"
    volume.mkdir()
    source.mkdir()
    (source / "one").write_text("")
    pairs = lay_pairs(volume, canary)
    chance = random.Random(SEED)
    swappers: list[int] = []
    plain, ordinary = bundle.config["mounts"], bundle.config["linux"]
    shared = {"destination": "/data", "type": "bind", "source": str(volume), "options": ["rbind"]}
    done: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for seed in (SEED + 1, SEED + 2):
        pid = os.fork()
        if pid == 0:
            exchange_for_ever(pairs, random.Random(seed))
        swappers.append(pid)
    try:
        for start in range(STARTS):
            kind = chance.choice(KINDS)
            mounts, linux = mounts_of(kind, str(source))
            bundle.config["mounts"] = [*plain, shared, *mounts]
            bundle.config["linux"] = {**ordinary, **linux}
            path = bundle.write("/bin/true", cwd=chance.choice(["/", "/data/work", "/data/work/x"]))
            done[kind].append(call("run", "--bundle", path, identity)[0])
            if start % LOOKED_EVERY == 0:
                assert witness.happened() == [], (start, kind)
    finally:
        for pid in swappers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    assert witness.happened() == []
    # a race that always fails, or never meets a trap, would show nothing
    for kind, codes in done.items():
        assert 0 in codes, kind
    assert any(code != 0 for codes in done.values() for code in codes)


@pytest.mark.timeout(3600)
def test_a_dev_that_is_exchanged_while_it_is_filled(
    call: Caller, bundle: Bundle, identity: str, canary: Path, witness: Witness
) -> None:
    """E4, R4, R5, R7: nodes of a /dev that lies in a volume, and that directory itself."""
    volume = bundle.path / "volume"
    (volume / "dev/pts").mkdir(parents=True)
    (volume / "trap").symlink_to(canary)
    pairs = [(volume / "dev", volume / "trap")]
    (bundle.rootfs / "dev").rmdir()
    (bundle.rootfs / "dev").symlink_to("/data/dev")
    bundle.config["mounts"] = [
        one for one in bundle.config["mounts"] if not one["destination"].startswith("/dev")
    ]
    bundle.config["mounts"].insert(
        0, {"destination": "/data", "type": "bind", "source": str(volume), "options": ["bind"]}
    )
    pid = os.fork()
    if pid == 0:
        exchange_for_ever(pairs, random.Random(SEED))
    try:
        for start in range(STARTS // 4):
            call("run", "--bundle", bundle.write("/bin/true"), identity)
            if start % LOOKED_EVERY == 0:
                assert witness.happened() == [], start
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert witness.happened() == []
