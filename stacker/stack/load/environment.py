"""The environment of each service: its env files, then what the stack file says, then the caller.

Files are read through the one reader. Services whose profiles are not active are left alone:
their env files need not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stacker.base.errors import NotFound, StackerError
from stacker.stack.load.canonical import Draft, EnvFile, ServiceDraft
from stacker.stack.load.dotenv import parse_dotenv, parse_raw
from stacker.stack.load.interpolate import Lookup
from stacker.stack.load.problems import Problem, Refused
from stacker.stack.load.read import Reader


def resolve_environment(draft: Draft, *, reader: Reader, lookup: Lookup) -> Draft:
    """The draft with every variable of every service having a value."""
    problems: list[Problem] = []
    services: dict[str, ServiceDraft] = {}
    for name, service in draft.services.items():
        try:
            services[name] = _resolved(service, reader, lookup)
        except Refused as error:
            problems += error.problems

    if problems:
        raise Refused(*problems)

    return replace(draft, services=services)


def _resolved(draft: ServiceDraft, reader: Reader, lookup: Lookup) -> ServiceDraft:
    if not draft.env_files and not draft.inherited:
        return draft

    own = dict(draft.service.environment)
    inherited = {name: value for name in draft.inherited if (value := lookup(name)) is not None}
    named = {**own, **inherited}

    def known(name: str) -> str | None:
        outside = lookup(name)
        return named.get(name) if outside is None else outside

    values: dict[str, str] = {}
    for file in draft.env_files:
        values |= _read(file, reader, known)

    # a name without a value takes away what an env file has for it, unless the caller has one
    kept = {name: value for name, value in values.items() if name not in draft.inherited}
    environment: Mapping[str, str] = {**kept, **named}
    return replace(
        draft,
        service=draft.service.model_copy(update={"environment": environment}),
        env_files=(),
        inherited=(),
    )


def _read(file: EnvFile, reader: Reader, lookup: Lookup) -> dict[str, str]:
    try:
        text = reader.text(Path(file.path), what="env_file")
        if file.format == "raw":
            return parse_raw(text, name=file.path)

        return parse_dotenv(text, name=file.path, lookup=lookup)
    except NotFound as error:
        if not file.required:
            return {}

        raise Refused(Problem(file.where, error.message)) from error
    except StackerError as error:
        raise Refused(Problem(file.where, str(error))) from error
