"""``stacker image VERB``: a module a verb, as one folder above; some are those above themselves."""

from __future__ import annotations

VERBS = {
    "pull": "fetch images by their names",
    "push": "send an image to a registry",
    "copy": "copy an image from one registry to another",
    "ls": "list images",
    "inspect": "show all that is known about an image",
    "history": "show how an image was made, a layer a line",
    "tag": "give an image another name",
    "rm": "take names of images away, and what nothing needs any more",
    "prune": "remove images that nothing uses",
    "save": "write images to an archive or an OCI layout",
    "load": "read images from an archive or an OCI layout",
    "import": "make an image of a root file system tar",
    "export": "write an image's root file system to a tar",
    "build-from": "make an image of a directory or a root file system tar",
    "commit": "make an image of what a container has changed",
    "mount": "mount an image, read-only, or list what is mounted",
    "unmount": "take a mount of an image away",
    "verify": "read images again, and compare every byte with its digest",
}

MODULES = {"ls": "images", "prune": "prune", "load": "load", "import": "import_"}
"""Verbs that are those of the command line itself, and their modules in ``stacker.cli``."""
