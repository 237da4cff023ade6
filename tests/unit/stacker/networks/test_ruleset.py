"""The rules as text: compared with a file, taken by nft, and as many in netlink as in text."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stacker.drivers.networks import encode, ruleset_text
from stacker.drivers.networks.ruleset import RuleNetwork, RulePort, ruleset

GOLDEN = Path(__file__).parent / "golden" / "ruleset.nft"

FRONT = RuleNetwork(bridge="sk5ac0deb0", subnet="10.89.0.0/24", gateway="10.89.0.1", internal=False)
VAULT = RuleNetwork(bridge="sk5ac0deb1", subnet="10.89.1.0/24", gateway="10.89.1.1", internal=True)
PORTS = (
    RulePort(host_ip="0.0.0.0", published=8080, protocol="tcp", address="10.89.0.2", target=80),
    RulePort(host_ip="0.0.0.0", published=53, protocol="udp", address="10.89.0.3", target=5353),
    RulePort(host_ip="127.0.0.1", published=81, protocol="tcp", address="10.89.0.2", target=80),
    RulePort(host_ip="192.0.2.1", published=82, protocol="tcp", address="10.89.0.2", target=80),
)


def test_the_rules_are_those_of_the_golden_file() -> None:
    made = ruleset("stacker-5ac0de", [FRONT, VAULT], PORTS)
    assert ruleset_text.text(made) == GOLDEN.read_text()


def test_order_of_the_arguments_does_not_matter() -> None:
    one = ruleset("t", [FRONT, VAULT], PORTS)
    other = ruleset("t", [VAULT, FRONT], PORTS[::-1])
    assert one == other


def test_the_number_of_rules_grows_with_networks_only() -> None:
    few, many = (
        ruleset(
            "t",
            [FRONT],
            [
                RulePort(
                    host_ip="0.0.0.0",
                    published=number,
                    protocol="tcp",
                    address="10.89.0.2",
                    target=80,
                )
                for number in range(1, count)
            ],
        )
        for count in (2, 3000)
    )
    assert len(few.rules) == len(many.rules)
    # 2,999 elements of 33 bytes do not fit into one attribute of 64 KiB
    assert all(len(message) < 65536 for message in encode.replace(many, owned=True))


def test_equal_rules_are_equal_bytes() -> None:
    made = ruleset("stacker-5ac0de", [FRONT, VAULT], PORTS)
    assert encode.replace(made, owned=True) == encode.replace(made, owned=True)
    assert encode.replace(made, owned=True) != encode.replace(made, owned=False)


@pytest.mark.root
def test_nft_takes_the_text() -> None:
    check = subprocess.run(
        ["unshare", "-n", "nft", "-c", "-f", str(GOLDEN)], capture_output=True, text=True
    )
    assert (check.returncode, check.stderr) == (0, "")
