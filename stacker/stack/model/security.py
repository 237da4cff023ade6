"""What a service may do beyond, or less than, the default profile."""

from __future__ import annotations

from stacker.stack.model.values import Model


class SecurityOptions(Model):
    """`security_opt`, taken apart."""

    no_new_privileges: bool | None = None
    """None: on, as the bundle has it by default."""
    apparmor: str | None = None
    """The name of a loaded profile, or `unconfined`; None: the default profile."""
    seccomp: str | None = None
    """`unconfined`; None: the default profile."""
    label: tuple[str, ...] = ()
    """SELinux: `disable`, or `user:…`, `role:…`, `type:…`, `level:…`."""
    unmask: bool = False
    """`systempaths=unconfined`: neither masked nor read-only paths."""


class Device(Model):
    source: str
    target: str
    permissions: str = "rwm"


class Ulimit(Model):
    """-1 is "no limit"."""

    soft: int
    hard: int
