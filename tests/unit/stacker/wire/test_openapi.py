"""``docs/openapi.yaml`` says what the routes are and what travels on them; neither may drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from stacker.daemon.routes import ROUTES
from stacker.wire import disk, images, log_stream, message, queries, replies, requests

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[4] / "docs/openapi.yaml").read_text()
)
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
MESSAGES = {
    name: cls
    for module in (disk, images, log_stream, replies, requests)
    for name, cls in vars(module).items()
    if isinstance(cls, type)
    and issubclass(cls, message.Message)
    and cls is not message.Message
    and not name.endswith("Query")
}
PLAIN = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


def schema(annotation: str) -> dict[str, Any]:
    """What an annotation of a message means in JSON Schema."""
    if annotation.endswith(" | None"):
        inner = schema(annotation.removesuffix(" | None"))
        if "type" in inner:
            return {**inner, "type": [inner["type"], "null"]}
        return {"oneOf": [inner, {"type": "null"}]}
    if annotation == "Scalar":
        return {"type": [*PLAIN.values(), "null"]}
    if annotation.startswith("tuple["):
        return {"type": "array", "items": schema(annotation[len("tuple[") : -len(", ...]")])}
    if annotation.startswith("dict["):
        inner = schema(annotation[len("dict[str, ") : -1])
        return {"type": "object", "additionalProperties": inner}
    if annotation == "Json":
        return {"type": "object"}
    if annotation in PLAIN:
        return {"type": PLAIN[annotation]}
    return {"$ref": f"#/components/schemas/{annotation}"}


def test_every_route_is_described_and_nothing_else() -> None:
    described = {
        (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item
    }
    assert described == {(method, path) for method, path, _ in ROUTES}


def test_every_message_is_described_and_nothing_else() -> None:
    assert set(SCHEMAS) == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_fields_types_and_defaults_agree(name: str) -> None:
    cls = MESSAGES[name]
    described = SCHEMAS[name]
    properties = {
        field: {key: value for key, value in found.items() if key != "default"}
        for field, found in described.get("properties", {}).items()
    }
    assert properties == {f: schema(a) for f, a in message.fields_of(cls).items()}
    assert described.get("required", []) == message.required_of(cls)
    for field, found in described.get("properties", {}).items():
        if "default" in found:
            assert found["default"] == vars(cls)["DEFAULTS"][field]


QUERIES = {
    ("GET", "/v1/containers"): queries.ContainersQuery,
    ("GET", "/v1/stats"): queries.StackQuery,
    ("GET", "/v1/events"): queries.EventsQuery,
    ("GET", "/v1/images/inspect"): images.ImageQuery,
    ("GET", "/v1/images/history"): images.ImageQuery,
    ("GET", "/v1/images/archive"): images.ArchiveQuery,
    ("GET", "/v1/images/rootfs"): images.ImageQuery,
    ("GET", "/v1/stacks/{stack}/wait"): queries.WaitQuery,
    ("GET", "/v1/stacks/{stack}/logs"): queries.LogsQuery,
}


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _ in ROUTES])
def test_parameters_agree(method: str, path: str) -> None:
    parameters = DOCUMENT["paths"][path][method.lower()].get("parameters", [])
    in_path = [p["name"] for p in parameters if p["in"] == "path"]
    assert in_path == [part[1:-1] for part in path.split("/") if part.startswith("{")]

    in_query = {p["name"]: p for p in parameters if p["in"] == "query"}
    query = QUERIES.get((method, path))
    fields = message.fields_of(query) if query else {}
    assert set(in_query) == set(fields)
    for name, found in in_query.items():
        wanted = schema(fields[name].removesuffix(" | None"))
        assert {k: v for k, v in found["schema"].items() if k != "default"} == wanted
        assert found.get("required", False) == (
            name in message.required_of(query or queries.StackQuery)
        )


def test_every_reference_leads_somewhere() -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                target: Any = DOCUMENT
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(DOCUMENT)
