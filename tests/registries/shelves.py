"""What has been pushed to `ScriptedRegistry`, and the writing half of the specification.

As strict as the specification allows a registry to be: every blob of a manifest must be there, a
chunk must continue where the last one ended, each page of a list is short.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field

from aiohttp import web

from tests.registries.made import digest_of

INDEX = "application/vnd.oci.image.index.v1+json"
PAGE = 3
"""Names a page of a list, whatever the client asks for."""

_UPLOADS = re.compile(r"/v2/(.+)/blobs/uploads/")
_SESSION = re.compile(r"/v2/(.+)/blobs/uploads/([0-9a-f-]+)")
_BLOB = re.compile(r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})")
_MANIFEST = re.compile(r"/v2/(.+)/manifests/([^/]+)")
_TAGS = re.compile(r"/v2/(.+)/tags/list")
_REFERRERS = re.compile(r"/v2/(.+)/referrers/(sha256:[0-9a-f]{64})")


@dataclass(slots=True)
class Shelf:
    """One repository."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Digest → media type and bytes."""
    tags: dict[str, str] = field(default_factory=dict)

    def manifest(self, name: str) -> tuple[str, bytes] | None:
        return self.manifests.get(self.tags.get(name, name))


@dataclass(slots=True)
class Shelves:
    keeps_referrers: bool = True
    mounts: bool = True
    largest_body: int = 1 << 40
    """Of an upload that is one request; 413 above."""
    by_name: dict[str, Shelf] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response | None:
        """The answer to what concerns pushed content, or None."""
        for pattern, handler in (
            (_UPLOADS, self._begin), (_SESSION, self._session), (_MANIFEST, self._manifest),
            (_BLOB, self._blob), (_TAGS, self._tags), (_REFERRERS, self._referrers),
        ):  # fmt: skip
            if match := pattern.fullmatch(request.path):
                return await handler(request, *match.groups())
        if request.path == "/v2/_catalog":
            return _page(request, "repositories", sorted(self.by_name))
        return None

    async def _begin(self, request: web.Request, name: str) -> web.Response:
        digest, source = request.query.get("mount"), self.by_name.get(request.query.get("from", ""))
        if self.mounts and digest and source and digest in source.blobs:
            self._shelf(name).blobs[digest] = source.blobs[digest]
            return web.Response(status=201, headers={"Location": f"/v2/{name}/blobs/{digest}"})
        session = str(uuid.uuid4())
        self.uploads[session] = bytearray()
        return self._go_on(name, session, status=202)

    async def _session(self, request: web.Request, name: str, session: str) -> web.Response:
        held = self.uploads.get(session)
        if held is None:
            return error(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "GET":
            return self._go_on(name, session, status=204)
        data = await request.read()
        if request.method == "PATCH":
            start = request.headers.get("Content-Range", f"{len(held)}-").partition("-")[0]
            if int(start) != len(held):
                return error(416, "BLOB_UPLOAD_INVALID")
            held += data
            return self._go_on(name, session, status=202)
        if len(data) > self.largest_body:
            return error(413, "SIZE_INVALID")
        whole, digest = bytes(held + data), request.query.get("digest", "")
        del self.uploads[session]
        if digest_of(whole) != digest:
            return error(400, "DIGEST_INVALID")
        self._shelf(name).blobs[digest] = whole
        return web.Response(status=201, headers={"Location": f"/v2/{name}/blobs/{digest}"})

    def _go_on(self, name: str, session: str, *, status: int) -> web.Response:
        last = max(0, len(self.uploads[session]) - 1)
        return web.Response(
            status=status,
            headers={
                "Location": f"/v2/{name}/blobs/uploads/{session}?_state=a%3D%3D",
                "Range": f"0-{last}",
            },
        )

    async def _manifest(self, request: web.Request, name: str, tag: str) -> web.Response | None:
        shelf = self.by_name.get(name)
        if request.method == "PUT":
            return self._put(await request.read(), request.content_type, name, tag)
        found = shelf.manifest(tag) if shelf else None
        if shelf is None or found is None:
            return None if request.method in ("GET", "HEAD") else error(404, "MANIFEST_UNKNOWN")
        if request.method == "DELETE":
            if tag in shelf.tags:
                del shelf.tags[tag]
            else:
                del shelf.manifests[tag]
                shelf.tags = {key: value for key, value in shelf.tags.items() if value != tag}
            return web.Response(status=202)
        media_type, data = found
        headers = {"Docker-Content-Digest": digest_of(data)}
        return web.Response(body=data, content_type=media_type, headers=headers)

    def _put(self, data: bytes, media_type: str, name: str, tag: str) -> web.Response:
        shelf, document = self._shelf(name), json.loads(data)
        digest = digest_of(data)
        if ":" in tag and tag != digest:
            return error(400, "DIGEST_INVALID")
        blobs = [entry for entry in document.get("layers", []) if "urls" not in entry]
        blobs += [document["config"]] if "config" in document else []
        if missing := [entry["digest"] for entry in blobs if entry["digest"] not in shelf.blobs]:
            return error(400, "MANIFEST_BLOB_UNKNOWN", missing[0])
        inner = [entry["digest"] for entry in document.get("manifests", [])]
        if missing := [each for each in inner if each not in shelf.manifests]:
            return error(400, "MANIFEST_UNKNOWN", missing[0])
        shelf.manifests[digest] = (media_type, data)
        if ":" not in tag:
            shelf.tags[tag] = digest
        headers = {"Docker-Content-Digest": digest}
        if "subject" in document and self.keeps_referrers:
            headers["OCI-Subject"] = document["subject"]["digest"]
        return web.Response(status=201, headers=headers)

    async def _blob(self, request: web.Request, name: str, digest: str) -> web.Response | None:
        shelf = self.by_name.get(name)
        if shelf is None or digest not in shelf.blobs:
            return None if request.method in ("GET", "HEAD") else error(404, "BLOB_UNKNOWN")
        if request.method == "DELETE":
            del shelf.blobs[digest]
            return web.Response(status=202)
        return ranged(request, shelf.blobs[digest])

    async def _tags(self, request: web.Request, name: str) -> web.Response:
        shelf = self.by_name.get(name)
        return _page(request, "tags", sorted(shelf.tags)) if shelf else error(404, "NAME_UNKNOWN")

    async def _referrers(self, request: web.Request, name: str, digest: str) -> web.Response:
        if not self.keeps_referrers:
            return error(404, "NOT_FOUND")
        entries = []
        for key, (media_type, data) in self._shelf(name).manifests.items():
            document = json.loads(data)
            if document.get("subject", {}).get("digest") == digest:
                kind = document.get("artifactType") or document["config"]["mediaType"]
                entries.append(
                    {"mediaType": media_type, "digest": key, "size": len(data)}
                    | {"artifactType": kind, "annotations": document.get("annotations", {})}
                )
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        return web.json_response(body, content_type=INDEX)

    def _shelf(self, name: str) -> Shelf:
        return self.by_name.setdefault(name, Shelf())


def error(status: int, code: str, message: str = "no such thing") -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)


def ranged(request: web.Request, data: bytes) -> web.Response:
    match = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
    if match is None:
        return web.Response(body=data, content_type="application/octet-stream")

    start = int(match[1])
    return web.Response(
        status=206,
        body=data[start:],
        headers={"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"},
    )


def _page(request: web.Request, key: str, names: list[str]) -> web.Response:
    last = request.query.get("last", "")
    left = [name for name in names if name > last]
    headers = {}
    if len(left) > PAGE:
        headers["Link"] = f'<{request.path}?n={PAGE}&last={left[PAGE - 1]}>; rel="next"'
    return web.json_response({key: left[:PAGE]}, headers=headers)
