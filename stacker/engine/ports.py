"""What the engine needs of the world, as Protocols: one for each outside thing.

Drivers implement them structurally and import nothing of the engine. The types spoken here live
below both: ``plan``, ``bundle``, ``oci``, ``stack.model``, ``base``. Every method raises
``base.errors`` only.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from stacker.base.id_range import IdRange
from stacker.oci.derive import Making
from stacker.oci.descriptor import Descriptor
from stacker.oci.detail import ImageDetail, Verified
from stacker.oci.digest import Digest
from stacker.oci.image import Image
from stacker.oci.progress import PullProgress, PushProgress
from stacker.oci.reference import Reference
from stacker.oci.tree import TreeOptions
from stacker.oci.usage import Pruned, Retention, StoreUsage
from stacker.plan.container_specs import (
    ExecRequest,
    ExecResult,
    Launch,
    Process,
    ProcessExit,
    Started,
    StatsSample,
)
from stacker.plan.events import Event
from stacker.plan.network_specs import NetworkSpec, PortSpec, Sandbox, SandboxSpec
from stacker.plan.observed import ObservedNetwork, ObservedVolume
from stacker.plan.records import ContainerRecord, StackRecord
from stacker.stack.model.volume import Volume


class Shelf(Protocol):
    """Images that are here: no registry is asked."""

    async def names(self, reference: str | None = None) -> dict[str, str]:
        """Return the names that a removal of ``reference`` takes away, or all, with image ids."""
        ...

    async def asked_at(self, reference: str) -> float | None:
        """Return when the registry was last asked for a name; None: never."""
        ...

    async def tag(self, source: str, target: str) -> Image: ...

    async def detail(self, reference: str) -> ImageDetail: ...

    async def verify(self, reference: str, *, repair: Collection[str] | None = None) -> Verified:
        """``repair``: images in use, where what is damaged shall go if it can be had again."""
        ...

    async def write_layout(self, references: Sequence[str], folder: Path) -> None: ...

    def archive(self, references: Sequence[str], form: str) -> AsyncIterator[bytes]:
        """Yield a tar: ``oci`` or ``docker``; what is missing is raised before the first piece."""
        ...


class Maker(Protocol):
    """Images that are made here."""

    async def build(
        self,
        source: Path,
        *,
        reference: str,
        making: Making,
        compression: str,
        platform: str | None = None,
        options: TreeOptions,
    ) -> Image:
        """Make an image of a directory, or of a root file system's tar."""
        ...

    async def commit(
        self,
        upper: Path,
        *,
        base_id: str,
        reference: str,
        making: Making,
        compression: str,
        options: TreeOptions,
    ) -> Image:
        """Make an image of another and of what an overlay's upper directory has over it."""
        ...

    def export(self, tree: Path) -> AsyncIterator[bytes]:
        """Yield a mounted tree as a tar."""
        ...


class Sent(Protocol):
    """What a push or a copy came to."""

    @property
    def reference(self) -> str: ...

    @property
    def digest(self) -> Digest: ...

    @property
    def blobs_sent(self) -> int: ...

    @property
    def blobs_mounted(self) -> int: ...

    @property
    def blobs_present(self) -> int: ...

    @property
    def bytes_sent(self) -> int: ...


class Remote(Protocol):
    """Registries, without the store."""

    async def head(self, reference: str, *, stack: str | None = None) -> Descriptor:
        """Return what a name stands for in its registry now; nothing is fetched.

        ``stack``: whose logins come first.
        """
        ...

    async def copy(
        self,
        source: str,
        target: str,
        *,
        platform: str | None = None,
        with_referrers: bool = False,
        progress: Callable[[PushProgress], None],
    ) -> Sent: ...


class RemovedContent(Protocol):
    """What nothing needed any more."""

    @property
    def files(self) -> int: ...

    @property
    def size_bytes(self) -> int: ...


