"""docs/compose-support.md says of every key what the code does with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stacker.stack.load.canonical.files import CONFIG, SECRET
from stacker.stack.load.canonical.files import REFUSED as FILE_REFUSED
from stacker.stack.load.canonical.life import HEALTHCHECK
from stacker.stack.load.canonical.refused import SERVICE_REFUSED, TOP_REFUSED
from stacker.stack.load.canonical.resources import DEPLOY, DEPLOY_REFUSED
from stacker.stack.load.canonical.service import SERVICE
from stacker.stack.load.canonical.top import NETWORK, TOP, VOLUME
from stacker.stack.load.read import STACK_FILES

DOCUMENT = (Path(__file__).parents[5] / "docs" / "compose-support.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (honoured|approximated|refused) \| .*\|$", re.MULTILINE)

# what a stage before canonical takes away, and what is accepted only to say no
EARLIER = {"Top level": {"include"}, "Services": {"extends"}}
FILES_REFUSED = {**FILE_REFUSED, "external": "only false"}


def section(title: str) -> dict[str, str]:
    body = DOCUMENT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in body.splitlines() if line.startswith("| `")]
    found = dict(ROW.findall(body))
    assert len(found) == len(rows), "each row has three columns and is there once"
    return found


@pytest.mark.parametrize(
    ("title", "taken", "refused"),
    [
        ("Top level", TOP, TOP_REFUSED),
        ("Services", SERVICE, SERVICE_REFUSED),
        ("`healthcheck`", HEALTHCHECK, {}),
        ("`deploy`", DEPLOY, DEPLOY_REFUSED),
        ("`networks`", NETWORK, {}),
        ("`volumes`", VOLUME, {}),
        ("`configs` and `secrets`", {**CONFIG, **SECRET}, FILES_REFUSED),
    ],
)
def test_every_key_is_in_its_table(
    title: str, taken: dict[str, object], refused: dict[str, str]
) -> None:
    documented = section(title)
    taken_keys = (set(taken) | EARLIER.get(title, set())) - set(refused)
    assert {key for key, support in documented.items() if support == "refused"} == set(refused)
    assert {key for key, support in documented.items() if support != "refused"} == taken_keys
    assert list(documented) == sorted(documented) or title == "Top level"


def test_the_file_names_are_named() -> None:
    assert ", ".join(f"`{name}`" for name in STACK_FILES) in DOCUMENT
