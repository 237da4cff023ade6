"""Which stack a command line means."""

from __future__ import annotations

import os

from stacker.base.errors import Conflict, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stacker.cli.options import Call
    from stacker.client.api import Supervisor
    from stacker.wire.requests import DeclarationBody

_FILE_ENDINGS = (".yaml", ".yml", ".json")


def take_file(call: Call, words: list[str]) -> list[str]:
    """Take a stack file off the front of positional words; what is left are services."""
    if words and (words[0].endswith(_FILE_ENDINGS) or "/" in words[0]):
        call.files.append(words[0])
        return words[1:]
    return words


def declaration(call: Call, *, watch: bool = False) -> DeclarationBody:
    """Say where the stack is declared; without files the supervisor looks as compose does."""
    from stacker.wire.requests import DeclarationBody

    return DeclarationBody(
        files=call.absolute_files(),
        working_dir=call.working_dir,
        environment=dict(os.environ),
        project=call.project,
        profiles=tuple(call.profiles),
        watch=watch,
    )


def find(call: Call, supervisor: Supervisor) -> str:
    """Return the name of the stack that is meant; NotFound or Conflict say what to add."""
    from stacker.wire.requests import FindRequest

    wanted = FindRequest(
        project=call.project, files=call.absolute_files(), working_dir=call.working_dir
    )
    return supervisor.find(wanted)


def find_or_all(call: Call, supervisor: Supervisor) -> str | None:
    """Return the stack that is meant here; None, for all, where nothing points to one."""
    try:
        return find(call, supervisor)
    except (NotFound, Conflict):
        if call.project or call.files:
            raise
        return None


def insist_declared(supervisor: Supervisor, services: set[str]) -> None:
    """Raise NotFound for a service that no stack declares: an empty table would not say so."""
    if not services:
        return
    declared = {row.name for stack in supervisor.stacks().stacks for row in stack.services}
    for name in sorted(services - declared):
        raise NotFound(f"no stack has a service {name}")
