"""A supervisor that always says the same: the client's methods that the dashboard calls.

``test_screens`` holds the signatures against the real client's.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

from runtime.wire import frames
from stacker.base.errors import NotFound, Unavailable
from stacker.wire.log_stream import LogRecord
from stacker.wire.replies import (
    AddressRow,
    ContainerRow,
    Containers,
    EventLine,
    PortRow,
    ServiceRow,
    StackRow,
    Stacks,
    Stats,
    StatsRow,
)
from stacker.wire.requests import ServicesRequest

NOW = 1_790_000_000.0
MIB = 1 << 20
EVIL = "[red]no markup[/red] \x1b]0;title\x07 \u202edrow"


def container(stack: str, service: str, index: int = 1, **more: object) -> ContainerRow:
    fields: dict[str, object] = {
        "id": f"{stack}{service}{index}".encode().hex().ljust(64, "0"),
        "name": f"{stack}-{service}-{index}",
        "stack": stack,
        "service": service,
        "index": index,
        "image": "docker.io/library/busybox:1.36",
        "status": "running",
        "pid": 4000 + index,
        "created_at": NOW - 3700,
        "started_at": NOW - 3600,
    }
    return ContainerRow(**{**fields, **more})  # pyright: ignore[reportArgumentType]


CONTAINERS = (
    container(
        "shop",
        "web",
        1,
        health="healthy",
        health_detail="index.html saved",
        ports=(PortRow(target=80, published=8080, protocol="tcp", host_ip="0.0.0.0"),),
        addresses=(AddressRow(network="shop_front", ipv4_address="10.89.0.2"),),
    ),
    container("shop", "web", 2, health="starting", started_at=NOW - 3),
    container("shop", "mailer", health="unhealthy", health_detail="no route to host", restarts=4),
    container("shop", "migrate", status="exited", exit_code=0, exited_at=NOW - 3500),
    container(
        "blog",
        "db",
        status="exited",
        exit_code=137,
        oom=True,
        exited_at=NOW - 2,
        restarts=2,
        next_at=NOW + 3,
    ),
    container("blog", "cache", image=EVIL),
)

SERVICE_LINES = {
    "cache": (b"ready\n", b"\x1b[32mgreen\x1b[0m and " + EVIL.encode() + b"\n", b"GET a\n" * 40),
}
DEFAULT_LINES = (b"listening on 80\n", b"a request: 200\n", b"a request: 404\n")


class Held:
    """Items, and then silence until it is closed."""

    def __init__(self, items: list[object], *, follow: bool) -> None:
        self._items = items
        self._follow = follow
        self._closed = Event()

    def __iter__(self) -> Iterator[object]:
        yield from self._items
        if self._follow:
            self._closed.wait()

    def close(self) -> None:
        self._closed.set()


class Done:
    def result(self) -> dict[str, object]:
        return {}


class FixedSupervisor:
    path = "/run/stacker/api/stacker.sock"
    version = "0.1.0"

    def __init__(self, containers: tuple[ContainerRow, ...] = CONTAINERS) -> None:
        self._containers = containers
        self._samples = 0
        self.is_away = False
        self.asked: list[tuple[str, str, tuple[str, ...]]] = []

    def containers(self, stack: str | None = None) -> Containers:
        if self.is_away:
            raise Unavailable(f"{self.path}: no supervisor answers: Connection refused")
        return Containers(now=NOW, containers=self._containers)

    def stats(self, stack: str | None = None) -> Stats:
        """Two samples a second apart, and then always the second."""
        self._samples = min(self._samples + 1, 2)
        return Stats(rows=tuple(map(self._usage, self._containers)))

    def _usage(self, row: ContainerRow) -> StatsRow:
        number = self._samples
        weight = len(row.service)
        return StatsRow(
            container_id=row.id,
            container=row.name,
            stack=row.stack,
            service=row.service,
            at=float(number),
            cpu_ns=number * weight * 20_000_000,
            memory_bytes=weight * 10 * MIB,
            memory_limit_bytes=64 * MIB if row.service == "mailer" else None,
            memory_peak_bytes=weight * 11 * MIB,
            pids=weight,
            pids_limit=2048,
            read_bytes=0,
            write_bytes=4096,
            received_bytes=number * 1500,
            sent_bytes=number * 700,
        )

    def stacks(self) -> Stacks:
        services = (ServiceRow(name="db", image="db:1", replicas=1, running=0, healthy=0),)
        blog = StackRow(
            name="blog",
            desired="up",
            generation=3,
            in_sync=False,
            working_dir="/srv/blog",
            files=("/srv/blog/stack.yaml",),
            problems=("start container blog-db-1: out of memory",),
            services=services,
        )
        return Stacks(stacks=(blog,))

    def inspect(self, stack: str, name: str) -> dict[str, object]:
        if name not in [row.name for row in self._containers]:
            raise NotFound(f"stack {stack} has no container {name}")
        return {
            "image_id": "sha256:" + "ab" * 32,
            "declared": {
                "command": ["httpd", "-f", "-h", "/srv/my files"],
                "healthcheck": {"test": ["CMD", "wget", "http://127.0.0.1/"]},
                "cpus": 0.5,
                "mem_limit": 64 * MIB,
                "read_only": True,
                "volumes": [{"type": "volume", "source": "data", "target": "/data"}],
            },
        }

    def events(
        self, *, since: int | None = None, follow: bool = False, stack: str | None = None
    ) -> Held:
        happened = (
            ("container.start", "shop-web-1", "shop-web-1 runs", {}),
            ("container.health", "shop-mailer-1", EVIL, {"health": "unhealthy"}),
            ("container.exit", "blog-db-1", "blog-db-1 was killed: out of memory", {}),
            ("step.failed", "", "start container blog-db-1: no space left", {}),
        )
        events: list[object] = [
            EventLine(
                seq=number,
                time=NOW - 60 + number,
                kind=kind,
                stack="blog",
                service="",
                container=name,
                message=message,
                attributes=attributes,
            )
            for number, (kind, name, message, attributes) in enumerate(happened, 1)
            if number > (since or 0)
        ]
        return Held(events, follow=follow)

    def logs(
        self,
        stack: str,
        services: tuple[str, ...] = (),
        *,
        tail: int | None = None,
        since: float | None = None,
        follow: bool = False,
    ) -> Held:
        records: list[object] = []
        # one after the other: the order of lines is the same in however many parts they arrive
        for position, row in enumerate(self._containers):
            if row.stack != stack or (services and row.service not in services):
                continue
            content = b"".join(
                frames.build(int(NOW + 60 * position + number) * 10**9, frames.STDOUT, line)
                for number, line in enumerate(SERVICE_LINES.get(row.service, DEFAULT_LINES))
            )
            record = LogRecord(container=row.name, service=row.service, length=len(content))
            records.append((record, content))
        return Held(records, follow=follow)

    def stop(self, stack: str, wanted: ServicesRequest) -> Done:
        return self._ask("stop", stack, wanted)

    def start(self, stack: str, wanted: ServicesRequest) -> Done:
        return self._ask("start", stack, wanted)

    def restart(self, stack: str, wanted: ServicesRequest) -> Done:
        return self._ask("restart", stack, wanted)

    def _ask(self, verb: str, stack: str, wanted: ServicesRequest) -> Done:
        self.asked.append((verb, stack, wanted.services))
        return Done()
