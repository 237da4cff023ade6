"""Maps that may be written as lists of ``KEY=VALUE``: environment, labels, sysctls, hosts."""

from __future__ import annotations

from stacker.stack.load.canonical.decode import map_of, one_or_more, refuse, text_of
from stacker.stack.load.canonical.scalars import checked_address, checked_hostname
from stacker.stack.load.problems import quoted
from stacker.stack.load.tree import At, ListNode

HOST_GATEWAY = "host-gateway"


def environment(at: At) -> dict[str, str | None]:
    """None: the value that the variable has where stacker is called.

    Of a name given twice in a list the last is taken, as execve(2)'s readers mostly do.
    """
    if isinstance(at.node, ListNode):
        pairs = [_split_variable(item) for item in at.items()]
        return dict(pairs)

    return map_of(_value_or_none, key=_variable_name)(at)


def _split_variable(at: At) -> tuple[str, str | None]:
    name, equals, value = text_of(at).partition("=")
    return _variable_name(at, name), value if equals else None


def _value_or_none(at: At) -> str | None:
    return None if at.is_null else text_of(at)


def _variable_name(at: At, text: str) -> str:
    if not text or "=" in text:
        refuse(at, f"{quoted(text)} is not the name of a variable")

    return text


def labels(at: At) -> dict[str, str]:
    return {key: value or "" for key, value in environment(at).items()}


def sysctls(at: At) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, value in environment(at).items():
        if value is None:
            refuse(at, f"{quoted(key)} needs a value")
        values[key.replace("/", ".")] = value

    return values


def extra_hosts(at: At) -> dict[str, tuple[str, ...]]:
    """``name:address`` or ``name=address``, the address perhaps in brackets; or a map."""
    if not isinstance(at.node, ListNode):
        return map_of(_addresses, key=checked_hostname)(at)

    hosts: dict[str, tuple[str, ...]] = {}
    for item in at.items():
        text = text_of(item)
        separator = "=" if "=" in text else ":"
        name, found, target = text.partition(separator)
        if not found:
            refuse(item, f"expected NAME=ADDRESS, found {quoted(text)}")
        host = checked_hostname(item, name)
        hosts[host] = (*hosts.get(host, ()), _host_address(item, target))

    return hosts


def _addresses(at: At) -> tuple[str, ...]:
    addresses = one_or_more(lambda item: _host_address(item, text_of(item)))(at)
    if not addresses:
        refuse(at, "no address")

    return addresses


def _host_address(at: At, text: str) -> str:
    if text == HOST_GATEWAY:
        return text
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]

    return checked_address(at, text)
