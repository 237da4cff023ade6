"""The facade that the engine sees: ``engine.ports.Volumes``. Blocking work goes to a thread."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from anyio import to_thread

from stacker.base.id_range import IdRange
from stacker.drivers.volumes import inside, texts, volumes
from stacker.drivers.volumes.contents import ContentFile, ContentFiles, read_content
from stacker.drivers.volumes.relabel import relabel
from stacker.drivers.volumes.subpaths import Subpaths
from stacker.drivers.volumes.volumes import NamedVolumes
from stacker.plan.observed import ObservedVolume
from stacker.stack.model.volume import Volume


class Volumes:
    def __init__(self, *, root: Path, run: Path) -> None:
        self._named = NamedVolumes(root)
        self._contents = ContentFiles(run)
        self._subpaths = Subpaths(run)

    def prepare(self) -> None:
        """Make the directories and the tmpfs for contents."""
        self._named.prepare()
        self._contents.prepare()
        self._subpaths.prepare()

    async def release(self) -> None:
        """Take away what a supervisor without containers need not leave behind."""
        self._contents.release()

    async def observe(self) -> tuple[ObservedVolume, ...]:
        return self._named.observe()

    async def sizes(self) -> dict[str, int]:
        """What each named volume takes on the disk."""
        return await to_thread.run_sync(self._named.sizes)

    async def ensure(self, volume: Volume, *, stack: str, key: str) -> bool:
        return self._named.ensure(volume, stack=stack, key=key)

    async def attach(self, volume: Volume) -> Path:
        # mounting may hang on a dead NFS server
        return await to_thread.run_sync(self._named.attach, volume)

    async def fill(self, name: str, rootfs: Path, path: str, *, ids: IdRange | None = None) -> None:
        await to_thread.run_sync(partial(self._named.fill, name, str(rootfs), path, ids=ids))

    async def bind_part(self, name: str, volume: Path, path: str) -> Path:
        try:
            return await to_thread.run_sync(self._subpaths.bind, name, volume, path)
        except OSError as error:
            raise volumes.translate(error, f"bind {path} of volume {volume}") from error

    async def release_part(self, place: Path) -> None:
        await to_thread.run_sync(self._subpaths.release, place)

    async def relabel(self, path: Path, label: str, *, unless_labelled: bool) -> None:
        try:
            await to_thread.run_sync(
                partial(relabel, str(path), label, unless_labelled=unless_labelled)
            )
        except OSError as error:
            raise volumes.translate(error, f"selinux: label {path}") from error

    async def remove(self, name: str) -> None:
        await to_thread.run_sync(self._named.remove, name)

    async def host_path(self, path: str, *, create: bool) -> Path:
        # the source may lie on a file system whose server is gone
        return await to_thread.run_sync(partial(volumes.host_path, path, create=create))

    async def read_content(self, path: str) -> bytes:
        return await to_thread.run_sync(read_content, path)

    async def write_contents(
        self,
        container_id: str,
        contents: Sequence[tuple[str, bytes, int, int, int]],
        *,
        label: str | None = None,
    ) -> dict[str, str]:
        files = tuple(
            ContentFile(target=target, content=content, uid=uid, gid=gid, mode=mode)
            for target, content, uid, gid, mode in contents
        )
        try:
            return self._contents.write(container_id, files, label=label)
        except OSError as error:
            raise volumes.translate(error, "write configs and secrets") from error

    async def content_paths(
        self, container_id: str, targets: Sequence[str]
    ) -> dict[str, str] | None:
        return self._contents.paths(container_id, tuple(targets))

    async def remove_contents(self, container_id: str) -> None:
        self._contents.remove(container_id)

    async def sweep_contents(self, kept: Collection[str]) -> None:
        """Remove the contents of whatever is not among ``kept``."""
        self._contents.sweep(kept)

    async def read_in_root(self, rootfs: Path, path: str, *, largest: int) -> bytes | None:
        try:
            return inside.read_in_root(str(rootfs), path, largest=largest)
        except OSError as error:
            raise volumes.translate(error, f"read {path} in the image") from error

    async def write_files(
        self, directory: Path, files: dict[str, str], *, owner: int, label: str | None = None
    ) -> None:
        """Write small text files that a container mounts: hosts, hostname, resolv.conf."""
        texts.write(directory, files, owner=owner, label=label)

    async def remove_files(self, directory: Path) -> None:
        shutil.rmtree(directory, ignore_errors=True)

    async def sweep_files(self, directory: Path, kept: Collection[str]) -> None:
        """Remove the directories below whose name is not among ``kept``."""
        texts.sweep(directory, kept)
