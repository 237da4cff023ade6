"""One method for each endpoint of the supervisor: messages in, messages out, our errors raised."""

from __future__ import annotations

from stacker import __version__
from stacker.client import http
from stacker.client.streams import EventStream, ExecStream, LogStream, Operation, parse
from stacker.wire.message import Message, decode, encode
from stacker.wire.problems import error_of
from stacker.wire.replies import Containers, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from stacker.wire import disk, images, replies, requests

    M = TypeVar("M", bound=Message)

ANSWER_TIMEOUT_S = 120.0

Query = dict[str, str | int | float | bool | tuple[str, ...] | None]


class Supervisor:
    """A supervisor that listens on ``path``; nothing is sent before a method is called."""

    def __init__(self, path: str, *, revive: Callable[[], None] | None = None) -> None:
        self.path = path
        self._revive = revive
        """Starts a supervisor anew when the one that was there is just ending."""
        self.version: str | None = None
        """What it said it is, once it has answered; compare with ``stacker.__version__``."""

    @property
    def differs(self) -> bool:
        """Is it of another version than this client?"""
        return self.version is not None and self.version != __version__

    # what is there

    def info(self) -> replies.Info:
        from stacker.wire.replies import Info

        return self._get(Info, "/v1/info")

    def stacks(self) -> replies.Stacks:
        from stacker.wire.replies import Stacks

        return self._get(Stacks, "/v1/stacks")

    def containers(
        self,
        stack: str | None = None,
        *,
        files: tuple[str, ...] = (),
        working_dir: str | None = None,
    ) -> Containers:
        """List those of one stack, by its name, its files or where it was declared; else all."""
        query: Query = {"stack": stack, "file": files, "working_dir": working_dir}
        return self._get(Containers, "/v1/containers", query)

    def images(self) -> replies.Images:
        from stacker.wire.replies import Images

        return self._get(Images, "/v1/images")

    def stats(self, stack: str | None = None) -> replies.Stats:
        from stacker.wire.replies import Stats

        return self._get(Stats, "/v1/stats", {"stack": stack})

    def inspect(self, stack: str, name: str) -> dict[str, object]:
        from stacker.wire.message import Json

        answer = self._send("GET", f"/v1/stacks/{_quote(stack)}/inspect/{_quote(name)}")
        value = parse(answer.read())
        if not isinstance(value, dict):
            raise error_of(Problem(kind="corrupt", message="inspect: expected an object"))
        found: Json = value  # pyright: ignore[reportUnknownVariableType] a JSON object
        return found

    def find(self, wanted: requests.FindRequest) -> str:
        """Return the name of the stack that these files or this project name mean."""
        from stacker.wire.replies import FoundStack

        return self._post(FoundStack, "/v1/stacks/find", wanted).stack

    def plan(self, wanted: requests.PlanRequest) -> replies.PlanReply:
        from stacker.wire.replies import PlanReply

        return self._post(PlanReply, "/v1/plan", wanted)

    # what is to be done

    def up(self, wanted: requests.UpRequest) -> Operation:
        """Declare a stack and follow it; ``accepted`` comes first, the result is a WaitReply."""
        return self._operate("/v1/stacks", wanted)

    def wait(self, stack: str, generation: int, *, healthy: bool, since: int) -> Operation:
        """Go on following an ``up``, after its stream was cut; the result is a WaitReply."""
        query: Query = {"generation": generation, "healthy": healthy, "since": since}
        return Operation(self._send("GET", f"/v1/stacks/{_quote(stack)}/wait", query=query))

    def down(self, stack: str, wanted: requests.DownRequest) -> Operation:
        return self._operate(f"/v1/stacks/{_quote(stack)}/down", wanted)

    def stop(self, stack: str, wanted: requests.ServicesRequest) -> Operation:
        return self._operate(f"/v1/stacks/{_quote(stack)}/stop", wanted)

    def start(self, stack: str, wanted: requests.ServicesRequest) -> Operation:
        return self._operate(f"/v1/stacks/{_quote(stack)}/start", wanted)

    def restart(self, stack: str, wanted: requests.ServicesRequest) -> Operation:
        return self._operate(f"/v1/stacks/{_quote(stack)}/restart", wanted)

    def kill(self, stack: str, wanted: requests.KillRequest) -> Operation:
        return self._operate(f"/v1/stacks/{_quote(stack)}/kill", wanted)

    def pull(self, wanted: requests.PullRequest) -> Operation:
        return self._operate("/v1/pull", wanted)

    def load(self, wanted: requests.LoadRequest) -> Operation:
        """The result is Images."""
        return self._operate("/v1/images/load", wanted)

    def import_image(self, wanted: requests.ImportRequest) -> Operation:
        """The result is Images, of one."""
        return self._operate("/v1/images/import", wanted)

    # room on the disk

    def disk_usage(self) -> disk.DiskUsage:
        from stacker.wire.disk import DiskUsage

        return self._get(DiskUsage, "/v1/disk")

    def prune(self, wanted: disk.PruneRequest) -> Operation:
        """The result is a PrunedReply."""
        return self._operate("/v1/prune", wanted)

    # images and registries

    def pull_images(self, wanted: images.PullImagesRequest) -> Operation:
        """The result is Images."""
        return self._operate("/v1/images/pull", wanted)

    def push(self, wanted: images.PushRequest) -> Operation:
        """The result is a SentImage."""
        return self._operate("/v1/images/push", wanted)

    def copy(self, wanted: images.CopyRequest) -> Operation:
        """The result is a SentImage."""
        return self._operate("/v1/images/copy", wanted)

    def lock(self, wanted: images.LockRequest) -> Operation:
        """The result is a LockReply."""
        return self._operate("/v1/lock", wanted)

    def outdated(self, wanted: images.OutdatedRequest) -> Operation:
        """The result is Outdated."""
        return self._operate("/v1/outdated", wanted)

    # images in detail

    def image(self, reference: str) -> images.ImageInspection:
        from stacker.wire.images import ImageInspection

        return self._get(ImageInspection, "/v1/images/inspect", {"reference": reference})

    def image_history(self, reference: str) -> images.History:
        from stacker.wire.images import History

        return self._get(History, "/v1/images/history", {"reference": reference})

    def tag_image(self, wanted: images.TagRequest) -> replies.Images:
        from stacker.wire.replies import Images

        return self._post(Images, "/v1/images/tag", wanted)

    def remove_images(self, wanted: images.RemoveRequest) -> Operation:
        """The result is Removed."""
        return self._operate("/v1/images/remove", wanted)

    def verify_images(self, wanted: images.VerifyRequest) -> Operation:
        """The result is VerifiedImages."""
        return self._operate("/v1/images/verify", wanted)

    def complete(self, wanted: images.CompleteRequest) -> Operation:
        return self._operate("/v1/images/complete", wanted)

    def write_layout(self, wanted: images.LayoutRequest) -> Operation:
        return self._operate("/v1/images/layout", wanted)

    def build_image(self, wanted: images.BuildRequest) -> Operation:
        """The result is Images, of one."""
        return self._operate("/v1/images/build", wanted)

    def commit(self, wanted: images.CommitRequest) -> Operation:
        """The result is Images, of one."""
        return self._operate("/v1/images/commit", wanted)

    def mounted_images(self) -> images.MountedImages:
        from stacker.wire.images import MountedImages

        return self._get(MountedImages, "/v1/images/mounts")

    def mount_image(self, wanted: images.MountRequest) -> images.MountedImages:
        from stacker.wire.images import MountedImages

        return self._post(MountedImages, "/v1/images/mounts", wanted)

    def unmount_image(self, wanted: images.UnmountRequest) -> images.MountedImages:
        from stacker.wire.images import MountedImages

        return self._post(MountedImages, "/v1/images/mounts/remove", wanted)

    def rootfs(self, reference: str) -> http.Response:
        """An image's root file system as a tar, as its bytes come."""
        return self._send("GET", "/v1/images/rootfs", query={"reference": reference})

    def archive(self, references: tuple[str, ...], *, form: str) -> http.Response:
        """A tar, as its bytes come."""
        query: Query = {"reference": references, "form": form}
        return self._send("GET", "/v1/images/archive", query=query)

    def login(self, wanted: requests.LoginRequest) -> Operation:
        """The result is a Login: the registry has taken the credentials, and they are kept."""
        return self._operate("/v1/registries/login", wanted)

    def logout(self, wanted: requests.LogoutRequest) -> Operation:
        return self._operate("/v1/registries/logout", wanted)

    # what goes on

    def events(
        self, *, since: int | None = None, follow: bool = False, stack: str | None = None
    ) -> EventStream:
        query: Query = {"since": since, "follow": follow, "stack": stack}
        return EventStream(self._send("GET", "/v1/events", query=query))

    def logs(
        self,
        stack: str,
        services: tuple[str, ...] = (),
        *,
        tail: int | None = None,
        since: float | None = None,
        follow: bool = False,
    ) -> LogStream:
        query: Query = {"service": services, "tail": tail, "since": since, "follow": follow}
        return LogStream(self._send("GET", f"/v1/stacks/{_quote(stack)}/logs", query=query))

    def exec(self, stack: str, wanted: requests.ExecBody) -> ExecStream:
        from stacker.wire.execution import UPGRADE

        headers = (("Connection", "Upgrade"), ("Upgrade", UPGRADE))
        path = f"/v1/stacks/{_quote(stack)}/exec"
        return ExecStream(self._send("POST", path, wanted, headers=headers))

    # how it travels

    def _get(self, cls: type[M], path: str, query: Query | None = None) -> M:
        answer = self._send("GET", path, query=query or {}, timeout_s=ANSWER_TIMEOUT_S)
        return decode(cls, parse(answer.read()), lenient=True)

    def _post(self, cls: type[M], path: str, wanted: Message) -> M:
        answer = self._send("POST", path, wanted, timeout_s=ANSWER_TIMEOUT_S)
        return decode(cls, parse(answer.read()), lenient=True)

    def _operate(self, path: str, wanted: Message) -> Operation:
        return Operation(self._send("POST", path, wanted))

    def _send(
        self,
        method: str,
        path: str,
        wanted: Message | None = None,
        *,
        query: Query | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        timeout_s: float | None = None,
    ) -> http.Response:
        body = None if wanted is None else _body(wanted)
        target = path + _query(query or {})

        def ask() -> http.Response:
            return http.request(
                self.path, method, target, body=body, headers=headers, timeout_s=timeout_s
            )

        try:
            answer = ask()
        except http.NeverAnswered:
            if self._revive is None:
                raise
            self._revive()
            answer = ask()
        self.version = answer.headers.get("server", "").removeprefix("stacker/") or None
        if answer.status in (200, 101):
            return answer
        raise error_of(_problem(answer))


def _body(wanted: Message) -> bytes:
    import json

    return json.dumps(encode(wanted)).encode()


def _problem(answer: http.Response) -> Problem:
    content = answer.read(1 << 20)
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        return decode(Problem, parse(content), lenient=True)
    return Problem(kind="internal", message=f"the supervisor answered {answer.status}")


def _query(query: Query) -> str:
    pairs: list[str] = []
    for name, value in query.items():
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        for item in values:
            text = str(item).lower() if isinstance(item, bool) else str(item)
            pairs.append(f"{name}={_quote(text)}")
    return "?" + "&".join(pairs) if pairs else ""


_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _quote(text: str) -> str:
    """Percent-encode; ``urllib.parse`` costs more to import than all of this file."""
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in text.encode())
