"""Configs and secrets: where their content comes from, and where a service sees it.

A content is in no model but the one the user wrote into the stack file (`Config.content`).
"""

from __future__ import annotations

from collections.abc import Mapping

from stacker.stack.model.values import Model


class Config(Model):
    """Exactly one of `file`, `content` and `environment` is set."""

    name: str
    file: str | None = None
    """An absolute path of the host."""
    content: str | None = None
    environment: str | None = None
    """The name of a variable, never its value."""
    labels: Mapping[str, str] = {}


class Secret(Model):
    """Exactly one of `file` and `environment` is set."""

    name: str
    file: str | None = None
    environment: str | None = None
    labels: Mapping[str, str] = {}


class FileMount(Model):
    """A config or a secret as a file in a container."""

    source: str
    """A key of `Stack.configs` or of `Stack.secrets`."""
    target: str
    """An absolute path in the container."""
    uid: int = 0
    gid: int = 0
    mode: int = 0o444
