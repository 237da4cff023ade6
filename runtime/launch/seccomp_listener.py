"""SCMP_ACT_NOTIFY: the listener's descriptor on its way to the agent at `listenerPath`.

From the moment the filter is loaded any call of init's may wait for the agent's answer, the call
that would send the descriptor too. So init says beforehand which number it will have, and the
parent, under no filter, takes a copy and sends it (config-linux.md, "The Container Process State").
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from runtime.errors import LaunchFailed, step
from runtime.launch import messages
from runtime.linux.process import set_dumpable, take_descriptor
from runtime.linux.sockets import connect_to, send_fd
from runtime.security.seccomp.load import install
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.launch.channel import Channel
    from runtime.launch.job import Init, Job
    from runtime.security.seccomp.load import Filter
    from runtime.spec.model import Json

_DEADLINE_S = 10.0
_PAUSE_S = 0.0005
_DESCRIPTION = "anon_inode:seccomp notify"


def install_notifying(it: Init, loaded: Filter) -> None:
    """In init: nothing is opened between the question for the lowest number and the load."""
    channel = it.channel
    number = fcntl.fcntl(channel.fileno(), fcntl.F_DUPFD_CLOEXEC, 0)
    os.close(number)
    # an ordinary user may look into processes of their own, unless these hide
    shown = it.job.unprivileged
    if shown:
        set_dumpable(True)
    channel.send(messages.LISTENER, number=number)
    channel.receive(messages.CONNECTED)
    install(loaded)
    channel.receive(messages.HANDED)
    if shown:
        set_dumpable(False)
    os.close(number)


def await_ready(channel: Channel, job: Job, pid: int, state: Json) -> None:
    """In the parent: until init is READY; `state` is the container's, for the agent."""
    while True:
        message = channel.receive(messages.READY, messages.LISTENER)
        if message["kind"] == messages.READY:
            return
        _hand_over(channel, job, pid, int(message["number"]), state)


def _hand_over(channel: Channel, job: Job, pid: int, number: int, state: Json) -> None:
    seccomp: Json = job.spec.linux.seccomp or {}
    path = seccomp["listenerPath"]
    with step(f"linux.seccomp.listenerPath: connect to {path}"):
        agent = connect_to(path)
    try:
        channel.send(messages.CONNECTED)
        listener = _take(pid, number)
        try:
            with step(f"linux.seccomp.listenerPath: send to {path}"):
                document = process_state(pid, seccomp.get("listenerMetadata", ""), state)
                send_fd(agent, listener, json.dumps(document).encode("ascii"))
        finally:
            os.close(listener)
    finally:
        agent.close()
    channel.send(messages.HANDED)


def process_state(pid: int, metadata: str, state: Json) -> Json:
    return {
        "ociVersion": state["ociVersion"],
        "fds": ["seccompFd"],
        "pid": pid,
        **({"metadata": metadata} if metadata else {}),
        "state": state,
    }


def _take(pid: int, number: int) -> int:
    """Until init has loaded its filter: it cannot tell us any more that it has."""
    with step("take the seccomp listener"):
        pidfd = os.pidfd_open(pid)
        try:
            deadline = time.monotonic() + _DEADLINE_S
            while time.monotonic() < deadline:
                try:
                    taken = take_descriptor(pidfd, number)
                except OSError as error:
                    if error.errno != errno.EBADF:
                        raise
                    time.sleep(_PAUSE_S)
                    continue
                if os.readlink(f"/proc/self/fd/{taken}") == _DESCRIPTION:
                    return taken
                os.close(taken)
                break
        finally:
            os.close(pidfd)
    raise LaunchFailed("take the seccomp listener: init did not load its filter")
