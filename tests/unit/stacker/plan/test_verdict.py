from __future__ import annotations

import pytest

from stacker.plan.reconcile import reconcile
from stacker.plan.verdict import settle
from tests.unit.stacker.plan.worlds import NOW, desired, exited, stack, world


@pytest.mark.parametrize(("healthy", "settled"), [(False, True), (True, False)])
def test_only_who_waits_for_health_waits_for_a_back_off(healthy: bool, settled: bool) -> None:
    declared = stack({"web": {"restart": {"condition": "always"}}})
    wanted = desired(declared)
    failing = exited(declared, "web", 3, failures=30)
    seen = world(declared, failing)
    plan = reconcile(wanted, seen, now=NOW)
    assert plan.is_empty
    verdict = settle(wanted, seen, plan, healthy=healthy, now=NOW)
    assert (verdict.settled, verdict.failures) == (settled, ())
