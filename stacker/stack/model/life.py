"""The life of a service: what it waits for, when it comes back, where its output goes."""

from __future__ import annotations

from typing import Literal

from stacker.stack.model.values import Condition, Model, RestartCondition


class RestartPolicy(Model):
    """`restart` of the service, or `deploy.restart_policy`, which wins: one policy, one place."""

    condition: RestartCondition = "no"
    max_attempts: int | None = None
    """None: without end."""
    delay: float | None = None
    """Seconds before each restart; None: the growing, capped back-off of the supervisor."""
    window: float | None = None
    """Seconds a container must stay up for its restart to count as successful."""


class Dependency(Model):
    condition: Condition = "service_started"
    required: bool = True
    """False: start all the same when the dependency cannot be started."""
    restart: bool = False
    """True: restart this service when stacker restarts or recreates the dependency."""


class Logging(Model):
    """Where output goes. `json-file` and `local` of Docker both mean the supervisor's log files."""

    driver: Literal["local", "none"] = "local"
    max_size: int | None = None
    """`options.max-size`, bytes; None: the supervisor's default."""
    max_file: int | None = None
    """`options.max-file`; None: the supervisor's default."""
