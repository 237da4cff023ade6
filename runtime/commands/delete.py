"""delete: take away what `create` made; with --force kill what still runs, and forgive absence."""

from __future__ import annotations

import os
import select

from runtime.cgroups import resctrl
from runtime.commands.arguments import switch
from runtime.commands.lookup import find, late_hooks
from runtime.commands.select_ import REGEX, for_each
from runtime.container import directory
from runtime.container.identity import open_process
from runtime.container.state import oci_state
from runtime.container.status import CREATED, STOPPED, require
from runtime.errors import KernelFault, RuntimeFault, StateConflict
from runtime.linux.signals import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.commands.lookup import Found

FLAGS = (switch("force", "f", "kill what still runs, and forgive absence"), REGEX)
_DEATH_EXPECTED = 500  # milliseconds
_DEATH_AWAITED = 10_000


def run(context: Context, arguments: Arguments) -> int:
    word, force = arguments.operand("the container's id"), arguments.on("force")
    return for_each(
        context, arguments, word, lambda identity: delete(context, identity, force=force)
    )


def delete(context: Context, identity: str, *, force: bool) -> None:
    try:
        found = find(context, identity)
    except StateConflict:
        if not force:
            raise
        # one whose `create` was killed at its very beginning has a directory and no state
        directory.remove_directory(context.root, identity)
        return
    if found.status != STOPPED:
        # a created container has not begun to run: as in runc, it may go without --force
        if not force and found.status != CREATED:
            require("delete", identity, found.status)
        kill_container(found)
    found.cgroup.kill()
    found.cgroup.remove()
    resctrl.remove(found.state.rdt)
    if found.state.shared_root:
        from runtime.rootfs.shared import take_root_away

        take_root_away(found.state.rootfs, found.state.shared_root)
    try:
        hooks = late_hooks(context, identity, "poststop")
    except RuntimeFault as error:
        context.report.warn(f"container {identity}: poststop hooks are not run: {error}")
        hooks = ()
    if hooks:
        from runtime.launch.hooks import run_hooks_to_the_end

        state = oci_state(found.state, STOPPED)
        run_hooks_to_the_end("poststop", hooks, state, context.report.warn)
    directory.remove_directory(context.root, identity)


def kill_container(found: Found) -> None:
    """And wait until it is gone: a cgroup with a process in it cannot be removed."""
    if not found.state.pid:
        return  # it is being created, and has none yet
    try:
        pidfd = open_process(found.state.pid, found.state.start_time)
    except StateConflict:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        found.cgroup.kill()
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(_DEATH_EXPECTED):
            # in a freezer of version 1 that is not ours, which holds it back from dying
            _bring_back(found)
            poll.poll(_DEATH_AWAITED)
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)


def _bring_back(found: Found) -> None:
    try:
        found.cgroup.add(found.state.pid)
    except KernelFault:
        # it has died, or its cgroup is not there: the deadline tells
        return
