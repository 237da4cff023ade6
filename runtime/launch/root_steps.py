"""The steps of init that build and enter the container's file system. Order: see `init.py`."""

from __future__ import annotations

import os

from runtime.container.status import CREATING
from runtime.errors import step
from runtime.launch import home, messages
from runtime.launch.cgroup_mount import mount_cgroups
from runtime.launch.console import bind_console, make_terminal
from runtime.launch.guard import close_the_door
from runtime.launch.hooks import run_hooks, state_inside
from runtime.launch.procfs import write_sysctl
from runtime.launch.program import NOTIFY_DIRECTORY, environment_of
from runtime.linux.mount import MOUNT_ATTR_RDONLY, attach
from runtime.linux.network import bring_loopback_up
from runtime.linux.process import join_session_keyring, set_domainname, set_hostname
from runtime.namespaces import CLONE_NEWCGROUP, make_new
from runtime.rootfs.devices import make_devices
from runtime.rootfs.maker import choose_maker
from runtime.rootfs.masks import mask_paths, protect_paths
from runtime.rootfs.mounts import make_mount
from runtime.rootfs.options import is_bind
from runtime.rootfs.pivot import (
    enter_root,
    enter_root_without_pivot,
    finish_root,
    isolate_mounts,
)
from runtime.rootfs.resolve import open_target
from runtime.rootfs.shared import bind_shared_root, enter_shared_root

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
    job = it.job
    if job.shares_mounts:
        return
    isolate_mounts(job.spec.linux.rootfs_propagation, job.rootfs, pivot=job.pivot)


def bind_root(it: Init) -> None:
    it.maker = choose_maker()
    with step(f"bind the root {it.job.rootfs}"):
        if it.job.shares_mounts:
            it.root = bind_shared_root(it.maker, it.job.rootfs)
        else:
            it.root = it.maker.root(it.job.rootfs, it.job.opened_root)


def make_mounts(it: Init) -> None:
    job = it.job
    for index, mount in enumerate(job.spec.mounts):
        if mount.type == "cgroup":
            mount_cgroups(it.maker, it.root, mount, job.cgroup_mounts)
        else:
            root = make_mount(
                it.maker,
                it.root,
                mount,
                job.bundle,
                label=job.spec.linux.mount_label,
                opened=job.opened_sources.get(index, -1),
            )
            if root != it.root:
                os.close(it.root)
                it.root = root


def mount_notify_directory(it: Init) -> None:
    if it.job.notify >= 0:
        with step(f"mount {NOTIFY_DIRECTORY}"):
            target = open_target(it.root, NOTIFY_DIRECTORY, directory=True)
            attach(it.job.notify, target)
            os.close(target)


def fill_dev(it: Init) -> None:
    spec = it.job.spec
    if _has_own_dev(it):
        os.close(open_target(it.root, "/dev", directory=True))
        make_devices(it.maker, it.root, spec.linux.devices, bind=it.job.plan.has_user)


def _has_own_dev(it: Init) -> bool:
    """Not where /dev is bound: its files are the host's (runc and crun leave them alone too)."""
    return not any(
        os.path.normpath(mount.destination.strip("/")) == "dev" and is_bind(mount)
        for mount in it.job.spec.mounts
    )


def make_console(it: Init) -> None:
    job = it.job
    if job.process.terminal and job.console_socket is not None:
        it.slave = make_terminal(it.root, job.process, job.console_socket)
        bind_console(it.maker, it.root, it.slave, own_dev=_has_own_dev(it))


def cover_paths(it: Init) -> None:
    linux = it.job.spec.linux
    protect_paths(it.maker, it.root, linux.readonly_paths)
    mask_paths(it.maker, it.root, linux.masked_paths, linux.mount_label)


def make_working_directory(it: Init) -> None:
    os.close(open_target(it.root, it.job.process.cwd, directory=True))


def find_home(it: Init) -> None:
    process = it.job.process
    if not environment_of(process.env).get("HOME"):
        it.home = home.find_home(it.root, process.user.uid)


def let_parent_run_hooks(it: Init) -> None:
    it.channel.send(messages.MOUNTED)
    it.channel.receive(messages.HOOKED)


def run_create_container_hooks(it: Init) -> None:
    state = state_inside(it.job.hook_state, CREATING)
    run_hooks("createContainer", it.job.spec.hooks.create_container, state)


def forbid_imports(_: Init) -> None:
    close_the_door()


def enter(it: Init) -> None:
    spec = it.job.spec
    if spec.root_readonly:
        # after the hooks, which may write, and by the last descriptor that names it
        with step("make the root read-only"):
            it.maker.set_attributes(it.root, MOUNT_ATTR_RDONLY)
    if it.job.shares_mounts:
        enter_shared_root(it.root)
    elif it.job.pivot:
        enter_root(it.root)
    else:
        enter_root_without_pivot(it.root)
    os.close(it.root)
    finish_root(spec.linux.rootfs_propagation)
