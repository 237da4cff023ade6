"""Image references: what a user writes, and the one full form of it.

The grammar is the distribution project's; the short forms are Docker's: `web` is
`docker.io/library/web:latest`. The first part is a domain only when it has a dot, a colon or a
capital letter, or is `localhost`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stacker.base.errors import Invalid
from stacker.oci.digest import Digest

DEFAULT_DOMAIN = "docker.io"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"
DOMAIN_ALIASES = {"index.docker.io": DEFAULT_DOMAIN}
NAME_LIMIT = 255
REFERENCE_LIMIT = 600

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_PATH = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*", re.ASCII
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_BARE_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A repository, and a tag or a digest in it or both; the digest decides where both are."""

    domain: str
    path: str
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """Domain and path: the repository."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar(self) -> str:
        """As people write it: without docker.io and library."""
        text = str(self)
        for prefix in (f"{DEFAULT_DOMAIN}/{DEFAULT_NAMESPACE}/", f"{DEFAULT_DOMAIN}/"):
            rest = text.removeprefix(prefix)
            # a path whose first part would read as a domain stays as it is
            if rest != text and (prefix.count("/") == 1 or "/" not in rest):
                return rest if not _starts_with_domain(rest) else text

        return text

    @property
    def pinned(self) -> bool:
        """Whether the reference names content, which cannot move."""
        return self.digest is not None

    def at(self, digest: Digest) -> Reference:
        """The same repository, by digest."""
        return Reference(domain=self.domain, path=self.path, digest=digest)

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Check and complete what a user wrote."""
        if not text or len(text) > REFERENCE_LIMIT:
            raise _invalid(text, "it is empty or too long")

        if _BARE_ID.fullmatch(text):
            raise _invalid(text, "64 hex digits are an id, not a name")

        name, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        slash = name.rfind("/")
        colon = name.find(":", slash + 1)
        tag = name[colon + 1 :] if colon >= 0 else None
        name = name[:colon] if colon >= 0 else name
        if tag is not None and not _TAG.fullmatch(tag):
            raise _invalid(text, "the tag is not one")

        domain, path = _split(name)
        if not _DOMAIN.fullmatch(domain):
            raise _invalid(text, f"{domain!r} is not a registry")
        if not _PATH.fullmatch(path):
            hint = ", names are lower case" if path != path.lower() else ""
            raise _invalid(text, f"{path!r} is not a repository{hint}")
        if len(domain) + 1 + len(path) > NAME_LIMIT:
            raise _invalid(text, "the name is too long")

        if tag is None and digest is None:
            tag = DEFAULT_TAG
        return cls(domain=domain, path=path, tag=tag, digest=digest)


def parse_registry(text: str) -> str:
    """Check what a user wrote for a registry alone; as references name it.

    A word that a reference would take for part of a path is refused: what is meant for `myhost`
    must not go to Docker's registry.
    """
    if not _DOMAIN.fullmatch(text) or not _starts_with_domain(f"{text}/"):
        raise Invalid(
            f"{text[:200]!r} is not a registry: it is written HOST[:PORT], with a dot or a port in "
            "it, or as localhost"
        )

    return DOMAIN_ALIASES.get(text, text)


def _split(name: str) -> tuple[str, str]:
    """Domain and path, completed."""
    domain, path = name.split("/", 1) if _starts_with_domain(name) else (DEFAULT_DOMAIN, name)
    domain = DOMAIN_ALIASES.get(domain, domain)
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = f"{DEFAULT_NAMESPACE}/{path}"
    return domain, path


def _starts_with_domain(name: str) -> bool:
    first, slash, _ = name.partition("/")
    return bool(slash) and (
        "." in first or ":" in first or first == "localhost" or first != first.lower()
    )


def _invalid(text: str, why: str) -> Invalid:
    return Invalid(f"{text[:200]!r} is not an image reference: {why}")
