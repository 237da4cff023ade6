"""What variables are looked up in, and which of them were.

The environment of the caller comes before `.env`. What was taken from the environment is
remembered by name, because the supervisor loads the same files again when the caller is gone.
"""

from __future__ import annotations

from collections.abc import Mapping


class Variables:
    """A lookup over layers; values never leave it but by name."""

    def __init__(
        self,
        environment: Mapping[str, str],
        defaults: Mapping[str, str],
        fixed: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = environment
        self._defaults = defaults
        self._fixed = fixed or {}
        self._used: dict[str, str] = {}
        self._unset: dict[str, None] = {}

    def __call__(self, name: str) -> str | None:
        if name in self._fixed:
            return self._fixed[name]
        if name in self._environment:
            value = self._used[name] = self._environment[name]
            return value

        return self._defaults.get(name)

    def unset(self, name: str) -> None:
        """Hears of a variable that was put in without a value."""
        self._unset[name] = None

    def below(self, defaults: Mapping[str, str]) -> Variables:
        """The same lookup with other defaults beneath its own; both remember together."""
        return self._child({**defaults, **self._defaults}, self._fixed)

    def fixing(self, fixed: Mapping[str, str]) -> Variables:
        """The same lookup with values that nothing overrides and nobody remembers."""
        return self._child(self._defaults, {**self._fixed, **fixed})

    def _child(self, defaults: Mapping[str, str], fixed: Mapping[str, str]) -> Variables:
        child = Variables(self._environment, defaults, fixed)
        child._used, child._unset = self._used, self._unset
        return child

    @property
    def used(self) -> dict[str, str]:
        """What was taken from the environment; values of `.env` are read again."""
        return dict(sorted(self._used.items()))

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(
            f"variable {name} is not set: an empty value takes its place" for name in self._unset
        )
