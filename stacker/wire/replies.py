"""What the supervisor answers: facts, never text that is already laid out for a screen."""

from __future__ import annotations

from stacker.wire.message import Json, Message, Scalar


class Problem(Message):
    """Why a request was not carried out; the body of every answer that is not 2xx."""

    kind: str
    """``base.errors.StackerError.kind``: ``invalid``, ``not-found``, ``conflict`` …"""
    message: str
    where: str | None = None
    """Where in the user's input: ``stack.yaml:12: services.web.ports[0]``."""
    exit_code: int | None = None
    """Of a command that could not be run: 127 when it is not there, 126 when it is no program."""


class EventLine(Message):
    """``plan.events.Event``, one line of a stream."""

    seq: int
    time: float
    kind: str
    stack: str
    service: str
    container: str
    message: str
    attributes: dict[str, Scalar]


class UpReply(Message):
    stack: str
    generation: int
    since: int
    """Number of the last event before this ``up``: follow from here."""
    warnings: tuple[str, ...] = ()


class OperationLine(Message):
    """One line of the answer of an operation: events while it runs, then a result or a problem."""

    accepted: UpReply | None = None
    """The first line of an ``up``."""
    event: EventLine | None = None
    result: Json | None = None
    problem: Problem | None = None


class WaitReply(Message):
    ok: bool
    problems: tuple[str, ...] = ()


class Done(Message):
    """The result of an operation that has nothing more to say."""


class DownReply(Message):
    supervisor_ends: bool
    """It was started by ``up``, and this was its last stack."""


class FoundStack(Message):
    stack: str


class PlanStep(Message):
    number: int
    text: str
    cause: str
    needs: tuple[int, ...] = ()


class PlanReply(Message):
    text: str
    """As ``stacker plan`` prints it."""
    steps: tuple[PlanStep, ...] = ()
    problems: tuple[str, ...] = ()


class PortRow(Message):
    target: int
    published: int
    protocol: str
    host_ip: str


class AddressRow(Message):
    network: str
    ipv4_address: str


class ContainerRow(Message):
    id: str
    name: str
    stack: str
    service: str
    index: int
    image: str
    status: str
    """``created``, ``running``, ``paused`` or ``exited``"""
    health: str = "none"
    health_detail: str = ""
    pid: int | None = None
    created_at: float = 0.0
    started_at: float | None = None
    exited_at: float | None = None
    exit_code: int | None = None
    """None while it runs, and when no witness knows."""
    oom: bool = False
    restarts: int = 0
    stopped_by_user: bool = False
    problem: str | None = None
    note: str = ""
    """What there is to say of it beside its exit status: ``attempt 3 of 5``."""
    next_at: float | None = None
    """Seconds since the epoch: it is in back-off, and started again then."""
    ports: tuple[PortRow, ...] = ()
    addresses: tuple[AddressRow, ...] = ()


class Containers(Message):
    now: float
    """The supervisor's clock, which the times of the rows are to be compared with."""
    containers: tuple[ContainerRow, ...] = ()


class ServiceRow(Message):
    name: str
    image: str
    replicas: int
    running: int
    healthy: int


class StackRow(Message):
    name: str
    desired: str
    """``up`` or ``stopped``"""
    generation: int
    in_sync: bool
    working_dir: str
    next_at: float | None = None
    """Seconds since the epoch: when a service in back-off is started again."""
    files: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    services: tuple[ServiceRow, ...] = ()


class Stacks(Message):
    stacks: tuple[StackRow, ...] = ()


class ImageRow(Message):
    id: str
    references: tuple[str, ...]
    platform: str
    size_bytes: int
    created: str | None = None
    layers: int = 0


class Images(Message):
    images: tuple[ImageRow, ...] = ()


class StatsRow(Message):
    container_id: str
    container: str
    stack: str
    service: str
    at: float
    cpu_ns: int | None = None
    throttled_ns: int | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    memory_peak_bytes: int | None = None
    oom_kills: int | None = None
    pids: int | None = None
    pids_limit: int | None = None
    read_bytes: int | None = None
    write_bytes: int | None = None
    received_bytes: int | None = None
    sent_bytes: int | None = None


class Stats(Message):
    rows: tuple[StatsRow, ...] = ()


class Info(Message):
    version: str
    pid: int
    root: str
    run: str
    runtime: str
    """What starts containers that name none."""
    ephemeral: bool
    """Started by ``up``: it ends with its last stack."""
    apparmor: str = ""
    """The profile of containers that name none, or ``unavailable (WHY)``."""
    layers: str = ""
    """How image layers lie on the disk: ``erofs (HOW IT IS MOUNTED)`` or ``directory (WHY)``."""
    seals: str = ""
    """What the kernel watches over layers by, ``fs-verity``, or ``none (WHY)``."""
