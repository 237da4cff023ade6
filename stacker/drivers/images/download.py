"""Downloading blobs of one reference: resumed, verified, and tried again, here or elsewhere.

Called by pulls, and by `refetch`. What is told on the way is for whoever watches.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stacker.base import clock
from stacker.base.errors import Corrupt, StackerError, Unavailable
from stacker.drivers.images.intake import Intake
from stacker.drivers.images.provide import provide
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.images.registry.retry import retrying
from stacker.drivers.images.registry.sources import Sources
from stacker.drivers.images.workshop import Workshop
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.progress import PullProgress, PullState
from stacker.oci.reference import Reference

TOLD_EVERY_S = 0.1
"""How often a download says how far it is: each time costs the supervisor and its clients."""


class Download:
    """Blobs, from the sources of a reference into the store."""

    def __init__(
        self,
        workshop: Workshop,
        sources: Sources,
        reference: Reference,
        *,
        patience: Patience,
        report: Callable[[PullProgress], None],
    ) -> None:
        self._workshop = workshop
        self._in_thread = workshop.in_thread
        self._sources = sources
        sources.on_pass = self._passed
        self._reference = reference
        self._patience = patience
        self._report = report

    async def have(self, descriptor: Descriptor, *, diff_id: Digest | None) -> None:
        """Have a blob, and with a diff id the layer that is made of it."""
        await provide(
            self._workshop,
            descriptor,
            diff_id=diff_id,
            fill=partial(self._fetch, descriptor),
            tell=lambda state, current: self.tell(state, descriptor, current=current),
        )

    async def _fetch(self, descriptor: Descriptor, intake: Intake) -> None:
        try:
            await self._in_thread(intake.open)
            await self._download(intake, descriptor)
            return
        except Corrupt as error:
            wrong = error
        # what was wrong may be what an earlier attempt had left, or what a mirror has said
        while intake.resumed or self._sources.distrust(descriptor.digest, wrong):
            await self._in_thread(intake.restart)
            try:
                await self._download(intake, descriptor)
                return
            except Corrupt as error:
                wrong = error
        raise wrong

    async def _download(self, intake: Intake, descriptor: Descriptor) -> None:
        def on_wait(error: Unavailable, delay_s: float) -> None:
            self.waits(error, delay_s, descriptor, current=intake.position)

        await retrying(
            lambda: self._stream(intake, descriptor), patience=self._patience, on_wait=on_wait
        )
        await self._in_thread(intake.finish)

    async def _stream(self, intake: Intake, descriptor: Descriptor) -> None:
        """One request for the bytes that are still missing."""
        if intake.position == descriptor.size:
            return

        async with self._sources.blob(descriptor, offset=intake.position) as answer:
            # a server that knows no ranges sends all of it: what we have is skipped
            skip = intake.position if answer.status == 200 else 0
            self.tell(PullState.DOWNLOADING, descriptor, current=intake.position)
            told = clock.monotonic()
            async for piece in answer.pieces():
                fresh, skip = piece[skip:], max(0, skip - len(piece))
                if fresh:
                    await self._in_thread(intake.feed, fresh)
                if clock.monotonic() - told >= TOLD_EVERY_S:
                    told = clock.monotonic()
                    self.tell(PullState.DOWNLOADING, descriptor, current=intake.position)
            if intake.position < descriptor.size:
                raise Unavailable(f"it ended after {intake.position} of {descriptor.size} bytes")

    def waits(
        self,
        error: Unavailable,
        delay_s: float,
        descriptor: Descriptor | None = None,
        *,
        current: int = 0,
    ) -> None:
        """Tell why nothing comes, and when the next try is."""
        note = f"{error.message}; next try in {delay_s:.1f} s"
        self.tell(PullState.RETRYING, descriptor, current=current, note=note)

    def _passed(self, error: StackerError) -> None:
        self.tell(PullState.RETRYING, note=f"{error.message}; going on elsewhere")

    def tell(
        self,
        state: PullState,
        descriptor: Descriptor | None = None,
        *,
        current: int = 0,
        note: str = "",
    ) -> None:
        self._report(
            PullProgress(
                reference=str(self._reference),
                layer=str(descriptor.digest) if descriptor else "",
                state=state,
                current=current,
                total=descriptor.size if descriptor else 0,
                note=note,
            )
        )
