"""image-spec conversion.md, "Conversion to OCI Runtime Configuration": every rule, cited."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from stacker.base.errors import Invalid
from stacker.bundle.spec import build_spec
from stacker.oci import annotations, image_config
from stacker.oci.image_config import ImageConfig

from .worlds import FACTS, INPUTS, service

PREFIX = "org.opencontainers.image."


def image(config: dict[str, Any] | None = None, **more: Any) -> ImageConfig:
    document = {
        "os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []},
        "config": {"Cmd": ["run"], **(config or {})}, **more,
    }  # fmt: skip
    return image_config.parse(json.dumps(document).encode())


def converted(found: ImageConfig, **keys: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", build_spec(service(**keys), found, FACTS, INPUTS))


# "Verbatim Fields"


def test_working_dir_is_cwd() -> None:
    """`Config.WorkingDir` → `process.cwd`."""
    assert converted(image({"WorkingDir": "/srv/app"}))["process"]["cwd"] == "/srv/app"


def test_env_is_env() -> None:
    """`Config.Env` → `process.env`; note 1: nothing is added under a name that it has."""
    env = converted(image({"Env": ["A=1=2", "PATH=/only", "HOSTNAME=mine", "HOME="]}))["process"][
        "env"
    ]
    assert {"A=1=2", "PATH=/only", "HOSTNAME=mine", "HOME="} <= set(env)
    names = [entry.partition("=")[0] for entry in env]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "args"),
    [
        (["e", "1"], ["c", "2"], ["e", "1", "c", "2"]),
        (["e", "1"], None, ["e", "1"]),
        (None, ["c", "2"], ["c", "2"]),
    ],
)
def test_entrypoint_and_cmd_are_args(entrypoint: Any, cmd: Any, args: list[str]) -> None:
    """`Config.Entrypoint`, `Config.Cmd` → `process.args`; note 2: Cmd is appended."""
    assert converted(image({"Entrypoint": entrypoint, "Cmd": cmd}))["process"]["args"] == args


# "Annotation Fields"

FIELDS = {
    "os": ({"os": "linux"}, "linux"),
    "architecture": ({"architecture": "arm64"}, "arm64"),
    "variant": ({"variant": "v8"}, "v8"),
    "os.version": ({"os.version": "6.1"}, "6.1"),
    "os.features": ({"os.features": ["a", "b"]}, "a,b"),
    "author": ({"author": "A <a@example.com>"}, "A <a@example.com>"),
    "created": ({"created": "2026-01-02T03:04:05.123456789Z"}, "2026-01-02T03:04:05.123456789Z"),
    "stopSignal": ({"config": {"Cmd": ["x"], "StopSignal": "SIGQUIT"}}, "SIGQUIT"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_an_annotation(name: str) -> None:
    """Notes 2 to 9: the value MUST be set, under this key."""
    more, expected = FIELDS[name]
    assert converted(image(**more))["annotations"][f"{PREFIX}{name}"] == expected


@pytest.mark.parametrize("name", FIELDS)
def test_a_label_goes_before_a_field(name: str) -> None:
    """Note 1, and "Annotations": what `Config.Labels` says MUST take precedence."""
    more, _ = FIELDS[name]
    config = {**more.get("config", {"Cmd": ["x"]}), "Labels": {f"{PREFIX}{name}": "said"}}
    found = image(**{**more, "config": config})
    assert converted(found)["annotations"][f"{PREFIX}{name}"] == "said"


def test_labels_are_annotations_where_their_meaning_is_defined() -> None:
    """`Config.Labels` → `annotations`; "A converter MAY choose to not include annotations [...]
    considered to be unsafe", and "it SHOULD provide feedback": `inspect` lists them."""
    labels = {
        f"{PREFIX}title": "Shop", f"{PREFIX}source": "https://example.com", "maintainer": "m",
        "run.oci.keep_original_groups": "1", "stacker.id": "forged", f"{PREFIX}unheard-of": "x",
    }  # fmt: skip
    found = image({"Labels": labels})
    made = converted(found)["annotations"]
    assert (made[f"{PREFIX}title"], made[f"{PREFIX}source"]) == ("Shop", "https://example.com")
    assert made["stacker.id"] == INPUTS.container_id
    left_out = ("maintainer", f"{PREFIX}unheard-of", "run.oci.keep_original_groups", "stacker.id")
    assert annotations.left_out(found) == left_out
    assert not set(left_out) - {"stacker.id"} & set(made)


