"""JSON to `Spec`: one function a part of config.json, in the order of the specification."""

from __future__ import annotations

from runtime.errors import SpecInvalid
from runtime.spec.execution import parse_memory_policy, parse_personality
from runtime.spec.fields import Fields
from runtime.spec.intel_rdt import parse_intel_rdt
from runtime.spec.model import (
    Device,
    Hook,
    Hooks,
    IdMapping,
    Linux,
    Mount,
    Namespace,
    Process,
    Spec,
    TimeOffset,
    User,
)
from runtime.spec.net_devices import parse_net_devices
from runtime.spec.scheduling import parse_affinity, parse_io_priority, parse_scheduler

_LAST_NUMBER = 2**32 - 1
_LAST_SECOND = 2**63 - 1
CLOCKS = ("monotonic", "boottime")


def parse_spec(document: object) -> Spec:
    top = Fields(document, "")
    root = top.within("root")
    return Spec(
        version=top.text("ociVersion", None),
        root_path=root.text("path", None),
        root_readonly=root.flag("readonly"),
        process=None if top.values.get("process") is None else _process(top.within("process")),
        hostname=top.text("hostname"),
        domainname=top.text("domainname"),
        mounts=top.each("mounts", _mount),
        hooks=_hooks(top.within("hooks")),
        annotations=top.table("annotations"),
        linux=_linux(top.within("linux")),
    )


def parse_process(document: object) -> Process:
    """The file that `exec --process` names: the same object as config.json's `process`."""
    return _process(Fields(document, "process"))


def _process(part: Fields) -> Process:
    size = part.within("consoleSize")
    return Process(
        terminal=part.flag("terminal"),
        console_size=(size.number("height", 0, 0, 65535), size.number("width", 0, 0, 65535))
        if size.values
        else None,
        user=_user(part.within("user")),
        args=part.texts("args"),
        env=part.texts("env"),
        cwd=part.text("cwd", None),
        capabilities=part.maybe_raw("capabilities"),
        rlimits=part.each("rlimits", lambda one: one.values),
        no_new_privileges=part.flag("noNewPrivileges"),
        apparmor_profile=part.text("apparmorProfile"),
        selinux_label=part.text("selinuxLabel"),
        oom_score_adj=part.maybe_number("oomScoreAdj", -1000, 1000),
        scheduler=part.maybe("scheduler", parse_scheduler),
        io_priority=part.maybe("ioPriority", parse_io_priority),
        exec_cpu_affinity=part.maybe("execCPUAffinity", parse_affinity),
    )


def _user(part: Fields) -> User:
    return User(
        uid=part.identity("uid"),
        gid=part.identity("gid"),
        umask=part.maybe_number("umask", 0, 0o7777),
        additional_gids=part.identities("additionalGids"),
    )


def _mount(part: Fields) -> Mount:
    return Mount(
        destination=part.text("destination", None),
        type=part.text("type"),
        source=part.text("source"),
        options=part.texts("options"),
        uid_mappings=part.each("uidMappings", _mapping),
        gid_mappings=part.each("gidMappings", _mapping),
    )


def _hooks(part: Fields) -> Hooks:
    return Hooks(
        prestart=part.each("prestart", _hook),
        create_runtime=part.each("createRuntime", _hook),
        create_container=part.each("createContainer", _hook),
        start_container=part.each("startContainer", _hook),
        poststart=part.each("poststart", _hook),
        poststop=part.each("poststop", _hook),
    )


def _hook(part: Fields) -> Hook:
    return Hook(
        path=part.text("path", None),
        args=part.texts("args"),
        env=None if part.values.get("env") is None else part.texts("env"),
        timeout=part.maybe_number("timeout", 1, _LAST_NUMBER),
    )


def _linux(part: Fields) -> Linux:
    return Linux(
        namespaces=part.each(
            "namespaces", lambda one: Namespace(type=one.text("type", None), path=one.text("path"))
        ),
        devices=part.each("devices", _device),
        uid_mappings=part.each("uidMappings", _mapping),
        gid_mappings=part.each("gidMappings", _mapping),
        time_offsets=_time_offsets(part.within("timeOffsets")),
        net_devices=parse_net_devices(part.within("netDevices")),
        cgroups_path=part.text("cgroupsPath"),
        resources=part.raw("resources"),
        intel_rdt=part.maybe("intelRdt", parse_intel_rdt),
        memory_policy=part.maybe("memoryPolicy", parse_memory_policy),
        personality=part.maybe("personality", parse_personality),
        seccomp=part.maybe_raw("seccomp"),
        rootfs_propagation=part.text("rootfsPropagation"),
        masked_paths=part.texts("maskedPaths"),
        readonly_paths=part.texts("readonlyPaths"),
        mount_label=part.text("mountLabel"),
        sysctl=part.table("sysctl"),
    )


def _time_offsets(part: Fields) -> tuple[TimeOffset, ...]:
    offsets: list[TimeOffset] = []
    for clock in part.values:
        if clock not in CLOCKS:
            raise SpecInvalid(f"{part.path(clock)}: not one of {', '.join(CLOCKS)}")
        one = part.within(clock)
        offsets.append(
            TimeOffset(
                clock=clock,
                secs=one.number("secs", 0, -_LAST_SECOND, _LAST_SECOND),
                nanosecs=one.number("nanosecs", 0, 0, 10**9 - 1),
            )
        )
    return tuple(offsets)


def _device(part: Fields) -> Device:
    return Device(
        path=part.text("path", None),
        type=part.text("type", None),
        major=part.number("major", 0, -1, _LAST_NUMBER),
        minor=part.number("minor", 0, -1, _LAST_NUMBER),
        mode=part.number("fileMode", 0o666, 0, 0o177777) & 0o7777,
        uid=part.identity("uid"),
        gid=part.identity("gid"),
    )


def _mapping(part: Fields) -> IdMapping:
    return IdMapping(
        container_id=part.number("containerID", None, 0, _LAST_NUMBER),
        host_id=part.number("hostID", None, 0, _LAST_NUMBER),
        size=part.number("size", None, 1, _LAST_NUMBER),
    )
