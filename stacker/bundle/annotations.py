"""`annotations` of config.json: our own three, and nothing of an image's or a user's.

Runtimes read orders from annotations (crun's `run.oci.*`; CVE-2026-94603), so none is passed on.
"""

from __future__ import annotations

from stacker.bundle.inputs import ContainerInputs


def build_annotations(inputs: ContainerInputs) -> dict[str, str]:
    return {
        "stacker.container": inputs.name,
        "stacker.id": inputs.container_id,
        "stacker.stack": inputs.stack,
    }
