"""R13: what is far too long is one clean error, and nothing is left (CVE-2021-43784)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.runtime.conftest import Bundle, Runtime

pytestmark = pytest.mark.root
LONG = "x" * 70_000
PATH = "/" + LONG
DEEP = "/a" * 35_000


def _mappings(config: Any, count: int) -> None:
    config["linux"]["namespaces"].append({"type": "user"})
    one = [{"containerID": n, "hostID": 100_000 + n, "size": 1} for n in range(count)]
    config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = one


def _mount(config: Any, **fields: object) -> None:
    base = {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": []}
    config["mounts"].append(base | fields)


CASES: dict[str, Callable[[Any], object]] = {
    # 70,000 bytes of text for the kernel, which takes 340 lines
    "id maps": lambda config: _mappings(config, 4_000),
    "root.path": lambda config: config["root"].update(path=PATH),
    "deep root.path": lambda config: config["root"].update(path=DEEP),
    "hostname": lambda config: config.update(hostname=LONG),
    "cgroupsPath": lambda config: config["linux"].update(cgroupsPath=PATH),
    "deep cgroupsPath": lambda config: config["linux"].update(cgroupsPath=DEEP),
    "mount destination": lambda config: _mount(config, destination=PATH),
    "deep mount destination": lambda config: _mount(config, destination=DEEP),
    "mount source": lambda config: _mount(config, type="bind", source=PATH, options=["bind"]),
    "mount data": lambda config: _mount(config, options=[f"size={LONG}"]),
    "mount type": lambda config: _mount(config, type=LONG),
    "masked path": lambda config: config["linux"].update(maskedPaths=[PATH]),
    "device": lambda config: config["linux"].update(
        devices=[{"path": f"/dev/{LONG}", "type": "c", "major": 1, "minor": 3}]
    ),
    "namespace path": lambda config: config["linux"]["namespaces"][0].update(path=PATH),
    "sysctl": lambda config: config["linux"].update(sysctl={f"net.{LONG}": "1"}),
    "cwd": lambda config: config["process"].update(cwd=PATH),
    "argument": lambda config: config["process"].update(args=["/bin/true", LONG * 2]),
    "program": lambda config: config["process"].update(args=[PATH]),
    "label": lambda config: config["process"].update(selinuxLabel=f"a:b:{LONG}"),
    "profile": lambda config: config["process"].update(apparmorProfile=LONG),
}


def is_clean(text: str) -> bool:
    return (
        len(text.splitlines()) == 1
        and not any(word in text for word in ("internal error", "unexpected", "Traceback"))
        and len(text) < 75_000
    )


@pytest.mark.parametrize("case", CASES)
def test_in_config_json(runtime: Runtime, bundle: Bundle, identity: str, case: str) -> None:
    """R13: 70,000 bytes in each field that becomes a name, a path or a message to the kernel."""
    CASES[case](bundle.config)
    if case in ("masked path", "device"):
        # absent is no error for what is to be masked
        done = runtime.call("run", "--bundle", bundle.write(), identity)
        assert done.returncode == 0 or is_clean(done.stderr), done.stderr[:300]
        return
    done = runtime.call("run", "--bundle", bundle.write(), identity)
    assert done.returncode not in (0, 99)
    assert is_clean(done.stderr), done.stderr[:300]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--user", "1" * 70_000),
        ("--user", LONG),
        ("--cwd", PATH),
        ("--additional-gids", "7" * 70_000),
        ("--process", PATH),
        ("--pid-file", PATH),
        ("--console-socket", PATH, "--tty"),
        ("--preserve-fds", "1" * 70_000),
        ("--env", LONG),
    ],
    ids=lambda arguments: arguments[0],
)
def test_in_arguments_of_exec(
    runtime: Runtime, bundle: Bundle, identity: str, arguments: tuple[str, ...]
) -> None:
    """R13: and in what comes by the command line."""
    runtime.ok("run", "--detach", "--bundle", bundle.write("/bin/sleep", "100"), identity)
    command = () if arguments[0] == "--process" else ("/bin/true",)
    done = runtime.call("exec", *arguments, identity, *command)
    assert done.returncode != 0
    assert is_clean(done.stderr), done.stderr[:300]
    assert runtime.state(identity)["status"] == "running"


def test_in_names(runtime: Runtime, bundle: Bundle) -> None:
    """R13: the container's name, and where states are kept."""
    for arguments in (
        ("create", "--bundle", bundle.write(), LONG),
        ("create", "--bundle", PATH, "x"),
        ("state", LONG),
        ("--root", PATH, "state", "x"),
        ("--root", DEEP, "create", "--bundle", bundle.write(), "x"),
        ("--log", PATH, "state", "x"),
    ):
        done = runtime.call(*arguments)
        assert done.returncode not in (0, 99)
        assert is_clean(done.stderr), done.stderr[:300]
