"""The contents of configs and secrets: gathered when a stack is accepted, kept in memory.

A content from a file is read again for each container that is made; one from a variable of the
caller's environment is put on the contents tmpfs, where it outlives the supervisor but not the
host's boot. Only digests are stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from stacker.base.errors import Invalid, NotFound, StackerError
from stacker.base.id_range import IdRange
from stacker.engine.ports import Volumes
from stacker.stack.model.files import Config, Secret
from stacker.stack.model.service import Service
from stacker.stack.model.stack import Stack

Source = Config | Secret


def place_of(stack: str) -> str:
    """Where on the contents tmpfs the values of a stack lie."""
    return f"values-{stack}"


def sources(stack: Stack) -> dict[str, Source]:
    """Return every declared config and secret, by ``configs.KEY`` and ``secrets.KEY``."""
    return {
        **{f"configs.{key}": config for key, config in sorted(stack.configs.items())},
        **{f"secrets.{key}": secret for key, secret in sorted(stack.secrets.items())},
    }


def used(service: Service) -> tuple[str, ...]:
    return (
        *(f"configs.{mount.source}" for mount in service.configs),
        *(f"secrets.{mount.source}" for mount in service.secrets),
    )


class Contents:
    """Contents of one stack."""

    def __init__(self, volumes: Volumes, stack: Stack) -> None:
        self._volumes = volumes
        self._stack = stack
        self._place = place_of(stack.name)
        self._sources = sources(stack)

    async def keep(self, environment: Mapping[str, str]) -> None:
        """Keep what comes from the environment: the declaration is accepted."""
        values = await self._values(environment)
        await self._volumes.write_contents(
            self._place, [(key, value, 0, 0, 0o400) for key, value in values.items()]
        )

    async def digests(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the digest of each used content, and keep nothing."""
        values = await self._values(environment)
        needed = {key for service in self._stack.services.values() for key in used(service)}
        return {
            key: hashlib.sha256(
                key.encode() + b"\0" + (values[key] if key in values else await self.read(key))
            ).hexdigest()
            for key in sorted(needed)
        }

    async def _values(self, environment: Mapping[str, str]) -> dict[str, bytes]:
        """Return what comes from the environment; what was kept where the caller has none now."""
        values: dict[str, bytes] = {}
        for key, source in self._sources.items():
            if source.environment is None:
                continue
            value = environment.get(source.environment)
            if value is not None:
                values[key] = value.encode()
                continue
            try:
                values[key] = await self._from_environment(key)
            except NotFound as error:
                raise Invalid(
                    f"{key}: the environment variable {source.environment} is not set"
                ) from error
        return values

    async def read(self, key: str) -> bytes:
        """Return one content; the error names the config or secret."""
        source = self._sources[key]
        try:
            if isinstance(source, Config) and source.content is not None:
                return source.content.encode()
            if source.file is not None:
                return await self._volumes.read_content(source.file)
            return await self._from_environment(key)
        except StackerError as error:
            raise type(error)(f"{key}: {error.message}", where=error.where) from error

    async def _from_environment(self, key: str) -> bytes:
        paths = await self._volumes.content_paths(self._place, (key,))
        if paths is None:
            raise NotFound(
                f"its value came from the environment of `stacker up` and is not kept over a"
                f" reboot: run `stacker up` for {self._stack.name} again"
            )
        return await self._volumes.read_content(paths[key])

    async def forget(self) -> None:
        await self._volumes.remove_contents(self._place)

    async def files(
        self, service: Service, ids: IdRange | None
    ) -> tuple[tuple[str, bytes, int, int, int], ...]:
        """Return a service's configs and secrets as (target, bytes, uid, gid, mode).

        Owners are the host's; ``ids`` are those of the container.
        """
        mounts = [
            *(("configs", mount) for mount in service.configs),
            *(("secrets", mount) for mount in service.secrets),
        ]
        return tuple(
            [
                (
                    mount.target,
                    await self.read(f"{kind}.{mount.source}"),
                    mount.uid if ids is None else ids.outside(mount.uid),
                    mount.gid if ids is None else ids.outside(mount.gid),
                    mount.mode,
                )
                for kind, mount in mounts
            ]
        )
