"""EROFS images as bytes: a tree, a streaming writer, and a reader for looking things up.

The format is the one that Linux 5.10 mounts: 4096-byte blocks, extended inodes, no compression, no
feature that the kernel would have to know. Nothing here opens a file: the writer hands its bytes
to a sink, the reader is given a buffer.
"""

from __future__ import annotations
