"""A frozen record with keyword fields: what a dataclass is, without the cost of importing one.

The command line pays for every module it loads, and `dataclasses` alone (it brings `inspect`)
costs more than all of the runtime's own code.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, dataclass_transform
else:

    def dataclass_transform(**_unused):
        return lambda decorated: decorated


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """Subclasses annotate their fields; a class attribute of that name is the default."""

    def __init__(self, **values: Any) -> None:
        kind = type(self)
        for name in kind.__annotations__:
            if name in values:
                self.__dict__[name] = values.pop(name)
            elif hasattr(kind, name):
                self.__dict__[name] = getattr(kind, name)
            else:
                raise TypeError(f"{kind.__name__} needs {name}")
        if values:
            raise TypeError(f"{kind.__name__} has no {', '.join(values)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({shown})"

    def changed(self, **values: Any) -> Any:
        """The same record with some fields replaced."""
        return type(self)(**{**self.__dict__, **values})