def test_annotations_of_a_manifest_are_not_taken() -> None:
    """ "A converter SHOULD NOT attempt to extract annotations from manifests or image indices":
    nothing but the config reaches the conversion."""
    assert "manifest" not in build_spec.__annotations__
    assert set(converted(image())["annotations"]) == {
        f"{PREFIX}os", f"{PREFIX}architecture", "stacker.container", "stacker.id", "stacker.stack",
    }  # fmt: skip


# "Parsed Fields", `Config.User`


def test_numbers_are_copied_verbatim() -> None:
    """Numeric user and group MUST be copied verbatim."""
    user = converted(image({"User": "7:8"}))["process"]["user"]
    assert (user["uid"], user["gid"]) == (7, 8)


def test_names_are_looked_up_in_the_image() -> None:
    """Names are resolved by the /etc/passwd and /etc/group of the root file system, and
    additionalGids are the user's memberships."""
    user = converted(image({"User": "app"}))["process"]["user"]
    assert (user["uid"], user["gid"]) == (1000, 1000)
    assert 29 in user["additionalGids"]


def test_a_group_that_is_named_stands_alone() -> None:
    """additionalGids SHOULD NOT be changed "if Config.User specifies a group"; the group itself is
    among them all the same (CVE-2022-36109)."""
    user = converted(image({"User": "app:audio"}))["process"]["user"]
    assert (user["gid"], user["additionalGids"]) == (29, [29])


def test_a_number_has_the_memberships_of_its_account() -> None:
    """conversion.md SHOULD NOT; config.md, "User": the default group and supplementary groups of
    the given user *or UID* are applied. The two disagree; Docker does what config.md says."""
    user = converted(image({"User": "1000"}))["process"]["user"]
    assert (user["gid"], user["additionalGids"]) == (1000, [1000, 29])
    assert converted(image({"User": "4242"}))["process"]["user"]["additionalGids"] == [0]


def test_no_user_is_root() -> None:
    """ "If Config.User is not defined, process.user is implementation-defined"."""
    assert converted(image())["process"]["user"]["uid"] == 0


@pytest.mark.parametrize("user", ["nobody-here", "app:nobody-here", "root:", "-1", "4294967295"])
def test_a_user_that_is_none_is_an_error(user: str) -> None:
    """ "If Config.User does not correspond to a user [...], the converter MUST return an error"."""
    with pytest.raises(Invalid):
        converted(image({"User": user}))


# "Optional Fields"


def test_exposed_ports_are_an_annotation() -> None:
    """`Config.ExposedPorts` → `org.opencontainers.image.exposedPorts`, comma-separated, unless a
    label says something else."""
    ports = {"80/tcp": {}, "53/udp": {}}
    key = f"{PREFIX}exposedPorts"
    assert converted(image({"ExposedPorts": ports}))["annotations"][key] == "80/tcp,53/udp"
    labelled = image({"ExposedPorts": ports, "Labels": {key: "other"}})
    assert converted(labelled)["annotations"][key] == "other"


def test_volumes_are_mounts() -> None:
    """`Config.Volumes` → `mounts`, with that destination. The engine makes an anonymous volume and
    fills it; `image commit` leaves it out (tests/scenarios/test_images.py)."""
    inputs = replace(INPUTS, volumes={"/data": "/host/volumes/x"})
    spec = cast("dict[str, Any]", build_spec(service(), image({"Volumes": {"/data": {}}}), FACTS,
                                              inputs))  # fmt: skip
    mount = next(mount for mount in spec["mounts"] if mount["destination"] == "/data")
    assert mount["source"] == "/host/volumes/x"


# "externally provided inputs MAY cause an environment variable to be added, removed or changed"


def test_the_service_goes_before_the_image() -> None:
    found = image({"Env": ["A=image", "B=image"], "User": "7", "WorkingDir": "/w"})
    process = converted(
        found, environment={"A": "service"}, user="app", working_dir="/x", command=("mine",)
    )["process"]
    assert {"A=service", "B=image"} <= set(process["env"])
    assert (process["user"]["uid"], process["cwd"], process["args"]) == (1000, "/x", ["mine"])
