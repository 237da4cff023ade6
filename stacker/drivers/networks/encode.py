"""A ruleset as nf_tables messages: pure, bytes out.

A batch is one transaction: the kernel takes all of it or nothing (nfnetlink's NFNL_MSG_BATCH).
Constants are those of linux/netfilter/nf_tables.h; the registers and lengths are those that nft
itself uses, so that ``nft list table`` prints the rules as they were meant.
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from ipaddress import IPv4Network
from typing import Any

from stacker.drivers.networks.netlink.pyroute2_parts import (
    NftChain,
    NftElements,
    NftRule,
    NftSet,
    NftTable,
)
from stacker.drivers.networks.ruleset import (
    Action,
    Chain,
    ConnectionState,
    Field,
    In,
    Is,
    Masquerade,
    Match,
    RewriteDestination,
    Rule,
    Ruleset,
    Set,
    TooFast,
    ToThisHost,
    Translated,
)

OWNED = 2  # NFT_TABLE_F_OWNER: only the socket that made the table may change it (Linux 5.12)
PERSISTENT = 4  # NFT_TABLE_F_PERSIST: it stays when that socket is closed (Linux 6.9)

_SUBSYSTEM = 10 << 8  # NFNL_SUBSYS_NFTABLES
NEWTABLE, GETTABLE, DELTABLE = _SUBSYSTEM, _SUBSYSTEM | 1, _SUBSYSTEM | 2
_NEWCHAIN, _NEWRULE, GETRULE = _SUBSYSTEM | 3, _SUBSYSTEM | 6, _SUBSYSTEM | 7
_NEWSET, _NEWELEMENT = _SUBSYSTEM | 9, _SUBSYSTEM | 12
NEWGEN = _SUBSYSTEM | 15
_DESTROYTABLE = _SUBSYSTEM | 26
_BATCH_BEGIN, _BATCH_END = 16, 17

_REQUEST, _ACK, _DUMP, _CREATE, _APPEND = 0x1, 0x4, 0x300, 0x400, 0x800
_IPV4 = 2  # NFPROTO_IPV4
_HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
_VERDICTS = {"drop": 0, "accept": 1, "return": -5}
_STATES = {"invalid": 1, "established": 2, "related": 4, "new": 8}
_DNAT_DONE = 1 << 5  # IPS_DST_NAT
_REG_1, _REG32_00, _IFNAMSIZ = 1, 8, 16
_HOST_ORDER = struct.pack("=I", 1)
_CHUNK = 500
"""Elements in one message: an attribute's length has 16 bits."""

# bytes in a register, type number of nft's set listings, and how the field is loaded
_SHAPES: dict[Field, tuple[int, int, str, dict[str, int]]] = {
    Field.IIF: (_IFNAMSIZ, 41, "meta", {"key": 6}),
    Field.OIF: (_IFNAMSIZ, 41, "meta", {"key": 7}),
    Field.SADDR: (4, 7, "payload", {"base": 1, "offset": 12, "len": 4}),
    Field.DADDR: (4, 7, "payload", {"base": 1, "offset": 16, "len": 4}),
    Field.PROTOCOL: (4, 12, "meta", {"key": 16}),
    Field.PORT: (4, 13, "payload", {"base": 2, "offset": 2, "len": 2}),
}
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}


def replace(ruleset: Ruleset, *, owned: bool) -> list[bytes]:
    """One transaction that puts this table in the place of the one there is, if any."""
    table = ruleset.table
    flags = OWNED | PERSISTENT if owned else 0
    body = [*_gone(table, owned=owned), _table(table, NEWTABLE, flags)]
    body += [_set(table, one, number) for number, one in enumerate(ruleset.sets, 1)]
    for number, one in enumerate(ruleset.sets, 1):
        body += _elements(table, one, number)
    body += [_chain(table, chain) for chain in ruleset.chains]
    body += [_rule(table, rule) for rule in ruleset.rules]
    return _batch(body)


def remove(table: str, *, owned: bool) -> list[bytes]:
    """One transaction that removes the table, also when it is not there."""
    return _batch(_gone(table, owned=owned))


def get_table(table: str) -> bytes:
    return _table(table, GETTABLE, None, flags=0)


def get_rules(table: str) -> bytes:
    return _message(NftRule, GETRULE, [("NFTA_RULE_TABLE", table)], _DUMP)


def _gone(table: str, *, owned: bool) -> list[bytes]:
    if owned:
        return [_table(table, _DESTROYTABLE, None)]
    # before Linux 6.3 only what is there can be deleted
    return [_table(table, NEWTABLE, 0), _table(table, DELTABLE, None)]


def _batch(body: list[bytes]) -> list[bytes]:
    return [_edge(_BATCH_BEGIN), *body, _edge(_BATCH_END)]


