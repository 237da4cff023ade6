"""From stack files to a `LoadedStack`: the stages in their order, and the one error they end in.

Called by the supervisor, which loads the same files again when they change, and by `stacker
config` and `stacker check` in-process. A stage is a function over `Loading`; none looks back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from stacker.base.errors import Invalid
from stacker.stack.load import canonical as shapes
from stacker.stack.load import interpolate as templates
from stacker.stack.load import lock as locking
from stacker.stack.load import merge as merging
from stacker.stack.load import yaml as text_format
from stacker.stack.load.check import check as check_all
from stacker.stack.load.defaults import complete, select
from stacker.stack.load.dotenv import parse_dotenv
from stacker.stack.load.environment import resolve_environment
from stacker.stack.load.extends import extend
from stacker.stack.load.include import Include, includes, unite
from stacker.stack.load.loading import LoadedStack, Loading
from stacker.stack.load.problems import Problem, Refused, invalid, told_at
from stacker.stack.load.project import active_profiles, stack_files, stack_name
from stacker.stack.load.read import Reader
from stacker.stack.load.tree import At, MapNode, Scalar, Source
from stacker.stack.load.variables import Variables
from stacker.stack.load.warn import warnings_of

MAX_INCLUDED = 200
"""Files that are included, each as often as it is: two that include two that include two…"""


# --- the stages, in their order ---------------------------------------------------------------


def read(loading: Loading) -> Loading:
    texts = [
        (_source(loading, file), loading.reader.text(file, what="stack file"))
        for file in loading.files
    ]
    return replace(loading, texts=tuple(texts))


def yaml(loading: Loading) -> Loading:
    trees = [text_format.parse(text, source) for source, text in loading.texts]
    if not any(trees):
        raise Invalid("the file is empty", where=loading.texts[0][0].name)

    return replace(loading, trees=tuple(tree for several in trees for tree in several))


def interpolate(loading: Loading) -> Loading:
    name = loading.name or _name(loading)
    variables = loading.variables.fixing({"COMPOSE_PROJECT_NAME": name})
    trees: list[MapNode] = []
    problems: list[Problem] = []
    for tree in loading.trees:
        try:
            node = templates.interpolate(At(tree), variables, variables.unset)
            assert isinstance(node, MapNode), "a map stays a map"
            trees.append(node)
        except Refused as error:
            problems += error.problems

    if problems:
        raise Refused(*problems)

    return replace(loading, name=name, variables=variables, trees=tuple(trees))


def include(loading: Loading) -> Loading:
    trees: list[MapNode] = []
    for tree in loading.trees:
        for entry in includes(tree):
            with told_at(entry.at.where):
                tree = unite(tree, _included(loading, entry))
        trees.append(tree.without("include"))

    return replace(loading, trees=tuple(trees))


def extends(loading: Loading) -> Loading:
    @cache
    def open_file(path: Path) -> MapNode:
        other = replace(loading, files=(path,), directory=path.parent, inside=())
        return _through((read, yaml, interpolate, merge), other).merged

    trees = [
        extend(tree, loading.trees[:index], open_file) for index, tree in enumerate(loading.trees)
    ]
    return replace(loading, trees=tuple(trees))


def merge(loading: Loading) -> Loading:
    first, *others = loading.trees
    root = merging.settle(first)
    for tree in others:
        root = merging.merge_maps(root, tree)

    return replace(loading, root=root)


def canonical(loading: Loading) -> Loading:
    draft = select(shapes.canonical(loading.merged), loading.profiles)
    return replace(loading, draft=draft)


def environment(loading: Loading) -> Loading:
    draft = resolve_environment(loading.drafted, reader=loading.reader, lookup=loading.variables)
    return replace(loading, draft=draft)


def defaults(loading: Loading) -> Loading:
    assert loading.name is not None, "the interpolate stage comes first"
    return replace(loading, stack=complete(loading.drafted, loading.name))


def check(loading: Loading) -> Loading:
    check_all(loading.completed, loading.merged)
    return loading


def lock(loading: Loading) -> Loading:
    if not loading.locked:
        return loading

    file = locking.place_beside(loading.files[0])
    text = loading.reader.text(file, what="lock file")
    locked = locking.parse(text, _source(loading, file))
    return replace(loading, stack=locking.pin(loading.completed, locked, loading.merged))


Stage = Callable[[Loading], Loading]

TREES: tuple[Stage, ...] = (read, yaml, interpolate, include, extends, merge)
"""From files to one tree; an included file goes through these on its own."""

STAGES: tuple[Stage, ...] = (*TREES, canonical, environment, defaults, check, lock)
"""Paths become absolute in canonical, where each field knows whether it is one."""


# --- the whole --------------------------------------------------------------------------------


def load_stack(
    files: Sequence[Path] = (),
    *,
    working_dir: Path,
    environment: Mapping[str, str],
    project_name: str | None = None,
    profiles: Sequence[str] = (),
    locked: bool = False,
) -> LoadedStack:
    """The stack that these files declare; without files, those that docker compose would find.

    `locked`: with the images that the lock file beside them says.

    Raises `Invalid` with the place and the reason of everything that is wrong with them, and
    `NotFound` or `Denied` when one cannot be read.
    """
    reader = Reader()
    here = Variables(environment, {} if files else _dotenv(reader, working_dir, environment))
    paths = stack_files(files, working_dir, here)
    directory = paths[0].parent
    variables = here.below(_dotenv(reader, directory, environment))
    loading = Loading(
        files=paths,
        directory=directory,
        working_dir=working_dir,
        reader=reader,
        variables=variables,
        profiles=active_profiles(profiles, variables),
        locked=locked,
        given_name=project_name,
    )
    try:
        loaded = _through(STAGES, loading)
    except Refused as error:
        raise invalid(error.problems, notes=variables.warnings) from error

    return LoadedStack(
        stack=loaded.completed,
        files=paths,
        files_read=reader.files,
        variables_used=variables.used,
        warnings=(*variables.warnings, *warnings_of(loaded.completed, loaded.drafted)),
    )


def _through(stages: Sequence[Stage], loading: Loading) -> Loading:
    for stage in stages:
        loading = stage(loading)

    return loading


def _source(loading: Loading, file: Path) -> Source:
    below = file.is_relative_to(loading.working_dir)
    shown = file.relative_to(loading.working_dir) if below else file
    return Source(name=str(shown), base=loading.directory, home=lambda: loading.variables("HOME"))


def _name(loading: Loading) -> str:
    """The stack's name is needed first, because values may name it."""
    in_file: tuple[str, str] | None = None
    for tree in loading.trees:
        at = At(tree).get("name")
        if at is not None and isinstance(at.node, Scalar) and not at.is_null:
            text = _readable(at.node.text, loading.variables)
            in_file = (text, at.where) if text else in_file

    return stack_name(
        loading.given_name,
        in_file=in_file,
        directory=loading.directory,
        lookup=loading.variables,
    )


