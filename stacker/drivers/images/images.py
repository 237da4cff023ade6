"""The images of one state root, as the engine sees them (`engine.ports.Images`).

`find` is for the hot path and answers from memory; everything else may take its time. Within
`async with`, what has become visible is brought to the disk in the background; without it, only
when `settle` is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio import CapacityLimiter, to_thread

from stacker.base import clock
from stacker.base.errors import Invalid, NotFound, StackerError
from stacker.drivers.images import catalog
from stacker.drivers.images.collect import Collected, collect, measure
from stacker.drivers.images.import_ import import_tar
from stacker.drivers.images.keyed_locks import KeyedLocks
from stacker.drivers.images.load import load
from stacker.drivers.images.lookup import Lookup
from stacker.drivers.images.maker import Maker
from stacker.drivers.images.prune import prune
from stacker.drivers.images.pull import Pull
from stacker.drivers.images.push import push
from stacker.drivers.images.reach import Reach
from stacker.drivers.images.refetch import bring_back
from stacker.drivers.images.registry import credentials, tls, trust
from stacker.drivers.images.registry.configuration import ConfigurationFile
from stacker.drivers.images.registry.credentials import Password
from stacker.drivers.images.registry.keychain import Keychain
from stacker.drivers.images.registry.logins import Logins
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.images.registry.registries import Registries
from stacker.drivers.images.registry.uploads import CHUNK
from stacker.drivers.images.remote import Remote
from stacker.drivers.images.revive import revive
from stacker.drivers.images.shelf import Shelf
from stacker.drivers.images.sources import Source
from stacker.drivers.images.steps import step
from stacker.drivers.images.store import Store
from stacker.drivers.images.transfer import Sent
from stacker.drivers.images.workshop import Workshop
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.image import Image, LayerFormat
from stacker.oci.platform import Platform
from stacker.oci.progress import PullProgress, PullState, PushProgress
from stacker.oci.reference import Reference, parse_registry
from stacker.oci.usage import BlobPolicy, Pruned, Retention, StoreUsage

POLICIES = {
    "always": "always",
    "missing": "missing",
    "if_not_present": "missing",
    "never": "never",
}
"""`pull_policy` of the Compose Specification, with its old spelling."""


InUse = Callable[[], Collection[str]]
"""Tells what is needed, as ids, digests or full references, at the moment when it is asked."""


class Images:
    """One store, and the registries it is filled from."""

    def __init__(
        self,
        root: Path,
        *,
        registries_file: ConfigurationFile | None = None,
        insecure_registries: Iterable[str] = (),
        auth_files: Sequence[Path] | None = None,
        certificate_directories: Sequence[Path] = tls.DEFAULT_DIRECTORIES,
        realms: Mapping[str, frozenset[str]] = trust.OWN_REALMS,
        patience: Patience | None = None,
        upload_chunk: int = CHUNK,
        boot_id: str | None = None,
        layer_format: LayerFormat = LayerFormat.EROFS,
    ) -> None:
        """Open the store under `root`; cheap, and made when it is not there.

        `insecure_registries` are `host[:port]` as references write them: plain HTTP is allowed
        there. `realms` are hosts of token servers that may have a registry's credentials.
        """
        self._workshop = Workshop(
            store=Store(root, boot_id=boot_id, format=layer_format),
            threads=CapacityLimiter(os.cpu_count() or 1),
        )
        self._lookup = Lookup(self._workshop.store)
        self._logins = Logins(root)
        self._registries = Registries(
            file=registries_file,
            insecure=insecure_registries,
            keychain=Keychain(
                credentials.default_files(os.environ) if auth_files is None else auth_files,
                logins=self._logins,
            ),
            certificate_directories=certificate_directories,
            realms=realms,
            patience=patience,
            chunk=upload_chunk,
        )
        self.remote = Remote(self._registries)
        self._host = Platform.make(os="linux", architecture=os.uname().machine)
        self._reference_locks = KeyedLocks()
        self._unsettled = anyio.Event()
        self._warnings: list[str] = []
        self._opened = AsyncExitStack()
        self.shelf = Shelf(
            self._workshop, self._lookup, bring_back=self._bring_back, changed=self._unsettle
        )
        self.maker = Maker(
            self._workshop,
            self._lookup,
            host=self._host,
            bring_back=self._bring_back,
            changed=self._unsettle,
        )

    def take_warnings(self) -> tuple[str, ...]:
        """What had to be repaired since the last call."""
        store = self._workshop.store
        lost = [f"{path}: lost in a power cut" for path in store.lost]
        warnings = (*lost, *store.catalog.warnings, *self._warnings)
        for taken in (store.lost, store.catalog.warnings, self._warnings):
            taken.clear()
        return warnings

    async def find(self, reference: str, *, platform: str | None = None) -> Image | None:
        """The image with this name, digest or id, if all of it is here and runs on the platform."""
        image = self._lookup.cached(reference)
        if image is None:
            # not among the workshop's threads: a look does not wait for a layer to be unpacked
            image = await to_thread.run_sync(self._lookup.find, reference)
        if image is None or not self._platform(platform).can_run(image.config.platform):
            return None

        return image

    async def ensure(
        self,
        reference: str,
        *,
        policy: str = "missing",
        platform: str | None = None,
        stack: str | None = None,
        progress: Callable[[PullProgress], None] = lambda _: None,
    ) -> Image:
        """Have an image, pulled where the policy asks for it; with the logins of a stack first."""
        if policy not in POLICIES:
            raise Invalid(f"image {reference}: {policy!r} is no pull policy")

        image = (
            None if POLICIES[policy] == "always" else await self.find(reference, platform=platform)
        )
        if image is not None:
            progress(PullProgress(reference=image.reference, layer="", state=PullState.PRESENT))
            return image
        if POLICIES[policy] == "never":
            if image := await self._revive(reference, platform):
                return image
            raise NotFound(f"image {reference} is not here, and its pull policy is never")

        full = Reference.parse(reference)
        async with self._reference_locks.hold(str(full)):
            # who has waited for another pull of the same name is likely to find it now
            if POLICIES[policy] == "missing":
                image = await self.find(reference, platform=platform) or await self._revive(
                    reference, platform
                )
            return image or await self._pull(full, self._platform(platform), progress, stack)

    async def _revive(self, reference: str, platform: str | None) -> Image | None:
        """The image whose blobs are here though its layers are not, with its layers made."""
        entry = await to_thread.run_sync(self._lookup.entry, reference)
        if entry is None:
            return None

        with step(f"unpack {reference}"), self._workshop.pins.held() as pins:
            if not await revive(self._workshop, entry, pins):
                return None
        self._unsettled.set()
        return await self.find(reference, platform=platform)

    async def load(self, source: Source, *, platform: str | None = None) -> tuple[Image, ...]:
        """Load the images of an OCI layout (a folder or a tar) or of a docker archive."""
        name = str(source) if isinstance(source, Path) else "stream"
        with step(f"load {name}"), self._workshop.pins.held() as pins:
            wanted = self._platform(platform)
            entries = await load(self._workshop, source, platform=wanted, pins=pins)
            images = [
                await self._workshop.in_thread(self._lookup.of_entry, entry) for entry in entries
            ]
        self._unsettle()
        return tuple(images)

    async def import_tar(
        self,
        source: Source,
        *,
        reference: str,
        changes: Sequence[str] = (),
        message: str = "",
        platform: str | None = None,
        created: datetime | None = None,
    ) -> Image:
        """Make an image of a root file system's tar; `created` is now, where it is not given."""
        full = Reference.parse(reference)
        if full.digest is not None:
            raise Invalid(f"import {reference}: an image that is made here cannot be named so")

        with step(f"import {full}"), self._workshop.pins.held() as pins:
            entry = await import_tar(
                self._workshop,
                source,
                reference=full,
                changes=changes,
                message=message,
                created=created or clock.now(),
                platform=self._platform(platform),
                pins=pins,
            )
            image = await self._workshop.in_thread(self._lookup.of_entry, entry)
        self._unsettle()
        return image

    async def push(
        self,
        reference: str,
        *,
        target: str | None = None,
        progress: Callable[[PushProgress], None] = lambda _: None,
    ) -> Sent:
        """Push what has this name here, to the registry that it names or to another name.

        The bytes of the manifest stay what they are, and so does its digest.
        """
        return await push(
            self._workshop,
            self._lookup,
            self._registries,
            reference,
            target=Reference.parse(target or reference),
            progress=progress,
        )

    async def complete(
        self, reference: str, *, progress: Callable[[PullProgress], None] = lambda _: None
    ) -> tuple[Reference, ...]:
        """Have all blobs of an image that is here: those that were dropped are fetched again.

        Gives where they were fetched from; nothing when nothing was missing.
        """
        entry = await self._workshop.in_thread(self._lookup.whole_entry, reference)
        if entry is None:
            raise NotFound(f"image {reference} is not here")

        with step(f"complete {reference}"), self._workshop.pins.held() as pins:
            reach = await self._workshop.in_thread(Reach, self._workshop.store, entry)
            await pins.add(reach.digests)
            return await self._bring_back(entry, progress)

    async def _bring_back(
        self, entry: Descriptor, progress: Callable[[PullProgress], None] = lambda _: None
    ) -> tuple[Reference, ...]:
        sources = await bring_back(self._workshop, self._registries, entry, report=progress)
        if sources:
            self._unsettle()
        return sources

    async def login(
        self, registry: str, *, user: str, password: str, stack: str | None = None
    ) -> None:
        """Try a login, and keep it where the registry takes it: for all stacks, or for one."""
        domain = parse_registry(registry)
        with step(f"login to {domain}"):
            login = Password(user=user, password=password)
            kept = await self._registries.verified(domain, login)
            await self._workshop.in_thread(self._logins.keep, domain, kept, stack=stack)

    async def logout(self, registry: str, *, stack: str | None = None) -> None:
        """Forget the login for a registry."""
        domain = parse_registry(registry)
        with step(f"logout from {domain}"):
            await self._workshop.in_thread(self._logins.forget, domain, stack=stack)

    async def list(self) -> tuple[Image, ...]:
        """Every whole image, by name."""
        return await to_thread.run_sync(self._lookup.all)

    async def remove(self, *references: str, in_use: InUse = frozenset) -> Collected:
        """Take names away, or with a digest or id all names; then what nothing needs any more.

        All are looked for before the first one goes.

        `in_use` gives the ids of images that containers were made from: their layers stay.
        """
        names: set[tuple[str, Digest]] = set()
        for reference in references:
            found = await self._workshop.in_thread(self._lookup.names, reference)
            if not found:
                raise NotFound(f"image {reference} is not here")
            names |= found

        store = self._workshop.store
        await self._workshop.in_thread(
            store.catalog.remove, lambda entry: (catalog.name_of(entry), entry.digest) in names
        )
        self._unsettle()
        return await self.collect(in_use=in_use)

    async def collect(self, *, in_use: InUse = frozenset) -> Collected:
        """Remove content that no name leads to, and no image among `in_use` needs."""
        async with self._workshop.pins.frozen() as pinned:
            return await self._workshop.in_thread(
                collect, self._workshop.store, pinned=pinned, in_use=in_use()
            )

    async def usage(self, *, in_use: Collection[str] = ()) -> StoreUsage:
        """What the images take on the disk, shared and alone.

        `in_use` are ids, digests or full references: of containers, of declared services, and of
        what a rollback would need.
        """
        async with self._workshop.pins.frozen():
            return await to_thread.run_sync(partial(measure, self._workshop.store, in_use=in_use))

    async def prune(self, retention: Retention, *, in_use: InUse) -> Pruned:
        """Remove the images that the retention lets go, and all content that nothing needs then.

        What is in use stays, and is noted as used now: an image's age is the time since then. That
        is asked for when no pull can end any more: one that ended meanwhile may be in use.
        """
        if retention.blobs is not BlobPolicy.KEEP:
            # a blob goes when its layer can no longer be lost in a power cut
            await self._settle_or_warn()
        async with self._workshop.pins.frozen() as pinned:
            pruned = await self._workshop.in_thread(
                prune,
                self._workshop.store,
                retention,
                pinned=pinned,
                in_use=frozenset(in_use()),
                now=clock.now().timestamp(),
            )
        self._unsettle()
        return pruned

    async def settle(self) -> None:
        """Bring all that is visible to the disk."""
        await self._workshop.in_thread(self._workshop.store.settle)

    async def __aenter__(self) -> Self:
        self._opened.push_async_callback(self._settle_at_last)
        group = await self._opened.enter_async_context(anyio.create_task_group())
        self._opened.callback(group.cancel_scope.cancel)
        group.start_soon(self._keep_settled)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._opened.__aexit__(kind, error, traceback)

    def _unsettle(self) -> None:
        """Have what has become visible brought to the disk."""
        self._unsettled.set()

    async def _keep_settled(self) -> None:
        """Settle what a former life has left, and then after every change."""
        while True:
            self._unsettled = anyio.Event()
            await self._settle_or_warn()
            await self._unsettled.wait()

    async def _settle_at_last(self) -> None:
        """Even when cancelled: the machine may be about to go down."""
        with anyio.CancelScope(shield=True):
            await self._settle_or_warn()

    async def _settle_or_warn(self) -> None:
        try:
            await self.settle()
        except StackerError as error:
            # the images are there for as long as the machine runs; the next change tries again
            self._warnings.append(str(error))

    def _platform(self, text: str | None) -> Platform:
        return Platform.parse(text) if text else self._host

    async def _pull(
        self,
        reference: Reference,
        platform: Platform,
        progress: Callable[[PullProgress], None],
        stack: str | None,
    ) -> Image:
        here = await to_thread.run_sync(self._lookup.entry, str(reference))
        image = await self.find(str(reference), platform=str(platform)) if here else None
        with step(f"pull {reference}"), self._workshop.pins.held() as pins:
            async with self._registries.sources(reference, stack=stack) as sources:
                entry = await Pull(
                    self._workshop,
                    sources,
                    reference,
                    platform=platform,
                    patience=self._registries.patience,
                    pins=pins,
                    report=progress,
                    present=here if image else None,
                    stack=stack,
                ).run()
            image = await self._workshop.in_thread(self._lookup.of_entry, entry)
        self._unsettle()
        return image