def _edge(kind: int) -> bytes:
    # struct nfgenmsg: family, version, and the subsystem the batch is for (big endian)
    header = struct.pack("=IHHIIBBH", 20, kind, _REQUEST, 0, 0, 0, 0, socket.htons(10))
    return header


def _message(cls: Any, kind: int, attrs: list[tuple[str, object]], flags: int = _CREATE) -> bytes:
    message = cls()
    message["nfgen_family"] = _IPV4
    message["attrs"] = attrs
    message["header"]["type"] = kind
    message["header"]["flags"] = _REQUEST | flags
    message.encode()
    return bytes(message.data)


def _table(table: str, kind: int, table_flags: int | None, *, flags: int = _CREATE | _ACK) -> bytes:
    attrs: list[tuple[str, object]] = [("NFTA_TABLE_NAME", table)]
    if table_flags is not None:
        attrs.append(("NFTA_TABLE_FLAGS", table_flags))
    return _message(NftTable, kind, attrs, flags)


@lru_cache(maxsize=64)
def _chain(table: str, chain: Chain) -> bytes:
    hook = [
        ("NFTA_HOOK_HOOKNUM", _HOOKS[chain.hook]),
        ("NFTA_HOOK_PRIORITY", chain.priority),
    ]
    attrs: list[tuple[str, object]] = [
        ("NFTA_CHAIN_TABLE", table),
        ("NFTA_CHAIN_NAME", chain.name),
        ("NFTA_CHAIN_HOOK", {"attrs": hook}),
        ("NFTA_CHAIN_POLICY", _VERDICTS["accept"]),
        ("NFTA_CHAIN_TYPE", chain.type),
    ]
    return _message(NftChain, _NEWCHAIN, attrs)


def _set(table: str, one: Set, number: int) -> bytes:
    flags = {"NFT_SET_MAP"} if one.data else set[str]()
    if one.room is not None:
        flags.add("NFT_SET_EVAL")
    attrs: list[tuple[str, object]] = [
        ("NFTA_SET_TABLE", table),
        ("NFTA_SET_NAME", one.name),
        ("NFTA_SET_FLAGS", frozenset(flags)),
        ("NFTA_SET_KEY_TYPE", _type(one.key)),
        ("NFTA_SET_KEY_LEN", _length(one.key)),
        ("NFTA_SET_ID", number),
    ]
    if _SHAPES[one.key[0]][0] == _IFNAMSIZ:
        # for nft's listing alone: names are not in network byte order
        attrs.append(("NFTA_SET_USERDATA", [("NFTNL_UDATA_SET_KEYBYTEORDER", _HOST_ORDER)]))
    if one.room is not None:
        attrs.append(("NFTA_SET_DESC", {"attrs": [("NFTA_SET_DESC_SIZE", one.room)]}))
    if one.data:
        attrs += [
            ("NFTA_SET_DATA_TYPE", _type(one.data)),
            ("NFTA_SET_DATA_LEN", _length(one.data)),
        ]
    return _message(NftSet, _NEWSET, attrs)


def _elements(table: str, one: Set, number: int) -> list[bytes]:
    entries: list[dict[str, Any]] = []
    for key, data in one.elements:
        attrs: list[tuple[str, object]] = [("NFTA_SET_ELEM_KEY", _data(_values(one.key, key)))]
        if data:
            attrs.append(("NFTA_SET_ELEM_DATA", _data(_values(one.data, data))))
        entries.append({"attrs": attrs})
    return [
        _message(
            NftElements,
            _NEWELEMENT,
            [
                ("NFTA_SET_ELEM_LIST_TABLE", table),
                ("NFTA_SET_ELEM_LIST_SET", one.name),
                ("NFTA_SET_ELEM_LIST_SET_ID", number),
                ("NFTA_SET_ELEM_LIST_ELEMENTS", entries[start : start + _CHUNK]),
            ],
        )
        for start in range(0, len(entries), _CHUNK)
    ]


@lru_cache(maxsize=1024)
def _rule(table: str, rule: Rule) -> bytes:
    expressions = [part for match in rule.matches for part in _match(match)]
    expressions += _action(rule.action)
    attrs: list[tuple[str, object]] = [
        ("NFTA_RULE_TABLE", table),
        ("NFTA_RULE_CHAIN", rule.chain),
        ("NFTA_RULE_EXPRESSIONS", expressions),
    ]
    return _message(NftRule, _NEWRULE, attrs, _CREATE | _APPEND)


