"""Which compressed blobs nobody would miss."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stacker.oci.digest import Digest
from stacker.oci.spare import BlobUse, spare

A, B, C = (Digest.parse(f"sha256:{letter * 64}") for letter in "abc")


def use(blob: Digest, *, here: bool = True) -> BlobUse:
    return BlobUse(blob=blob, layer_here=here)


def test_a_blob_whose_layer_is_here() -> None:
    assert spare([use(A), use(B, here=False)], kept=()) == {A}


def test_what_others_need_stays() -> None:
    assert spare([use(A), use(B)], kept={A, C}) == {B}


def test_one_image_that_lacks_the_layer_keeps_the_blob_for_all() -> None:
    assert spare([use(A), use(A, here=False), use(A)], kept=()) == set()


@given(
    st.lists(st.builds(BlobUse, blob=st.sampled_from([A, B, C]), layer_here=st.booleans())),
    st.sets(st.sampled_from([A, B, C])),
)
def test_nothing_goes_that_is_kept_or_lacking(uses: list[BlobUse], kept: set[Digest]) -> None:
    gone = spare(uses, kept=kept)
    assert gone.isdisjoint(kept)
    assert all(each.layer_here for each in uses if each.blob in gone)
    assert gone | kept >= {each.blob for each in uses if each.layer_here} - {
        each.blob for each in uses if not each.layer_here
    }
