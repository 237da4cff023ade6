"""fs-verity: a file that can no longer change, and that the kernel checks whenever it is read.

Each page is checked against a tree of hashes that lies beside the file, the tree against the file's
one digest. ext4 and btrfs have it, ext4 where the file system was made or tuned for it.
"""

from __future__ import annotations

import errno
import fcntl
import struct

_FS_IOC_ENABLE_VERITY = 0x40806685  # _IOW('f', 133, 128 bytes)
_FS_IOC_MEASURE_VERITY = 0xC0046686  # _IOWR('f', 134, 4 bytes)

# struct fsverity_enable_arg: version, algorithm, block size, salt size; no salt, no signature
_ENABLE = struct.Struct("=4I112x")
_VERSION = 1
_SHA256 = 1
_SHA256_SIZE = 32
_BLOCK_SIZE = 4096
# struct fsverity_digest: algorithm, size, digest
_DIGEST = struct.Struct(f"=2H{_SHA256_SIZE}s")


def enable_verity(file: int) -> None:
    """Seal a file that is open for reading, and that nobody has open for writing.

    The whole file is read, and brought to the disk. OSError: EEXIST where it is sealed already,
    EOPNOTSUPP or ENOTTY where the file system cannot.
    """
    fcntl.ioctl(file, _FS_IOC_ENABLE_VERITY, _ENABLE.pack(_VERSION, _SHA256, _BLOCK_SIZE, 0))


def measure_verity(file: int) -> str:
    """The digest of a sealed file, `sha256:HEX`, without reading it.

    It is that of the root of the tree and the file's size, not of the file's bytes. OSError:
    ENODATA where it is not sealed.
    """
    wanted = _DIGEST.pack(0, _SHA256_SIZE, bytes(_SHA256_SIZE))
    algorithm, size, digest = _DIGEST.unpack(fcntl.ioctl(file, _FS_IOC_MEASURE_VERITY, wanted))
    if (algorithm, size) != (_SHA256, _SHA256_SIZE):
        raise OSError(errno.ENODATA, f"sealed by algorithm {algorithm}, not by sha256")
    return f"sha256:{digest.hex()}"
