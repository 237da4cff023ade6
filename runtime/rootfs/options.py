"""Mount options as the specification and mount(8) have them: words to flags. Pure, one table.

What the table does not know is the file system's own (`size=64m`) and is handed on.
"""

from __future__ import annotations

from runtime.linux.mount import (
    MOUNT_ATTR__ATIME,
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_RELATIME,
    MOUNT_ATTR_STRICTATIME,
    MS_PRIVATE,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
)
from runtime.spec.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import Mount

# word -> (attributes to set, attributes to clear)
ATTRIBUTES = {
    "ro": (MOUNT_ATTR_RDONLY, 0),
    "rw": (0, MOUNT_ATTR_RDONLY),
    "nosuid": (MOUNT_ATTR_NOSUID, 0),
    "suid": (0, MOUNT_ATTR_NOSUID),
    "nodev": (MOUNT_ATTR_NODEV, 0),
    "dev": (0, MOUNT_ATTR_NODEV),
    "noexec": (MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, MOUNT_ATTR_NOEXEC),
    "noatime": (MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
    "atime": (MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
    "relatime": (MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
    "norelatime": (MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
    "strictatime": (MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
    "nostrictatime": (MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
    "nodiratime": (MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, MOUNT_ATTR_NODIRATIME),
    "nosymfollow": (MOUNT_ATTR_NOSYMFOLLOW, 0),
    "symfollow": (0, MOUNT_ATTR_NOSYMFOLLOW),
}

# word -> (propagation, whole tree)
PROPAGATIONS = {
    "shared": (MS_SHARED, False),
    "slave": (MS_SLAVE, False),
    "private": (MS_PRIVATE, False),
    "unbindable": (MS_UNBINDABLE, False),
    "rshared": (MS_SHARED, True),
    "rslave": (MS_SLAVE, True),
    "rprivate": (MS_PRIVATE, True),
    "runbindable": (MS_UNBINDABLE, True),
}

# options of the super block that every file system knows by these names (mount(8))
SUPER_FLAGS = frozenset(("sync", "async", "dirsync", "mand", "nomand", "lazytime", "nolazytime"))
# words for mount(8), or for what a kernel does by itself (i_version since Linux 6.6)
_MEANINGLESS = frozenset(
    ("defaults", "silent", "loud", "acl", "noacl", "auto", "noauto", "nofail", "user", "nouser",
     "iversion", "noiversion", "bind", "rbind", "remount", "")
)  # fmt: skip
IDMAP = ("idmap", "ridmap")
COPY_UP = "tmpcopyup"


class Options(Record):
    bind: bool = False
    recursive: bool = False
    remount: bool = False
    set: int = 0
    clear: int = 0
    set_recursive: int = 0
    clear_recursive: int = 0
    propagation: tuple[tuple[int, bool], ...] = ()
    super_flags: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    recursive_word: str = ""
    """The first of rro, rnosuid, ...: what an error names where the kernel has none of them."""
    idmap: str = ""
    """idmap, ridmap, or empty."""
    copy_up: bool = False
    unsupported: str = ""


def parse_options(words: tuple[str, ...]) -> Options:
    """Left to right, as mount(8): of two words that contradict each other the last one counts."""
    top, tree = _Attributes(), _Attributes()
    propagation: list[tuple[int, bool]] = []
    super_flags: list[str] = []
    data: list[str] = []
    recursive_word = idmap = unsupported = ""
    for word in words:
        if word in ATTRIBUTES:
            top.add(*ATTRIBUTES[word])
        elif word[:1] == "r" and word[1:] in ATTRIBUTES:
            # rro, rnosuid, ...: the whole tree (specification 1.1, through mount_setattr)
            tree.add(*ATTRIBUTES[word[1:]])
            recursive_word = recursive_word or word
        elif word in PROPAGATIONS:
            propagation.append(PROPAGATIONS[word])
        elif word in SUPER_FLAGS:
            super_flags.append(word)
        elif word in IDMAP:
            idmap = word
        elif word.split("=")[0] in IDMAP:
            # crun's: the specification has uidMappings and gidMappings for it
            unsupported = word
        elif word not in _MEANINGLESS and word != COPY_UP:
            data.append(word)
    return Options(
        bind="bind" in words or "rbind" in words,
        recursive="rbind" in words,
        remount="remount" in words,
        set=top.set,
        clear=top.clear,
        set_recursive=tree.set,
        clear_recursive=tree.clear,
        propagation=tuple(propagation),
        super_flags=tuple(super_flags),
        data=tuple(data),
        recursive_word=recursive_word,
        idmap=idmap,
        copy_up=COPY_UP in words,
        unsupported=unsupported,
    )


def is_bind(mount: Mount) -> bool:
    return mount.type == "bind" or "bind" in mount.options or "rbind" in mount.options


class _Attributes:
    __slots__ = ("clear", "set")

    def __init__(self) -> None:
        self.set = 0
        self.clear = 0

    def add(self, to_set: int, to_clear: int) -> None:
        self.set = self.set & ~to_clear | to_set
        # the access time is a field of bits: to set it, mount_setattr(2) wants all of it cleared
        field = MOUNT_ATTR__ATIME if to_clear & MOUNT_ATTR__ATIME else 0
        self.clear = self.clear & ~to_set | to_clear | field
