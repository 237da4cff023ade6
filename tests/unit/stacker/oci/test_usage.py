"""Which images go: by their tags, by age, and for room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stacker.oci.usage import (
    BlobPolicy,
    ImageUsage,
    Retention,
    StoreUsage,
    blobs_go,
    expired,
    next_to_go,
)

TAGGED = ImageUsage(
    references=("a.io/x:1",),
    id="sha256:1",
    manifest_digest="sha256:2",
    size_bytes=100,
    shared_bytes=40,
    used_at=1000.0,
    in_use=False,
)
MOVED = replace(TAGGED, tagged=False, used_at=900.0)
USED = replace(TAGGED, used_at=0.0, in_use=True)


@pytest.mark.parametrize(
    ("retention", "gone"),
    [
        (Retention(), []),
        (Retention(untagged=True), [MOVED]),
        (Retention(unused_for_s=0), [TAGGED, MOVED]),
        (Retention(unused_for_s=150), [MOVED]),
        (Retention(unused_for_s=500), []),
    ],
)
def test_expired(retention: Retention, gone: list[ImageUsage]) -> None:
    found = list(expired([TAGGED, MOVED, USED], retention, now=1100.0))
    assert [image for image, _ in found] == gone
    assert all(cause for _, cause in found)


def test_what_only_this_store_has_may_be_kept() -> None:
    made_here = replace(TAGGED, from_registry=False)
    for retention in (
        Retention(unused_for_s=0),
        Retention(unused_for_s=0, only_from_registries=True),
    ):
        found = [image for image, _ in expired([made_here], retention, now=1100.0)]
        assert found == ([] if retention.only_from_registries else [made_here])


def test_unique_is_what_removing_gives_back() -> None:
    assert TAGGED.unique_bytes == 60


def usage_with(available: int) -> StoreUsage:
    return StoreUsage(
        images=(TAGGED, MOVED, USED),
        size_bytes=0,
        reclaimable_bytes=0,
        droppable_bytes=0,
        partial_bytes=0,
        disk_bytes=100,
        available_bytes=available,
    )


@pytest.mark.parametrize(
    ("policy", "available", "goes"),
    [
        (BlobPolicy.KEEP, 0, False),
        (BlobPolicy.FOR_ROOM, 11, False),
        (BlobPolicy.FOR_ROOM, 10, True),
        (BlobPolicy.NOW, 100, True),
    ],
)
def test_blobs(policy: BlobPolicy, available: int, goes: bool) -> None:
    cause = blobs_go(usage_with(available), Retention(full_at=0.9, blobs=policy))
    assert (cause is not None) is goes


def test_blobs_go_for_no_room_without_a_mark() -> None:
    assert blobs_go(usage_with(0), Retention(blobs=BlobPolicy.FOR_ROOM)) is None


@pytest.mark.parametrize(
    ("available", "reached", "gone"),
    [
        (11, False, None),  # 89 % full: below the upper mark
        (10, False, MOVED),  # the one that was used before the others
        (11, True, MOVED),  # once begun, on to the lower mark
        (20, True, MOVED),
        (21, True, None),
    ],
)
def test_for_room(available: int, reached: bool, gone: ImageUsage | None) -> None:
    usage = usage_with(available)
    found = next_to_go(usage, Retention(full_at=0.9, until=0.8), reached=reached)
    assert (found[0] if found else None) == gone
    assert next_to_go(usage, Retention(), reached=reached) is None
    alone = replace(usage, images=(USED,), available_bytes=0)
    assert next_to_go(alone, Retention(full_at=0.9), reached=reached) is None
