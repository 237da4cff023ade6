"""What most verbs begin with: the container of a name, its cgroup, its config, its status."""

from __future__ import annotations

from runtime.cgroups.open import stored_cgroup
from runtime.container import directory
from runtime.container.state import current_status, read_state
from runtime.errors import RuntimeFault
from runtime.spec.read import read_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.cgroup import Cgroup
    from runtime.commands.context import Context
    from runtime.container.state import State
    from runtime.spec.model import Spec


class Found:
    __slots__ = ("cgroup", "state", "status")

    def __init__(self, state: State, cgroup: Cgroup, status: str) -> None:
        self.state = state
        self.cgroup = cgroup
        self.status = status


def find(context: Context, identity: str) -> Found:
    state = read_state(context.root, identity)
    cgroup = stored_cgroup(
        state.cgroup,
        init=state.pid if state.alive else 0,
        own_pid_namespace=state.own_pid_namespace,
    )
    try:
        frozen = state.alive and cgroup.is_frozen()
    except (OSError, RuntimeFault):
        # the cgroup was taken away behind our back: a process without one cannot be frozen
        frozen = False
    return Found(state, cgroup, current_status(context.root, state, frozen=frozen))


def stored_spec(context: Context, identity: str) -> Spec:
    return read_spec(f"{directory.path_of(context.root, identity)}/{directory.CONFIG_FILE}")
