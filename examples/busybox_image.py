"""Write the root file system of the examples' image as a tar archive to standard output.

The image is Debian's static busybox, a link for each of its applets, and the few files that
programs look for. Used by ``make image``, which pipes it into ``stacker import``.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}
DIRECTORIES = {
    "dev": 0o755,
    "proc": 0o755,
    "sys": 0o755,
    "root": 0o700,
    "srv": 0o755,
    "tmp": 0o1777,
}


def entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    """An entry that is the same on every machine: owner root, time 0."""
    info = tarfile.TarInfo(name)
    info.type, info.mode = kind, mode
    return info


def main() -> int:
    if not BUSYBOX.exists():
        sys.stderr.write(f"{BUSYBOX} is missing: apt-get install busybox-static\n")
        return 1
    listed = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True)

    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for name in ("bin", "etc"):
            archive.addfile(entry(name, tarfile.DIRTYPE, 0o755))
        for name, mode in DIRECTORIES.items():
            archive.addfile(entry(name, tarfile.DIRTYPE, mode))
        for name, text in FILES.items():
            info = entry(name, tarfile.REGTYPE, 0o644)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))

        content = BUSYBOX.read_bytes()
        info = entry("bin/busybox", tarfile.REGTYPE, 0o755)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
        for applet in sorted(set(listed.stdout.split()) - {"busybox"}):
            link = entry(f"bin/{applet}", tarfile.SYMTYPE, 0o777)
            link.linkname = "busybox"
            archive.addfile(link)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
