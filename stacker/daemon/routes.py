"""The table of endpoints; ``docs/openapi.yaml`` describes them, and a test compares the two."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from stacker.daemon.handlers import (
    disk,
    execution,
    images,
    making,
    registries,
    services,
    shelf,
    stacks,
    transfers,
    watching,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v1/info", watching.info),
    ("GET", "/v1/stacks", stacks.stacks),
    ("POST", "/v1/stacks", stacks.up),
    ("POST", "/v1/stacks/find", stacks.find),
    ("POST", "/v1/plan", stacks.plan),
    ("GET", "/v1/containers", stacks.containers),
    ("GET", "/v1/stacks/{stack}/wait", stacks.wait),
    ("POST", "/v1/stacks/{stack}/down", stacks.down),
    ("POST", "/v1/stacks/{stack}/stop", services.stop),
    ("POST", "/v1/stacks/{stack}/start", services.start),
    ("POST", "/v1/stacks/{stack}/restart", services.restart),
    ("POST", "/v1/stacks/{stack}/kill", services.kill),
    ("POST", "/v1/stacks/{stack}/exec", execution.exec_),
    ("GET", "/v1/stacks/{stack}/logs", watching.logs),
    ("GET", "/v1/stacks/{stack}/inspect/{name}", stacks.inspect),
    ("GET", "/v1/events", watching.events),
    ("GET", "/v1/stats", watching.stats),
    ("GET", "/v1/disk", disk.usage),
    ("POST", "/v1/prune", disk.prune),
    ("POST", "/v1/pull", transfers.pull),
    ("GET", "/v1/images", images.images),
    ("POST", "/v1/images/load", images.load),
    ("POST", "/v1/lock", transfers.lock),
    ("POST", "/v1/outdated", transfers.outdated),
    ("POST", "/v1/images/pull", transfers.pull_images),
    ("POST", "/v1/images/push", transfers.push),
    ("POST", "/v1/images/copy", transfers.copy),
    ("POST", "/v1/images/import", images.import_image),
    ("GET", "/v1/images/inspect", shelf.inspect),
    ("GET", "/v1/images/history", shelf.history),
    ("GET", "/v1/images/archive", shelf.archive),
    ("POST", "/v1/images/complete", shelf.complete),
    ("POST", "/v1/images/layout", shelf.layout),
    ("GET", "/v1/images/rootfs", making.rootfs),
    ("POST", "/v1/images/build", making.build),
    ("POST", "/v1/images/commit", making.commit),
    ("GET", "/v1/images/mounts", making.mounted),
    ("POST", "/v1/images/mounts", making.mount),
    ("POST", "/v1/images/mounts/remove", making.unmount),
    ("POST", "/v1/images/tag", shelf.tag),
    ("POST", "/v1/images/remove", shelf.remove),
    ("POST", "/v1/images/verify", shelf.verify),
    ("POST", "/v1/registries/login", registries.login),
    ("POST", "/v1/registries/logout", registries.logout),
)
