"""A small org.freedesktop.systemd1 that really makes cgroups: for hosts whose PID 1 is another.

`python -m tests.fakes.systemd bus ADDRESS TOP JOURNAL` takes the name on a real dbus-daemon;
`… private PATH TOP JOURNAL` listens itself, as systemd does on /run/systemd/private.
Units live below the cgroup TOP of every hierarchy. Each call is a line of JSON in JOURNAL.

As systemd it makes a scope only with processes, moves them in, answers with a job and tells its
end by a signal afterwards, and knows a unit that failed until it is told to forget it (a unit
whose name has `stale` in it is born failed).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from runtime.cgroups.detect import detect
from runtime.cgroups.systemd.marshal import Variant
from runtime.cgroups.systemd.message import (
    ERROR,
    FIXED_SIZE,
    METHOD_CALL,
    METHOD_RETURN,
    SIGNAL,
    Message,
    message_size,
    pack,
    unpack,
)
from runtime.cgroups.systemd.unit import slice_directory

NAME = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
MANAGER = f"{NAME}.Manager"


class Refused(Exception):
    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = f"{NAME}.{name}"


class Units:
    """What is there, as directories below TOP in every hierarchy."""

    def __init__(self, top: str, journal: Path) -> None:
        layout = detect()
        trees = [*layout.legacy, *([layout.unified] if layout.unified else [])]
        # systemd joins its own trees and those it has accounting for, not all of version 1
        self.roots = [
            Path(tree.mountpoint + top)
            for tree in trees
            if tree.version == 2 or {"name=systemd", "memory", "pids"} & set(tree.controllers)
        ]
        self.top = top
        self.journal = journal
        self.places: dict[str, str] = {}
        self.failed = {"p-stale.scope"}
        self.jobs = 0

    def note(self, member: str, body: Any) -> None:
        with self.journal.open("a") as file:
            file.write(json.dumps([member, body], default=_plain) + "\n")

    def start(self, unit: str, properties: dict[str, Any]) -> str:
        if unit in self.places or unit in self.failed:
            raise Refused("UnitExists", f"Unit {unit} was already loaded.")
        pids: list[int] = properties.get("PIDs", [])
        if unit.endswith(".scope") and not pids:
            raise Refused("BadUnitSetting", "Scope has no PIDs. Refusing.")
        if unit.endswith(".slice"):
            place = slice_directory(unit)
        else:
            place = slice_directory(properties["Slice"]) + f"/{unit}"
        for root in self.roots:
            directory = Path(f"{root}{place}")
            directory.mkdir(parents=True)
            for pid in pids:
                (directory / "cgroup.procs").write_text(str(pid))
        self.places[unit] = place
        self.set(unit, properties)
        return self.job()

    def set(self, unit: str, properties: dict[str, Any]) -> None:
        if unit not in self.places:
            raise Refused("NoSuchUnit", f"Unit {unit} not loaded.")
        for root in self.roots:
            file = Path(f"{root}{self.places[unit]}/pids.max")
            if "TasksMax" in properties and file.exists():
                limit = properties["TasksMax"]
                file.write_text("max" if limit == 2**64 - 1 else str(limit))

    def stop(self, unit: str) -> str:
        if unit not in self.places:
            raise Refused("NoSuchUnit", f"Unit {unit} not loaded.")
        place = self.places.pop(unit)
        for root in self.roots:
            directory = Path(f"{root}{place}")
            if not directory.exists():
                continue
            for pid in (directory / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
            try:
                directory.rmdir()
            except OSError:
                continue
        return self.job()

    def reset(self, unit: str) -> None:
        if unit not in self.failed:
            raise Refused("NoSuchUnit", f"Unit {unit} not loaded.")
        self.failed.discard(unit)

    def job(self) -> str:
        self.jobs += 1
        return f"{PATH}/job/{self.jobs}"


def _plain(value: object) -> object:
    if isinstance(value, Variant):
        return value.value
    return value.hex() if isinstance(value, bytes) else str(value)


class Server:
    def __init__(self, connection: socket.socket, units: Units) -> None:
        self.connection = connection
        self.units = units
        self.rest = b""
        self.serial = 0

    def exactly(self, size: int) -> bytes:
        while len(self.rest) < size:
            received = self.connection.recv(65536)
            if not received:
                raise EOFError
            self.rest += received
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def lines_until(self, end: bytes) -> None:
        while end not in self.rest:
            self.rest += self.connection.recv(4096)
        _, _, self.rest = self.rest.partition(end)

    def receive(self) -> Message:
        start = self.exactly(FIXED_SIZE)
        return unpack(start + self.exactly(message_size(start) - FIXED_SIZE))

    def send(self, kind: int, fields: dict[str, Any], *body: Any) -> None:
        self.serial += 1
        message = Message(kind, serial=self.serial, fields=fields, body=body)
        self.connection.sendall(pack(message))

    def call_bus(self, member: str, signature: str = "", *body: Any) -> None:
        bus = "org.freedesktop.DBus"
        fields = {"path": "/org/freedesktop/DBus", "interface": bus, "destination": bus}
        self.send(METHOD_CALL, {**fields, "member": member, "signature": signature}, *body)

    def take_name(self) -> None:
        self.connection.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
        self.lines_until(b"OK ")
        self.lines_until(b"\r\n")
        self.call_bus("Hello")
        self.call_bus("RequestName", "su", NAME, 4)

    def serve(self) -> None:
        while True:
            message = self.receive()
            if message.kind == METHOD_CALL:
                self.answer(message)

    def answer(self, call: Message) -> None:
        back = {"reply_serial": call.serial, "destination": call.text("sender")}
        self.units.note(call.text("member"), call.body)
        try:
            signature, body, unit = self.perform(call)
        except Refused as refused:
            error = {**back, "error_name": refused.name, "signature": "s"}
            self.send(ERROR, error, str(refused))
            return
        self.send(METHOD_RETURN, {**back, "signature": signature}, *body)
        if signature == "o":
            # systemd names itself on its own socket; on a bus the daemon puts our number there
            fields = {"path": PATH, "interface": MANAGER, "member": "JobRemoved", "sender": NAME}
            number = int(body[0].rpartition("/")[2])
            # another one's job ends in between
            other = (number + 1000, f"{PATH}/job/0", "other.scope", "failed")
            self.send(SIGNAL, {**fields, "signature": "uoss"}, *other)
            self.send(SIGNAL, {**fields, "signature": "uoss"}, number, body[0], unit, "done")

    def perform(self, call: Message) -> tuple[str, tuple[Any, ...], str]:
        member, body, units = call.text("member"), call.body, self.units
        match member:
            case "StartTransientUnit":
                unit, _, properties, _ = body
                return "o", (units.start(unit, _values(properties)),), unit
            case "StopUnit":
                return "o", (units.stop(body[0]),), body[0]
            case "SetUnitProperties":
                units.set(body[0], _values(body[2]))
            case "ResetFailedUnit":
                units.reset(body[0])
            case "Get":
                return "v", (Variant("s", units.top),), ""
            case "Subscribe":
                pass
            case _:
                raise Refused("UnknownMethod", member)
        return "", (), ""


def _values(properties: list[tuple[str, Variant]]) -> dict[str, Any]:
    return {name: variant.value for name, variant in properties}


def main(mode: str, path: str, top: str, journal: str) -> None:
    units = Units(top, Path(journal))
    if mode == "bus":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        server = Server(connection, units)
        server.take_name()
        server.serve()
        return
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        connection, _ = listener.accept()
        server = Server(connection, units)
        server.lines_until(b"BEGIN\r\n")
        connection.sendall(b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n")
        try:
            server.serve()
        except EOFError:
            connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
