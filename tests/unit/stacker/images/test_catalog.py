"""index.json: names move, content keeps a name, other tools' entries stay."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stacker.drivers.images import catalog
from stacker.drivers.images.catalog import Catalog
from stacker.oci import digest, media_types
from stacker.oci.descriptor import Descriptor


def entry(name: str, content: str) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_MANIFEST,
        digest=digest.of(content.encode()),
        size=len(content),
        annotations={catalog.REF_NAME: name} if name else {},
    )


def opened(folder: Path) -> Catalog:
    one = Catalog(folder)
    one.create()
    return one


def test_names_move(tmp_path: Path) -> None:
    names = opened(tmp_path)
    first, second = entry("a.io/web:1", "one"), entry("a.io/web:1", "two")
    names.put(first)
    names.put(first)
    assert names.entries() == (first,)
    names.put(second)
    found = {catalog.name_of(each): each.digest for each in names.entries()}
    assert found == {
        f"a.io/web@{first.digest}": first.digest,
        "a.io/web:1": second.digest,
    }
    names.put(first)  # and back
    names.put(second)
    assert {each.digest for each in names.entries()} == {first.digest, second.digest}
    assert second in names.entries()
    assert opened(tmp_path).entries() == names.entries()


def test_entries_of_others_stay(tmp_path: Path) -> None:
    names = opened(tmp_path)
    index = json.loads((tmp_path / "index.json").read_bytes())
    platform = {"os": "linux", "architecture": "amd64"}
    theirs = {**entry("", "x").to_json(), "platform": platform, "artifactType": "a/b"}
    odd = entry("NOT A NAME", "y").to_json()
    index["manifests"] = [theirs, odd]
    (tmp_path / "index.json").write_text(json.dumps(index))
    names.put(entry("a.io/web:1", "one"))
    names.put(entry("", "z"))
    written = json.loads((tmp_path / "index.json").read_bytes())["manifests"]
    assert written[:2] == [theirs, odd]
    assert len(written) == 4


def test_layout_marker(tmp_path: Path) -> None:
    opened(tmp_path)
    assert json.loads((tmp_path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}


NAMES = st.sampled_from(["a.io/web:1", "a.io/web:2", "b.io/db:1"])


@given(st.lists(st.tuples(NAMES, st.sampled_from("abcd")), max_size=12))
def test_no_content_loses_its_last_name(puts: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = opened(Path(folder))
        for name, content in puts:
            names.put(entry(name, content))
        assert {each.digest for each in names.entries()} == {
            entry("", content).digest for _, content in puts
        }
        newest = dict(puts)
        for name, content in newest.items():
            (found,) = [each for each in names.entries() if catalog.name_of(each) == name]
            assert found.digest == entry("", content).digest
