"""How checkpoint and restore call CRIU (criu(8)): its arguments, as pure data, and running it.

CRIU saves and restores what the kernel knows of the processes; what came from outside (bind
mounts, masked files, joined namespaces, the pipes of stdio) it is told by name, and gets again by
the same name when it restores.
"""

from __future__ import annotations

import os

from runtime.commands.arguments import Flag, switch
from runtime.errors import LaunchFailed, NotSupported, SpecInvalid, step
from runtime.linux.process import restore_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.commands.arguments import Arguments
    from runtime.spec.model import Spec

DESCRIPTORS_FILE = "descriptors.json"
DUMP_LOG, RESTORE_LOG = "dump.log", "restore.log"
_LOG_KEPT = 65536

# flags that both verbs have, and that CRIU has by the same name
_SAME = (
    switch("tcp-established", "", "allow open TCP connections"),
    switch("ext-unix-sk", "", "allow unix sockets to the outside"),
    switch("shell-job", "", "allow a session that was begun outside"),
    switch("lazy-pages", "", "move memory only when it is used"),
    switch("file-locks", "", "handle file locks"),
    switch("auto-dedup", "", "free the pages of a parent image that are taken from this one"),
)
COMMON_FLAGS = (
    Flag("image-path", "", "where the images are (./checkpoint)", "DIR"),
    Flag("work-path", "", "where CRIU works and logs (the images' directory)", "DIR"),
    Flag("manage-cgroups-mode", "", "soft (default), full, strict or ignore", "MODE"),
    Flag("empty-ns", "", "do not keep what is in this namespace (network)", "TYPE"),
    *_SAME,
)
_CGROUP_MODES = ("soft", "full", "strict", "ignore")
# the namespaces that CRIU leaves to us when they are not the container's own: (ours, CRIU's)
_OUTSIDE = {"network": ("net", "extRootNetNS"), "pid": ("pid", "extRootPidNS")}


def image_path(arguments: Arguments) -> str:
    return os.path.abspath(arguments.text("image-path") or "checkpoint")


def work_path(arguments: Arguments) -> str:
    text = arguments.text("work-path")
    return os.path.abspath(text) if text else image_path(arguments)


def common_arguments(arguments: Arguments, log: str) -> list[str]:
    words = ["--images-dir", image_path(arguments), "--work-dir", work_path(arguments)]
    words += ["--log-file", log, "-v4"]
    mode = arguments.choice("manage-cgroups-mode", _CGROUP_MODES)
    words.append(f"--manage-cgroups={mode}")
    for kind in arguments.texts("empty-ns"):
        if kind != "network":
            raise SpecInvalid(f"--empty-ns: {kind!r} is not supported, only network is")
        words += ["--empty-ns", "net"]
    return words + [f"--{flag.name}" for flag in _SAME if arguments.on(flag.name)]


def outside_names(spec: Spec) -> dict[str, tuple[str, str]]:
    """Joined namespaces: path -> (CRIU's type, the name it is saved by)."""
    paths = ((spec.namespace_path(kind), named) for kind, named in _OUTSIDE.items())
    return {path: named for path, named in paths if path}


def dump_mounts(spec: Spec, masked_files: list[str]) -> list[str]:
    words: list[str] = []
    for destination in _bound(spec):
        words += ["--external", f"mnt[{destination}]:{destination}"]
    for path in masked_files:
        words += ["--external", f"mnt[{path}]:/dev/null"]
    return words


def restore_mounts(spec: Spec, bundle: str) -> list[str]:
    words: list[str] = []
    for destination, source in _bound(spec).items():
        words += ["--external", f"mnt[{destination}]:{os.path.join(bundle, source)}"]
    if spec.linux.masked_paths:
        words += ["--external", "mnt[/dev/null]:/dev/null"]
    return words


def _bound(spec: Spec) -> dict[str, str]:
    return {
        mount.destination.rstrip("/"): mount.source
        for mount in spec.mounts
        if mount.type == "bind" or {"bind", "rbind"} & set(mount.options)
    }


def find_criu(name: str, verb: str) -> str:
    places = [""] if "/" in name else [f"{directory}/" for directory in os.get_exec_path()]
    for place in places:
        if os.access(place + name, os.X_OK):
            return place + name
    raise NotSupported(f"{verb} needs CRIU: there is no program {name} (see --criu)")


def run_criu(
    program: str,
    words: list[str],
    log: str,
    *,
    fds: tuple[int, ...] = (),
    first: Callable[[], list[str]] | None = None,
) -> None:
    """Run it to its end. `first` is called in the child and gives more arguments."""
    with step(f"run {program}"):
        pid = os.fork()
    if pid == 0:
        _become(program, words, fds, first)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise LaunchFailed(f"criu {words[0]} ended with {code}: {_last_error(log)} (see {log})")


def _become(
    program: str, words: list[str], fds: tuple[int, ...], first: Callable[[], list[str]] | None
) -> None:
    try:
        more = first() if first is not None else []
        for fd in fds:
            os.set_inheritable(fd, True)
        restore_signals()
        os.execv(program, [program, *words, *more])
    except BaseException as error:
        os.write(2, f"criu: {error}\n".encode("utf-8", "replace"))
    finally:
        os._exit(127)


def _last_error(log: str) -> str:
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_KEPT))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "it wrote no log"
    errors = [line for line in lines if "Error" in line]
    return " ".join(errors[-1].split()) if errors else "its log names no error"
