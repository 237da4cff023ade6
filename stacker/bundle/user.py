"""Who a container's process is: `user` and `group_add`, looked up in the image's own files.

Rule 1: a user is `NAME`, `NUMBER`, and after a colon a group written the same way; anything else
is refused, and nothing ever becomes 0 because it could not be read (CVE-2026-30892).
Rule 2: digits are a number, also where /etc/passwd has a user of that name.
Rule 3: numbers end at 2**32 - 2; the next one is "no id" for the kernel (CVE-2024-40635).
Rule 4: no NSS, no library: of passwd(5) and group(5) what follows the numbers may be missing, a
line that is malformed before does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stacker.base.errors import Invalid

LARGEST_ID = 2**32 - 2

_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,254}\$?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    uid: int
    gid: int
    groups: tuple[int, ...]
    """With `gid` among them: a process that may leave its group could shed a denial of the
    group's permissions otherwise (CVE-2022-36109)."""
    home: str


@dataclass(frozen=True, slots=True)
class _Account:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def find_user(
    text: str, *, passwd: bytes | None, group: bytes | None, more: tuple[str, ...] = ()
) -> User:
    """Resolve `user[:group]`; empty means root. `more` are supplementary groups to add."""
    who, colon, whose = text.partition(":")
    if colon and not (who and whose):
        raise Invalid(f"user {text!r}: neither the user nor the group may be empty")

    accounts, groups = list(_accounts(passwd or b"")), list(_groups(group or b""))
    account = _find_account(who or "0", accounts)
    gid = _find_group(whose, groups) if whose else account.gid
    # an explicit group stands alone, as in Docker: the memberships are those of the account
    member_of = [] if whose else [one.gid for one in groups if account.name in one.members]
    added = [_find_group(name, groups) for name in more]
    return User(
        uid=account.uid,
        gid=gid,
        groups=tuple(dict.fromkeys([gid, *member_of, *added])),
        home=account.home,
    )


def _find_account(who: str, accounts: list[_Account]) -> _Account:
    number = _number(who, "user")
    for account in accounts:
        if account.uid == number if number is not None else account.name == who:
            return account
    if number is None:
        raise Invalid(f"user {who!r}: the image's /etc/passwd has no such user")
    return _Account("", number, 0, "/")


def _find_group(whose: str, groups: list[_Group]) -> int:
    number = _number(whose, "group")
    if number is not None:
        return number
    for group in groups:
        if group.name == whose:
            return group.gid
    raise Invalid(f"group {whose!r}: the image's /etc/group has no such group")


def _number(text: str, what: str) -> int | None:
    """None: it is a name."""
    if _NAME.fullmatch(text):
        return None
    if not _NUMBER.fullmatch(text):
        raise Invalid(f"{what} {text!r}: is neither a name nor a number")
    if int(text) > LARGEST_ID:
        raise Invalid(f"{what} {text!r}: is larger than {LARGEST_ID}")
    return int(text)


def _accounts(passwd: bytes) -> Iterator[_Account]:
    for name, _, uid_text, gid_text, _, home, _ in _lines(passwd, least=4, most=7):
        uid, gid = _id(uid_text), _id(gid_text)
        if name and uid is not None and gid is not None:
            yield _Account(name, uid, gid, home or "/")


def _groups(group: bytes) -> Iterator[_Group]:
    for name, _, gid_text, members in _lines(group, least=3, most=4):
        gid = _id(gid_text)
        if name and gid is not None:
            yield _Group(name, gid, tuple(filter(None, members.split(","))))


def _lines(content: bytes, *, least: int, most: int) -> Iterator[list[str]]:
    """The fields of each line, filled up with empty ones."""
    for line in content.decode("utf-8", "replace").split("\n"):
        fields = line.split(":")
        if least <= len(fields) <= most and "\0" not in line:
            yield fields + [""] * (most - len(fields))


def _id(text: str) -> int | None:
    if not _NUMBER.fullmatch(text) or int(text) > LARGEST_ID:
        return None
    return int(text)
