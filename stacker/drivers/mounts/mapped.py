"""An overlay whose layers are shared with containers of other ids: over id-mapped copies of mounts.

Called by `tree`. Each lower layer, and the directory of the writable one, gets a mapped copy right
over itself, in a mount namespace that only the calling thread is in. The overlay made there takes
them, by the names that they have everywhere, and is taken out; the copies go with the thread. So a
kill leaves nothing, and the mount table tells the layers of a mapped overlay as of any other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from runtime.linux import mount as linux
from runtime.linux.constants import AT_FDCWD
from runtime.linux.held_namespaces import user_namespace
from runtime.linux.namespaces import CLONE_NEWNS, unshare
from stacker.base.errors import StackerError, Unsupported
from stacker.base.id_range import IdRange
from stacker.drivers.mounts.overlay import Way, mount_overlay


def mount_mapped_overlay(
    lowers: Sequence[Path],
    *,
    upper: Path,
    work: Path,
    target: Path,
    ids: IdRange,
    ways: Sequence[Way] = tuple(Way),
    label: str | None = None,
) -> Way:
    """As `mount_overlay`; what lies on the disk as 0 belongs to the first of `ids` at `target`.

    `upper` and `work` are in one directory. Unsupported where a file system cannot be mapped.
    """
    made: list[tuple[Way, int]] = []
    failed: list[OSError | StackerError] = []

    def run() -> None:
        try:
            unshare(CLONE_NEWNS)
            # what is mounted from here on stays here
            linux.mount(None, "/", None, linux.MS_REC | linux.MS_SLAVE)
            _cover(lowers, ids.mappings)
            _cover([upper.parent], ids.mappings_for_the_host)
            way = mount_overlay(
                lowers, upper=upper, work=work, target=target, ways=ways, label=label
            )
            made.append((way, linux.clone_tree(AT_FDCWD, os.fspath(target))))
        except (OSError, StackerError) as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    [(way, mounted)] = made
    try:
        linux.attach_at(mounted, os.fspath(target))
    finally:
        os.close(mounted)
    return way


def _cover(places: Sequence[Path], mappings: tuple[tuple[int, int, int], ...]) -> None:
    namespace = user_namespace(mappings)
    try:
        for place in places:
            _cover_one(place, namespace)
    finally:
        os.close(namespace)


def _cover_one(place: Path, namespace: int) -> None:
    try:
        copy = linux.clone_mapped(os.fspath(place), namespace)
    except OSError as error:
        raise Unsupported(
            f"map the ids of {place}: {error.strerror} (its file system has no id-mapped mounts)"
        ) from error
    try:
        linux.attach_at(copy, os.fspath(place))
    finally:
        os.close(copy)
