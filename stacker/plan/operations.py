"""What can be done: a union of frozen dataclasses, each one thing, each with its cause.

An operation is data. It prints itself (``text``) and knows nothing of how it is carried out;
``engine/perform.py`` has one function for each type here.
"""

from __future__ import annotations

from dataclasses import dataclass

from stacker.plan.network_specs import NetworkSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Base of all."""

    cause: str
    """Shown to the user as written: ``not there``, ``image changed``."""

    @property
    def text(self) -> str:
        """What is done to what, without the cause: ``create container shop-web-1``."""
        raise TypeError(type(self).__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullImage(Operation):
    reference: str
    platform: str | None = None
    policy: str = "missing"
    """``always``: ask the registry even when the image is here; ``never``: do not ask it."""

    @property
    def text(self) -> str:
        return f"pull image {self.reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNetwork(Operation):
    spec: NetworkSpec

    @property
    def text(self) -> str:
        return f"create network {self.spec.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairNetwork(Operation):
    spec: NetworkSpec

    @property
    def text(self) -> str:
        return f"repair network {self.spec.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNetwork(Operation):
    name: str

    @property
    def text(self) -> str:
        return f"remove network {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateVolume(Operation):
    key: str
    name: str

    @property
    def text(self) -> str:
        return f"create volume {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveVolume(Operation):
    name: str

    @property
    def text(self) -> str:
        return f"remove volume {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateContainer(Operation):
    """Make everything but the process: file system, network namespace, record."""

    service: str
    index: int
    name: str
    fingerprint: str

    @property
    def text(self) -> str:
        return f"create container {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartContainer(Operation):
    service: str
    index: int
    name: str
    restart: bool = False
    """An automatic restart: it counts against the policy's attempts."""

    @property
    def text(self) -> str:
        return f"{'restart' if self.restart else 'start'} container {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopContainer(Operation):
    id: str
    name: str
    service: str
    by_user: bool = False
    """It stays stopped until somebody starts it."""

    @property
    def text(self) -> str:
        return f"stop container {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveContainer(Operation):
    id: str
    name: str
    service: str

    @property
    def text(self) -> str:
        return f"remove container {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairContainer(Operation):
    """Put its network back while its process runs on."""

    id: str
    name: str
    service: str

    @property
    def text(self) -> str:
        return f"repair container {self.name}"


AnyOperation = (
    PullImage
    | CreateNetwork
    | RepairNetwork
    | RemoveNetwork
    | CreateVolume
    | RemoveVolume
    | CreateContainer
    | StartContainer
    | StopContainer
    | RemoveContainer
    | RepairContainer
)
