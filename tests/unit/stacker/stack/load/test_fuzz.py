"""Whatever is in a file: a stack or a StackerError, within a second, and nothing else."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stacker.base.errors import Invalid, StackerError
from stacker.stack.load.pipeline import load_stack
from stacker.stack.load.render import render
from stacker.stack.model import Stack
from tests.support.quick import quick

GOLDEN = Path(__file__).parents[4] / "golden" / "stack"
SEEDS = [path.read_bytes() for path in sorted(GOLDEN.rglob("*.yaml"))]


def outcome(data: bytes, **environment: str) -> Stack | StackerError:
    """What comes of a file with this content; a stack must survive being printed and loaded."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        file = directory / "stack.yaml"
        file.write_bytes(data)

        def load() -> Stack | StackerError:
            try:
                return load_stack([file], working_dir=directory, environment=environment).stack
            except StackerError as error:
                return error

        stack = quick(load, limit_s=1)
        assert str(stack)
        if isinstance(stack, StackerError):
            return stack

        file.write_text(render(stack))
        assert load_stack([file], working_dir=directory, environment={}).stack == stack
        return stack


BOMB = "a0: &a0 [x,x]\n" + "".join(
    f"a{i}: &a{i} [*a{i - 1},*a{i - 1},*a{i - 1},*a{i - 1},*a{i - 1}]\n" for i in range(1, 30)
)
MERGE_BOMB = "x-0: &a0 {k: v}\n" + "".join(
    f"x-{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}], k{i}: v}}\n" for i in range(1, 60)
)

HOSTILE = {
    "alias bomb": BOMB.encode(),
    "merge bomb": MERGE_BOMB.encode(),
    "wide": b"services: [" + b"a," * 200_000 + b"]",
    "deep flow lists": b"[" * 10_000,
    "deep flow maps": b"{a: " * 10_000,
    "deep block": b"".join(b" " * i + b"a:\n" for i in range(1_000)),
    "deep block lists": b"- " * 10_000,
    "deep in a value": b"services: {a: {image: " + b"[" * 10_000,
    "many keys": b"".join(b"k%d: v\n" % i for i in range(60_000)),
    "many anchors": b"".join(b"- &a%d x\n" % i for i in range(60_000)),
    "long word": b"services: {a: {image: " + b"a" * 1_000_000 + b"}}",
    "long command": b"services: {a: {image: a, command: " + b"a " * 500_000 + b"}}",
    "long path": b"services: {a: {image: a, volumes: ['" + b"/a" * 400_000 + b":/x']}}",
    "long integer": b"services: {a: {image: a, pids_limit: " + b"9" * 5_000 + b"}}",
    "long key": b"services: {a: {image: a, " + b"k" * 100_000 + b": 1}}",
    "many dollars": b"services: {a: {image: '" + b"${A:-" * 100_000 + b"'}}",
    "many variables": b"services: {a: {image: '" + b"${A}" * 200_000 + b"'}}",
    "many ports": b"services: {a: {image: a, ports: [" + b"'1-65535:1-65535'," * 50 + b"]}}",
    "many long ports": b"services: {a: {image: a, ports: ["
    + b"{target: 1, published: 1-65535}," * 15_000
    + b"]}}",
    "long chain": b"services:\n"
    + b"".join(b"  s%d: {image: a, depends_on: [s%d]}\n" % (i, i + 1) for i in range(999))
    + b"  s999: {image: a}\n",
    "long circle": b"services:\n"
    + b"".join(
        b"  s%d: {image: a, depends_on: [s%d]}\n" % (i, (i + 1) % 1000) for i in range(1000)
    ),
    "long extends": b"services:\n"
    + b"".join(b"  s%d: {image: a, extends: s%d}\n" % (i, i + 1) for i in range(1_000)),
    "too many services": b"services:\n"
    + b"".join(b"  s%d: {image: a}\n" % i for i in range(25_000)),
    "utf-16": "services: {a: {image: a}}".encode("utf-16"),
    "utf-32": "services: {a: {image: a}}".encode("utf-32"),
    "latin-1": "services: {a: {image: ä}}".encode("latin-1"),
    "utf-8 mark": b"\xef\xbb\xbfservices: {a: {image: a}}",
    "surrogate": b"services: {a: {image: \xed\xa0\x80}}",
    "escaped surrogate": b'services: {a: {image: "\\ud800"}}',
    "nul": b"services: {a: {image: a\0}}",
    "binary": bytes(range(256)) * 100,
    "too large": b"#" * (1024 * 1024 + 1),
    "sexagesimal": b"services: {a: {image: a, ports: [1:20, 22:22]}}",
    "not numbers": b"services: {a: {image: a, cpus: .nan, mem_limit: .inf, pids_limit: -.inf}}",
    "python tag": b"!!python/object/apply:os.system ['true']",
    "binary tag": b"services: !!binary aGFsbG8=",
    "timestamp tag": b"services: !!timestamp 2026-01-01",
    "set tag": b"services: !!set {a, b}",
    "directive": b"%YAML 9.9\n---\nservices: {}",
    "documents": b"---\nservices: {a: {image: a}}\n---\nservices: {a: {tty: true}}\n",
    "merge of itself": b"x: &x {<<: *x}",
    "complex keys": b"{[a]: b, {c: d}: e}",
    "null key": b"services: {~: {image: a}}",
    "includes itself": b"include: [stack.yaml]\nservices: {a: {image: a}}",
    "includes a device": b"include: [/dev/zero]\nservices: {a: {image: a}}",
    "env_file is a device": b"services: {a: {image: a, env_file: /dev/zero}}",
    "extends a device": b"services: {a: {extends: {file: /dev/zero, service: a}}}",
    "extends itself by file": b"services: {a: {extends: {file: stack.yaml, service: a}}}",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile(data: bytes) -> None:
    outcome(data, A="x" * 100_000)


def test_that_the_harmless_ones_are_stacks() -> None:
    for name in ("sexagesimal", "documents", "utf-8 mark", "long chain"):
        assert isinstance(outcome(HOSTILE[name]), Stack), name


def test_a_port_is_not_a_number_of_minutes() -> None:
    stack = outcome(HOSTILE["sexagesimal"])
    assert isinstance(stack, Stack)
    assert [str(port) for port in stack.services["a"].ports] == ["1->20/tcp", "22->22/tcp"]


def test_what_is_not_a_file_does_not_block(tmp_path: Path) -> None:
    fifo, unix = tmp_path / "fifo", tmp_path / "socket"
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(unix))
        loop = tmp_path / "loop"
        loop.symlink_to(loop)
        for path in (fifo, unix, tmp_path, loop, Path("/dev/zero"), Path("/dev/tty")):
            with pytest.raises(StackerError):
                load_stack([path], working_dir=tmp_path, environment={})

    (tmp_path / "linked.yaml").symlink_to(GOLDEN / "life.yaml")
    assert load_stack([Path("linked.yaml")], working_dir=tmp_path, environment={}).stack.services


