"""`annotations` of config.json: our own three, and what the image says of itself.

Nothing of a user's, and of an image only what `oci.annotations` lets through.
"""

from __future__ import annotations

from stacker.bundle.inputs import ContainerInputs
from stacker.oci import annotations
from stacker.oci.image_config import ImageConfig


def build_annotations(image: ImageConfig, inputs: ContainerInputs) -> dict[str, str]:
    return {
        **annotations.of_image(image),
        "stacker.container": inputs.name,
        "stacker.id": inputs.container_id,
        "stacker.stack": inputs.stack,
    }
