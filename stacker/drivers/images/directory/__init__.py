"""Layers as directories, where EROFS cannot be mounted: the same tree, made of real files.

A process of its own does it (`worker`), shut into the folder that it fills, with little left of
root's power, and bounded. Nothing of an archive is a path there: the tree is worked out in memory
by `stacker.oci.erofs.changeset`. While the archive streams, a file is made under its name in a
directory that is a number (`nursery`), by a second process (`maker`), so that the first can read
on; directories get their names at the end (`writer`), one component at a time.

`body` is the supervisor's side, with `remove`; `reader` is for what needs the layers below.
"""

from __future__ import annotations
