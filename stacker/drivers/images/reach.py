"""What an image needs: every blob, layer and correction that its manifest leads to. Blocks."""

from __future__ import annotations

from stacker.base.errors import StackerError
from stacker.drivers.images.store import Store
from stacker.oci import documents, image_config
from stacker.oci.chain_id import chain_ids
from stacker.oci.descriptor import Descriptor
from stacker.oci.digest import Digest
from stacker.oci.index import DEPTH_LIMIT, Index


class Reach:
    """Digests, diff ids and chain ids that an entry leads to; and the image's id, if it is one."""

    def __init__(self, store: Store, entry: Descriptor) -> None:
        self._store = store
        self.manifest_digest = entry.digest
        self.digests: set[Digest] = set()
        self.image_id = ""
        self._mark(entry, 0)

    def _mark(self, entry: Descriptor, depth: int) -> None:
        # not gone into again: an index may name its parts many times over
        if entry.digest in self.digests:
            return

        self.digests.add(entry.digest)
        try:
            document = documents.parse(self._store.read_document(entry), expected=entry.media_type)
        except StackerError:
            return

        if isinstance(document, Index):
            if depth < DEPTH_LIMIT:
                for inner in document.manifests:
                    self._mark(inner, depth + 1)
            return

        self.digests.update(layer.digest for layer in document.layers)
        self.digests |= of_config(self._store, document.config)
        if not depth:
            self.image_id = str(document.config.digest)


def of_config(store: Store, config: Descriptor) -> set[Digest]:
    """The config itself, and the layers it names."""
    needed = {config.digest}
    try:
        diff_ids = image_config.parse(store.read_document(config)).diff_ids
    except StackerError:
        return needed

    return needed.union(diff_ids, chain_ids(diff_ids))


def of_id(store: Store, image_id: Digest) -> set[Digest]:
    """What a container needs whose image has lost its names: the config's blob, and the layers."""
    try:
        size = store.places.blob(image_id).stat().st_size
    except OSError:
        return {image_id}

    return of_config(store, Descriptor(media_type="", digest=image_id, size=size))