FRAGMENTS = [
    b"services:", b"image:", b"a", b": ", b"- ", b"\n", b"\n  ", b"\n    ", b"{", b"}", b"[", b"]",
    b"&x ", b"*x", b"<<: ", b"!reset ", b"!!str ", b"? ", b"|\n", b">-\n", b"'", b'"',
    b"$", b"${A}", b"${A:-", b"#", b"---\n", b"~", b"null", b"no", b"ports:", b"80:80", b"1-9",
    b"volumes:", b"./a:/b", b"networks:", b"extends: a", b"include: [x]", b"x-y:", b"\t", b"\xff",
    b"0x1F", b"1e9", b"-1", b"10m", b"5s", b"\\", b"%", b"@", b"`",
]  # fmt: skip

FUZZ = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


@FUZZ
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join))
def test_fragments(data: bytes) -> None:
    outcome(data, A="a")


@FUZZ
@given(st.data())
def test_mutations(data: st.DataObject) -> None:
    """A file that was right, with pieces cut, doubled or put in."""
    text = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        new = data.draw(st.one_of(st.sampled_from(FRAGMENTS), st.just(text[start:end] * 2)))
        text = text[:start] + new + text[end:]
    outcome(text, A="a")


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        ["", "a", "a:b", "1", "5s", "1m", "/x", "./x", "a=b", "host", "web", "$A", "no"]
    ),
    st.text(max_size=8),
)
KEY_NAMES = """
    image command environment ports volumes networks depends_on healthcheck test deploy resources
   limits memory restart_policy configs secrets source target type ulimits logging tmpfs labels
   extra_hosts network_mode pid extends env_file devices security_opt profiles restart
"""
KEYS = st.sampled_from(KEY_NAMES.split())
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@FUZZ
@given(st.dictionaries(KEYS, TREES, max_size=6))
@example({"image": "a", "extends": {"service": "web"}})
def test_any_values_at_known_keys(service: dict[str, object]) -> None:
    """Every shape at every key; JSON is YAML."""
    whole = {"services": {"web": {"image": "a", **service}}, "volumes": {"a": None}}
    outcome(json.dumps(whole).encode(), A="a")


def test_two_documents_are_two_files() -> None:
    stack = outcome(HOSTILE["documents"])
    assert isinstance(stack, Stack)
    assert stack.services["a"].tty


def test_bombs_are_told_as_such() -> None:
    error = outcome(HOSTILE["alias bomb"])
    assert isinstance(error, Invalid)
    assert "once aliases are expanded" in error.message


@pytest.mark.parametrize(
    "text", ["extra_hosts: {a: []}", "ports: [{target: 1, published: 1-65535}]"]
)
def test_found_by_fuzzing(text: str) -> None:
    assert isinstance(outcome(f"services:\n  a:\n    image: a\n    {text}\n".encode()), Invalid)


def test_files_that_name_files_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "big.env").write_text("A=" + "x" * 1_000_000)
    for number in range(10):
        (tmp_path / f"{number}.env").hardlink_to(tmp_path / "big.env")
    files = ", ".join(f"{number}.env" for number in range(10))
    (tmp_path / "stack.yaml").write_text(f"services: {{a: {{image: a, env_file: [{files}]}}}}")
    with pytest.raises(Invalid, match="one of more than 1000 files"):
        load_stack([], working_dir=tmp_path, environment={})
