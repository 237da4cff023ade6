"""What is allowed in a stack file, and yet probably not what its author thinks. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from stacker.stack.load.canonical import Draft
from stacker.stack.model import Stack


def warnings_of(stack: Stack, draft: Draft) -> Iterator[str]:
    for key, service in stack.services.items():
        mode = service.network_mode
        if service.ports and mode in ("host", "none"):
            yield f"services.{key}.ports: nothing is published with network_mode {mode}"
        if draft.services[key].bridge_mode:
            yield f"services.{key}.network_mode: bridge is the stack's default network here"