def _match(match: Match) -> list[dict[str, Any]]:
    match match:
        case Is(field, value, negated):
            return _is(field, value, int(negated))
        case In(fields, name, negated):
            flags = frozenset({"NFT_LOOKUP_F_INV"} if negated else set[str]())
            return [*_load(fields), _expression("lookup", set=name, sreg=_REG_1, flags=flags)]
        case ConnectionState(states):
            return _any_bit("ct", 0, sum(_STATES[state] for state in states))
        case Translated():
            return _any_bit("ct", 2, _DNAT_DONE)
        case ToThisHost():
            # result NFT_FIB_RESULT_ADDRTYPE is the number 3, which pyroute2 takes for two bits
            address_type = frozenset({"NFT_FIB_RESULT_UNSPEC", "NFT_FIB_RESULT_OIF"})
            return [
                _expression("fib", dreg=_REG_1, result=address_type, flags=1 << 1),
                _compare(0, struct.pack("=I", 2)),  # RTN_LOCAL
            ]
        case TooFast(field, name, per_second, burst):
            over = 1  # NFT_LIMIT_F_INV
            limit = _expression("limit", rate=per_second, unit=1, burst=burst, type=0, flags=over)
            update = _expression("dynset", set_name=name, op=1, sreg_key=_REG_1, expr=limit)
            return [*_load((field,)), update]


def _action(action: Action) -> list[dict[str, Any]]:
    match action:
        case Masquerade():
            return [_expression("masq")]
        case RewriteDestination(fields, name):
            return [
                *_load(fields),
                _expression("lookup", set=name, sreg=_REG_1, dreg=_REG_1),
                _expression(
                    "nat", type=1, family=_IPV4, reg_addr_min=_REG_1, reg_proto_min=_REG32_00 + 1
                ),
            ]
        case verdict:
            code = {"attrs": [("NFTA_VERDICT_CODE", _VERDICTS[verdict])]}
            data = {"attrs": [("NFTA_DATA_VERDICT", code)]}
            return [_expression("immediate", dreg=0, data=data)]


def _is(field: Field, value: str, operation: int) -> list[dict[str, Any]]:
    if field in (Field.SADDR, Field.DADDR):
        network = IPv4Network(value)
        mask = _expression(
            "bitwise",
            sreg=_REG_1,
            dreg=_REG_1,
            len=4,
            mask=_data(network.netmask.packed),
            xor=_data(bytes(4)),
        )
        return [*_load((field,)), mask, _compare(operation, network.network_address.packed)]
    if field is Field.PROTOCOL:
        return [*_load((field,)), _compare(operation, bytes([_PROTOCOLS[value]]))]
    return [*_load((field,)), _compare(operation, _values((field,), (value,)))]


def _any_bit(name: str, key: int, bits: int) -> list[dict[str, Any]]:
    """True when the number under a key has one of the bits: masked, it is not zero."""
    mask = _data(struct.pack("=I", bits))
    return [
        _expression(name, dreg=_REG_1, key=key),
        _expression("bitwise", sreg=_REG_1, dreg=_REG_1, len=4, mask=mask, xor=_data(bytes(4))),
        _compare(1, bytes(4)),
    ]


def _load(fields: tuple[Field, ...]) -> list[dict[str, Any]]:
    """Load fields side by side, as a set with several fields wants them."""
    expressions: list[dict[str, Any]] = []
    register = 0
    for field in fields:
        size, _, name, arguments = _SHAPES[field]
        expressions.append(_expression(name, dreg=_register(register), **arguments))
        register += size // 4
    return expressions


def _register(word: int) -> int:
    """The n-th word: under the 16-byte name where it begins one, as nft writes it."""
    return _REG_1 + word // 4 if word % 4 == 0 else _REG32_00 + word


def _expression(name: str, **arguments: object) -> dict[str, Any]:
    prefix = f"NFTA_{name.upper()}_"
    attrs = [(prefix + key.upper(), value) for key, value in arguments.items()]
    return {"attrs": [("NFTA_EXPR_NAME", name), ("NFTA_EXPR_DATA", {"attrs": attrs})]}


def _compare(operation: int, value: bytes) -> dict[str, Any]:
    return _expression("cmp", sreg=_REG_1, op=operation, data=_data(value))


def _data(value: bytes) -> dict[str, Any]:
    return {"attrs": [("NFTA_DATA_VALUE", value)]}


def _type(fields: tuple[Field, ...]) -> int:
    number = 0
    for field in fields:
        number = number << 6 | _SHAPES[field][1]
    return number


def _length(fields: tuple[Field, ...]) -> int:
    return sum(_SHAPES[field][0] for field in fields)


def _values(fields: tuple[Field, ...], values: tuple[str, ...]) -> bytes:
    return b"".join(_value(field, value) for field, value in zip(fields, values, strict=True))


def _value(field: Field, value: str) -> bytes:
    size = _SHAPES[field][0]
    if field in (Field.IIF, Field.OIF):
        return value.encode().ljust(size, b"\0")
    if field is Field.PROTOCOL:
        return bytes([_PROTOCOLS[value]]).ljust(size, b"\0")
    if field is Field.PORT:
        return int(value).to_bytes(2, "big").ljust(size, b"\0")
    return socket.inet_aton(value)
