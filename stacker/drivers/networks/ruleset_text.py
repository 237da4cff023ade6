"""A ruleset in the language of nft(8): for golden tests and for people.

``nft -c -f`` accepts it, so what the tests compare can be read and checked by others' tools.
"""

from __future__ import annotations

from stacker.drivers.networks.ruleset import (
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

_TYPES = {
    Field.IIF: "ifname",
    Field.OIF: "ifname",
    Field.SADDR: "ipv4_addr",
    Field.DADDR: "ipv4_addr",
    Field.PROTOCOL: "inet_proto",
    Field.PORT: "inet_service",
}
_INTERFACES = (Field.IIF, Field.OIF)


def text(ruleset: Ruleset) -> str:
    blocks = [_set(one) for one in ruleset.sets]
    blocks += [_chain(chain, ruleset.rules) for chain in ruleset.chains]
    body = "\n\n".join(blocks)
    return f"table ip {ruleset.table} {{\n{body}\n}}\n"


def _set(one: Set) -> str:
    kind = "map" if one.data else "set"
    types = " . ".join(_TYPES[field] for field in one.key)
    if one.data:
        types += " : " + " . ".join(_TYPES[field] for field in one.data)
    lines = [f"\t{kind} {one.name} {{", f"\t\ttype {types}"]
    if one.room is not None:
        lines += [f"\t\tsize {one.room}", "\t\tflags dynamic"]
    if one.elements:
        lines.append("\t\telements = {")
        for key, data in one.elements:
            element = _values(one.key, key) + (f" : {_values(one.data, data)}" if data else "")
            lines.append(f"\t\t\t{element},")
        lines.append("\t\t}")
    return "\n".join([*lines, "\t}"])


def _chain(chain: Chain, rules: tuple[Rule, ...]) -> str:
    lines = [
        f"\tchain {chain.name} {{",
        f"\t\ttype {chain.type} hook {chain.hook} priority {chain.priority}; policy accept;",
    ]
    lines += [f"\t\t{_rule(rule)}" for rule in rules if rule.chain == chain.name]
    return "\n".join([*lines, "\t}"])


def _rule(rule: Rule) -> str:
    words = [_match(match) for match in rule.matches]
    match rule.action:
        case Masquerade():
            words.append("masquerade")
        case RewriteDestination(fields, name):
            words.append(f"dnat to {_fields(fields)} map @{name}")
        case verdict:
            words.append(verdict.value)
    return " ".join(words)


def _match(match: Match) -> str:
    match match:
        case Is(field, value, negated):
            return f"{field}{' !=' if negated else ''} {_values((field,), (value,))}"
        case In(fields, name, negated):
            return f"{_fields(fields)}{' !=' if negated else ''} @{name}"
        case ConnectionState(states):
            return f"ct state {','.join(states)}"
        case Translated():
            return "ct status dnat"
        case ToThisHost():
            return "fib daddr type local"
        case TooFast(field, name, per_second, burst):
            limit = f"limit rate over {per_second}/second burst {burst} packets"
            return f"update @{name} {{ {field} {limit} }}"


def _fields(fields: tuple[Field, ...]) -> str:
    return " . ".join(fields)


def _values(fields: tuple[Field, ...], values: tuple[str, ...]) -> str:
    pairs = zip(fields, values, strict=True)
    return " . ".join(f'"{value}"' if field in _INTERFACES else value for field, value in pairs)
