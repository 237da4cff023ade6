"""Room on the disk: usage, prune."""

from __future__ import annotations

from aiohttp import web

from stacker.base.errors import Invalid
from stacker.daemon import operation
from stacker.daemon.answering import json_reply
from stacker.daemon.context import context_of
from stacker.daemon.reading import read_body
from stacker.oci.usage import BlobPolicy, Retention
from stacker.wire import disk as wire
from stacker.wire.message import Message


async def usage(request: web.Request) -> web.StreamResponse:
    found = await context_of(request).engine.disk.usage()
    images = found.images
    return json_reply(
        wire.DiskUsage(
            images=tuple(
                wire.ImageUsageRow(
                    references=each.references,
                    id=each.id,
                    size_bytes=each.size_bytes,
                    shared_bytes=each.shared_bytes,
                    used_at=each.used_at,
                    in_use=each.in_use,
                )
                for each in images.images
            ),
            images_bytes=images.size_bytes,
            reclaimable_bytes=images.reclaimable_bytes,
            droppable_bytes=images.droppable_bytes,
            partial_bytes=images.partial_bytes,
            containers=tuple(
                wire.ContainerUsageRow(
                    name=each.name,
                    stack=each.stack,
                    size_bytes=each.size_bytes,
                    running=each.running,
                )
                for each in found.containers
            ),
            volumes=tuple(
                wire.VolumeUsageRow(
                    name=each.name,
                    stack=each.stack,
                    size_bytes=each.size_bytes,
                    in_use=each.in_use,
                )
                for each in found.volumes
            ),
            disk_bytes=images.disk_bytes,
            available_bytes=images.available_bytes,
        )
    )


async def prune(request: web.Request) -> web.StreamResponse:
    engine = context_of(request).engine
    body = await read_body(request, wire.PruneRequest)
    if body.unused_for_s is not None and body.unused_for_s < 0:
        raise Invalid("a time that is below zero is none")
    retention = Retention(
        untagged=body.untagged,
        unused_for_s=body.unused_for_s,
        blobs=BlobPolicy.NOW if body.blobs else BlobPolicy.KEEP,
    )

    async def work() -> Message:
        pruned = await engine.disk.prune(retention)
        return wire.PrunedReply(
            images=tuple(
                wire.PrunedRow(
                    references=each.references, digest=each.manifest_digest, cause=each.cause
                )
                for each in pruned.images
            ),
            dropped_blobs=pruned.dropped.blobs if pruned.dropped else 0,
            dropped_bytes=pruned.dropped.size_bytes if pruned.dropped else 0,
            files=pruned.files,
            size_bytes=pruned.size_bytes,
        )

    return await operation.operate(request, work)
