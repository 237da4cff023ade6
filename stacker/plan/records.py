"""What the supervisor keeps about a container and a stack, to go on after its own end.

A record is a note, not the truth: what runs is read from the kernel. It holds what the kernel
cannot know: from which declaration a container was made, and what its restart policy has counted.
Codecs are strict, so that a damaged or foreign file is set aside instead of believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

from stacker.base.errors import Corrupt
from stacker.base.id_range import IdRange
from stacker.plan.observed import Exit, Health

RECORD_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecord:
    id: str
    name: str
    stack: str
    service: str
    index: int
    fingerprint: str
    image: str
    image_id: str
    boot_id: str
    """Of the boot in which its process was started: a pid of another boot means nothing."""
    created_at: float
    layers: tuple[str, ...] = ()
    """Paths of the image's layer files, lowest first."""
    stop_signal: int = 15
    stop_grace_s: float = 10.0
    settled_s: float = 10.0
    """A process that ran this long was up: the back-off begins anew (plan.restart)."""
    joined: frozenset[str] = frozenset()
    shared_sandbox: str | None = None
    """The container whose network sandbox it uses, for ``network_mode: service:…``."""
    selinux_level: str | None = None
    """The pair of categories that is its own, where SELinux enforces."""
    ids: IdRange | None = None
    """The user and group ids that are its own; None: the host's are its ids."""
    started_at: float | None = None
    pid: int | None = None
    start_time: int | None = None
    exit: Exit | None = None
    restarts: int = 0
    failures: int = 0
    stopped_by_user: bool = False
    health: Health = Health.NONE
    health_detail: str = ""

    def after_reboot(self) -> ContainerRecord:
        """Forget a process that a reboot has ended; one that had ended before keeps its status."""
        if self.pid is None:
            return self
        return replace(self, pid=None, start_time=None, exit=None, health=Health.NONE, failures=0)

    def to_json(self) -> dict[str, object]:
        return {
            "version": RECORD_VERSION,
            **{name: getattr(self, name) for name in _PLAIN},
            "layers": list(self.layers),
            "joined": sorted(self.joined),
            "ids": None if self.ids is None else [self.ids.first, self.ids.size],
            "health": self.health.value,
            "exit": None
            if self.exit is None
            else {
                "code": self.exit.code,
                "at": self.exit.at,
                "oom": self.exit.oom,
                "signal": self.exit.signal,
            },
        }

    @classmethod
    def from_json(cls, value: object) -> ContainerRecord:
        """Check and build; raise Corrupt for anything that ``to_json`` did not write."""
        try:
            fields = dict(cast("dict[str, object]", value))
            if fields.pop("version") != RECORD_VERSION:
                raise ValueError("version")
            fields.setdefault("selinux_level", None)  # optional: version 1 began without
            plain = {name: _check(name, fields.pop(name)) for name in _PLAIN}
            ids = cast("list[int] | None", fields.pop("ids", None))  # as above
            exit_fields = cast("dict[str, object] | None", fields.pop("exit"))
            return cls(
                **plain,  # pyright: ignore[reportArgumentType] checked against _PLAIN
                layers=tuple(cast("list[str]", fields.pop("layers"))),
                joined=frozenset(cast("list[str]", fields.pop("joined"))),
                ids=IdRange(*map(int, ids)) if ids else None,
                health=Health(cast("str", fields.pop("health"))),
                exit=Exit(**exit_fields) if exit_fields else None,  # pyright: ignore[reportArgumentType]
            )
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise Corrupt(f"container record: {error}") from error


_PLAIN: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "name": (str,),
    "stack": (str,),
    "service": (str,),
    "index": (int,),
    "fingerprint": (str,),
    "image": (str,),
    "image_id": (str,),
    "boot_id": (str,),
    "created_at": (float, int),
    "stop_signal": (int,),
    "stop_grace_s": (float, int),
    "settled_s": (float, int),
    "shared_sandbox": (str, type(None)),
    "selinux_level": (str, type(None)),
    "started_at": (float, int, type(None)),
    "pid": (int, type(None)),
    "start_time": (int, type(None)),
    "restarts": (int,),
    "failures": (int,),
    "stopped_by_user": (bool,),
    "health_detail": (str,),
}


def _check(name: str, value: object) -> object:
    if not isinstance(value, _PLAIN[name]):
        raise TypeError(f"{name} is a {type(value).__name__}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRecord:
    """A declared stack, as it was last accepted."""

    name: str
    generation: int
    files: tuple[str, ...]
    working_dir: str
    environment: dict[str, str] = field(default_factory=dict[str, str])
    """Only the variables that the files refer to."""
    project: str | None = None
    profiles: tuple[str, ...] = ()
    watch: bool = False
    locked: bool = False
    stopped: frozenset[str] = frozenset()
    """Services that the user has stopped."""
    stack: dict[str, object] = field(default_factory=dict[str, object])
    """The loaded stack, ``Stack.model_dump(mode="json")``: the last good one."""
    contents: dict[str, str] = field(default_factory=dict[str, str])
    """Digests of configs and secrets, by ``configs.KEY`` and ``secrets.KEY``; never contents."""

    def to_json(self) -> dict[str, object]:
        return {
            "version": RECORD_VERSION,
            "name": self.name,
            "generation": self.generation,
            "files": list(self.files),
            "working_dir": self.working_dir,
            "environment": dict(sorted(self.environment.items())),
            "project": self.project,
            "profiles": list(self.profiles),
            "watch": self.watch,
            "locked": self.locked,
            "stopped": sorted(self.stopped),
            "stack": self.stack,
            "contents": dict(sorted(self.contents.items())),
        }

    @classmethod
    def from_json(cls, value: object) -> StackRecord:
        """Check and build; raise Corrupt for anything that ``to_json`` did not write."""
        try:
            fields = cast("dict[str, object]", value)
            if fields["version"] != RECORD_VERSION:
                raise ValueError("version")
            generation = fields["generation"]
            if not isinstance(generation, int) or not isinstance(fields["stack"], dict):
                raise TypeError("generation or stack")
            return cls(
                name=str(fields["name"]),
                generation=generation,
                files=tuple(cast("list[str]", fields["files"])),
                working_dir=str(fields["working_dir"]),
                environment=dict(cast("dict[str, str]", fields["environment"])),
                project=cast("str | None", fields["project"]),
                profiles=tuple(cast("list[str]", fields["profiles"])),
                watch=bool(fields["watch"]),
                locked=bool(fields.get("locked", False)),  # version 1 began without
                stopped=frozenset(cast("list[str]", fields["stopped"])),
                stack=cast("dict[str, object]", fields["stack"]),
                contents=dict(cast("dict[str, str]", fields["contents"])),
            )
        except (TypeError, ValueError, KeyError) as error:
            raise Corrupt(f"stack record: {error}") from error