class Images(Protocol):
    @property
    def shelf(self) -> Shelf: ...

    @property
    def maker(self) -> Maker: ...

    @property
    def remote(self) -> Remote: ...

    async def push(
        self,
        reference: str,
        *,
        target: str | None = None,
        progress: Callable[[PushProgress], None],
    ) -> Sent:
        """Push what has this name here, to the registry that it names or to another name."""
        ...

    async def complete(
        self, reference: str, *, progress: Callable[[PullProgress], None]
    ) -> tuple[Reference, ...]:
        """Have all blobs of an image that is here, those that were dropped fetched again.

        Return where they were fetched from; nothing when nothing was missing.
        """
        ...

    async def remove(
        self, *references: str, in_use: Callable[[], Collection[str]] = frozenset
    ) -> RemovedContent:
        """Take names away, or all names of an id or digest, and what nothing needs any more.

        ``in_use`` gives ids, digests or full references: what they need stays.
        """
        ...

    async def find(self, reference: str, *, platform: str | None = None) -> Image | None:
        """Return the image that the store has under a reference, digest or id."""
        ...

    async def ensure(
        self,
        reference: str,
        *,
        policy: str,
        platform: str | None = None,
        stack: str | None = None,
        progress: Callable[[PullProgress], None],
    ) -> Image:
        """Have the image, pulled when the policy (``always|missing|never``) says so.

        ``stack``: whose logins come first.
        """
        ...

    async def list(self) -> tuple[Image, ...]: ...

    def take_warnings(self) -> tuple[str, ...]:
        """Return what had to be set right since the last call."""
        ...

    async def load(self, source: Path) -> tuple[Image, ...]: ...

    async def usage(self, *, in_use: Collection[str] = ()) -> StoreUsage:
        """Measure what images take; ``in_use`` are ids, digests or full references."""
        ...

    async def prune(self, retention: Retention, *, in_use: Callable[[], Collection[str]]) -> Pruned:
        """Remove what the retention lets go, and all content that nothing needs then."""
        ...

    async def import_tar(
        self, source: Path, *, reference: str, changes: Sequence[str], message: str
    ) -> Image: ...

    async def login(self, registry: str, *, user: str, password: str, stack: str | None) -> None:
        """Keep credentials for a registry, when it takes them; for all stacks, or for one."""
        ...

    async def logout(self, registry: str, *, stack: str | None) -> None: ...


class Mounts(Protocol):
    async def mount_rootfs(
        self,
        container_id: str,
        layers: Sequence[Path],
        *,
        upper: Path,
        work: Path,
        target: Path,
        label: str | None = None,
        ids: IdRange | None = None,
    ) -> None:
        """Stack the layers (lowest first) under ``upper`` at ``target``; idempotent.

        ``label``: the SELinux label that all files show; ``ids``: their owners'.
        """
        ...

    async def stands(self, target: Path, *, upper: Path) -> bool:
        """Whether something is mounted there, and its writable layer exists."""
        ...

    async def unmount_rootfs(self, target: Path) -> None: ...

    async def mount_image(self, layers: Sequence[Path], target: Path) -> None:
        """Stack the layers (lowest first) read-only at ``target``; idempotent."""
        ...

    async def unmount_image(self, target: Path) -> None: ...

    async def mount_shared_memory(self, target: Path, *, size: int) -> None:
        """Make a /dev/shm that several containers can have; idempotent."""
        ...

    async def unmount_shared_memory(self, target: Path) -> None: ...

    async def sweep(self, needed_targets: Collection[Path]) -> None:
        """Unmount what is below the run directory and no container needs."""
        ...


class Networks(Protocol):
    async def ensure(self, spec: NetworkSpec) -> ObservedNetwork: ...

    async def remove(self, name: str) -> None: ...

    async def observe(self) -> tuple[ObservedNetwork, ...]: ...

    async def attach(self, spec: SandboxSpec) -> Sandbox:
        """Make or repair a container's network namespace; idempotent."""
        ...

    async def pin_again(self, container_id: str, pid: int) -> None:
        """Name the namespace of a process that runs, where somebody has taken the name away."""
        ...

    async def detach(self, container_id: str) -> None: ...

    async def sandboxes(self) -> tuple[Sandbox, ...]: ...

    async def sweep(self, needed_ids: Collection[str]) -> None: ...

    async def check_network(self, spec: NetworkSpec) -> None:
        """Raise Conflict when its subnet overlaps with something else's."""
        ...

    async def check_ports(self, ports: Sequence[PortSpec], *, besides: Collection[str]) -> None:
        """Raise Conflict when one is taken by anything but the containers ``besides``."""
        ...

    def watch(self) -> AsyncIterator[None]:
        """Wake whenever links, addresses, routes or rules that concern us have changed."""
        ...

    async def counters(self, container_id: str) -> tuple[int, int]:
        """Return received and sent bytes, as the container sees them."""
        ...

    def resolv_conf(
        self,
        sandbox: Sandbox | None,
        *,
        dns: Sequence[str],
        search: Sequence[str],
        options: Sequence[str],
    ) -> str: ...

    def hosts(
        self,
        sandbox: Sandbox | None,
        *,
        hostname: str,
        extra_hosts: dict[str, tuple[str, ...]],
    ) -> str: ...


