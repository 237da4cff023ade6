"""checkpoint: the processes of a container written to files by CRIU, and the container gone."""

from __future__ import annotations

import os

from runtime.commands import criu
from runtime.commands.arguments import Flag, UsageError, parse_number, switch
from runtime.commands.delete import delete
from runtime.commands.lookup import find, stored_spec
from runtime.container.status import require
from runtime.errors import SpecInvalid, step
from runtime.wire import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.commands.arguments import Arguments
    from runtime.commands.context import Context
    from runtime.commands.lookup import Found
    from runtime.spec.model import Spec

FLAGS = (
    *criu.COMMON_FLAGS,
    Flag("parent-path", "", "images of an earlier pre-dump, from the images' directory on", "DIR"),
    Flag("page-server", "", "send the memory there", "ADDRESS:PORT"),
    Flag("status-fd", "", "CRIU writes a zero byte to it when lazy pages are ready", "FD"),
    switch("leave-running", "", "leave the container as it is"),
    switch("pre-dump", "", "save memory only, and leave the container as it is"),
)
_LAST_FD = 65535


def run(context: Context, arguments: Arguments) -> int:
    identity = arguments.operand("the container's id")
    found = find(context, identity)
    require("checkpoint", identity, found.status)
    spec = stored_spec(context, identity)
    program = criu.find_criu(context.criu, "checkpoint")
    words = build_words(arguments, found, spec)
    images, work = criu.image_path(arguments), criu.work_path(arguments)
    for path in (images, work):
        with step(f"make {path}"):
            os.makedirs(path, 0o700, exist_ok=True)
    kept = arguments.on("leave-running") or arguments.on("pre-dump")
    if not arguments.on("pre-dump"):
        _write_descriptors(images, found.state.pid)
    status = arguments.text("status-fd")
    fds = (parse_number("--status-fd", status, 0, _LAST_FD),) if status else ()
    criu.run_criu(program, words, f"{work}/{criu.DUMP_LOG}", fds=fds)
    if not kept:
        delete(context, identity, force=True)
    return 0


def build_words(arguments: Arguments, found: Found, spec: Spec) -> list[str]:
    pre = arguments.on("pre-dump")
    words = ["pre-dump" if pre else "dump", "--tree", str(found.state.pid)]
    words += criu.common_arguments(arguments, criu.DUMP_LOG)
    words += ["--root", found.state.rootfs]
    for path, (kind, name) in criu.outside_names(spec).items():
        with step(f"look at the namespace {path}"):
            words += ["--external", f"{kind}[{os.stat(path).st_ino}]:{name}"]
    freezer = found.cgroup.legacy.get("freezer") or found.cgroup.unified
    if freezer is not None:
        words += ["--freeze-cgroup", freezer]
    if arguments.text("parent-path"):
        words += ["--prev-images-dir", _relative(arguments.text("parent-path")), "--track-mem"]
    if arguments.text("page-server"):
        address, colon, port = arguments.text("page-server").rpartition(":")
        if not colon or not address:
            raise UsageError("--page-server: not of the form ADDRESS:PORT")
        number = parse_number("--page-server", port, 1, 65535)
        words += ["--page-server", "--address", address, "--port", str(number)]
    if arguments.text("status-fd"):
        words += ["--status-fd", arguments.text("status-fd")]
    if arguments.on("leave-running"):
        words.append("--leave-running")
    return words if pre else words + criu.dump_mounts(spec, _masked_files(found.state.pid, spec))


def _relative(path: str) -> str:
    """CRIU follows a link that it makes in the images' directory: an absolute one cannot move."""
    if os.path.isabs(path):
        raise SpecInvalid(f"--parent-path: {path} is not relative to the images' directory")
    return path


def _masked_files(pid: int, spec: Spec) -> list[str]:
    """Masked directories are covered by a tmpfs, which CRIU saves itself."""
    paths = spec.linux.masked_paths
    root = f"/proc/{pid}/root"
    return [
        path for path in paths if os.path.exists(root + path) and not os.path.isdir(root + path)
    ]


def _write_descriptors(images: str, pid: int) -> None:
    """What stdio was: pipes are handed to the restored processes by these names."""
    names: list[str] = []
    for fd in range(3):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            names.append("")
    path = f"{images}/{criu.DESCRIPTORS_FILE}"
    with step(f"write {path}"), open(path, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(json.dumps(names))
