"""`mounts` of config.json: what every container has, then what the service asks for.

A mount of the service at the place of a default one takes its place. Outer targets come before
inner ones, whatever the order in the file.
"""

from __future__ import annotations

import posixpath

from stacker.base.errors import Invalid
from stacker.base.facts import HostFacts
from stacker.bundle.inputs import ContainerInputs, HostMount
from stacker.bundle.process import INIT_TARGET
from stacker.stack.model.mount import Mount, TmpfsOptions
from stacker.stack.model.service import Service
from stacker.stack.model.values import shared_service

DEFAULT_SHM_BYTES = 64 * 1024 * 1024

_SHM = "/dev/shm"
_SAFE = ["nosuid", "noexec", "nodev"]

# the opposite of what a tmpfs has by default, by which a service takes it back
_TAKEN_BACK = {"exec": "noexec", "suid": "nosuid", "dev": "nodev"}

_RECURSIVE_READ_ONLY_SINCE = (5, 12, 0)  # mount_setattr(2)


def build_mounts(
    service: Service, facts: HostFacts, inputs: ContainerInputs
) -> list[dict[str, object]]:
    asked = _asked(service, facts, inputs)
    defaults = [mount for mount in _defaults(service, inputs) if mount["destination"] not in asked]
    inner = sorted(asked.items(), key=lambda item: (item[0].count("/"), item[0]))
    return [*defaults, *(mount for _, mount in inner)]


def _defaults(service: Service, inputs: ContainerInputs) -> list[dict[str, object]]:
    readable = "rw" if service.privileged else "ro"
    found = [
        _mount("/proc", "proc", _SAFE),
        _mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "/dev/pts",
            "devpts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        _mount("/sys", "sysfs", [*_SAFE, readable]),
        _mount("/sys/fs/cgroup", "cgroup", [*_SAFE, "relatime", readable]),
        _mount("/dev/mqueue", "mqueue", _SAFE),
    ]
    shared = _shared_memory(service, inputs)
    return [*found, shared] if shared is not None else found


def _shared_memory(service: Service, inputs: ContainerInputs) -> dict[str, object] | None:
    if service.ipc == "none":
        return None
    source = _SHM if service.ipc == "host" else None
    if service.ipc == "shareable" or shared_service(service.ipc) is not None:
        source = inputs.shared_memory
    if source is not None:
        return _mount(_SHM, "bind", ["rbind", *_SAFE], source=source)
    size = shared_memory_size(service)
    return _mount(_SHM, "tmpfs", [*_SAFE, "mode=1777", f"size={size}"], source="shm")


def shared_memory_size(service: Service) -> int:
    return DEFAULT_SHM_BYTES if service.shm_size is None else service.shm_size


def _asked(
    service: Service, facts: HostFacts, inputs: ContainerInputs
) -> dict[str, dict[str, object]]:
    """By target. The service's own come last: they win over the engine's files."""
    found: dict[str, dict[str, object]] = {}
    for file in inputs.files:
        found[_target(file.target)] = _file(file, service)
    if service.init and inputs.init_program is not None:
        init = HostMount(target=INIT_TARGET, source=inputs.init_program, read_only=True)
        found[INIT_TARGET] = _file(init, service, executable=True)
    declared = {mount.target for mount in service.volumes}
    for target, source in inputs.volumes.items():
        if target not in declared:
            # a volume that the image declares
            volume = _mount(target, "bind", ["rbind", "rprivate"], source=source)
            found[_of_image(target)] = volume | _mapped(inputs)
    seen: set[str] = set()
    for mount in service.volumes:
        target = _target(mount.target)
        if target in seen:
            raise Invalid(f"volumes: two mounts have the target {target}")
        seen.add(target)
        found[target] = _tmpfs(mount) if mount.type == "tmpfs" else _bind(mount, facts, inputs)
        if mount.type == "volume":
            found[target] |= _mapped(inputs)
    return found


def _mapped(inputs: ContainerInputs) -> dict[str, object]:
    """A volume has the owners inside that it has on the disk, also for who has ids of its own.

    A path of the host's keeps those that it has on the host.
    """
    if inputs.ids is None:
        return {}
    mappings = [
        {"containerID": inside, "hostID": outside, "size": size}
        for inside, outside, size in inputs.ids.mappings
    ]
    return {"uidMappings": mappings, "gidMappings": mappings}


def _bind(mount: Mount, facts: HostFacts, inputs: ContainerInputs) -> dict[str, object]:
    source = inputs.volumes.get(mount.target)
    if source is None:
        raise Invalid(f"volumes: {mount.target}: its place on the host is not known")
    propagation = mount.bind.propagation if mount.bind else "rprivate"
    options = ["rbind", propagation]
    if mount.read_only:
        options.append("ro")
        # without it what is mounted below the source stays writable
        if facts.kernel >= _RECURSIVE_READ_ONLY_SINCE:
            options.append("rro")
    return _mount(_target(mount.target), "bind", options, source=source)


def _tmpfs(mount: Mount) -> dict[str, object]:
    asked = mount.tmpfs or TmpfsOptions()
    taken_back = {_TAKEN_BACK.get(word) for word in asked.options}
    options = [word for word in _SAFE if word not in taken_back]
    options += [word for word in asked.options if word not in _SAFE]
    options.append(f"mode={0o1777 if asked.mode is None else asked.mode:o}")
    for key, value in (("size", asked.size), ("uid", asked.uid), ("gid", asked.gid)):
        if value is not None:
            options.append(f"{key}={value}")
    if mount.read_only:
        options.append("ro")
    return _mount(_target(mount.target), "tmpfs", options)


def _file(file: HostMount, service: Service, *, executable: bool = False) -> dict[str, object]:
    options = ["bind", "rprivate", "nosuid", "nodev"]
    if not executable:
        options.append("noexec")
    if file.read_only or service.read_only:
        options.append("ro")
    return _mount(_target(file.target), "bind", options, source=file.source)


def _target(target: str) -> str:
    clean = posixpath.normpath(target)
    if not clean.startswith("/") or clean in ("/", "//") or "\0" in clean:
        raise Invalid(f"volumes: {target!r} is not a place in a container")
    return clean


def _of_image(target: str) -> str:
    """Check a place that an image names: what is masked and read-only there stays so."""
    clean = _target(target)
    if clean.split("/")[1] in ("proc", "sys", "dev"):
        raise Invalid(f"volumes: {target!r}, which the image declares, is the kernel's place")
    return clean


def _mount(
    destination: str, kind: str, options: list[str], *, source: str | None = None
) -> dict[str, object]:
    return {
        "destination": destination,
        "type": kind,
        "source": source or kind,
        "options": list(options),
    }
