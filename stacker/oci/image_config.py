"""Image configs: how the container of an image starts, and the diff ids of its layers.

Only the documented fields are read; nothing else in a config has any effect (design 5.4).
`raw` keeps the bytes, so unknown fields survive a push.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stacker.oci.digest import Digest
from stacker.oci.fields import Fields, load_object
from stacker.oci.manifest import LAYER_LIMIT
from stacker.oci.platform import Platform

HISTORY_LIMIT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """Docker's extension. Zero durations and retries mean the default."""

    test: tuple[str, ...]
    """`("NONE",)`, `("CMD", …)` or `("CMD-SHELL", line)`."""
    interval_ns: int = 0
    timeout_ns: int = 0
    start_period_ns: int = 0
    start_interval_ns: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    created: datetime | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    created: datetime | None = None
    created_text: str = ""
    """As it is written; it may be no time at all."""
    author: str = ""
    user: str = ""
    exposed_ports: tuple[str, ...] = ()
    """`80/tcp`, as written."""
    env: tuple[str, ...] = ()
    """`NAME=value` each; entries of any other form are not taken over (CVE-2026-57231)."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    working_dir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    diff_ids: tuple[Digest, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    raw: bytes = field(default=b"", repr=False)

    @property
    def platform(self) -> Platform:
        return Platform.make(os=self.os, architecture=self.architecture, variant=self.variant)


def parse(data: bytes) -> ImageConfig:
    """Read the config of an image."""
    fields = load_object(data, what="image config")
    rootfs = fields.child("rootfs")
    if rootfs is None:
        raise fields.wrong("rootfs is missing")
    if rootfs.text("type") != "layers":
        raise rootfs.wrong("type is not layers")

    diff_ids = rootfs.digests("diff_ids")
    if len(diff_ids) > LAYER_LIMIT:
        raise rootfs.wrong(f"{len(diff_ids)} layers are more than {LAYER_LIMIT}")

    run = fields.child("config") or Fields({}, "image config.config")
    return ImageConfig(
        os=fields.text("os"),
        architecture=fields.text("architecture"),
        variant=fields.text_or_none("variant") or "",
        os_version=fields.text_or_none("os.version") or "",
        os_features=fields.texts("os.features"),
        created=_time(fields, "created"),
        created_text=fields.text_or_none("created") or "",
        author=fields.text_or_none("author") or "",
        user=run.text_or_none("User") or "",
        exposed_ports=_keys(run, "ExposedPorts"),
        env=tuple(filter(_is_assignment, run.texts("Env"))),
        entrypoint=run.texts("Entrypoint"),
        cmd=run.texts("Cmd"),
        volumes=_keys(run, "Volumes"),
        working_dir=run.text_or_none("WorkingDir") or "",
        labels=run.text_map("Labels"),
        stop_signal=run.text_or_none("StopSignal") or "",
        healthcheck=_healthcheck(run.child("Healthcheck")),
        diff_ids=diff_ids,
        history=tuple(map(_history, fields.children("history", limit=HISTORY_LIMIT))),
        raw=data,
    )


def _keys(fields: Fields, key: str) -> tuple[str, ...]:
    """A set, which Go writes as an object of empty objects."""
    child = fields.child(key)
    return child.names() if child else ()


def _is_assignment(entry: str) -> bool:
    name, equals, _ = entry.partition("=")
    return bool(name) and bool(equals) and "\0" not in entry


def _healthcheck(fields: Fields | None) -> Healthcheck | None:
    if fields is None:
        return None

    test = fields.texts("Test")
    if not test:
        return None

    def positive(key: str) -> int:
        return max(0, fields.integer_or_none(key) or 0)

    return Healthcheck(
        test=test,
        interval_ns=positive("Interval"),
        timeout_ns=positive("Timeout"),
        start_period_ns=positive("StartPeriod"),
        start_interval_ns=positive("StartInterval"),
        retries=positive("Retries"),
    )


def _history(fields: Fields) -> HistoryEntry:
    return HistoryEntry(
        created=_time(fields, "created"),
        created_by=fields.text_or_none("created_by") or "",
        author=fields.text_or_none("author") or "",
        comment=fields.text_or_none("comment") or "",
        empty_layer=fields.flag("empty_layer"),
    )


def _time(fields: Fields, key: str) -> datetime | None:
    """RFC 3339, or None: a time decides nothing, so a bad one is no reason to refuse an image."""
    text = fields.text_or_none(key)
    if not text:
        return None

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None

    return moment if moment.tzinfo else None
