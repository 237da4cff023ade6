"""Where the images of one state root lie: every path of the store is made here.

images/             an OCI Image Layout: oci-layout, index.json, blobs/ALGORITHM/HEX
layers/ALGORITHM/   HEX.erofs, one file a layer, or HEX.dir, by diff id; HEX.json beside it, and
                    HEX.verity where the file is sealed
corrections/ALGORITHM/  the same, by chain id
partial/            what is on its way in; a name here is never the name of content
unsynced/           one empty file for each content file that is not yet on the disk
used/               one empty file a manifest: its time is when the image was last used
"""

from __future__ import annotations

from pathlib import Path

from stacker.base import ids
from stacker.oci.digest import HEX_LENGTHS, Digest
from stacker.oci.image import LayerFormat

MODE = 0o700
RECORD = ".json"
SUFFIXES = {LayerFormat.EROFS: ".erofs", LayerFormat.DIRECTORY: ".dir"}


class Places:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.layout = root / "images"
        self.blobs = self.layout / "blobs"
        self.index = self.layout / "index.json"
        self.layers = root / "layers"
        self.corrections = root / "corrections"
        self.partial = root / "partial"
        self.unsynced = root / "unsynced"
        self.used = root / "used"

    def make(self) -> None:
        """Make the folders; images hold other people's setuid files, so only root may look."""
        self.root.mkdir(mode=MODE, parents=True, exist_ok=True)
        # parents first: mkdir gives its mode to the last folder only
        for folder in (self.layout, self.partial, self.unsynced, self.used, *self.content()):
            folder.mkdir(mode=MODE, exist_ok=True)
        for folder in self.content():
            for algorithm in HEX_LENGTHS:
                (folder / algorithm).mkdir(mode=MODE, exist_ok=True)

    def content(self) -> tuple[Path, ...]:
        """The folders whose files are named by digests."""
        return self.blobs, self.layers, self.corrections

    def records(self) -> tuple[Path, ...]:
        """The folders with a JSON file beside each file of content."""
        return tuple(
            folder / algorithm
            for folder in (self.layers, self.corrections)
            for algorithm in HEX_LENGTHS
        )

    def blob(self, digest: Digest) -> Path:
        return self.blobs / digest.algorithm / digest.hex

    def layer(self, diff_id: Digest, format: LayerFormat) -> Path:
        return self.layers / diff_id.algorithm / f"{diff_id.hex}{SUFFIXES[format]}"

    def layer_record(self, diff_id: Digest) -> Path:
        return self.layers / diff_id.algorithm / f"{diff_id.hex}{RECORD}"

    def correction(self, chain: Digest, format: LayerFormat) -> Path:
        return self.corrections / chain.algorithm / f"{chain.hex}{SUFFIXES[format]}"

    def correction_record(self, chain: Digest) -> Path:
        return self.corrections / chain.algorithm / f"{chain.hex}{RECORD}"

    def partial_blob(self, digest: Digest) -> Path:
        """The one name that a later attempt finds again: whoever uses it holds the blob's lock."""
        return self.partial / f"{digest.algorithm}-{digest.hex}.blob"

    def partial_layer(self, diff_id: Digest, format: LayerFormat) -> Path:
        """A name of its own each time: blobs packed differently may hold the same layer."""
        return self.partial / f"{diff_id.hex[:12]}-{ids.new_id()[:12]}{SUFFIXES[format]}"

    def partial_document(self) -> Path:
        return self.partial / f"document-{ids.new_id()[:12]}"

    def partial_correction(self, format: LayerFormat) -> Path:
        return self.partial / f"correction-{ids.new_id()[:12]}{SUFFIXES[format]}"

    def doomed(self) -> Path:
        """Where a directory goes first that is to be removed: from then on it is no layer."""
        return self.partial / f"doomed-{ids.new_id()[:12]}"
