"""`process` of config.json: what runs, as whom, where, and with which environment.

Image and service override each other exactly as Docker has it (image specification,
conversion.md; Compose: `entrypoint`, `command`).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from stacker.base.errors import Invalid, Unsupported
from stacker.base.facts import HostFacts
from stacker.base.id_range import IdRange
from stacker.bundle import capabilities, labels, ulimits
from stacker.bundle.inputs import ContainerInputs
from stacker.bundle.user import User, find_user
from stacker.oci.image_config import ImageConfig
from stacker.stack.model.service import Service

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

INIT_TARGET = "/.stacker-init"
"""Where the init program is mounted: a name that no image has."""

_UMASK = 0o022


def build_process(
    service: Service, image: ImageConfig, facts: HostFacts, inputs: ContainerInputs
) -> dict[str, object]:
    user = find_user(
        service.user or image.user,
        passwd=inputs.passwd,
        group=inputs.group,
        more=service.group_add,
    )
    if inputs.ids is not None:
        _check_ids(user, inputs.ids)
    process: dict[str, object] = {
        "terminal": service.tty,
        "user": user_object(user),
        "args": arguments(service, image, inputs),
        "env": assignments(environment(service, image, inputs, home=user.home)),
        "cwd": working_directory(service.working_dir or image.working_dir),
        "capabilities": capabilities.sets(
            capabilities.granted(service, available=facts.capabilities)
        ),
        "rlimits": ulimits.rlimits(service, facts),
        "noNewPrivileges": no_new_privileges(service),
    }
    if service.tty and inputs.console_size is not None:
        rows, columns = inputs.console_size
        process["consoleSize"] = {"height": rows, "width": columns}
    profile = labels.apparmor_profile(service, facts, inputs)
    if profile is not None:
        process["apparmorProfile"] = profile
    label = labels.process_label(service, facts, inputs.selinux_level)
    if label is not None:
        process["selinuxLabel"] = label
    return process


def _check_ids(user: User, ids: IdRange) -> None:
    try:
        ids.outside(max(user.uid, user.gid, *user.groups))
    except Invalid as error:
        raise Invalid(f"userns_mode: user {user.uid}:{user.gid}: {error.message}") from error


def arguments(service: Service, image: ImageConfig, inputs: ContainerInputs) -> list[str]:
    """The image's command stands only where the service overrides neither it nor the entry point.

    An empty entry point takes the image's away and leaves its command, as in Docker's engine.
    """
    entrypoint = image.entrypoint if service.entrypoint is None else service.entrypoint
    command = service.command or ()
    if not service.command and not service.entrypoint:
        command = image.cmd
    args = [*entrypoint, *command]
    if not args or not args[0]:
        raise Invalid("command: neither the service nor the image says what to run")
    if any("\0" in argument for argument in args):
        raise Invalid("command: an argument holds a NUL character")
    if not service.init:
        return args
    if inputs.init_program is None:
        raise Unsupported("init: this host has no init program to run the command under")
    return [INIT_TARGET, "--", *args]


def environment(
    service: Service, image: ImageConfig, inputs: ContainerInputs, *, home: str
) -> dict[str, str]:
    """Each variable once; the later of defaults, image and service wins."""
    variables = {"PATH": DEFAULT_PATH, "HOSTNAME": inputs.hostname}
    if service.tty:
        variables["TERM"] = "xterm"
    variables |= inputs.environment
    for entry in image.env:
        name, _, value = entry.partition("=")
        variables[name] = value
    variables |= service.environment
    variables.setdefault("HOME", home)
    return variables


def assignments(variables: Mapping[str, str]) -> list[str]:
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise Invalid(f"environment: {name!r} cannot be the name or value of a variable")
    return [f"{name}={value}" for name, value in variables.items()]


def working_directory(directory: str) -> str:
    """Absolute and without `..`: what a link makes of it is for the runtime to check."""
    return posixpath.normpath(posixpath.join("/", directory))


def user_object(user: User) -> dict[str, object]:
    return {
        "uid": user.uid,
        "gid": user.gid,
        "umask": _UMASK,
        "additionalGids": list(user.groups),
    }


def no_new_privileges(service: Service) -> bool:
    """On unless the service opts out: setuid programs gain nothing (security.md 2.1)."""
    return service.security_opt.no_new_privileges is not False and not service.privileged
