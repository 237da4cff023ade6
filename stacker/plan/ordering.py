"""The order in which services start; the reverse is the order in which they stop."""

from __future__ import annotations

from stacker.stack.model.stack import Stack


def start_order(stack: Stack) -> tuple[str, ...]:
    """Sort services so that each comes after those it depends on; ties by name.

    The loader has refused cycles; a dependency that is not in the stack (a profile that is off,
    ``required: false``) is passed over.
    """
    order: list[str] = []
    placed: set[str] = set()

    def place(name: str) -> None:
        if name in placed:
            return
        placed.add(name)
        for dependency in sorted(stack.services[name].depends_on):
            if dependency in stack.services:
                place(dependency)
        order.append(name)

    for name in sorted(stack.services):
        place(name)
    return tuple(order)


def dependents(stack: Stack) -> dict[str, tuple[str, ...]]:
    """Return for each service the ones that depend on it directly, sorted."""
    return {
        name: tuple(
            other for other in sorted(stack.services) if name in stack.services[other].depends_on
        )
        for name in stack.services
    }
