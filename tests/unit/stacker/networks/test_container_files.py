from __future__ import annotations

import pytest

from stacker.drivers.networks import container_files
from stacker.drivers.networks.resolvers import parse
from stacker.plan.network_specs import Sandbox
from tests.unit.stacker.networks.made import records, sandbox_spec

HOST = b"""# made by hand
nameserver 192.0.2.53 # the first
nameserver bad
search a.b c.d
options edns0
"""


def sandbox(*networks: str) -> Sandbox:
    made = records(sandbox_spec("web", *networks))
    return made.sandboxes[b"web".hex()].sandbox


@pytest.mark.parametrize(
    ("networks", "dns", "search", "options", "expected"),
    [
        (("front",), (), (), (), "nameserver 10.89.0.1\nsearch a.b c.d\noptions edns0 ndots:0\n"),
        (("front",), ("9.9.9.9",), (".",), ("ndots:2",), "nameserver 10.89.0.1\noptions ndots:2\n"),
        ((), (), (".",), (), "options edns0 ndots:0\n"),
        (None, (), (), (), "nameserver 192.0.2.53\nsearch a.b c.d\noptions edns0\n"),
        (None, ("9.9.9.9",), ("x",), ("rotate",), "nameserver 9.9.9.9\nsearch x\noptions rotate\n"),
    ],
)
def test_resolv_conf(
    networks: tuple[str, ...] | None,
    dns: tuple[str, ...],
    search: tuple[str, ...],
    options: tuple[str, ...],
    expected: str,
) -> None:
    where = None if networks is None else sandbox(*networks)
    text = container_files.resolv_conf(
        where, dns=dns, search=search, options=options, host_resolv_conf=HOST
    )
    assert text == expected


def test_hosts_has_the_own_name_and_what_is_added() -> None:
    text = container_files.hosts(
        sandbox("front", "vault"),
        hostname="box",
        extra_hosts={"outside": ("192.0.2.1", "2001:db8::1"), "host": ("host-gateway",)},
    )
    assert text.startswith("127.0.0.1\tlocalhost\n")
    assert text.endswith(
        "10.89.0.2\tbox\n10.89.2.2\tbox\n192.0.2.1\toutside\n2001:db8::1\toutside\n10.89.0.1\thost\n"
    )


def test_on_the_hosts_network_the_gateway_is_the_host_itself() -> None:
    text = container_files.hosts(None, hostname="box", extra_hosts={"host": ("host-gateway",)})
    assert text.endswith("127.0.0.1\thost\n")
    assert "box" not in text


def test_parse_skips_what_it_does_not_know() -> None:
    parsed = parse(
        b"\xff\xfe\nnameserver\nnameserver ::1\nnameserver fe80::1%eth0\ndomain z\nsortlist x\n"
    )
    assert parsed.servers == ("::1", "fe80::1%eth0")
    assert parsed.search == ("z",)
