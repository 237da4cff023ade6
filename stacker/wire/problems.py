"""Errors on their way over the socket: raised here, a problem document between, raised there."""

from __future__ import annotations

from stacker.base.errors import BY_KIND, Failed, StackerError
from stacker.wire.replies import Problem

STATUS_OF_KIND = {
    "invalid": 400,
    "denied": 403,
    "not-found": 404,
    "conflict": 409,
    "corrupt": 502,
    "unavailable": 503,
    "no-space": 507,
    "unsupported": 501,
    "failed": 500,
    "internal": 500,
}


def problem_of(error: StackerError) -> Problem:
    """Describe an error for the far side."""
    return Problem(
        kind=error.kind,
        message=error.message,
        where=error.where,
        exit_code=error.exit_code if isinstance(error, Failed) else None,
    )


def error_of(problem: Problem) -> StackerError:
    """Turn a problem back into the error that it was; one of an unknown kind is Failed."""
    cls = BY_KIND.get(problem.kind, Failed)
    if cls is Failed:
        return Failed(problem.message, where=problem.where, exit_code=problem.exit_code)
    return cls(problem.message, where=problem.where)
