"""The driver's records in memory: the value that counts, its file, and the names that follow."""

from __future__ import annotations

from pathlib import Path

from stacker.drivers.networks import store
from stacker.drivers.networks.coalesce import Coalesced
from stacker.drivers.networks.dns_names import Names, index
from stacker.drivers.networks.records import Records
from stacker.drivers.networks.workers import Workers


class Memory:
    """``records`` is replaced by whoever changes something, with no await in between."""

    def __init__(self, path: Path, workers: Workers) -> None:
        self.records = Records()
        self._path = path
        self._workers = workers
        self._indexed: Records | None = None
        self._names = Names()
        self.save = Coalesced(self._save)

    async def load(self) -> None:
        self.records = await self._workers("network state", store.load, self._path)

    def names(self) -> Names:
        """The name server's index of the records as they are now."""
        if self._indexed is not self.records:
            self._indexed, self._names = self.records, index(self.records)
        return self._names

    async def _save(self) -> None:
        await self._workers("network state: save", store.save, self._path, self.records)
