"""hugetlb, version 1: `linux.resources.hugepageLimits`, a limit per page size."""

from __future__ import annotations

from runtime.cgroups.writes import Write, entries, needed, word
from runtime.errors import SpecInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups.writes import Section


def plan(resources: Section) -> list[Write]:
    writes: list[Write] = []
    for page in entries(resources, "hugepageLimits", "hugepageLimits"):
        size = word(page, "pageSize", "hugepageLimits.pageSize")
        if size is None or "/" in size:
            raise SpecInvalid("linux.resources.hugepageLimits.pageSize: is not a page size")
        field = f"hugepageLimits.{size}"
        limit = str(needed(page, "limit", "hugepageLimits"))
        writes.append(Write(f"hugetlb.{size}.limit_in_bytes", limit, field))
        # reservations are charged apart since Linux 5.7
        writes.append(Write(f"hugetlb.{size}.rsvd.limit_in_bytes", limit, field, required=False))
    return writes
