"""What the stages of `pipeline.py` hand on, and what comes out of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stacker.stack.load.canonical import Draft
from stacker.stack.load.read import Reader
from stacker.stack.load.tree import MapNode, Source
from stacker.stack.load.variables import Variables
from stacker.stack.model import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedStack:
    stack: Stack
    files_read: tuple[Path, ...]
    """Every file that was asked for, also those that are not there (a missing `.env`): when one
    of them changes or appears, the stack may be another."""
    variables_used: Mapping[str, str]
    """What was taken from the environment of the caller, and nothing else of it."""
    files: tuple[Path, ...]
    """The stack files, the first of which says where its lock file is."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """What the stages hand on: each fills in its field and leaves the others alone."""

    files: tuple[Path, ...]
    directory: Path
    """Where relative paths of the files start."""
    working_dir: Path
    reader: Reader
    variables: Variables
    profiles: frozenset[str] = frozenset()
    locked: bool = False
    given_name: str | None = None
    name: str | None = None
    inside: tuple[Path, ...] = ()
    """The files whose `include` led here."""
    included: list[Path] = field(default_factory=list[Path])
    """Every file included so far, anywhere; the one thing that stages share and change."""
    texts: tuple[tuple[Source, str], ...] = ()
    trees: tuple[MapNode, ...] = ()
    root: MapNode | None = None
    draft: Draft | None = None
    stack: Stack | None = None

    @property
    def merged(self) -> MapNode:
        assert self.root is not None, "the merge stage comes first"
        return self.root

    @property
    def drafted(self) -> Draft:
        assert self.draft is not None, "the canonical stage comes first"
        return self.draft

    @property
    def completed(self) -> Stack:
        assert self.stack is not None, "the defaults stage comes first"
        return self.stack
