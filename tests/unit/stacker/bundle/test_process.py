"""What runs, with what environment and powers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from stacker.base.errors import Invalid, Unsupported
from stacker.base.id_range import IdRange
from stacker.bundle.capabilities import DEFAULT, KNOWN
from stacker.bundle.exec import build_exec_process
from stacker.bundle.labels import source_label
from stacker.bundle.process import INIT_TARGET, build_process
from stacker.bundle.spec import build_spec
from stacker.bundle.warnings import warnings_for
from stacker.oci.image_config import ImageConfig
from stacker.stack.model.mount import Mount
from stacker.stack.model.service import Service

from .worlds import FACTS, IMAGE, INPUTS, service


def process(built: Service, image: ImageConfig = IMAGE) -> dict[str, Any]:
    return build_process(built, image, FACTS, INPUTS)


def capabilities(**keys: object) -> set[str]:
    found = process(service(**keys))["capabilities"]
    assert found["bounding"] == found["effective"] == found["permitted"]
    assert "inheritable" not in found
    assert "ambient" not in found
    return set(found["bounding"])


@pytest.mark.parametrize(
    ("keys", "args"),
    [
        ({}, ["/entry", "serve", "--all"]),
        ({"command": ("other",)}, ["/entry", "other"]),
        # overriding the entry point drops the image's command ...
        ({"entrypoint": ("/mine", "-x")}, ["/mine", "-x"]),
        ({"entrypoint": ("/mine",), "command": ("go",)}, ["/mine", "go"]),
        # ... an empty one does not, as in Docker's engine
        ({"entrypoint": ()}, ["serve", "--all"]),
        ({"entrypoint": (), "command": ("go",)}, ["go"]),
        ({"command": ()}, ["/entry", "serve", "--all"]),
    ],
)
def test_entry_point_and_command(keys: dict[str, object], args: list[str]) -> None:
    assert process(service(**keys))["args"] == args


def test_nothing_to_run_is_refused() -> None:
    empty = replace(IMAGE, entrypoint=(), cmd=())
    with pytest.raises(Invalid, match="command: neither"):
        process(service(), empty)
    with pytest.raises(Invalid, match="NUL"):
        process(service(command=("a\0b",)))


def test_environment_of_defaults_image_and_service() -> None:
    built = service(environment={"GREETING": "hi", "EMPTY": ""}, tty=True, user="app")
    assert process(built)["env"] == [
        "PATH=/bin",
        "HOSTNAME=web",
        "TERM=xterm",
        "GREETING=hi",
        "EMPTY=",
        "HOME=/home/app",
    ]
    own_home = service(environment={"HOME": "/x"})
    assert "HOME=/x" in process(own_home)["env"]
    bare = replace(IMAGE, env=())
    assert process(service(), bare)["env"][0].startswith("PATH=/usr/local/sbin:")


@pytest.mark.parametrize("name", ["", "A=B", "A\0"])
def test_a_variable_that_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="environment"):
        process(service(environment={name: "x"}))


@pytest.mark.parametrize(
    ("directory", "cwd"), [(None, "/srv"), ("/a/../b", "/b"), ("rel", "/rel"), ("../..", "/")]
)
def test_working_directory(directory: str | None, cwd: str) -> None:
    assert process(service(working_dir=directory))["cwd"] == cwd


def test_the_services_user_goes_before_the_images() -> None:
    image = replace(IMAGE, user="app")
    assert process(service(), image)["user"]["uid"] == 1000
    assert process(service(user=""), image)["user"]["uid"] == 1000
    assert process(service(user="0"), image)["user"]["uid"] == 0


def test_capabilities() -> None:
    default = set(DEFAULT)
    assert len(default) == 11
    assert capabilities() == default
    assert capabilities(cap_add=("CAP_NET_ADMIN",)) == default | {"CAP_NET_ADMIN"}
    assert capabilities(cap_drop=("CAP_CHOWN",)) == default - {"CAP_CHOWN"}
    assert capabilities(cap_drop=("ALL",)) == set()
    assert capabilities(cap_drop=("ALL",), cap_add=("CAP_CHOWN",)) == {"CAP_CHOWN"}
    assert capabilities(cap_add=("ALL",)) == KNOWN
    assert capabilities(cap_add=("ALL",), cap_drop=("CAP_BPF",)) == KNOWN - {"CAP_BPF"}
    assert capabilities(privileged=True) == KNOWN
    with pytest.raises(Invalid, match="cap_add: no capability is named CAP_FLY"):
        process(service(cap_add=("CAP_FLY",)))


def test_what_this_host_cannot_give_is_told() -> None:
    poor = replace(
        FACTS,
        capabilities=frozenset(DEFAULT),
        rlimits={"nofile": 20000, "nproc": 100},
        swap_limit=False,
        cgroup_controllers=frozenset(),
    )
    asks = service(
        cap_add=("CAP_SYS_TIME",),
        ulimits={"nofile": {"soft": 50000, "hard": 50000}},
        mem_limit=1 << 26,
        memswap_limit=1 << 27,
    )
    found: dict[str, Any] = build_process(asks, IMAGE, poor, INPUTS)
    assert set(found["capabilities"]["bounding"]) == set(DEFAULT)
    assert {limit["type"]: (limit["soft"], limit["hard"]) for limit in found["rlimits"]} == {
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_NOFILE": (20000, 20000),
        "RLIMIT_NPROC": (100, 100),
    }
    keys = [line.split(":")[0] for line in warnings_for(asks, poor)]
    assert keys == ["cap_add", "ulimits.nofile", "memswap_limit", "pids_limit"]
    assert warnings_for(asks, FACTS) == ()
    assert warnings_for(service(), FACTS) == ()


def test_new_privileges_need_to_be_asked_for() -> None:
    assert process(service())["noNewPrivileges"] is True
    assert process(service(security_opt={"no_new_privileges": True}))["noNewPrivileges"] is True
    assert process(service(security_opt={"no_new_privileges": False}))["noNewPrivileges"] is False
    assert process(service(privileged=True))["noNewPrivileges"] is False


@pytest.mark.parametrize(
    "ulimit",
    [
        {"files": {"soft": 1, "hard": 1}},
        {"nofile": {"soft": 2, "hard": 1}},
        {"nofile": {"soft": -1, "hard": 1}},
        {"nofile": {"soft": -2, "hard": -2}},
    ],
)
def test_wrong_ulimits(ulimit: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="ulimits"):
        process(service(ulimits=ulimit))


def test_init_runs_the_command() -> None:
    with pytest.raises(Unsupported, match="init"):
        process(service(init=True))
    inputs = replace(INPUTS, init_program="/usr/lib/init")
    spec = cast("dict[str, Any]", build_spec(service(init=True), IMAGE, FACTS, inputs))
    assert spec["process"]["args"][:3] == [INIT_TARGET, "--", "/entry"]
    [mount] = [mount for mount in spec["mounts"] if mount["destination"] == INIT_TARGET]
    assert mount["source"] == "/usr/lib/init"
    assert "noexec" not in mount["options"]
    assert "ro" in mount["options"]


def test_labels_where_the_host_has_them() -> None:
    host = replace(FACTS, apparmor=True, selinux=True)
    inputs = replace(INPUTS, apparmor_profile="stacker-default", selinux_level="s0:c1,c2")

    def labels(built: Service) -> tuple[object, object, object]:
        spec = cast("dict[str, Any]", build_spec(built, IMAGE, host, inputs))
        own = spec["process"]
        return own.get("apparmorProfile"), own.get("selinuxLabel"), spec["linux"].get("mountLabel")

    confined = "system_u:system_r:container_t:s0:c1,c2"
    files = "system_u:object_r:container_file_t:s0:c1,c2"
    free = "system_u:system_r:spc_t:s0"
    assert labels(service()) == ("stacker-default", confined, files)
    assert labels(service(privileged=True)) == ("unconfined", free, None)
    assert labels(service(security_opt={"apparmor": "mine", "label": ("disable",)})) == (
        "mine",
        free,
        None,
    )
    assert labels(service(security_opt={"label": ("type:web_t", "level:s0:c7")})) == (
        "stacker-default",
        "system_u:system_r:web_t:s0:c7",
        "system_u:object_r:container_file_t:s0:c7",
    )
    with pytest.raises(Unsupported, match="AppArmor is off"):
        process(service(security_opt={"apparmor": "mine"}))


def test_exec_is_no_way_around_the_profile() -> None:
    spec = build_spec(service(user="app"), IMAGE, FACTS, INPUTS)
    own = cast("dict[str, Any]", spec["process"])
    found: dict[str, Any] = build_exec_process(
        spec, FACTS, args=["sh"], env=["A=1"], cwd="tmp", terminal=True, console_size=(24, 80)
    )
    assert found["args"] == ["sh"]
    assert found["cwd"] == "/tmp"
    assert {"A=1", "TERM=xterm", "HOME=/home/app"} <= set(found["env"])
    assert found["consoleSize"] == {"height": 24, "width": 80}
    for kept in ("user", "capabilities", "noNewPrivileges", "rlimits"):
        assert found[kept] == own[kept]
    as_root: dict[str, Any] = build_exec_process(
        spec, FACTS, args=["sh"], user="0", passwd=INPUTS.passwd, privileged=True
    )
    assert as_root["user"]["uid"] == 0
    assert "HOME=/root" in as_root["env"]
    assert set(as_root["capabilities"]["bounding"]) == KNOWN
    with pytest.raises(Invalid, match="no command"):
        build_exec_process(spec, FACTS, args=[])
    with pytest.raises(Invalid, match="NAME=value"):
        build_exec_process(spec, FACTS, args=["sh"], env=["A"])


def test_labels_of_what_is_mounted() -> None:
    """`Z` is this container's alone, `z` and volumes any container's, plain binds the host's."""
    host = replace(FACTS, selinux=True)
    own = "system_u:object_r:container_file_t:s0:c1,c2"
    shared = "system_u:object_r:container_file_t:s0"
    bind = {"type": "bind", "source": "/a", "target": "/b"}
    volume = {"type": "volume", "source": "v", "target": "/b"}
    table: list[tuple[dict[str, object] | None, str | None]] = [
        ({**bind, "bind": {"selinux": "Z"}}, own),
        ({**bind, "bind": {"selinux": "z"}}, shared),
        ({**bind, "bind": {}}, None),
        (bind, None),
        (volume, shared),
        ({**volume, "volume": {"selinux": "z"}}, shared),
        ({**volume, "volume": {"selinux": "Z"}}, own),
        (None, shared),
    ]
    for keys, expected in table:
        mount = None if keys is None else Mount.model_validate(keys)
        assert source_label(service(), host, "s0:c1,c2", mount) == expected, keys
        assert source_label(service(), FACTS, "s0:c1,c2", mount) is None
        assert source_label(service(privileged=True), host, "s0:c1,c2", mount) is None


@pytest.mark.parametrize("user", ["4096", "0:4096"])
def test_a_user_that_a_user_namespace_does_not_have(user: str) -> None:
    inputs = replace(INPUTS, ids=IdRange(2**31, 4096))
    with pytest.raises(Invalid, match=r"userns_mode: user \d+:\d+: id 4096 is not among the 4096"):
        build_spec(service(user=user), IMAGE, FACTS, inputs)
    build_spec(service(user="4095:4095"), IMAGE, FACTS, inputs)
