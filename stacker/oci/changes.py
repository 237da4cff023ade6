"""`--change` of an import: Dockerfile instructions that set the config of the new image.

The instructions are those that `docker import --change` takes; what would run something, copy
something, or wait for a later build is refused.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import cast

from stacker.base.errors import Invalid
from stacker.oci import words
from stacker.oci.durations import parse_ns
from stacker.oci.image_config import Healthcheck, ImageConfig

SHELL = ("/bin/sh", "-c")

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII)
_OPTION = re.compile(r"--([a-z-]+)=(\S*)\s*")


@dataclass(slots=True)
class Draft:
    """The config as far as the changes have come."""

    user: str = ""
    working_dir: str = ""
    stop_signal: str = ""
    env: dict[str, str] = field(default_factory=dict[str, str])
    labels: dict[str, str] = field(default_factory=dict[str, str])
    ports: set[str] = field(default_factory=set[str])
    volumes: set[str] = field(default_factory=set[str])
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    healthcheck: dict[str, object] | None = None

    def to_json(self) -> dict[str, object]:
        """The `config` object of an image config."""
        out: dict[str, object] = {
            "User": self.user,
            "ExposedPorts": {port: {} for port in sorted(self.ports)},
            "Env": [f"{name}={value}" for name, value in self.env.items()],
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "Volumes": {path: {} for path in sorted(self.volumes)},
            "WorkingDir": self.working_dir,
            "Labels": dict(sorted(self.labels.items())),
            "StopSignal": self.stop_signal,
            "Healthcheck": self.healthcheck,
        }
        return {key: value for key, value in out.items() if value}

    @classmethod
    def of(cls, config: ImageConfig) -> Draft:
        """Begin with what an image has."""
        pairs = (entry.partition("=") for entry in config.env)
        return cls(
            user=config.user,
            working_dir=config.working_dir,
            stop_signal=config.stop_signal,
            env={name: value for name, _, value in pairs},
            labels=dict(config.labels),
            ports=set(config.exposed_ports),
            volumes=set(config.volumes),
            entrypoint=config.entrypoint,
            cmd=config.cmd,
            healthcheck=_healthcheck_of(config.healthcheck),
        )


FIELDS = frozenset(
    {
        "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels",
        "StopSignal", "Healthcheck",
    }
)  # fmt: skip
"""What a draft says all about: a field that it leaves out has gone."""


def _healthcheck_of(check: Healthcheck | None) -> dict[str, object] | None:
    if check is None:
        return None

    out: dict[str, object] = {
        "Test": list(check.test),
        "Interval": check.interval_ns,
        "Timeout": check.timeout_ns,
        "StartPeriod": check.start_period_ns,
        "StartInterval": check.start_interval_ns,
        "Retries": check.retries,
    }
    return {key: value for key, value in out.items() if value}


def apply(changes: Iterable[str], draft: Draft | None = None) -> Draft:
    """Carry out the changes in order, on a draft that is empty where none is given."""
    draft = draft or Draft()
    for change in changes:
        name, _, rest = change.strip().partition(" ")
        instruction = INSTRUCTIONS.get(name.upper())
        try:
            if instruction is None:
                known = ", ".join(INSTRUCTIONS)
                raise Invalid(f"{name.upper()[:40]!r} cannot change an image; these can: {known}")

            instruction(draft, rest.strip())
        except Invalid as error:
            raise Invalid(f"change {change[:80]!r}: {error.message}") from error

    return draft


def _command(rest: str) -> tuple[str, ...]:
    """The exec form is a JSON list; whatever else is a line for the shell."""
    listed = _json_list(rest)
    if listed is not None:
        return tuple(listed)

    return (*SHELL, rest) if rest else ()


def _set_cmd(draft: Draft, rest: str) -> None:
    draft.cmd = _command(rest)


def _set_entrypoint(draft: Draft, rest: str) -> None:
    draft.entrypoint = _command(rest)


def _set_env(draft: Draft, rest: str) -> None:
    draft.env.update(_pairs(draft, rest))


def _set_labels(draft: Draft, rest: str) -> None:
    draft.labels.update(_pairs(draft, rest))


def _set_user(draft: Draft, rest: str) -> None:
    draft.user = _one_word(draft, rest)


def _set_stop_signal(draft: Draft, rest: str) -> None:
    draft.stop_signal = _one_word(draft, rest)


def _set_working_dir(draft: Draft, rest: str) -> None:
    path = posixpath.join("/", draft.working_dir, _one_word(draft, rest))
    draft.working_dir = posixpath.normpath(path)


def _add_volumes(draft: Draft, rest: str) -> None:
    listed = _json_list(rest)
    paths = words.split(rest, draft.env) if listed is None else listed
    if not paths or not all(paths):
        raise Invalid("a volume needs a path")

    draft.volumes.update(paths)


def _expose(draft: Draft, rest: str) -> None:
    for word in words.split(rest, draft.env):
        match = _PORT.fullmatch(word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if match is None or not 1 <= first <= last <= 65535:
            raise Invalid(f"{word[:40]!r} is not a port or a range of them")

        draft.ports.update(f"{port}/{match[3] or 'tcp'}" for port in range(first, last + 1))


def _set_healthcheck(draft: Draft, rest: str) -> None:
    check: dict[str, object] = {}
    while (match := _OPTION.match(rest)) is not None:
        name, value = match[1], match[2]
        if name == "retries" and value.isdecimal():
            check["Retries"] = int(value)
        elif name in HEALTH_TIMES:
            check[HEALTH_TIMES[name]] = parse_ns(value)
        else:
            raise Invalid(f"--{name}={value[:40]} is no option of a health check")
        rest = rest[match.end() :]
    kind, _, command = rest.partition(" ")
    if kind.upper() == "NONE" and not command and not check:
        check["Test"] = ["NONE"]
    elif kind.upper() == "CMD" and command.strip():
        listed = _json_list(command.strip())
        check["Test"] = ["CMD-SHELL", command.strip()] if listed is None else ["CMD", *listed]
    else:
        raise Invalid("a health check is NONE, or CMD and a command")
    draft.healthcheck = check


def _pairs(draft: Draft, rest: str) -> dict[str, str]:
    """`A=1 B="two words"`, or the old form `A one value up to the end`."""
    name, blank, value = rest.partition(" ")
    if blank and "=" not in name:
        return {name: " ".join(words.split(value, draft.env))}

    pairs: dict[str, str] = {}
    for word in words.split(rest, draft.env):
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise Invalid(f"{word[:40]!r} is not NAME=VALUE")
        pairs[name] = value
    if not pairs:
        raise Invalid("NAME=VALUE is missing")

    return pairs


def _one_word(draft: Draft, rest: str) -> str:
    found = words.split(rest, draft.env)
    if len(found) != 1 or not found[0]:
        raise Invalid("it takes exactly one value")

    return found[0]


def _json_list(text: str) -> list[str] | None:
    """A JSON list of strings, or None where the text is none."""
    if not text.startswith("["):
        return None

    try:
        value = cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return None

    items = cast("list[object]", value) if isinstance(value, list) else []
    texts = [item for item in items if isinstance(item, str)]
    return texts if len(texts) == len(items) else None


HEALTH_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}

INSTRUCTIONS: dict[str, Callable[[Draft, str], None]] = {
    "CMD": _set_cmd,
    "ENTRYPOINT": _set_entrypoint,
    "ENV": _set_env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _set_healthcheck,
    "LABEL": _set_labels,
    "STOPSIGNAL": _set_stop_signal,
    "USER": _set_user,
    "VOLUME": _add_volumes,
    "WORKDIR": _set_working_dir,
}
