from __future__ import annotations

from pathlib import Path

import pytest

from stacker.base.errors import NotFound
from stacker.drivers.networks import names, planning, ruleset_text
from stacker.plan.network_specs import PortSpec
from tests.unit.stacker.networks.made import records, sandbox_spec

TAG = "5ac0de"
WEB = (PortSpec(target=80, published=8080),)


def test_ports_and_the_way_out_are_on_the_first_network_that_is_not_internal() -> None:
    made = records(sandbox_spec("web", "vault", "back", "front", ports=WEB))
    (record,) = made.sandboxes.values()
    blueprint = planning.blueprint(TAG, record, made)
    assert blueprint.gateway == "10.89.1.1"
    assert [wire.published for wire in blueprint.wires] == [False, True, False]
    assert "tcp . 8080 : 10.89.1.2 . 80" in ruleset_text.text(planning.rules(TAG, made))
    assert record.sandbox.name_servers == ("10.89.2.1",)


def test_internal_networks_alone_have_no_way_out() -> None:
    made = records(sandbox_spec("safe", "vault"))
    (record,) = made.sandboxes.values()
    assert planning.blueprint(TAG, record, made).gateway is None


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(NotFound, match="container web: network lost does not exist"):
        planning.sandbox(sandbox_spec("web", "lost"), records(), netns=Path("x"), found={})


def test_names_of_interfaces_fit() -> None:
    for number in (0, 9, 999999):
        assert len(names.bridge(TAG, number)) <= names.LONGEST
    found = {names.veth(TAG, f"{number:064x}", 0) for number in range(1000)}
    assert len(found) == 1000
    assert {len(name) for name in found} == {names.LONGEST}
    assert names.is_bridge(names.bridge(TAG, 3))
    assert not names.is_bridge(names.veth(TAG, "abc", 0))


def test_kept_names_of_nobody_are_told_from_others() -> None:
    networks, containers = {"front"}, {"abc"}
    nobody = {
        name: names.is_kept_for_nobody(name, networks, containers)
        for name in ("dns.front", "dns.gone", "ports.abc", "ports.gone", "rules", "ctr.abc.log")
    }
    assert [name for name, lost in nobody.items() if lost] == ["dns.gone", "ports.gone"]
