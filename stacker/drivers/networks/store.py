"""The driver's state file: one JSON document in the run directory.

It lives as long as the kernel objects that it describes: until the next boot. A file that cannot
be read is renamed to ``NAME.corrupt`` and never stops the start.
"""

from __future__ import annotations

import logging
from pathlib import Path

from stacker.base import atomic
from stacker.drivers.networks.records import Records, from_json, to_json

log = logging.getLogger(__name__)

LARGEST = 64 * 1024 * 1024
DAMAGES = (OSError, ValueError, TypeError, KeyError, AttributeError)
"""What reading a file that is not ours, or not whole, can raise."""


def load(path: Path) -> Records:
    """What was saved last; nothing when there is no file or it is damaged."""
    try:
        with path.open("rb") as file:
            return from_json(file.read(LARGEST))
    except FileNotFoundError:
        return Records()
    except DAMAGES as error:
        log.warning("network state %s: %s: set aside", path, error)
        path.replace(path.with_name(f"{path.name}.corrupt"))
        return Records()


def save(path: Path, records: Records) -> None:
    """Replace the file; whole after a crash of this process."""
    atomic.write_atomic(path, to_json(records), durable=False)
