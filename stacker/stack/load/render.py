"""A stack as a Compose file in its long form: what `stacker config` prints. Pure.

Loading the text again gives the same stack: a test holds it to that. A dollar is written twice,
because values are interpolated when they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import yaml

from stacker.stack.model import (
    Healthcheck,
    Logging,
    Mount,
    Network,
    RestartPolicy,
    SecurityOptions,
    Service,
    Stack,
    Volume,
    VolumeOptions,
)
from stacker.stack.model.values import Model

Tree = dict[str, Any]


def render(stack: Stack) -> str:
    """The stack as YAML."""
    tree: Tree = {
        "name": stack.name,
        "services": {key: _service(service) for key, service in stack.services.items()},
        "networks": {key: _network(network) for key, network in stack.networks.items()},
        "volumes": {key: _volume(volume) for key, volume in stack.volumes.items()},
        "configs": {key: _plain(config) for key, config in stack.configs.items()},
        "secrets": {key: _plain(secret) for key, secret in stack.secrets.items()},
    }
    said = {key: value for key, value in tree.items() if value != {}}
    return yaml.dump(
        _escaped(said),
        Dumper=yaml.CSafeDumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=100,
    )


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: _escaped(child) for key, child in items}
    if isinstance(value, list | tuple):
        return [_escaped(child) for child in cast("list[Any]", value)]

    return value


def _plain(model: Model) -> Tree:
    """What differs from the defaults."""
    return model.model_dump(mode="json", exclude_defaults=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def _service(service: Service) -> Tree:
    tree = _plain(service)
    for key, write in _WRITERS.items():
        if key in tree:
            tree[key] = write(getattr(service, key))
    tree.pop("volumes", None)
    tree |= _mounts(service.volumes)
    if service.restart.delay is not None or service.restart.window is not None or _swarm(service):
        tree.setdefault("deploy", {})["restart_policy"] = _restart_policy(service.restart)
        tree.pop("restart", None)

    return tree


def _swarm(service: Service) -> bool:
    """`always` with a limit of attempts is something only `deploy.restart_policy` can say."""
    return service.restart.condition == "always" and service.restart.max_attempts is not None


def _restart(policy: RestartPolicy) -> str:
    if policy.max_attempts is not None:
        return f"{policy.condition}:{policy.max_attempts}"

    return policy.condition


_CONDITIONS = {"no": "none", "always": "any"}


def _restart_policy(policy: RestartPolicy) -> Tree:
    tree: Tree = {"condition": _CONDITIONS.get(policy.condition, policy.condition)}
    if policy.max_attempts is not None:
        tree["max_attempts"] = policy.max_attempts
    if policy.delay is not None:
        tree["delay"] = _duration(policy.delay)
    if policy.window is not None:
        tree["window"] = _duration(policy.window)

    return tree


def _healthcheck(health: Healthcheck) -> Tree:
    tree = _plain(health)
    for key in ("interval", "timeout", "start_period", "start_interval"):
        if key in tree:
            tree[key] = _duration(tree[key])

    return tree


def _logging(logging: Logging) -> Tree:
    options = {
        key.replace("_", "-"): str(value)
        for key in ("max_size", "max_file")
        if (value := getattr(logging, key)) is not None
    }
    return {"driver": logging.driver, **({"options": options} if options else {})}


def _mode(tree: Tree) -> Tree:
    return {**tree, "mode": f"{tree['mode']:04o}"} if "mode" in tree else tree


def _file_mounts(mounts: tuple[Model, ...]) -> list[Tree]:
    return [_mode(_plain(mount)) for mount in mounts]


def _mounts(mounts: tuple[Mount, ...]) -> Tree:
    """`volumes` and `tmpfs`; loading puts what is in `tmpfs` behind all the others."""
    last = max((i for i, mount in enumerate(mounts, 1) if mount.type != "tmpfs"), default=0)
    tree: Tree = {}
    if last:
        tree["volumes"] = [_mount(mount) for mount in mounts[:last]]
    if mounts[last:]:
        tree["tmpfs"] = [_tmpfs(mount) for mount in mounts[last:]]

    return tree


def _mount(mount: Mount) -> Tree | str:
    if mount.volume is not None and mount.volume.selinux is not None:
        return _labelled_volume(mount, mount.volume)

    tree = _plain(mount)
    for kind in ("bind", "volume", "tmpfs"):
        if tree.get(kind) == {}:
            del tree[kind]

    return {**tree, "tmpfs": _mode(tree["tmpfs"])} if "tmpfs" in tree else tree


def _labelled_volume(mount: Mount, options: VolumeOptions) -> str:
    """Only the short form of a named volume can ask for a label."""
    words = [options.selinux or "", *(["nocopy"] if options.nocopy else [])]
    words += ["ro"] if mount.read_only else []
    return f"{mount.source}:{mount.target}:{','.join(words)}"


def _tmpfs(mount: Mount) -> str:
    """The short form, which alone can say who owns a tmpfs and how it is mounted."""
    assert mount.tmpfs is not None, "called for tmpfs only"
    values = _mode(_plain(mount.tmpfs))
    flags: list[str] = list(values.pop("options", ()))
    words = [f"{key}={value}" for key, value in values.items()] + flags
    words += ["ro"] if mount.read_only else []
    return f"{mount.target}:{','.join(words)}" if words else mount.target


def _security(options: SecurityOptions) -> list[str]:
    words = [f"label:{label}" for label in options.label]
    if options.no_new_privileges is not None:
        words.append(f"no-new-privileges:{str(options.no_new_privileges).lower()}")
    if options.apparmor:
        words.append(f"apparmor:{options.apparmor}")
    if options.seccomp:
        words.append(f"seccomp:{options.seccomp}")
    if options.unmask:
        words.append("systempaths=unconfined")

    return words


def _hosts(hosts: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [f"{name}={address}" for name, addresses in hosts.items() for address in addresses]


_WRITERS: dict[str, Callable[[Any], Any]] = {
    "restart": _restart,
    "healthcheck": _healthcheck,
    "stop_grace_period": _duration,
    "logging": _logging,
    "configs": _file_mounts,
    "secrets": _file_mounts,
    "security_opt": _security,
    "extra_hosts": _hosts,
    "links": lambda links: [f"{link.service}:{link.alias}" for link in links],
}


def _network(network: Network) -> Tree:
    tree = _plain(network)
    options: Tree = {}
    for key, option in (
        ("mtu", "com.docker.network.driver.mtu"),
        ("bridge", "com.docker.network.bridge.name"),
    ):
        if key in tree:
            options[option] = tree.pop(key)
    if options:
        tree["driver_opts"] = options

    return tree


def _volume(volume: Volume) -> Tree:
    tree = _plain(volume)
    options: Tree = {}
    for key, option in (("type", "type"), ("options", "o"), ("device", "device")):
        if key in tree:
            options[option] = tree.pop(key)
    if options:
        tree["driver_opts"] = options

    return tree
