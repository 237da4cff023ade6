"""The lock file: which content the names of a stack's images stood for when it was written.

`stacker lock` writes it beside the stack file, `shop.lock.yaml` beside `shop.yaml`; with
`up --locked` each image is the one of its digest, and an image that is not in it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stacker.base.errors import Invalid
from stacker.oci.digest import Digest
from stacker.oci.reference import Reference
from stacker.stack.load import yaml as text_format
from stacker.stack.load.problems import Problem, Refused
from stacker.stack.load.tree import At, MapNode, Scalar, Source, locate
from stacker.stack.model.stack import Stack

VERSION = "1"


def place_beside(file: Path) -> Path:
    """Where the lock of a stack file lies."""
    return file.with_name(f"{file.stem}.lock.yaml")


def parse(text: str, source: Source) -> dict[str, Digest]:
    """Read a lock file: full names of images → digests."""
    trees = text_format.parse(text, source)
    if len(trees) != 1:
        raise Invalid("the lock file is not one document", where=source.name)

    root = At(trees[0])
    version = root.get("version")
    if version is None or not isinstance(version.node, Scalar) or version.node.text != VERSION:
        raise Invalid(f"the lock file is not of version {VERSION}", where=root.where)
    images = root.get("images")
    locked: dict[str, Digest] = {}
    for name, at in images.entries() if images is not None else ():
        try:
            if not isinstance(at.node, Scalar):
                raise Invalid("expected a digest")
            locked[str(Reference.parse(name))] = Digest.parse(at.node.text)
        except Invalid as error:
            raise Invalid(error.message, where=at.where) from error
    return locked


def pin(stack: Stack, locked: Mapping[str, Digest], root: MapNode) -> Stack:
    """The stack with each image by its digest; Refused where one has none."""
    problems: list[Problem] = []
    pinned: dict[str, str] = {}
    for name, service in stack.services.items():
        try:
            full = Reference.parse(service.image)
        except Invalid as error:
            problems.append(Problem(locate(root, ("services", name, "image")), error.message))
            continue
        if full.digest is not None:
            continue
        if str(full) not in locked:
            where = locate(root, ("services", name, "image"))
            problems.append(
                Problem(where, f"{service.image} is not in the lock file: run `stacker lock`")
            )
            continue
        pinned[name] = f"{full}@{locked[str(full)]}"
    if problems:
        raise Refused(*problems)

    services = {
        name: service.model_copy(update={"image": pinned[name]}) if name in pinned else service
        for name, service in stack.services.items()
    }
    return stack.model_copy(update={"services": services})
