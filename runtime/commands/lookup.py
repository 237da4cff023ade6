"""What most verbs begin with: the container of a name, its cgroup, its config, its status."""

from __future__ import annotations

from runtime.cgroups.freezer import is_stored_frozen
from runtime.container import directory
from runtime.container.state import current_status, read_state
from runtime.errors import RuntimeFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.cgroup import Cgroup
    from runtime.commands.context import Context
    from runtime.container.state import State
    from runtime.spec.model import Hook, Spec


class Found:
    __slots__ = ("_cgroup", "state", "status")

    def __init__(self, state: State, status: str) -> None:
        self.state = state
        self.status = status
        self._cgroup: Cgroup | None = None

    @property
    def cgroup(self) -> Cgroup:
        """Loaded when it is asked for: `state` and `start` do without."""
        if self._cgroup is None:
            from runtime.cgroups.open import stored_cgroup

            self._cgroup = stored_cgroup(
                self.state.cgroup,
                init=self.state.pid if self.state.alive else 0,
                own_pid_namespace=self.state.own_pid_namespace,
            )
        return self._cgroup


def find(context: Context, identity: str) -> Found:
    state = read_state(context.root, identity)
    try:
        frozen = state.alive and is_stored_frozen(state.cgroup)
    except (OSError, RuntimeFault):
        # the cgroup was taken away behind our back: a process without one cannot be frozen
        frozen = False
    return Found(state, current_status(context.root, state, frozen=frozen))


def late_hooks(context: Context, identity: str, kind: str) -> tuple[Hook, ...]:
    """poststart or poststop, of config.json as it was at `create`.

    Nearly no container has one. A name that a JSON text holds is there as it is or with escapes
    of the form \\uXXXX; without either the text need not be parsed, nor the parser be loaded.
    """
    text = directory.stored_config(context.root, identity)
    if kind.encode("ascii") not in text and b"\\u" not in text:
        return ()
    return getattr(stored_spec(context, identity).hooks, kind)


def stored_spec(context: Context, identity: str) -> Spec:
    # the whole parser of config.json: `state` and `kill` do without
    from runtime.spec.read import read_spec

    return read_spec(f"{directory.path_of(context.root, identity)}/{directory.CONFIG_FILE}")
