"""The process of `exec`: the container's own, with what the caller wants otherwise.

Capabilities, seccomp, labels and limits stay those of the container: an exec is no way around its
profile. `privileged` gives what `privileged: true` of the stack file would, as Docker has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from stacker.base.errors import Invalid
from stacker.base.facts import HostFacts
from stacker.bundle import capabilities
from stacker.bundle.process import assignments, user_object, working_directory
from stacker.bundle.user import find_user


def build_exec_process(
    spec: Mapping[str, object],
    facts: HostFacts,
    *,
    args: Sequence[str],
    env: Sequence[str] = (),
    cwd: str | None = None,
    user: str | None = None,
    passwd: bytes | None = None,
    group: bytes | None = None,
    terminal: bool = False,
    console_size: tuple[int, int] | None = None,
    privileged: bool = False,
) -> dict[str, object]:
    """`spec` is the container's config.json; `env` are `NAME=value`."""
    if not args or not args[0]:
        raise Invalid("exec: no command is given")
    own = cast("dict[str, Any]", spec["process"])
    process: dict[str, object] = {**own, "args": list(args), "terminal": terminal}
    variables = _variables(own["env"])
    if user is not None:
        found = find_user(user, passwd=passwd, group=group)
        process["user"] = user_object(found)
        variables["HOME"] = found.home
    if terminal:
        variables.setdefault("TERM", "xterm")
    process["env"] = assignments(variables | _variables(env))
    if cwd is not None:
        process["cwd"] = working_directory(cwd)
    process.pop("consoleSize", None)
    if terminal and console_size is not None:
        process["consoleSize"] = {"height": console_size[0], "width": console_size[1]}
    if privileged:
        every = tuple(sorted(capabilities.KNOWN & facts.capabilities))
        process["capabilities"] = capabilities.sets(every)
        process["noNewPrivileges"] = False
    return process


def _variables(entries: Sequence[str]) -> dict[str, str]:
    for entry in entries:
        if "=" not in entry:
            raise Invalid(f"exec: {entry!r} is not of the form NAME=value")
    return {entry.partition("=")[0]: entry.partition("=")[2] for entry in entries}
