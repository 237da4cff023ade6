"""What the engine knows, as messages: fields are chosen here, nothing is decided."""

from __future__ import annotations

from collections.abc import Iterable

from stacker.engine.views import StackState
from stacker.oci.image import Image
from stacker.plan.container_specs import StatsSample
from stacker.plan.events import Event
from stacker.plan.observed import Health, ObservedContainer, Status
from stacker.plan.plan import Plan
from stacker.wire import replies


def event_line(event: Event) -> replies.EventLine:
    return replies.EventLine(
        seq=event.seq,
        time=event.time,
        kind=event.kind,
        stack=event.stack,
        service=event.service,
        container=event.container,
        message=event.message,
        attributes=event.attributes,
    )


def plan_reply(plan: Plan) -> replies.PlanReply:
    steps = tuple(
        replies.PlanStep(number=s.number, text=s.text, cause=s.cause, needs=s.needs)
        for s in plan.steps
    )
    problems = tuple(f"{service}: {reason}" for service, reason in plan.problems)
    return replies.PlanReply(text=str(plan), steps=steps, problems=problems)


def containers_reply(states: Iterable[StackState], *, now: float) -> replies.Containers:
    rows = tuple(
        container_row(
            container,
            note=state.notes.get(container.name, ""),
            next_at=state.back_offs.get(container.name),
        )
        for state in states
        for container in sorted(state.containers, key=lambda c: (c.service, c.index))
    )
    return replies.Containers(now=now, containers=rows)


def container_row(
    container: ObservedContainer, *, note: str, next_at: float | None
) -> replies.ContainerRow:
    ended = container.exit if container.status is Status.EXITED else None
    return replies.ContainerRow(
        id=container.id,
        name=container.name,
        stack=container.stack,
        service=container.service,
        index=container.index,
        image=container.image,
        status=container.status.value,
        health=container.health.value,
        health_detail=container.health_detail,
        pid=container.pid,
        created_at=container.created_at,
        started_at=container.started_at,
        exited_at=ended.at if ended else None,
        exit_code=ended.code if ended else None,
        oom=ended.oom if ended else False,
        restarts=container.restarts,
        stopped_by_user=container.stopped_by_user,
        problem=container.problem,
        note=note,
        next_at=next_at if ended else None,
        ports=tuple(
            replies.PortRow(
                target=port.target,
                published=port.published,
                protocol=port.protocol,
                host_ip=port.host_ip,
            )
            for port in container.ports
        ),
        addresses=tuple(
            replies.AddressRow(network=e.network, ipv4_address=e.ipv4_address)
            for e in container.endpoints
        ),
    )


def stack_row(state: StackState) -> replies.StackRow:
    services: list[replies.ServiceRow] = []
    for name, service in sorted(state.stack.services.items()):
        mine = [c for c in state.containers if c.service == name]
        running = [c for c in mine if c.status is Status.RUNNING]
        services.append(
            replies.ServiceRow(
                name=name,
                image=service.image,
                replicas=service.deploy.replicas,
                running=len(running),
                healthy=sum(c.health in (Health.NONE, Health.HEALTHY) for c in running),
            )
        )
    return replies.StackRow(
        name=state.name,
        desired=state.desired,
        generation=state.generation,
        in_sync=state.in_sync,
        next_at=state.next_at,
        working_dir=state.working_dir,
        files=state.files,
        problems=state.problems,
        services=tuple(services),
    )


def images_reply(images: Iterable[Image]) -> replies.Images:
    """One row for each image, with all its names."""
    by_id: dict[str, list[Image]] = {}
    for image in images:
        by_id.setdefault(image.id, []).append(image)
    return replies.Images(images=tuple(_image_row(named) for named in by_id.values()))


def _image_row(named: list[Image]) -> replies.ImageRow:
    image = named[0]
    return replies.ImageRow(
        id=image.id,
        references=tuple(sorted(i.reference for i in named)),
        platform=f"{image.config.os}/{image.config.architecture}",
        size_bytes=image.size_bytes,
        created=image.created.isoformat() if image.created else None,
        layers=len(image.layers),
    )


def stats_reply(
    samples: Iterable[StatsSample], containers: Iterable[ObservedContainer]
) -> replies.Stats:
    known = {container.id: container for container in containers}
    rows = tuple(
        _stats_row(sample, known[sample.container_id])
        for sample in samples
        if sample.container_id in known
    )
    return replies.Stats(rows=rows)


def _stats_row(sample: StatsSample, container: ObservedContainer) -> replies.StatsRow:
    return replies.StatsRow(
        container_id=sample.container_id,
        container=container.name,
        stack=container.stack,
        service=container.service,
        at=sample.at,
        cpu_ns=sample.cpu_ns,
        throttled_ns=sample.throttled_ns,
        memory_bytes=sample.memory_bytes,
        memory_limit_bytes=sample.memory_limit_bytes,
        memory_peak_bytes=sample.memory_peak_bytes,
        oom_kills=sample.oom_kills,
        pids=sample.pids,
        pids_limit=sample.pids_limit,
        read_bytes=sample.read_bytes,
        write_bytes=sample.write_bytes,
        received_bytes=sample.received_bytes,
        sent_bytes=sample.sent_bytes,
    )
