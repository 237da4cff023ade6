"""Records behave as frozen dataclasses do."""

from __future__ import annotations

import pytest

from runtime.spec.record import Record


class Point(Record):
    x: int
    y: int = 2


def test_fields_defaults_and_equality() -> None:
    assert (Point(x=1).x, Point(x=1).y) == (1, 2)
    assert Point(x=1) == Point(x=1)
    assert Point(x=1) == Point(x=1, y=2)
    assert Point(x=1) != Point(x=1, y=3)
    assert Point(x=1).changed(y=5) == Point(x=1, y=5)
    assert repr(Point(x=1)) == "Point(x=1, y=2)"


def test_a_field_cannot_be_set_missing_or_invented() -> None:
    with pytest.raises(AttributeError):
        Point(x=1).x = 2  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError, match="needs x"):
        Point()  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="has no z"):
        Point(x=1, z=3)  # pyright: ignore[reportCallIssue]
