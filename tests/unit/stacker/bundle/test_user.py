"""Who runs: the grammar of `user`, looked up in files as images have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacker.base.errors import Invalid
from stacker.bundle.user import LARGEST_ID, find_user

PASSWD = b"""\
root:x:0:0:root:/root:/bin/sh
# a comment
app:x:1000:1000:App:/home/app:/bin/sh
1000:x:0:0:evil:/:/bin/sh
broken:x:12
plus:x:+5:5::/:/bin/sh
huge:x:4294967295:1::/:/bin/sh
nohome:x:7:8:::
late:x:1000:2000::/late:/bin/sh
short:x:600:601
long:x:600:601:a:b:c:d
"""
GROUP = b"""\
root:x:0:
app:x:1000:
wheel:x:10:root,app
audio:x:29:app,other
odd:x:0x1:app
bare:x:77
"""


@pytest.mark.parametrize(
    ("text", "uid", "gid", "groups", "home"),
    [
        ("", 0, 0, (0, 10), "/root"),
        ("root", 0, 0, (0, 10), "/root"),
        ("0", 0, 0, (0, 10), "/root"),
        ("app", 1000, 1000, (1000, 10, 29), "/home/app"),
        # digits are a number, also where a user has them as a name
        ("1000", 1000, 1000, (1000, 10, 29), "/home/app"),
        ("app:wheel", 1000, 10, (10,), "/home/app"),
        ("app:4321", 1000, 4321, (4321,), "/home/app"),
        ("5555", 5555, 0, (0,), "/"),
        ("5555:29", 5555, 29, (29,), "/"),
        ("nohome", 7, 8, (8,), "/"),
        ("short:bare", 600, 77, (77,), "/"),
        (str(LARGEST_ID), LARGEST_ID, 0, (0,), "/"),
        ("2147483648:2147483648", 2147483648, 2147483648, (2147483648,), "/"),
    ],
)
def test_users(text: str, uid: int, gid: int, groups: tuple[int, ...], home: str) -> None:
    found = find_user(text, passwd=PASSWD, group=GROUP)
    assert (found.uid, found.gid, found.groups, found.home) == (uid, gid, groups, home)


@pytest.mark.parametrize(
    "text",
    [
        "1:",
        ":1",
        ":",
        "01",
        "+1",
        " 1",
        "1 ",
        "0x1",
        "-1",
        "1.0",
        "4294967295",
        "4294967296",
        "99999999999999999999",
        "\u0661",
        "app:app:app",
        "app/../root",
        "app\n",
        "nobody-here",
        "app:no-such-group",
        "broken",
        "long",
        "plus",
        "huge",
        "app:odd",
    ],
)
def test_what_is_no_user_never_becomes_root(text: str) -> None:
    with pytest.raises(Invalid, match=r"^(user|group) "):
        find_user(text, passwd=PASSWD, group=GROUP)


def test_groups_are_added_by_name_and_number() -> None:
    found = find_user("app", passwd=PASSWD, group=GROUP, more=("29", "wheel", "77"))
    assert found.groups == (1000, 10, 29, 77)
    with pytest.raises(Invalid, match="no such group"):
        find_user("app", passwd=PASSWD, group=GROUP, more=("render",))


def test_an_image_without_the_files_has_numbers_only() -> None:
    assert find_user("12:34", passwd=None, group=None).uid == 12
    assert find_user("", passwd=None, group=None).uid == 0
    with pytest.raises(Invalid):
        find_user("root", passwd=None, group=None)


@given(st.text(max_size=12), st.binary(max_size=200), st.binary(max_size=200))
def test_any_text_is_a_user_or_refused(text: str, passwd: bytes, group: bytes) -> None:
    try:
        found = find_user(text, passwd=passwd, group=group)
    except Invalid:
        return
    assert 0 <= found.uid <= LARGEST_ID
    assert 0 <= found.gid <= LARGEST_ID
    head = text.partition(":")[0]
    if head and found.uid == 0 and head != "0":
        # only a line of /etc/passwd can have said so
        assert head.encode() in passwd


def test_ten_million_lines_end_soon() -> None:
    passwd = b"x:x:1:1::/:\n" * 80_000  # the engine reads at most 1 MiB
    with pytest.raises(Invalid):
        find_user("absent", passwd=passwd, group=passwd)
