"""The least that a pull can take: download, decompress, hash twice, write twice, on two cores.

A program of its own: `pull_floor.py HOST PATH TAG FOLDER` prints wall time, processor time and the
time until all is on the disk, in seconds. What a pull does besides, it leaves out: nothing is
parsed, compared or made visible.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from stacker.drivers.images.layer_decompress import DECOMPRESSORS
from stacker.oci.media_types import compression_of

PIECE = 1 << 20
CORES = 2
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def get(host: str, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(host)
    connection.request("GET", path, headers={"Accept": MANIFEST})
    return connection.getresponse()


def layer(host: str, path: str, digest: str, media_type: str, folder: str) -> None:
    """One layer, in pieces."""
    response = get(host, f"/v2/{path}/blobs/{digest}")
    packed_hash, plain_hash = hashlib.sha256(), hashlib.sha256()
    packed_file = Path(folder, digest.partition(":")[2])
    with packed_file.open("xb", 0) as packed_out, Path(f"{packed_file}.tar").open("xb", 0) as out:

        def plain(piece: bytes) -> None:
            plain_hash.update(piece)
            out.write(piece)

        decompressor = DECOMPRESSORS[compression_of(media_type)](plain)
        while packed := response.read(PIECE):
            packed_hash.update(packed)
            packed_out.write(packed)
            decompressor.feed(packed)


def sync(folder: str) -> None:
    for path in Path(folder).iterdir():
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)


def main() -> None:
    host, path, tag, folder = sys.argv[1:]
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(time.sleep, [0.1] * CORES))  # the workers are there before the clock starts
        began = time.perf_counter()
        manifest: dict[str, Any] = json.load(get(host, f"/v2/{path}/manifests/{tag}"))
        largest_first = sorted(manifest["layers"], key=lambda each: -each["size"])
        done = [
            pool.submit(layer, host, path, each["digest"], each["mediaType"], folder)
            for each in largest_first
        ]
        for each in done:
            each.result()
        wall_s = time.perf_counter() - began
        sync(folder)
        durable_s = time.perf_counter() - began
    used = os.times()
    cpu_s = used.children_user + used.children_system
    print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, "durable_s": durable_s}))


if __name__ == "__main__":
    main()
