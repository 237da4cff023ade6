"""What is said about a container, from whatever the supervisor answered."""

from __future__ import annotations

import pytest

from stacker.tui import details
from stacker.wire.replies import AddressRow, ContainerRow, StatsRow

ROW = ContainerRow(
    id="ab" * 32,
    name="shop-web-1",
    stack="shop",
    service="web",
    index=1,
    image="web\x1b[2J:1",
    status="exited",
    exit_code=137,
    oom=True,
    health="unhealthy",
    health_detail="one\ntwo\x07",
    addresses=(
        AddressRow(network="shop_a", ipv4_address="10.0.0.2"),
        AddressRow(network="shop_b", ipv4_address="10.0.1.2"),
    ),
)


def said(inspected: dict[str, object], sample: StatsRow | None = None) -> dict[str, list[str]]:
    """Label → its values, without the JSON below."""
    found: dict[str, list[str]] = {}
    label = ""
    for fact in details.of_container(ROW, sample, inspected, now=100.0):
        if not fact.label and not fact.value:
            break
        label = fact.label or label
        found.setdefault(label, []).append(fact.value)
    return found


def test_lists_go_on_below_their_label_and_text_is_harmless() -> None:
    facts = said({})
    assert facts["last output"] == ["one", "two\\x07"]
    assert [text.split() for text in facts["network"]] == [
        ["shop_a", "10.0.0.2"],
        ["shop_b", "10.0.1.2"],
    ]
    assert "\\x1b[2J" in facts["image"][0]
    assert "code 137, out of memory" in facts["exited"][0]


def test_what_is_declared() -> None:
    declared: dict[str, object] = {
        "command": ["sh", "-c", "echo hi"],
        "cpus": 0.5,
        "mem_limit": 64 << 20,
        "pids_limit": 32,
        "volumes": [{"type": "bind", "source": "/srv", "target": "/data", "read_only": True}],
        "secrets": [{"source": "key", "target": "/run/secrets/key"}],
    }
    facts = said({"declared": declared})
    assert facts["command"] == ["sh -c 'echo hi'"]
    assert facts["limits"] == ["0.5 cpus, 64MiB of memory, 32 processes"]
    assert [text.split() for text in facts["mounts"]] == [
        ["/data", "bind", "/srv", "read-only"],
        ["/run/secrets/key", "secret", "key"],
    ]


def test_ids_of_its_own() -> None:
    facts = said({"ids": {"first": 2147483648, "size": 65536}})
    assert facts["ids"] == ["65536 of its own, on the host 2147483648 to 2147549183"]
    assert "ids" not in said({"ids": None})


@pytest.mark.parametrize(
    "odd",
    [
        {"declared": None, "ids": {"first": "0"}},
        {"declared": {"command": "x", "volumes": [1, {}]}},
        {"image_id": 3},
    ],
)
def test_an_answer_of_another_shape_is_shown_below_as_it_is(odd: dict[str, object]) -> None:
    assert said(odd)["container"]
    assert any(fact.tone == "faint" for fact in details.of_container(ROW, None, odd, now=1.0))
