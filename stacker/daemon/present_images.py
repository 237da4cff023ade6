"""Images in detail, as messages: fields are chosen here, nothing is decided."""

from __future__ import annotations

import json
from collections.abc import Iterable

from stacker.engine.ports import Sent
from stacker.oci import annotations, history
from stacker.oci.descriptor import Descriptor
from stacker.oci.detail import ImageDetail, Verified
from stacker.plan.image_requests import Freshness, LockedImages
from stacker.wire import images as wire


def inspection(detail: ImageDetail) -> wire.ImageInspection:
    image = detail.image
    return wire.ImageInspection(
        id=image.id,
        names=detail.names,
        platform=str(image.config.platform),
        entry=_descriptor(detail.entry),
        source_digest=detail.source_digest,
        size_bytes=image.size_bytes,
        created=image.created.isoformat() if image.created else None,
        layers=tuple(
            wire.LayerRow(
                blob=_descriptor(layer.descriptor),
                diff_id=str(layer.diff_id),
                chain_id=str(layer.chain_id),
                unpacked_bytes=layer.unpacked_bytes,
            )
            for layer in detail.layers
        ),
        annotations=annotations.of_image(image.config),
        labels_left_out=annotations.left_out(image.config),
        manifest=json.loads(detail.manifest.raw),
        config=json.loads(image.config.raw),
    )


def history_reply(detail: ImageDetail) -> wire.History:
    rows = history.lines(detail.image.config, detail.manifest.layers)
    return wire.History(rows=tuple(map(_history_row, rows)))


def verified_reply(found: Iterable[Verified]) -> wire.VerifiedImages:
    return wire.VerifiedImages(
        images=tuple(
            wire.VerifiedRow(
                reference=each.reference,
                size_bytes=each.size_bytes,
                damages=each.damages,
                repaired=each.repaired,
                dropped=each.dropped,
                not_compared=each.not_compared,
            )
            for each in found
        )
    )


def _history_row(line: history.HistoryLine) -> wire.HistoryRow:
    entry = line.entry
    return wire.HistoryRow(
        created=entry.created.isoformat() if entry.created else None,
        created_by=entry.created_by,
        author=entry.author,
        comment=entry.comment,
        layer=str(line.layer.digest) if line.layer else None,
        size_bytes=line.layer.size if line.layer else 0,
    )


def _descriptor(found: Descriptor) -> wire.DescriptorRow:
    return wire.DescriptorRow(
        media_type=found.media_type, digest=str(found.digest), size_bytes=found.size
    )


def sent_reply(sent: Sent) -> wire.SentImage:
    return wire.SentImage(
        reference=sent.reference,
        digest=str(sent.digest),
        blobs_sent=sent.blobs_sent,
        blobs_mounted=sent.blobs_mounted,
        blobs_present=sent.blobs_present,
        bytes_sent=sent.bytes_sent,
    )


def lock_reply(locked: LockedImages) -> wire.LockReply:
    return wire.LockReply(path=locked.path, images=dict(locked.digests))


def outdated_reply(found: Iterable[Freshness]) -> wire.Outdated:
    return wire.Outdated(
        images=tuple(
            wire.FreshnessRow(
                reference=each.reference,
                state=each.state,
                here=each.here,
                latest=each.latest,
                note=each.note,
            )
            for each in found
        )
    )
