"""The composition root: the only file that names concrete drivers."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from stacker.base.errors import StackerError
from stacker.daemon.layer_format import choose
from stacker.daemon.settings import Settings
from stacker.drivers.containers.containers import Containers
from stacker.drivers.host.apparmor import load_profile
from stacker.drivers.host.cgroups import remove_parent
from stacker.drivers.host.devices import device_nodes
from stacker.drivers.host.init_program import init_program
from stacker.drivers.host.probe import probe
from stacker.drivers.host.selinux import levels_in_use
from stacker.drivers.host.subordinate_ids import ranges_for_containers, ranges_in_use
from stacker.drivers.host.watch import watch_files
from stacker.drivers.images.images import Images
from stacker.drivers.images.registry.configuration import DEFAULT_FILE, ConfigurationFile
from stacker.drivers.images.registry.patience import Patience
from stacker.drivers.mounts.mounts import Mounts
from stacker.drivers.networks.networks import Networks
from stacker.drivers.state.files import Records
from stacker.drivers.state.history import History
from stacker.drivers.volumes.driver import Volumes
from stacker.engine.bus import Bus
from stacker.engine.containers import ContainerRecords
from stacker.engine.engine import Engine
from stacker.engine.image_mounts import ImageMounts
from stacker.engine.launch import Launcher
from stacker.engine.prepare import Preparer
from stacker.engine.tools import AT_ONCE, Tools
from stacker.oci.image import LayerFormat

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@asynccontextmanager
async def running_engine(settings: Settings) -> AsyncGenerator[Engine]:
    """Make the drivers for one state root and run the engine over them."""
    tag = tag_of(settings.root)
    boot_id = os.environ.get("STACKER_BOOT_ID") or boot_id_of_host()
    facts = probe()
    apparmor = await to_thread.run_sync(load_profile)
    state = Records(settings.root)
    state.prepare()
    history = History(settings.root / "events.sqlite")
    volumes = Volumes(root=settings.root, run=settings.run)
    mounts = Mounts(settings.run)

    async with AsyncExitStack() as opened:

        def at_the_end(step: Callable[[], Awaitable[object]]) -> None:
            """Take away what was only there to hold containers, where nothing is left to be kept.

            Also when the start fails: what a supervisor had made until then.
            """

            async def undo() -> None:
                if state.is_empty:
                    with anyio.CancelScope(shield=True):
                        await _attempt(step)

            opened.push_async_callback(undo)

        opened.callback(history.close)
        at_the_end(lambda: to_thread.run_sync(remove_parent, f"stacker-{tag}"))
        at_the_end(mounts.close)
        await mounts.prepare()
        layers = await choose(settings.layers, settings.root, mounts)
        at_the_end(volumes.release)
        volumes.prepare()
        containers = await opened.enter_async_context(
            Containers(
                root=settings.root,
                run=settings.run,
                tag=tag,
                default_runtime=settings.runtime,
                facts=facts,
            )
        )
        at_the_end(containers.shutdown)
        networks = await opened.enter_async_context(
            Networks(root=settings.root, run=settings.run, tag=tag, keep_fds=containers.fd_store)
        )
        preparer = Preparer(
            mounts=mounts,
            networks=networks,
            volumes=volumes,
            state=state,
            run=settings.run,
            facts=facts,
        )
        bus = Bus(history, now=time.time)
        tools = Tools(
            images=await opened.enter_async_context(
                Images(
                    settings.root,
                    patience=_patience(settings),
                    insecure_registries=settings.insecure_registries,
                    layer_format=layers.format,
                    registries_file=_registries_file(settings),
                )
            ),
            image_mounts=ImageMounts(mounts, run=settings.run),
            networks=networks,
            volumes=volumes,
            containers=containers,
            records=ContainerRecords(state, boot_id=boot_id),
            preparer=preparer,
            launcher=Launcher(
                preparer=preparer,
                containers=containers,
                volumes=volumes,
                facts=facts,
                cgroup_parent=f"/stacker-{tag}",
                devices=device_nodes,
                init_program=init_program(settings.root),
                apparmor_profile=apparmor.profile,
            ),
            bus=bus,
            boot_id=boot_id,
            now=time.time,
            limiter=anyio.CapacityLimiter(AT_ONCE),
            selinux_levels=levels_in_use if facts.selinux else None,
            default_runtime=settings.runtime,
            check_id_maps=partial(
                mounts.check_id_maps,
                settings.root,
                erofs=layers.format is LayerFormat.EROFS,
            ),
            ids_to_give=ranges_for_containers,
            ids_in_use=ranges_in_use,
            apparmor=str(apparmor),
            layers=str(layers),
            seals=layers.seals,
        )
        if history.warning is not None:
            bus.emit("warning", history.warning)
        if apparmor.enabled and apparmor.profile is None:
            log.warning("no AppArmor profile confines containers: %s", apparmor.reason)
            bus.emit("warning", f"no AppArmor profile confines containers: {apparmor.reason}")
        async with Engine(tools, state, watch_files=watch_files) as engine:
            yield engine


def _registries_file(settings: Settings) -> ConfigurationFile:
    named = settings.registries_file
    return ConfigurationFile(named or DEFAULT_FILE, must_exist=named is not None)


def _patience(settings: Settings) -> Patience | None:
    timeout_s = settings.registry_timeout_s
    return Patience.within(timeout_s) if timeout_s is not None else None


async def _attempt(step: Callable[[], Awaitable[object]]) -> None:
    try:
        await step()
    except (StackerError, OSError) as error:
        log.warning("end: %s", error)


def boot_id_of_host() -> str:
    return BOOT_ID.read_text().strip()


def tag_of(root: Path) -> str:
    """Six digits that tell this state root's bridges, cgroups and tables from any other's."""
    return hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:6]
