"""What is left of `deploy` in the canonical form.

`deploy.resources` is folded into `mem_limit`, `mem_reservation`, `cpus`, `cpu_shares` and
`pids_limit` of the service, and `deploy.restart_policy` into `restart`: a value has one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from stacker.stack.model.values import Model


class Deploy(Model):
    replicas: int = 1
    mode: Literal["replicated", "global"] = "replicated"
    """`global` is one replica: there is one host."""
    labels: Mapping[str, str] = {}
    """Labels of the service, not of its containers."""