class Volumes(Protocol):
    async def observe(self) -> tuple[ObservedVolume, ...]: ...

    async def sizes(self) -> dict[str, int]:
        """Return what each named volume takes on the disk."""
        ...

    async def ensure(self, volume: Volume, *, stack: str, key: str) -> bool:
        """Make a named volume; True when it is new, and so may be filled."""
        ...

    async def attach(self, volume: Volume) -> Path:
        """Return where a volume's data is, mounted when its options ask for that."""
        ...

    async def fill(self, name: str, rootfs: Path, path: str, *, ids: IdRange | None = None) -> None:
        """Copy what an image holds; ``ids``: those by which the root file system is mapped."""
        ...

    async def bind_part(self, name: str, volume: Path, path: str) -> Path:
        """Hold a part of a volume in place for a mount, whatever is renamed meanwhile."""
        ...

    async def release_part(self, place: Path) -> None: ...

    async def relabel(self, path: Path, label: str, *, unless_labelled: bool) -> None:
        """Give a tree an SELinux label; ``unless_labelled``: not when its top has it."""
        ...

    async def remove(self, name: str) -> None: ...

    async def host_path(self, path: str, *, create: bool) -> Path: ...

    async def read_content(self, path: str) -> bytes: ...

    async def write_contents(
        self,
        container_id: str,
        contents: Sequence[tuple[str, bytes, int, int, int]],
        *,
        label: str | None = None,
    ) -> dict[str, str]:
        """Write configs and secrets as (target, bytes, uid, gid, mode); target → host path."""
        ...

    async def content_paths(
        self, container_id: str, targets: Sequence[str]
    ) -> dict[str, str] | None:
        """Return what ``write_contents`` returned; None where a reboot has taken the files."""
        ...

    async def remove_contents(self, container_id: str) -> None: ...

    async def read_in_root(self, rootfs: Path, path: str, *, largest: int) -> bytes | None: ...

    async def write_files(
        self, directory: Path, files: dict[str, str], *, owner: int, label: str | None = None
    ) -> None: ...

    async def remove_files(self, directory: Path) -> None: ...

    async def sweep_contents(self, kept: Collection[str]) -> None:
        """Remove the contents of whatever is not among ``kept``."""
        ...

    async def sweep_files(self, directory: Path, kept: Collection[str]) -> None:
        """Remove the directories below whose name is not among ``kept``."""
        ...


class ExecSession(Protocol):
    """A process that was started in a running container."""

    async def read(self) -> tuple[int, bytes]:
        """Return (1 stdout | 2 stderr, bytes); (0, b"") when both have ended."""
        ...

    async def write(self, content: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def resize(self, rows: int, columns: int) -> None: ...

    async def wait(self) -> int: ...

    async def aclose(self) -> None: ...


class Containers(Protocol):
    async def start(self, launch: Launch) -> Started: ...

    async def observe(self) -> dict[str, Process]: ...

    async def signal(self, container_id: str, signum: int, *, all: bool = False) -> None: ...

    async def wait(self, container_id: str) -> Process: ...

    async def delete(self, container_id: str) -> None: ...

    def exits(self) -> AsyncIterator[ProcessExit]: ...

    async def pause(self, container_id: str) -> None:
        """Keep all its processes from running, until ``resume``."""
        ...

    async def resume(self, container_id: str) -> None: ...

    async def exec(self, container_id: str, request: ExecRequest) -> ExecSession: ...

    async def run(
        self, container_id: str, args: Sequence[str], *, timeout_s: float, user: str | None = None
    ) -> ExecResult: ...

    async def stats(self, container_id: str) -> StatsSample: ...

    def logs(
        self, container_id: str, *, tail: int | None, since: float | None, follow: bool
    ) -> AsyncIterator[bytes]:
        """Yield log frames (``runtime.wire.frames``)."""
        ...


class WatchFiles(Protocol):
    def __call__(self, files: Sequence[Path]) -> AsyncGenerator[None]:
        """Wake at once, and after one of the files was saved; bursts are one wake-up."""
        ...


class State(Protocol):
    def load_stacks(self) -> tuple[StackRecord, ...]: ...

    def save_stack(self, record: StackRecord) -> None: ...

    def remove_stack(self, name: str) -> None: ...

    def load_containers(self) -> tuple[ContainerRecord, ...]: ...

    def save_container(self, record: ContainerRecord) -> None: ...

    def remove_container(self, container_id: str) -> None: ...

    def container_dir(self, container_id: str) -> Path: ...

    def container_dirs(self) -> tuple[str, ...]: ...

    def container_size(self, container_id: str) -> int:
        """Return what a container's changes and logs take on the disk; blocks."""
        ...

    def take_warnings(self) -> tuple[str, ...]: ...


class History(Protocol):
    def last_seq(self) -> int: ...

    def add(self, events: Iterable[Event]) -> None: ...

    def since(self, seq: int, *, limit: int = 10_000) -> list[Event]: ...
