"""Having one blob and its layer in the store, by whatever way is the shortest.

Called by pulls and loads. One of them does the work, the others that want the same blob wait and
find it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from stacker.drivers.images.intake import Intake
from stacker.drivers.images.unpack import unpack
from stacker.drivers.images.workshop import Workshop
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.progress import PullState


async def provide(
    workshop: Workshop,
    descriptor: Descriptor,
    *,
    diff_id: Digest | None,
    fill: Callable[[Intake], Awaitable[None]],
    tell: Callable[[PullState, int], None],
) -> None:
    """Have a blob, and with a diff id its layer; `fill` feeds the bytes where they are missing."""
    store = workshop.store
    async with workshop.blob_locks.hold(str(descriptor.digest)):
        blob_here = store.has_blob(descriptor)
        layer_here = diff_id is None or store.unpacked.get(diff_id) is not None
        if blob_here and layer_here:
            tell(PullState.PRESENT, descriptor.size)
            return

        if blob_here and diff_id is not None:
            tell(PullState.UNPACKING, 0)
            await workshop.in_thread(unpack, store, descriptor, diff_id)
        else:
            intake = Intake(store, descriptor, diff_id=None if layer_here else diff_id)
            try:
                await fill(intake)
            except BaseException as error:
                await workshop.clean_up(intake.abandon, error)
                raise
        tell(PullState.DONE, descriptor.size)
