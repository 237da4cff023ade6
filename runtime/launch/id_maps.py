"""The id maps of a new user namespace, written from outside (user_namespaces(7)).

root writes any map. Anybody else may map their own id and nothing more, or asks newuidmap and
newgidmap, which hold the request against /etc/subuid and /etc/subgid.
"""

from __future__ import annotations

import os

from runtime.errors import LaunchFailed, NotSupported, step
from runtime.spec.model import IdMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import Linux

# not $PATH: these programs decide what the container's ids are on the host
PLACES = ("/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin")
_SAID_KEPT = 1024


def mappings_of(linux: Linux) -> tuple[tuple[IdMapping, ...], tuple[IdMapping, ...]]:
    """Where config.json has none, the container's root is the caller, who gives it nothing more."""
    if linux.uid_mappings:
        return linux.uid_mappings, linux.gid_mappings
    uid, gid = os.geteuid(), os.getegid()
    return (
        (IdMapping(container_id=0, host_id=uid, size=1),),
        (IdMapping(container_id=0, host_id=gid, size=1),),
    )


def write_maps(
    pid: int, uid_mappings: tuple[IdMapping, ...], gid_mappings: tuple[IdMapping, ...]
) -> None:
    privileged = os.geteuid() == 0
    if privileged or is_own(uid_mappings, os.geteuid()):
        _write(pid, "uid_map", map_text(uid_mappings))
    else:
        _ask("newuidmap", "linux.uidMappings", pid, uid_mappings)
    if privileged:
        _write(pid, "gid_map", map_text(gid_mappings))
    elif is_own(gid_mappings, os.getegid()):
        # or a process could leave a group that denies it something (CVE-2014-8989)
        _write(pid, "setgroups", b"deny")
        _write(pid, "gid_map", map_text(gid_mappings))
    else:
        _ask("newgidmap", "linux.gidMappings", pid, gid_mappings)


def is_own(mappings: tuple[IdMapping, ...], own: int) -> bool:
    """Whether it is the one map that the kernel takes from anybody."""
    return len(mappings) == 1 and mappings[0].size == 1 and mappings[0].host_id == own


def map_text(mappings: tuple[IdMapping, ...]) -> bytes:
    lines = (f"{one.container_id} {one.host_id} {one.size}\n" for one in mappings)
    return "".join(lines).encode("ascii")


def _write(pid: int, file: str, text: bytes) -> None:
    with step(f"write the {file} of the user namespace"):
        fd = os.open(f"/proc/{pid}/{file}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text)
        finally:
            os.close(fd)


def _ask(name: str, field: str, pid: int, mappings: tuple[IdMapping, ...]) -> None:
    program = _find(name, field)
    arguments = [name, str(pid), *map_text(mappings).decode("ascii").split()]
    output = os.memfd_create(name)
    try:
        streams = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
        with step(f"run {program}"):
            child = os.posix_spawn(program, arguments, {}, file_actions=streams)
            _, status = os.waitpid(child, 0)
        said = " ".join(os.pread(output, _SAID_KEPT, 0).decode("utf-8", "replace").split())
    finally:
        os.close(output)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise LaunchFailed(f"{field}: {program} ended with {code}" + (f": {said}" if said else ""))


def _find(name: str, field: str) -> str:
    for place in PLACES:
        if os.access(f"{place}/{name}", os.X_OK):
            return f"{place}/{name}"
    raise NotSupported(
        f"{field}: {name} is not installed, and without it only the caller's own id can be mapped"
    )