def _readable(text: str, variables: Variables) -> str:
    try:
        return templates.substitute(text, variables)
    except templates.BadTemplate:
        return text


def _included(loading: Loading, entry: Include) -> MapNode:
    """The one tree of an entry of `include`, with its own directory and defaults."""
    chain = (*loading.inside, *loading.files)
    for file in entry.files:
        if file in chain:
            raise Refused(Problem(entry.at.where, f"{file} is included by what it includes"))
    loading.included.extend(entry.files)
    if len(loading.included) > MAX_INCLUDED:
        raise Refused(Problem(entry.at.where, f"more than {MAX_INCLUDED} files are included"))

    defaults_below: dict[str, str] = {}
    for file in entry.env_files or (entry.directory / ".env",):
        text = _env_text(loading.reader, file, required=bool(entry.env_files))
        defaults_below |= parse_dotenv(text, name=str(file), lookup=loading.variables)

    inner = replace(
        loading,
        files=entry.files,
        directory=entry.directory,
        variables=loading.variables.below(defaults_below),
        inside=chain,
    )
    return _through(TREES, inner).merged


def _env_text(reader: Reader, file: Path, *, required: bool) -> str:
    what = "environment file"
    return reader.text(file, what=what) if required else reader.text_if_there(file, what=what) or ""


def _dotenv(reader: Reader, directory: Path, environment: Mapping[str, str]) -> dict[str, str]:
    file = directory / ".env"
    text = reader.text_if_there(file, what="environment file") or ""
    return parse_dotenv(text, name=str(file), lookup=environment.get)
