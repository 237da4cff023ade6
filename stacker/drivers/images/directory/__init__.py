"""Layers as directories, where EROFS cannot be mounted: the same tree, made of real files.

A process of its own does it (`worker`), shut into the folder that it fills, with little left of
root's power, and bounded. Nothing of an archive is a path there: while the archive streams, a
file's name is a number; names are given at the end (`writer`), one component at a time, below an
open directory, out of the tree that `stacker.oci.erofs.changeset` has worked out in memory.

`body` and `correct` are the supervisor's side; `writer`, `reader` and `worker` are the worker's.
"""

from __future__ import annotations
