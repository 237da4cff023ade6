"""Which files are loaded, what the stack is called, and what is remembered of the caller."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacker.base.errors import Invalid, NotFound
from stacker.stack.load.pipeline import STAGES, LoadedStack, load_stack
from stacker.stack.load.read import find_stack_file, find_stack_files
from stacker.stack.model.values import own_ids
from tests.support.quick import quick

ONE = "services: {a: {image: a}}\n"


def load(directory: Path, *names: str, **environment: str) -> LoadedStack:
    return load_stack(
        [Path(name) for name in names], working_dir=directory, environment=environment
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "My.Project_1"
    directory.mkdir()
    return directory


def test_the_stages_are_in_the_order_of_the_specification() -> None:
    assert [stage.__name__ for stage in STAGES] == [
        "read", "yaml", "interpolate", "include", "extends", "merge",
        "canonical", "environment", "defaults", "check", "lock",
    ]  # fmt: skip


# --- which files ------------------------------------------------------------------------------


def test_the_first_known_name_is_taken(project: Path) -> None:
    for name in ("docker-compose.yml", "compose.yaml", "stack.yaml"):
        (project / name).write_text(ONE)
        assert find_stack_file(project) == project / name
        assert load(project).stack.services


def test_parents_are_searched(project: Path) -> None:
    (project / "compose.yaml").write_text(ONE)
    below = project / "a" / "b"
    below.mkdir(parents=True)
    loaded = load(below)
    assert loaded.stack.name == "myproject_1"
    assert loaded.files_read == (below / ".env", project / ".env", project / "compose.yaml")


def test_an_override_file_is_found_with_its_file(project: Path) -> None:
    (project / "compose.yaml").write_text(ONE)
    (project / "compose.override.yml").write_text("services: {a: {tty: true}}")
    assert find_stack_files(project)[1].name == "compose.override.yml"
    assert load(project).stack.services["a"].tty
    assert not load(project, "compose.yaml").stack.services["a"].tty


def test_compose_file_names_files(project: Path) -> None:
    (project / "one.yaml").write_text(ONE)
    (project / "two.yaml").write_text("services: {b: {image: b}}")
    assert list(load(project, COMPOSE_FILE="one.yaml:two.yaml").stack.services) == ["a", "b"]
    named = {"COMPOSE_FILE": "one.yaml;two.yaml", "COMPOSE_PATH_SEPARATOR": ";"}
    assert list(load(project, **named).stack.services) == ["a", "b"]
    assert list(load(project, "two.yaml", COMPOSE_FILE="one.yaml").stack.services) == ["b"]
    (project / ".env").write_text("COMPOSE_FILE=two.yaml\n")
    assert list(load(project).stack.services) == ["b"]


def test_relative_paths_start_at_the_first_file(project: Path) -> None:
    (project / "one").mkdir()
    (project / "one" / "a.yaml").write_text("services: {a: {image: a, volumes: ['./x:/x']}}")
    (project / "b.yaml").write_text("services: {a: {volumes: ['./y:/y']}}")
    mounts = load(project, "one/a.yaml", "b.yaml").stack.services["a"].volumes
    assert [mount.source for mount in mounts] == [f"{project}/one/x", f"{project}/one/y"]


def test_what_was_read_is_known(project: Path) -> None:
    (project / "stack.yaml").write_text("services: {a: {image: a, env_file: [a.env]}}")
    (project / "a.env").write_text("A=1")
    read = load(project, "stack.yaml").files_read
    assert read == (project / ".env", project / "stack.yaml", project / "a.env")


# --- what it is called ------------------------------------------------------------------------


def test_the_name(project: Path) -> None:
    file = project / "stack.yaml"
    file.write_text(ONE)
    assert load(project).stack.name == "myproject_1"
    file.write_text("name: in-${WHICH}\n" + ONE)
    assert load(project, WHICH="file").stack.name == "in-file"
    assert load(project, COMPOSE_PROJECT_NAME="from-env").stack.name == "from-env"
    (project / ".env").write_text("COMPOSE_PROJECT_NAME=from-dotenv\n")
    assert load(project).stack.name == "from-dotenv"
    stack = load_stack([], working_dir=project, environment={}, project_name="given").stack
    assert stack.name == "given"
    assert stack.networks["default"].name == "given_default"


@pytest.mark.parametrize("name", ["Upper", "a b", "-a", "a/b", "a" * 64])
def test_a_bad_name_is_refused(project: Path, name: str) -> None:
    (project / "stack.yaml").write_text(ONE)
    with pytest.raises(Invalid, match="the name given for the stack is"):
        load_stack([], working_dir=project, environment={}, project_name=name)
    with pytest.raises(Invalid, match="COMPOSE_PROJECT_NAME is"):
        load(project, COMPOSE_PROJECT_NAME=name)


def test_a_directory_without_letters_gives_no_name(tmp_path: Path) -> None:
    directory = tmp_path / "___"
    directory.mkdir()
    (directory / "stack.yaml").write_text(ONE)
    with pytest.raises(Invalid, match="gives the stack no name: use -p NAME"):
        load(directory)


def test_the_name_is_a_variable_of_the_file(project: Path) -> None:
    (project / "stack.yaml").write_text(
        "name: mine\nservices: {a: {image: a, container_name: $COMPOSE_PROJECT_NAME-x}}"
    )
    assert load(project).stack.services["a"].container_name == "mine-x"
    stack = load_stack(
        [], working_dir=project, environment={"COMPOSE_PROJECT_NAME": "no"}, project_name="given"
    ).stack
    assert stack.services["a"].container_name == "given-x"


# --- profiles ---------------------------------------------------------------------------------


def test_profiles(project: Path) -> None:
    (project / "stack.yaml").write_text(
        "services: {a: {image: a}, b: {image: b, profiles: [p]}, c: {image: c, profiles: [q]}}"
    )
    assert list(load(project).stack.services) == ["a"]
    assert list(load(project, COMPOSE_PROFILES="q, p").stack.services) == ["a", "b", "c"]
    assert list(load(project, COMPOSE_PROFILES="*").stack.services) == ["a", "b", "c"]
    stack = load_stack(
        [], working_dir=project, environment={"COMPOSE_PROFILES": "q"}, profiles=["p"]
    ).stack
    assert list(stack.services) == ["a", "b"]


# --- what is remembered -----------------------------------------------------------------------


def test_only_named_variables_are_remembered(project: Path) -> None:
    (project / ".env").write_text("D=from the file\n")
    (project / "stack.yaml").write_text(
        "services: {a: {image: 'a:${A}', environment: [B, E], command: '${D} ${C:-x}',"
        " secrets: [s]}}\nsecrets: {s: {environment: S}}\n"
    )
    caller = {"A": "1", "B": "2", "S": "hunter2", "OTHER": "private", "HOME": "/root"}
    loaded = load(project, **caller)
    assert loaded.variables_used == {"A": "1", "B": "2"}
    again = load(project, **loaded.variables_used)
    assert again.stack == loaded.stack
    assert "hunter2" not in loaded.stack.model_dump_json()


def test_home_is_remembered_when_it_is_used(project: Path) -> None:
    (project / "stack.yaml").write_text("services: {a: {image: a, volumes: ['~/x:/x']}}")
    assert load(project, HOME="/home/me").variables_used == {"HOME": "/home/me"}


def test_warnings(project: Path) -> None:
    (project / "stack.yaml").write_text(
        "services:\n  a: {image: 'a$NOT_SET', network_mode: host, ports: ['1:1']}\n"
        "  b: {image: '${NOR_THIS:-b}', network_mode: bridge}\n"
    )
    assert load(project).warnings == (
        "variable NOT_SET is not set: an empty value takes its place",
        "services.a.ports: nothing is published with network_mode host",
        "services.b.network_mode: bridge is the stack's default network here",
    )


# --- files that are included or extended ------------------------------------------------------


def test_an_included_file_has_its_own_variables(project: Path) -> None:
    part = project / "part"
    part.mkdir()
    (part / ".env").write_text("TAG=part\nOURS=theirs\n")
    (project / ".env").write_text("OURS=ours\n")
    (part / "stack.yaml").write_text("services: {b: {image: 'b:${TAG}-${OURS}'}}")
    (project / "stack.yaml").write_text(
        "include: [part/stack.yaml]\nservices: {a: {image: 'a:${TAG:-none}'}}"
    )
    services = load(project).stack.services
    assert services["b"].image == "b:part-ours"
    assert services["a"].image == "a:none"
    assert load(project, TAG="caller").stack.services["b"].image == "b:caller-ours"


def test_a_missing_included_file_is_told_with_its_place(project: Path) -> None:
    (project / "stack.yaml").write_text("services: {a: {image: a}}\ninclude:\n  - gone.yaml\n")
    with pytest.raises((Invalid, NotFound), match=r"gone\.yaml") as caught:
        load(project)
    assert caught.value.where == "stack.yaml:3: include[0]"


def test_a_missing_extended_file_is_told_with_its_place(project: Path) -> None:
    (project / "stack.yaml").write_text(
        "services:\n  a:\n    extends: {file: gone.yaml, service: b}\n"
    )
    with pytest.raises((Invalid, NotFound), match=r"gone\.yaml") as caught:
        load(project)
    assert caught.value.where == "stack.yaml:3: services.a.extends.file"


# --- speed ------------------------------------------------------------------------------------


def test_fifty_services_load_in_a_tenth_of_a_second(project: Path) -> None:
    service = (
        "    image: nginx:${{TAG:-1}}\n    command: sh -c 'echo hi'\n    ports: ['{port}:80']\n"
        "    environment: [A=1, B=2, 'C=${{TAG:-3}}']\n    volumes: [./d:/d:ro, data:/data]\n"
        "    healthcheck: {{test: curl x, interval: 1m30s, retries: 3}}\n    networks: [n]\n"
        "    deploy: {{resources: {{limits: {{cpus: '0.5', memory: 64m}}}}}}\n"
    )
    text = "".join(f"  s{i}:\n{service.format(port=8000 + i)}" for i in range(50))
    (project / "stack.yaml").write_text(
        f"services:\n{text}networks: {{n: }}\nvolumes: {{data: }}\n"
    )
    load(project)
    assert len(quick(lambda: load(project), limit_s=0.1).stack.services) == 50


@pytest.mark.parametrize(
    ("written", "ids"),
    [("host", None), ("", None), ("auto", 65536), ("auto:size=2048", 2048)],
)
def test_user_namespaces(tmp_path: Path, written: str, ids: int | None) -> None:
    (tmp_path / "stack.yaml").write_text(
        f"services:\n  web:\n    image: a\n    userns_mode: {written}\n"
    )
    loaded = load_stack([Path("stack.yaml")], working_dir=tmp_path, environment={})
    assert own_ids(loaded.stack.services["web"].userns_mode) == ids
