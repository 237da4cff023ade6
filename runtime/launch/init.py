"""Process 1 of a container: ONE list of steps, each with the reason for its place.

Each step takes the `Init` and returns, or raises; `enter_container` reports the failure to whoever
waits (the parent until READY, the caller of `start` after it) and ends the process.
"""

from __future__ import annotations

import os

from runtime.errors import RuntimeFault
from runtime.launch import net_devices, process_steps, root_steps, steps
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.launch.job import Init

STEPS: tuple[Callable[[Init], None], ...] = (
    steps.wait_for_go,  # the parent has recorded us: whatever fails now is cleaned up
    steps.join_cgroup,  # what follows is counted and limited; needs the host's cgroup files
    root_steps.make_cgroup_namespace,  # its root is the cgroup we are in: after joining it
    steps.start_session,  # before a terminal is made: only a session leader can take one
    root_steps.make_keyring,  # the session keyring of the caller stays outside
    root_steps.start_loopback,  # the network namespace is new; hooks may want it complete
    net_devices.set_devices_up,  # the parent has moved them before it let us go
    root_steps.set_names,  # needs CAP_SYS_ADMIN
    root_steps.set_sysctls,  # these two through the host's /proc, which nobody inside can redirect
    steps.open_labels,
    root_steps.isolate,  # before the first mount: none of ours may reach the host
    root_steps.bind_root,  # mounts need a root to lie in
    root_steps.make_mounts,  # in config.json's order
    root_steps.mount_notify_directory,  # over them: no mount of config.json is meant to hide it
    root_steps.fill_dev,  # into the /dev just mounted
    root_steps.make_console,  # from the devpts just mounted
    root_steps.make_working_directory,  # before the root may become read-only
    root_steps.make_read_only,  # what had to be written to until here
    root_steps.cover_paths,  # last of the mounts: nothing may lie over them
    root_steps.find_home,  # in the root's own /etc/passwd: from outside, while it is a descriptor
    root_steps.let_parent_run_hooks,  # namespaces and mounts are there, the root is not entered
    root_steps.run_create_container_hooks,  # in our namespaces, found on the host's paths
    root_steps.forbid_imports,  # from here on a file opened is a file of the container
    root_steps.enter,  # the host's tree is gone after this
    steps.set_labels,  # they take effect at execve; the files were opened outside
    steps.set_rlimits,  # raising a hard limit needs CAP_SYS_RESOURCE
    steps.take_streams,  # chown of the terminal needs CAP_CHOWN
    process_steps.apply_scheduler,  # these four before the filter: it may forbid them; real time
    process_steps.apply_io_priority,  # and raised priorities need CAP_SYS_NICE
    process_steps.apply_memory_policy,
    process_steps.apply_personality,
    steps.try_to_enter_working_directory,  # with root's rights, as other runtimes do
    steps.close_descriptors,  # before a filter: few profiles know close_range(2)
    steps.load_privileged_filter,  # needs CAP_SYS_ADMIN, so just before it is dropped
    steps.drop_privileges,
    steps.enter_working_directory_as_user,  # where root, of a user namespace say, could not
    steps.look_program_up,  # a missing program is an error of `create`, while it can be told
    steps.load_notifying_filter,  # while the parent is there to give the agent its listener
    steps.say_ready,  # `create` returns
    steps.wait_for_start,  # until `start` calls
    steps.run_start_container_hooks,  # inside, right before the program (config.md, "Hooks")
    steps.load_filter,  # with no_new_privs it can be last: nothing of ours needs to be allowed
    steps.run_program,
)


def enter_container(it: Init, todo: tuple[Callable[[Init], None], ...]) -> None:
    """Take the steps; does not return."""
    code = 1
    try:
        for one in todo:
            one(it)
    except BaseException as error:
        code = error.exit_code if isinstance(error, RuntimeFault) else 1
        if it.caller is None:
            it.channel.fault(error)
        else:
            _tell_starter(it, error, code)
    finally:
        os._exit(code)


def _tell_starter(it: Init, error: BaseException, code: int) -> None:
    text = str(error) if isinstance(error, RuntimeFault) else f"unexpected: {error!r}"
    try:
        if it.caller is not None:
            it.caller.sendall(json.dumps({"text": text, "exit_code": code}).encode("ascii"))
    except OSError:
        # whoever started us has gone; the exit code still tells
        return
