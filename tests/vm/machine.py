"""The virtual machine: QEMU with an emulated processor, a root disk that forgets, and two more.

What the guest says on its virtio port is QEMU's standard output. The source tree comes as a tar on
a disk of its own, the results go back as one. There is no network.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.vm.image import Image
from tests.vm.recipe import PORT

APPEND = (
    "root=/dev/vda rw quiet loglevel=4 console=ttyS0 fsck.mode=skip panic=1 "
    "systemd.show_status=false mitigations=off"
)
RESULTS_SIZE = 64 << 20


class Late(Exception):
    """The deadline has passed."""


class Machine:
    """One run of it; `with` ends it."""

    def __init__(self, image: Image, source: Path, directory: Path) -> None:
        self.console = directory / "console.log"
        self.results = directory / "results.tar"
        with self.results.open("wb") as file:
            file.truncate(RESULTS_SIZE)
        self._process = subprocess.Popen(
            self._command(image, source),
            # held open: at its end QEMU would tell the guest that nobody listens
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(directory)},  # what the root disk is to forget
        )

    def _command(self, image: Image, source: Path) -> list[str]:
        accelerator = os.environ.get("STACKER_VM_ACCEL", "tcg,thread=multi")
        devices = (
            *_disk("root", image.root, "snapshot=on,cache=unsafe"),
            *_disk("source", source, "readonly=on"),
            *_disk("results", self.results, "cache=unsafe"),
            *("-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
            *(
                "-chardev",
                "stdio,id=report",
                "-device",
                f"virtserialport,chardev=report,name={PORT}",
            ),
            *("-serial", f"file:{self.console}"),
        )
        return [
            *("qemu-system-x86_64", "-accel", accelerator, "-cpu", "max", "-smp", "2"),
            *("-m", "4G", "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none"),
            *("-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", APPEND),
            *devices,
        ]

    def lines(self, deadline: float) -> Iterator[str]:
        """What the guest says, until it has switched itself off."""
        assert self._process.stdout is not None
        fd, rest = self._process.stdout.fileno(), b""
        while True:
            ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Late
            received = os.read(fd, 65536)
            *whole, rest = (rest + received).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace").rstrip("\r")
            if not received:
                return

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            self._process.kill()
        self._process.wait()


def _disk(name: str, path: Path, options: str) -> tuple[str, ...]:
    drive = f"id={name},file={path},format=raw,if=none,{options}"
    return ("-drive", drive, "-device", f"virtio-blk-pci,drive={name},serial={name}")
