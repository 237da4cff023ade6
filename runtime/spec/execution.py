"""`linux.personality` and `linux.memoryPolicy` (config-linux.md): words to the kernel's numbers."""

from __future__ import annotations

from runtime.errors import SpecInvalid
from runtime.spec.number_list import parse_list
from runtime.spec.record import Record
from runtime.spec.scheduling import choose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.fields import Fields

# personality(2)
DOMAINS = {"LINUX": 0x0000, "LINUX32": 0x0008}

# set_mempolicy(2) and the kernel's include/uapi/linux/mempolicy.h
MEMORY_MODES = {
    "MPOL_DEFAULT": 0,
    "MPOL_PREFERRED": 1,
    "MPOL_BIND": 2,
    "MPOL_INTERLEAVE": 3,
    "MPOL_LOCAL": 4,
    "MPOL_PREFERRED_MANY": 5,
    "MPOL_WEIGHTED_INTERLEAVE": 6,
}
MEMORY_FLAGS = {
    "MPOL_F_STATIC_NODES": 1 << 15,
    "MPOL_F_RELATIVE_NODES": 1 << 14,
    "MPOL_F_NUMA_BALANCING": 1 << 13,
}
_WITHOUT_NODES = ("MPOL_DEFAULT", "MPOL_LOCAL")
_NODES_OPTIONAL = (*_WITHOUT_NODES, "MPOL_PREFERRED")
_LAST_NODE = 1023  # the most nodes a kernel can be built for (CONFIG_NODES_SHIFT)


class MemoryPolicy(Record):
    mode: str
    flags: int = 0
    nodes: tuple[int, ...] = ()


def parse_personality(part: Fields) -> int:
    domain = choose(part, "domain", DOMAINS)
    for index, name in enumerate(part.texts("flags")):
        # "Currently no flag values are supported" (config-linux.md, "Personality")
        raise SpecInvalid(f"{part.path('flags')}[{index}]: {name!r} is not supported")
    return DOMAINS[domain]


def parse_memory_policy(part: Fields) -> MemoryPolicy:
    mode = choose(part, "mode", MEMORY_MODES)
    flags = 0
    for index, name in enumerate(part.texts("flags")):
        if name not in MEMORY_FLAGS:
            raise SpecInvalid(
                f"{part.path('flags')}[{index}]: {name!r} is not a memory policy flag"
            )
        flags |= MEMORY_FLAGS[name]
    nodes = parse_list(part.text("nodes"), part.path("nodes"), _LAST_NODE)
    if nodes and mode in _WITHOUT_NODES:
        raise SpecInvalid(f"{part.path('nodes')}: has no meaning with {mode}")
    if not nodes and mode not in _NODES_OPTIONAL:
        raise SpecInvalid(f"{part.path('nodes')}: {mode} needs some")
    return MemoryPolicy(mode=mode, flags=flags, nodes=nodes)
