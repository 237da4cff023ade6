"""R10: who an exec'd process is: the number that was given, or a refusal; never root by mistake."""

from __future__ import annotations

import os
import random
import re
import sys
from pathlib import Path

import pytest

from runtime.cli import main
from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = [pytest.mark.root, pytest.mark.soak]
STRINGS = 10_000 if os.environ.get("STACKER_SOAK") else 1_500
LAST = 2**32 - 2
MODEL = re.compile(r"([0-9]+)(?::([0-9]+))?", re.ASCII)
TABLE = (
    "1", "1:", ":1", ":", "", "01", "+1", " 1", "1 ", "0x1", "1.0", "1e3", "-1", "-0", "1_0",
    "2147483648", "2147483648:2147483648", "4294967294", "4294967295", "4294967296",
    "18446744073709551617", "root", "root:root", "1000", "1000:root", "0", "0:5", "5:0", "1:2:3",
    "\u0661", "\u00b2", "1\n", "1\t", "nobody", "1000:1000",
)  # fmt: skip
ALPHABET = "0123456789:+-_ .xroe\n\t\u0661"


def model(text: str) -> tuple[int, int] | None:
    """Decimal digits, from 0 to 2^32-2; the group is the container's where none is given."""
    found = MODEL.fullmatch(text)
    if found is None:
        return None
    uid, gid = int(found[1]), int(found[2] or 0)
    return (uid, gid) if max(uid, gid) <= LAST else None


def words(count: int) -> list[str]:
    source = random.Random(30892)
    return ["".join(source.choices(ALPHABET, k=source.randint(0, 12))) for _ in range(count)]


def answers(runtime: Runtime, identity: str, out: Path, texts: tuple[str, ...]) -> list[str]:
    """In one forked child: what `id` says inside for each, or nothing where it was refused."""
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
            os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT, 0o600), 1)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            for text in texts:
                command = ("sh", "-c", "echo $(id -u) $(id -g)")
                code = main(
                    ["--root", str(runtime.root), "exec", "--user", text, identity, *command]
                )
                if code != 0:
                    os.write(1, b"-\n")
            os._exit(0)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return out.read_text().splitlines()


@pytest.mark.parametrize("texts", [TABLE, tuple(words(STRINGS))], ids=["table", "fuzz"])
def test_exec_as(
    runtime: Runtime, bundle: Bundle, identity: str, tmp_path: Path, texts: tuple[str, ...]
) -> None:
    """R10: the image's /etc/passwd, where a user is named `1000`, has no say in it."""
    (bundle.rootfs / "etc/passwd").write_text("1000:x:0:0::/:/bin/sh\nnobody:x:0:0::/:/bin/sh\n")
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "600"), identity)
    found = answers(runtime, identity, tmp_path / "answers", texts)
    assert len(found) == len(texts)
    for text, answer in zip(texts, found, strict=True):
        expected = model(text)
        assert answer == ("-" if expected is None else f"{expected[0]} {expected[1]}"), text
