"""ps: which columns the options of ps(1) ask for."""

from __future__ import annotations

import pytest

from runtime.commands.arguments import UsageError
from runtime.commands.ps import columns_of
from runtime.commands.ps_columns import COLUMNS

FULL = columns_of([])


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        (["-ef"], FULL),
        (["-e"], FULL),
        (["aux"], columns_of(["u"])),
        (["-o", "pid,comm"], ("pid", "comm")),
        (["-opid", "-o", "args"], ("pid", "args")),
        (["-eo", "pid comm"], ("pid", "comm")),
    ],
)
def test_the_options_of_ps(options: list[str], columns: tuple[str, ...]) -> None:
    assert columns_of(options) == columns


def test_every_set_has_columns_that_exist() -> None:
    for options in ([], ["-l"], ["u"]):
        assert set(columns_of(options)) <= set(COLUMNS)


@pytest.mark.parametrize(
    "options", [["-o"], ["-o", "x"], ["--sort", "pid"], ["-Z"], ["-o", "pid,"]]
)
def test_what_is_not_known(options: list[str]) -> None:
    with pytest.raises(UsageError):
        columns_of(options)
