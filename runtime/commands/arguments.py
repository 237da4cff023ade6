"""A command line read by a table of flags, with the grammar of runc's: -x, --x, --x=v, --x v.

argparse would cost more time than a whole `state` takes. Flags may follow the operands, except
where a command of the user's follows (`exec`); `--` ends them.
"""

from __future__ import annotations

from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class UsageError(SpecInvalid):
    """The command line itself is wrong."""


class Flag:
    """`value` names what follows; without one it is a switch, and --name=false turns it off."""

    __slots__ = ("help", "name", "short", "value")

    def __init__(self, name: str, short: str = "", help_: str = "", value: str = "VALUE") -> None:
        self.name = name
        self.short = short
        self.help = help_
        self.value = value


def switch(name: str, short: str = "", help_: str = "") -> Flag:
    return Flag(name, short, help_, "")


def help_lines(flags: tuple[Flag, ...]) -> list[str]:
    """One line a flag: its spellings, what follows it, what it is for."""
    spelled = [
        (f"-{flag.short}, " if flag.short else "    ")
        + f"--{flag.name}"
        + (f" {flag.value}" if flag.value else "")
        for flag in flags
    ]
    width = max((len(text) for text in spelled), default=0)
    return [
        f"  {text:<{width}}  {flag.help}".rstrip()
        for text, flag in zip(spelled, flags, strict=True)
    ]


class Arguments:
    __slots__ = ("_values", "operands")

    def __init__(self, values: Mapping[str, list[str]], operands: list[str]) -> None:
        self._values = values
        self.operands = operands

    def text(self, name: str, default: str = "") -> str:
        return self._values[name][-1] if name in self._values else default

    def texts(self, name: str) -> list[str]:
        return list(self._values.get(name, ()))

    def given(self, name: str) -> bool:
        return name in self._values

    def on(self, name: str) -> bool:
        return self.text(name, "false") not in ("false", "0", "f", "F", "FALSE", "False")

    def number(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name)
        if not text:
            return default
        return parse_number(f"--{name}", text, low, high)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of a few words; the first is the default."""
        word = self.text(name, allowed[0])
        if word not in allowed:
            raise UsageError(f"--{name}: {word!r} is not one of {', '.join(allowed)}")
        return word

    def operand(self, what: str) -> str:
        """The only operand."""
        if len(self.operands) != 1:
            raise UsageError(f"exactly one argument is needed: {what}")
        return self.operands[0]


_MOST_DIGITS = 40  # int() refuses some thousands (CVE-2020-10735)


def parse_number(what: str, text: str, low: int, high: int) -> int:
    """Decimal digits and nothing else: int() would take " 1", "+1", "1_0" and other scripts."""
    digits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    if not digits or not low <= int(text) <= high:
        raise UsageError(f"{what}: {text!r} is not a number from {low} to {high}")
    return int(text)


def parse_signed(what: str, text: str, low: int, high: int) -> int:
    """As `parse_number`, with a minus before it where `low` allows one."""
    if low < 0 and text.startswith("-"):
        return -parse_number(what, text[1:], 1, -low)
    return parse_number(what, text, max(low, 0), high)


def parse(words: list[str], flags: tuple[Flag, ...], *, interspersed: bool = True) -> Arguments:
    known = {name: flag for flag in flags for name in (flag.name, flag.short) if name}
    values: dict[str, list[str]] = {}
    operands: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            operands += left
            break
        if len(word) < 2 or not word.startswith("-"):
            operands.append(word)
            if not interspersed:
                operands += left
                break
            continue
        name, equals, value = word.lstrip("-").partition("=")
        flag = known.get(name)
        if flag is None:
            raise UsageError(f"unknown flag {word}")
        if flag.value and not equals:
            if not left:
                raise UsageError(f"{word} needs a value")
            value = left.pop(0)
        values.setdefault(flag.name, []).append(value if flag.value or equals else "true")
    return Arguments(values, operands)
