"""Health: Docker's rules for retries, the start period, and where a check comes from."""

from __future__ import annotations

from stacker.oci.image_config import Healthcheck as ImageHealthcheck
from stacker.plan.health import (
    Check,
    Verdict,
    after_probe,
    check_of,
    known_health,
    next_probe_in,
)
from stacker.plan.observed import Health, Status
from stacker.stack.model.health import Healthcheck

CHECK = Check(test=("true",), retries=3, start_period_s=10.0, interval_s=30.0)


def probe(*results: bool, running_s: float = 60.0) -> Verdict:
    verdict = Verdict()
    for result in results:
        verdict = after_probe(
            verdict, CHECK, succeeded=result, detail="" if result else "no", running_s=running_s
        )
    return verdict


def test_one_success_is_enough() -> None:
    assert probe(False, False, True) == Verdict(health=Health.HEALTHY)


def test_retries_failures_in_a_row() -> None:
    assert probe(False, False).health is Health.STARTING
    assert probe(False, False, False).health is Health.UNHEALTHY
    assert probe(True, False, False).health is Health.HEALTHY
    assert probe(True, False, False, False).health is Health.UNHEALTHY
    assert probe(False, False, False, True).health is Health.HEALTHY


def test_failures_in_the_start_period_do_not_count() -> None:
    assert probe(*[False] * 10, running_s=5.0) == Verdict(detail="no")


def test_probes_are_quicker_while_it_starts() -> None:
    assert next_probe_in(Verdict(), CHECK, running_s=1.0) == 5.0
    assert next_probe_in(Verdict(), CHECK, running_s=11.0) == 30.0
    assert next_probe_in(Verdict(health=Health.HEALTHY), CHECK, running_s=1.0) == 30.0


def test_the_files_check_is_folded_over_the_images() -> None:
    image = ImageHealthcheck(test=("CMD-SHELL", "probe"), interval_ns=7_000_000_000, retries=9)
    assert check_of(None, None) is None
    assert check_of(None, image) == Check(
        test=("/bin/sh", "-c", "probe"), interval_s=7.0, retries=9
    )
    assert check_of(Healthcheck(interval=1.0), image) == Check(
        test=("/bin/sh", "-c", "probe"), interval_s=1.0, retries=9
    )
    assert check_of(Healthcheck(test=("CMD", "other")), image) == Check(
        test=("other",), interval_s=7.0, retries=9
    )
    assert check_of(Healthcheck(disable=True), image) is None
    assert check_of(None, ImageHealthcheck(test=("NONE",))) is None


def test_a_check_that_came_or_went_is_not_taken_for_an_answer() -> None:
    for health in Health:
        assert known_health(Status.RUNNING, health, None) is Health.NONE
        assert known_health(Status.EXITED, health, CHECK) is Health.NONE
    assert known_health(Status.RUNNING, Health.NONE, CHECK) is Health.STARTING
    assert known_health(Status.RUNNING, Health.HEALTHY, CHECK) is Health.HEALTHY
