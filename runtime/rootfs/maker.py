"""Which of the two ways mounts are made in: found out once a container, by asking the kernel."""

from __future__ import annotations

from runtime.linux.mount import has_detached_mounts
from runtime.rootfs.classic import Classic
from runtime.rootfs.detached import Detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Maker: TypeAlias = Detached | Classic


def choose_maker() -> Maker:
    return Detached() if has_detached_mounts() else Classic()
