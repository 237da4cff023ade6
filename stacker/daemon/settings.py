"""What the supervisor was told on its command line and in its environment."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ROOT = "/var/lib/stacker"
DEFAULT_RUN = "/run/stacker"
LAYERS = ("auto", "erofs", "directory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    root: Path
    """What lasts: images, volumes, declarations, history."""
    run: Path
    """What ends with the boot: mounts, sockets, runtime state."""
    runtime: str = "builtin"
    """``builtin``, ``crun``, ``runc`` or a path: what starts containers that name none."""
    ephemeral: bool = False
    """End when the last stack is down."""
    group: str | None = None
    """Members of this group may use the socket, which makes them as good as root."""
    registry_timeout_s: float | None = None
    """How long a registry may say nothing; None: the image driver's own patience."""
    verbose: bool = False
    insecure_registries: tuple[str, ...] = ()
    """``host[:port]`` of registries that are spoken to without TLS."""

    layers: str = "auto"
    """``auto``, ``erofs`` or ``directory``: the form that layers of images have on the disk."""

    @property
    def api(self) -> Path:
        """The socket's own directory."""
        return self.run / "api"

    @property
    def socket(self) -> Path:
        return self.api / "stacker.sock"


def parse_settings(arguments: Sequence[str]) -> Settings:
    """Read the command line of ``stacker daemon``; a usage error ends with 64."""
    parser = _Parser(
        prog="stacker daemon",
        description="Keep stacks true. Started by systemd, or by `stacker up` when none runs.",
        epilog="SIGHUP reads the stack files again. SIGTERM ends the supervisor only: "
        "containers go on, and the next supervisor takes them up.",
    )
    parser.add_argument(
        "--root",
        default=os.environ.get("STACKER_ROOT") or DEFAULT_ROOT,
        metavar="DIR",
        help="where images, volumes and declarations are kept (%(default)s; $STACKER_ROOT)",
    )
    parser.add_argument(
        "--run",
        default=os.environ.get("STACKER_RUN") or DEFAULT_RUN,
        metavar="DIR",
        help="where mounts and sockets are (%(default)s; $STACKER_RUN)",
    )
    parser.add_argument(
        "--runtime",
        default="builtin",
        metavar="NAME",
        help="builtin, crun, runc or a path: what starts containers (%(default)s)",
    )
    parser.add_argument(
        "--group", metavar="NAME", help="let this group use the socket (as good as root)"
    )
    parser.add_argument(
        "--registry-timeout",
        type=seconds,
        default=os.environ.get("STACKER_REGISTRY_TIMEOUT") or None,
        metavar="SECONDS",
        help="how long a registry may say nothing (30; $STACKER_REGISTRY_TIMEOUT)",
    )
    parser.add_argument(
        "--layers",
        type=_layers,
        default=os.environ.get("STACKER_LAYERS") or LAYERS[0],
        metavar="|".join(LAYERS),
        help="how layers of images lie on the disk: erofs, one file each, which the kernel mounts; "
        "directory, unpacked; auto, erofs where it can be mounted (%(default)s; $STACKER_LAYERS)",
    )
    parser.add_argument("--ephemeral", action="store_true", help="end when the last stack is down")
    parser.add_argument(
        "--insecure-registry",
        action="append",
        default=os.environ.get("STACKER_INSECURE_REGISTRIES", "").split(),
        metavar="HOST[:PORT]",
        help="speak plain HTTP with this registry; may be repeated ($STACKER_INSECURE_REGISTRIES, "
        "separated by blanks). Credentials are read from $REGISTRY_AUTH_FILE, and from where "
        "podman and docker keep them",
    )
    parser.add_argument("--verbose", action="store_true", help="say more on stderr")
    given = parser.parse_args(arguments)
    return Settings(
        root=Path(os.path.abspath(given.root)),
        run=Path(os.path.abspath(given.run)),
        runtime=given.runtime,
        ephemeral=given.ephemeral,
        group=given.group,
        registry_timeout_s=given.registry_timeout,
        verbose=given.verbose,
        insecure_registries=tuple(given.insecure_registry),
        layers=given.layers,
    )


def seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds


def _layers(text: str) -> str:
    if text not in LAYERS:
        raise ValueError(text)
    return text


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):  # pyright: ignore[reportUnknownParameterType] NoReturn
        self.print_usage(sys.stderr)
        self.exit(64, f"{self.prog}: {message}\n")
