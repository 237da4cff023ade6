"""The life of a service: `restart`, `depends_on`, `healthcheck`, `logging`, `deploy`."""

from __future__ import annotations

import re
from typing import Any

from stacker.stack.load.canonical.decode import (
    Table,
    choice,
    fields,
    list_of,
    map_of,
    refuse,
    text_of,
)
from stacker.stack.load.canonical.scalars import (
    boolean,
    duration,
    integer,
    probe_duration,
    size,
    string,
)
from stacker.stack.load.tree import At, ListNode, Scalar
from stacker.stack.model import Dependency, Healthcheck, Logging, RestartPolicy

_RESTART = choice("no", "always", "on-failure", "unless-stopped", also={"false": "no"})
_ON_FAILURE = re.compile(r"on-failure:([0-9]{1,9})")


def restart(at: At) -> RestartPolicy:
    match = _ON_FAILURE.fullmatch(text_of(at))
    if match:
        # Docker reads 0 as "without end"
        return RestartPolicy(condition="on-failure", max_attempts=int(match[1]) or None)

    return RestartPolicy.model_validate({"condition": _RESTART(at)})


_DEPENDENCY: Table = {
    "condition": choice("service_started", "service_healthy", "service_completed_successfully"),
    "required": boolean,
    "restart": boolean,
}


def depends_on(at: At) -> dict[str, Dependency]:
    if isinstance(at.node, ListNode):
        return {name: Dependency() for name in list_of(string)(at)}

    return map_of(_dependency)(at)


def _dependency(at: At) -> Dependency:
    return Dependency(**({} if at.is_null else fields(at, _DEPENDENCY)))


def _test(at: At) -> tuple[str, ...]:
    if isinstance(at.node, Scalar):
        return ("CMD-SHELL", text_of(at))

    words = list_of(text_of)(at)
    if not words or words[0] not in ("NONE", "CMD", "CMD-SHELL"):
        refuse(at, "the list begins with CMD, CMD-SHELL or NONE")
    if (words[0] == "NONE") != (len(words) == 1):
        refuse(at, "NONE stands alone" if words[0] == "NONE" else f"{words[0]} without a command")

    return words


HEALTHCHECK: Table = {
    "test": _test,
    "interval": probe_duration,
    "timeout": probe_duration,
    "retries": integer(0, 1_000_000),
    "start_period": duration,
    "start_interval": probe_duration,
    "disable": boolean,
}


def healthcheck(at: At) -> Healthcheck:
    found = fields(at, HEALTHCHECK)
    if found.get("disable") or found.get("test") == ("NONE",):
        return Healthcheck(disable=True)

    # in Docker 0 asks for what the image says, or the default
    return Healthcheck(**{key: value for key, value in found.items() if value or key == "test"})


_LOG_OPTIONS: Table = {"max-size": size, "max-file": integer(1, 10_000)}
_LOGGING: Table = {
    "driver": choice("local", "none", also={"json-file": "local"}),
    "options": lambda at: fields(at, _LOG_OPTIONS),
}


def logging(at: At) -> Logging:
    found = fields(at, _LOGGING)
    options: dict[str, Any] = found.pop("options", {})
    if options.get("max-size") == 0:
        refuse(at, "max-size 0 would keep no output: use driver none")

    return Logging(**found, **{key.replace("-", "_"): value for key, value in options.items()})


_POLICY: Table = {
    "condition": choice("no", "on-failure", "always", also={"none": "no", "any": "always"}),
    "delay": duration,
    "max_attempts": integer(0, 1_000_000_000),
    "window": duration,
}


def deploy_restart_policy(at: At) -> RestartPolicy:
    """The specification's defaults: any, and attempts without end."""
    found: dict[str, Any] = {"condition": "always", **fields(at, _POLICY)}
    if found["condition"] == "no" and "max_attempts" in found:
        refuse(at, f"max_attempts {found['max_attempts']} with a condition that never restarts")
    found["max_attempts"] = found.get("max_attempts") or None
    return RestartPolicy(**found)
