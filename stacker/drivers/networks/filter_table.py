"""The nftables table of one supervisor: put in place whole, looked at, removed.

Where the kernel can (Linux 6.9), the table belongs to our netlink socket: nobody else can change
or flush it, so that ``nft flush ruleset`` and a firewall's reload leave the isolation standing.
The socket is kept over a restart of the supervisor, and the table outlives the socket. On older
kernels the table is an ordinary one, and what was flushed is put back when the event arrives.
Blocking: called in worker threads, one at a time.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from stacker.base.errors import Conflict, Failed, Unsupported
from stacker.drivers.networks import encode
from stacker.drivers.networks.netlink.conversation import NETFILTER, Conversation, Refused
from stacker.drivers.networks.ruleset import Ruleset

_NO_OWNERS = (errno.EOPNOTSUPP, errno.EINVAL)
_NO_NFTABLES = (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT)


class FilterTable:
    """The table and the socket that owns it."""

    def __init__(self, name: str, kept: int | None) -> None:
        self._name = name
        adopted = None if kept is None else socket.socket(fileno=kept)
        try:
            self._conversation = Conversation(NETFILTER, adopt=adopted)
        except OSError as error:
            raise Unsupported(f"packet filter: this kernel has no nftables: {error}") from error
        self._owned = True
        self._rules = 0

    @property
    def port(self) -> int:
        """Our netlink port: events that carry it are echoes of what we did."""
        return self._conversation.port

    def fileno(self) -> int:
        return self._conversation.socket.fileno()

    def close(self) -> None:
        self._conversation.close()

    def put(self, ruleset: Ruleset) -> None:
        """Replace the table in one transaction: packets see the old rules or the new ones."""
        self._transact(lambda owned: encode.replace(ruleset, owned=owned), "apply the rules")
        self._rules = len(ruleset.rules)

    def remove(self) -> None:
        self._transact(lambda owned: encode.remove(self._name, owned=owned), "remove the rules")
        self._rules = 0

    def problem(self) -> str | None:
        """What is wrong with the table as the kernel has it now; None: nothing."""
        try:
            present = len(self._conversation.dump(encode.get_rules(self._name)))
        except Refused as error:
            if error.errno == errno.ENOENT:
                return "packet filter rules are gone"
            raise Failed(f"packet filter: look at the rules: {error}") from error
        if present == 0 and self._rules:
            return "packet filter rules are gone"
        return None if present == self._rules else "packet filter rules were changed"

    def _transact(self, build: Callable[[bool], list[bytes]], step: str) -> None:
        while True:
            try:
                self._conversation.request(build(self._owned))
            except Refused as error:
                if self._owned and error.errno in _NO_OWNERS:
                    self._owned = False
                    continue
                raise self._translated(error, step) from error
            except OSError as error:
                raise Failed(f"packet filter: {step}: {error.strerror}".lower()) from error
            return

    def _translated(self, error: Refused, step: str) -> Exception:
        if error.errno == errno.EPERM:
            return Conflict(f"packet filter: table {self._name} belongs to another process")
        if error.errno in _NO_NFTABLES:
            return Unsupported(f"packet filter: {step}: this kernel has no nftables: {error}")
        return Failed(f"packet filter: {step}: {error}")
