"""The steps of init that build and enter the container's file system. Order: see `init.py`."""

from __future__ import annotations

import os

from runtime.errors import step
from runtime.launch import messages
from runtime.launch.cgroup_mount import mount_cgroups
from runtime.launch.console import bind_console, make_terminal
from runtime.launch.guard import close_the_door
from runtime.launch.hooks import run_hooks
from runtime.launch.procfs import write_sysctl
from runtime.launch.program import NOTIFY_DIRECTORY
from runtime.linux.mount import attach
from runtime.linux.network import bring_loopback_up
from runtime.linux.process import join_session_keyring, set_domainname, set_hostname
from runtime.namespaces import CLONE_NEWCGROUP, make_new
from runtime.rootfs.devices import make_devices
from runtime.rootfs.masks import mask_paths, protect_paths
from runtime.rootfs.mounts import make_mount
from runtime.rootfs.pivot import (
    enter_root,
    enter_root_without_pivot,
    finish_root,
    isolate_mounts,
    open_root,
)
from runtime.rootfs.resolve import open_target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.launch.job import Init


def make_cgroup_namespace(it: Init) -> None:
    if it.job.plan.new_cgroup:
        make_new(CLONE_NEWCGROUP)


def make_keyring(it: Init) -> None:
    if it.job.new_keyring:
        try:
            join_session_keyring(None)
        except OSError as error:
            # a kernel without keys, or a user over its quota of them
            it.channel.warn(f"make a session keyring: {(error.strerror or '').lower()}")


def start_loopback(it: Init) -> None:
    if it.job.plan.new_network:
        with step("bring the loopback interface up"):
            bring_loopback_up()


def set_names(it: Init) -> None:
    spec = it.job.spec
    with step("set the host name"):
        if spec.hostname:
            set_hostname(spec.hostname.encode())
        if spec.domainname:
            set_domainname(spec.domainname.encode())


def set_sysctls(it: Init) -> None:
    for name, value in it.job.spec.linux.sysctl.items():
        write_sysctl(name, value)


def isolate(it: Init) -> None:
    isolate_mounts(it.job.spec.linux.rootfs_propagation)


def bind_root(it: Init) -> None:
    it.root = open_root(it.job.rootfs)


def make_mounts(it: Init) -> None:
    job = it.job
    for mount in job.spec.mounts:
        if mount.type == "cgroup":
            mount_cgroups(it.root, mount, job.cgroup_mounts)
        else:
            make_mount(it.root, mount, job.bundle, job.spec.linux.mount_label)


def mount_notify_directory(it: Init) -> None:
    if it.job.notify >= 0:
        with step(f"mount {NOTIFY_DIRECTORY}"):
            target = open_target(it.root, NOTIFY_DIRECTORY, directory=True)
            attach(it.job.notify, target)
            os.close(target)


def fill_dev(it: Init) -> None:
    spec = it.job.spec
    bound = any(
        mount.destination.rstrip("/") == "/dev" and {"bind", "rbind"} & set(mount.options)
        for mount in spec.mounts
    )
    if not bound:
        os.close(open_target(it.root, "/dev", directory=True))
        make_devices(it.root, spec.linux.devices, bind=spec.has_namespace("user"))


def make_console(it: Init) -> None:
    job = it.job
    if job.process.terminal and job.console_socket is not None:
        it.slave = make_terminal(it.root, job.process, job.console_socket)
        bind_console(it.root, it.slave)


def cover_paths(it: Init) -> None:
    linux = it.job.spec.linux
    protect_paths(it.root, linux.readonly_paths)
    mask_paths(it.root, linux.masked_paths)


def make_working_directory(it: Init) -> None:
    os.close(open_target(it.root, it.job.process.cwd, directory=True))


def let_parent_run_hooks(it: Init) -> None:
    it.channel.send(messages.MOUNTED)
    it.channel.receive(messages.HOOKED)


def run_create_container_hooks(it: Init) -> None:
    run_hooks("createContainer", it.job.spec.hooks.create_container, it.job.hook_state)


def forbid_imports(_: Init) -> None:
    close_the_door()


def enter(it: Init) -> None:
    if it.job.pivot:
        enter_root(it.root)
    else:
        enter_root_without_pivot(it.root)
    os.close(it.root)
    spec = it.job.spec
    finish_root(readonly=spec.root_readonly, propagation=spec.linux.rootfs_propagation)
