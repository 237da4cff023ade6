"""What a registry's refusal means: status and error body → one of our errors.

Bodies are bounded by the transport; what they say is shown cleaned and cut, since it goes to a
terminal.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NoReturn

from aiohttp import hdrs

from stacker.base import clock
from stacker.base.errors import Denied, Failed, NotFound, StackerError, Unavailable, Unsupported
from stacker.drivers.images.registry import trust
from stacker.drivers.images.registry.transport import ERROR_BODY_LIMIT, Answer
from stacker.oci.fields import load_object

MESSAGE_LIMIT = 200

BY_STATUS: dict[int, tuple[type[StackerError], str]] = {
    401: (Denied, "wants other credentials"),
    403: (Denied, "denies access"),
    404: (NotFound, "does not have it"),
    405: (Unsupported, "does not do that"),
    408: (Unavailable, "timed out"),
    410: (NotFound, "has it no more"),
    425: (Unavailable, "is not ready"),
    429: (Unavailable, "limits our requests"),
    451: (Denied, "may not give it out"),
}


async def raise_for(answer: Answer) -> NoReturn:
    """Raise the error that an answer other than the hoped-for one stands for."""
    said = _said(await answer.error_body())
    kind, meaning = BY_STATUS.get(answer.status, (Failed, "answers"))
    if answer.status >= 500:
        kind, meaning = Unavailable, "is in trouble"
    detail = f": {said}" if said else ""
    message = f"{trust.shown(answer.url.origin())} {meaning} ({answer.status}{detail})"
    if kind is Unavailable:
        wait_s = _retry_after(answer.header(hdrs.RETRY_AFTER))
        wish = f", and asks us to wait {wait_s:.0f} s" if wait_s else ""
        raise Unavailable(message + wish, retry_after_s=wait_s)
    raise kind(message)


def _said(body: bytes) -> str:
    """The first message of an error document of the distribution specification."""
    try:
        document = load_object(body, what="error", limit=ERROR_BODY_LIMIT)
        errors = document.children("errors", limit=100)
        text = " ".join(
            filter(None, (errors[0].text_or_none("code"), errors[0].text_or_none("message")))
        )
    except (StackerError, IndexError):
        return ""

    return "".join(character if character.isprintable() else "?" for character in text)[
        :MESSAGE_LIMIT
    ]


def _retry_after(header: str | None) -> float | None:
    """Seconds from either form of the header (RFC 9110 10.2.3)."""
    if header is None:
        return None
    if header.strip().isdecimal() and len(header) < 10:
        return float(header)

    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None

    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - clock.now()).total_seconds())
