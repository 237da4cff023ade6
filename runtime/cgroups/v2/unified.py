"""`linux.resources.unified`: files of cgroup version 2, by name, as config.json has them."""

from __future__ import annotations

from runtime.cgroups.writes import Write, section
from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section

# these steer the tree and its members, not resources: through them a config.json could kill,
# freeze or re-root what the runtime believes it holds
_NOT_RESOURCES = "cgroup."


def plan(resources: Section) -> list[Write]:
    writes: list[Write] = []
    values = section(resources, "unified")
    for file, value in values.items():
        if "/" in file or not file.isprintable() or file in ("", ".", ".."):
            raise SpecInvalid(f"linux.resources.unified: {file!r} is not the name of a file")
        field = f"unified.{file}"
        if file.startswith(_NOT_RESOURCES):
            raise SpecInvalid(f"linux.resources.{field}: is not a resource")
        if not isinstance(value, str):
            raise SpecInvalid(f"linux.resources.{field}: must be a string")
        # a value may hold a line per device (io.max takes one in each write)
        writes.extend(Write(file, line, field) for line in value.splitlines() if line)
    return writes
