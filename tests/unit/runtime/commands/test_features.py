"""features: each word of the document is one that the runtime takes."""

from __future__ import annotations

from runtime.commands.features import build_features
from runtime.rootfs.options import parse_options
from runtime.spec.parse import parse_spec
from runtime.spec.validate_namespaces import NAMESPACE_TYPES

DOCUMENT = build_features()


def test_the_specification_has_these_fields() -> None:
    assert set(DOCUMENT) <= {
        "ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
        "potentiallyUnsafeConfigAnnotations",
    }  # fmt: skip
    assert set(DOCUMENT["linux"]) <= {
        "namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt",
        "mountExtensions", "netDevices", "memoryPolicy",
    }  # fmt: skip


def test_each_mount_option_means_something() -> None:
    assert {"ro", "rro", "rbind", "nosymfollow", "rslave", "sync"} <= set(DOCUMENT["mountOptions"])
    for word in DOCUMENT["mountOptions"]:
        options = parse_options((word,))
        assert not options.unsupported
        assert word not in options.data


def test_each_version_and_hook_is_read() -> None:
    for version in (DOCUMENT["ociVersionMin"], DOCUMENT["ociVersionMax"]):
        hooks = {name: [{"path": "/bin/true"}] for name in DOCUMENT["hooks"]}
        spec = parse_spec({"ociVersion": version, "root": {"path": "r"}, "hooks": hooks})
        assert all(len(found) == 1 for found in spec.hooks.__dict__.values())


def test_each_namespace_is_valid() -> None:
    assert set(DOCUMENT["linux"]["namespaces"]) == set(NAMESPACE_TYPES)
