"""The driver: root file systems mounted, layers shared, leftovers swept.

Called by the engine. Everything lives below the run directory, which is made a private mount first
so that nothing of it spreads to other namespaces and theirs do not hold ours busy. Each operation
is some system calls of about a millisecond in all, done in a thread because a layer's first block
may have to come from a disk; one at a time, so that a layer is not taken away while another
container is about to use it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from stacker.base.errors import Denied, Failed
from stacker.base.id_range import IdRange
from stacker.drivers.mounts.erofs import Method
from stacker.drivers.mounts.overlay import Way
from stacker.drivers.mounts.probe import probe
from stacker.drivers.mounts.probe_id_maps import probe_id_maps
from stacker.drivers.mounts.tree import MountTree, stands

T = TypeVar("T")


class Mounts:
    """The mounts below one run directory."""

    def __init__(
        self,
        run: Path,
        *,
        methods: Sequence[Method] = tuple(Method),
        ways: Sequence[Way] = tuple(Way),
    ) -> None:
        """`methods` and `ways` are tried in their order; fewer stand for an older kernel."""
        self._run = run
        self._methods = tuple(methods)
        self._tree = MountTree(run, methods, ways)
        self._lock = anyio.Lock()
        self._prepared = False
        self._maps_ids = False

    async def prepare(self) -> None:
        """Makes the run directory a private mount; called by the others when need be."""
        async with self._lock:
            await self._prepare()

    async def close(self) -> None:
        """Takes the run directory's own mount away, if nothing is left below it."""
        async with self._lock:
            await self._do(f"release {self._run}", self._tree.release)
            self._prepared = False

    async def probe(self, directory: Path | None = None) -> Method:
        """How layers that lie in `directory` can be mounted; Unsupported when not at all."""
        async with self._lock:
            await self._prepare()
            where = directory or self._run
            return await self._do(
                f"probe EROFS in {where}", lambda: probe(where, self._run, self._methods)
            )

    async def check_id_maps(self, directory: Path, *, erofs: bool) -> None:
        """Raises Unsupported where `ids` cannot be mapped; `directory` is on the disk they lie on.

        `erofs`: layers are EROFS files, not directories. Asked once, if the answer is yes.
        """
        async with self._lock:
            await self._prepare()
            if not self._maps_ids:
                await self._do(
                    f"probe id-mapped mounts in {directory}",
                    lambda: probe_id_maps(
                        directory,
                        self._run,
                        erofs=erofs,
                        mount=self._tree.mount,
                        unmount=self._tree.unmount,
                    ),
                )
                self._maps_ids = True

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
        """Stacks the layers (lowest first) under `upper` at `target`; idempotent.

        `upper` and `work`, on one file system, are made when they do not exist; a new `upper` gets
        the owner and mode of the image's root directory. `label` is what SELinux sees on all files.
        What lies on the disk as owned by 0, 1 … belongs to `ids` there, the host's where None.
        """
        async with self._lock:
            await self._prepare()
            await self._do(
                f"container {container_id}: mount the root file system",
                lambda: self._tree.mount(layers, upper, work, target, label=label, ids=ids),
            )

    async def stands(self, target: Path, *, upper: Path) -> bool:
        """Whether something is mounted there, and its writable layer exists. Two look-ups."""
        return stands(target, upper)

    async def unmount_rootfs(self, target: Path) -> None:
        """Unmounts it, and the layers that no other container uses; no error when not mounted."""
        async with self._lock:
            await self._do(f"unmount {target}", lambda: self._tree.unmount(target))

    async def mount_image(self, layers: Sequence[Path], target: Path) -> None:
        """Stacks the layers (lowest first) read-only at `target`; idempotent."""
        async with self._lock:
            await self._prepare()
            await self._do(
                f"mount an image at {target}", lambda: self._tree.mount_image(layers, target)
            )

    async def unmount_image(self, target: Path) -> None:
        """Unmounts it, and the layers that nothing else uses; no error when not mounted."""
        async with self._lock:
            await self._do(f"unmount {target}", lambda: self._tree.unmount_image(target))

    async def mount_shared_memory(self, target: Path, *, size: int) -> None:
        """A /dev/shm for several containers; idempotent."""
        async with self._lock:
            await self._prepare()
            await self._do(
                f"mount shared memory at {target}",
                lambda: self._tree.mount_shared_memory(target, size),
            )

    async def unmount_shared_memory(self, target: Path) -> None:
        """Unmounts it; no error when there is none, as most containers have none."""
        async with self._lock:
            await self._do(f"unmount {target}", lambda: self._tree.unmount_shared_memory(target))

    async def sweep(self, needed_targets: Collection[Path]) -> None:
        """Unmounts what is not needed at its target, and the layers then unused."""
        needed = frozenset(needed_targets)
        async with self._lock:
            await self._prepare()
            await self._do(f"sweep {self._run}", lambda: self._tree.sweep(needed))

    async def _prepare(self) -> None:
        if not self._prepared:
            await self._do(f"prepare {self._run}", self._tree.prepare)
            self._prepared = True

    @staticmethod
    async def _do(what: str, step: Callable[[], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(step)
        except PermissionError as error:
            raise Denied(f"{what}: {error.strerror}") from error
        except OSError as error:
            raise Failed(f"{what}: {error.strerror}") from error
