"""Plans, compared as the text that a user sees."""

from __future__ import annotations

from textwrap import dedent

from stacker.plan.desired import Before
from stacker.plan.fingerprint import service_fingerprint
from stacker.plan.observed import Exit, Health, Observed, Status
from stacker.plan.plan import Plan
from stacker.plan.reconcile import reconcile

from .worlds import NOW, container, desired, exited, full, stack, world


def says(plan: Plan, text: str) -> None:
    assert str(plan) == dedent(text).strip()


TWO = stack(
    {
        "web": {"networks": {"front": {}}, "healthcheck": {"test": ("CMD", "true")}},
        "ticker": {
            "networks": {"front": {}},
            "depends_on": {"web": {"condition": "service_healthy"}},
        },
    },
    networks={"front": {"name": "shop_front"}},
)


def test_first_up_makes_everything_and_waits_for_health() -> None:
    says(
        reconcile(desired(TWO), Observed(), now=NOW),
        """
        #1 pull image app:1: not there
        #2 create network shop_front: not there
        #3 create container shop-web-1 after #1, #2: not there
        #4 start container shop-web-1 after #3: not there
        #5 create container shop-ticker-1 after #1, #2: not there
        #6 start container shop-ticker-1 after #5 when web healthy: not there
        """,
    )


def test_what_waits_is_not_ready() -> None:
    plan = reconcile(desired(TWO), Observed(), now=NOW)
    assert [step.number for step in plan.ready] == [1, 2, 3, 4, 5]


def test_a_healthy_dependency_lets_its_dependents_start() -> None:
    seen = world(
        TWO,
        container(TWO, "web", health=Health.HEALTHY),
        container(TWO, "ticker", status=Status.CREATED, pid=None, started_at=None),
    )
    says(reconcile(desired(TWO), seen, now=NOW), "#1 start container shop-ticker-1: not started")


def test_nothing_to_do() -> None:
    plan = reconcile(desired(TWO), full(TWO), now=NOW)
    assert plan.is_empty
    says(plan, "nothing to do")


def test_plain_dependencies_start_in_one_pass() -> None:
    chain = stack(
        {"c": {"depends_on": {"b": {}}}, "b": {"depends_on": {"a": {}}}, "a": {}},
    )
    says(
        reconcile(desired(chain), world(chain), now=NOW),
        """
        #1 create container shop-a-1: not there
        #2 start container shop-a-1 after #1: not there
        #3 create container shop-b-1: not there
        #4 start container shop-b-1 after #2, #3: not there
        #5 create container shop-c-1: not there
        #6 start container shop-c-1 after #4, #5: not there
        """,
    )


def test_a_changed_service_alone_is_made_anew_after_its_image_is_here() -> None:
    after = stack(
        {
            "web": {**TWO.services["web"].model_dump(), "image": "app:2"},
            "ticker": TWO.services["ticker"].model_dump(),
        },
        networks={"front": {"name": "shop_front"}},
    )
    seen = world(TWO, container(TWO, "web", health=Health.HEALTHY), container(TWO, "ticker"))
    says(
        reconcile(desired(after), seen, now=NOW),
        """
        #1 pull image app:2: not there
        #2 stop container shop-web-1 after #1: its declaration changed
        #3 remove container shop-web-1 after #2: its declaration changed
        #4 create container shop-web-1 after #1, #3: its declaration changed
        #5 start container shop-web-1 after #4: its declaration changed
        """,
    )


def test_supervisors_own_fields_apply_without_touching_the_container() -> None:
    after = stack(
        {
            **{name: service.model_dump() for name, service in TWO.services.items()},
            "web": {
                **TWO.services["web"].model_dump(),
                "restart": {"condition": "always"},
                "stop_grace_period": 1,
                "healthcheck": {"test": ("CMD", "false")},
            },
        },
        networks={"front": {"name": "shop_front"}},
    )
    assert reconcile(desired(after), full(TWO), now=NOW).is_empty


def test_a_moved_tag_makes_the_container_anew() -> None:
    seen = world(TWO, container(TWO, "web", image_id="sha256:old"), container(TWO, "ticker"))
    plan = reconcile(desired(TWO), seen, now=NOW)
    assert [step.text for step in plan.steps] == [
        "stop container shop-web-1",
        "remove container shop-web-1",
        "create container shop-web-1",
        "start container shop-web-1",
    ]
    assert plan.steps[0].cause == "image app:1 changed"


def test_a_service_that_left_the_file_goes() -> None:
    one = stack({"web": {}})
    seen = world(one, container(one, "web"), container(TWO, "ticker"))
    says(
        reconcile(desired(one), seen, now=NOW),
        """
        #1 stop container shop-ticker-1: service is not declared
        #2 remove container shop-ticker-1 after #1: service is not declared
        """,
    )


def test_fewer_replicas() -> None:
    three = stack({"web": {"deploy": {"replicas": 3}}})
    one = stack({"web": {}})
    says(
        reconcile(desired(one), full(three), now=NOW),
        """
        #1 stop container shop-web-2: more replicas than declared
        #2 stop container shop-web-3: more replicas than declared
        #3 remove container shop-web-2 after #1: more replicas than declared
        #4 remove container shop-web-3 after #2: more replicas than declared
        """,
    )


def test_a_network_that_changed_takes_its_containers_with_it() -> None:
    after = stack(
        {name: service.model_dump() for name, service in TWO.services.items()},
        networks={"front": {"name": "shop_front", "internal": True}},
    )
    plan = reconcile(desired(after), full(TWO), now=NOW)
    says(
        plan,
        """
        #1 stop container shop-ticker-1: its declaration changed
        #2 stop container shop-web-1 after #1: its declaration changed
        #3 remove container shop-ticker-1 after #1: its declaration changed
        #4 remove container shop-web-1 after #2: its declaration changed
        #5 remove network shop_front after #3, #4: its declaration changed
        #6 create network shop_front after #5: its declaration changed
        #7 create container shop-web-1 after #4, #6: its declaration changed
        #8 start container shop-web-1 after #7: its declaration changed
        #9 create container shop-ticker-1 after #3, #6: its declaration changed
        #10 start container shop-ticker-1 after #9 when web healthy: its declaration changed
        """,
    )


def test_a_lost_veth_is_repaired_while_the_process_runs_on() -> None:
    one = stack({"web": {}})
    seen = world(one, container(one, "web", problem="veth on shop_front is gone"))
    says(
        reconcile(desired(one), seen, now=NOW),
        "#1 repair container shop-web-1: veth on shop_front is gone",
    )


def test_stopped_by_the_user_stays_stopped() -> None:
    one = stack({"web": {"restart": {"condition": "always"}}})
    says(
        reconcile(desired(one, stopped=frozenset({"web"})), full(one), now=NOW),
        "#1 stop container shop-web-1: stopped by the user",
    )
    seen = world(one, exited(one, "web", 143, stopped_by_user=True))
    plan = reconcile(desired(one, stopped=frozenset({"web"})), seen, now=NOW)
    assert plan.is_empty
    assert plan.notes == (("shop-web-1", "stopped by the user"),)


def test_a_finished_one_shot_is_not_run_again() -> None:
    one = stack({"migrate": {}})
    plan = reconcile(desired(one), world(one, exited(one, "migrate", 0)), now=NOW)
    assert plan.is_empty
    assert plan.notes == (), "its exit status says it"


def test_back_off_is_a_time_to_wake_and_the_attempt() -> None:
    one = stack({"web": {"restart": {"condition": "on-failure"}}})
    ended = exited(one, "web", 1, failures=8, restarts=8)
    plan = reconcile(desired(one), world(one, ended), now=NOW)
    assert plan.is_empty
    assert plan.wake_at == NOW - 10 + 25.6
    assert plan.back_offs == (("shop-web-1", NOW - 10 + 25.6),)
    assert plan.notes == (("shop-web-1", "attempt 9"),)

    later = reconcile(desired(one), world(one, ended), now=NOW + 16)
    says(later, "#1 restart container shop-web-1: exited with 1, attempt 9")


def test_an_unhealthy_container_with_a_restart_policy_is_restarted() -> None:
    one = stack({"web": {"restart": {"condition": "always"}}})
    seen = world(one, container(one, "web", health=Health.UNHEALTHY, health_detail="no answer"))
    says(
        reconcile(desired(one), seen, now=NOW),
        """
        #1 stop container shop-web-1: unhealthy: no answer
        #2 restart container shop-web-1 after #1: unhealthy: no answer
        """,
    )


def test_a_dependency_that_failed_for_good_is_a_problem() -> None:
    two = stack(
        {
            "migrate": {},
            "web": {"depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
        }
    )
    seen = world(
        two,
        exited(two, "migrate", 3),
        container(two, "web", status=Status.CREATED, pid=None, started_at=None),
    )
    plan = reconcile(desired(two), seen, now=NOW)
    assert plan.problems == (("web", "cannot start: migrate exited with 3"),)
    assert plan.ready == ()


def test_whoever_shares_a_namespace_is_made_anew_with_its_owner() -> None:
    two = stack(
        {"vpn": {}, "app": {"network_mode": "service:vpn", "depends_on": {"vpn": {}}}},
    )
    seen = world(
        two, container(two, "vpn"), container(two, "app", joined=frozenset({"id-of-an-old-vpn"}))
    )
    plan = reconcile(desired(two), seen, now=NOW)
    assert [step.text for step in plan.steps] == [
        "stop container shop-app-1",
        "remove container shop-app-1",
        "create container shop-app-1",
        "start container shop-app-1",
    ]


def test_the_cause_names_what_has_changed() -> None:
    service = {"networks": {"front": {}}, "configs": [{"source": "page", "target": "/page"}]}
    config = {"configs": {"page": {"name": "page", "file": "/page"}}}
    old = stack({"web": service}, networks={"front": {"name": "shop_front"}}, **config)
    new = stack(
        {"web": {**service, "labels": {"a": "b"}, "mem_limit": 64 << 20}},
        networks={"front": {"name": "shop_front", "internal": True}},
        **config,
    )
    digests = {"configs.page": "one"}
    made = container(old, "web", fingerprint=service_fingerprint(old, "web", digests))
    seen = world(new, made, contents={"configs.page": "two"})

    def cause(before: Before | None) -> str:
        plan = reconcile(desired(new, before=before), seen, now=NOW)
        return next(step.cause for step in plan.steps if "create container" in step.text)

    assert cause(Before(stack=old, contents=digests)) == (
        "its declaration changed: labels, mem_limit, networks.front, configs.page"
    )
    # the container is not of the declaration before, or that is not known any more
    assert cause(Before(stack=old, contents={})) == "its declaration changed"
    assert cause(None) == "its declaration changed"


SHARING = stack(
    {
        "app": {"restart": {"condition": "always"}},
        "debug": {"pid": "service:app", "depends_on": {"app": {}}},
        "q": {"ipc": "service:app", "depends_on": {"app": {}}},
    },
)


def test_whoever_shares_a_namespace_is_restarted_with_its_owner() -> None:
    killed = Exit(code=137, signal=9, at=NOW - 5)
    seen = world(
        SHARING,
        container(SHARING, "app", start_time=300, started_at=NOW - 4),
        exited(SHARING, "debug", 137, exit=killed),
        container(SHARING, "q", start_time=200),
    )
    says(
        reconcile(desired(SHARING), seen, now=NOW),
        """
        #1 stop container shop-q-1: app, whose ipc namespace it shares, was started anew
        #2 start container shop-debug-1: app, whose pid namespace it shares, was started anew
        #3 start container shop-q-1 after #1: app, whose ipc namespace it shares, was started anew
        """,
    )


def test_whoever_came_after_the_owner_of_its_namespace_is_left_alone() -> None:
    failed = Exit(code=1, at=NOW - 5)
    seen = world(
        SHARING,
        container(SHARING, "app", start_time=300, started_at=NOW - 4),
        exited(SHARING, "debug", 1, exit=failed),  # by itself, before that
        container(SHARING, "q", start_time=300),
    )
    assert reconcile(desired(SHARING), seen, now=NOW).is_empty


def test_no_attempt_is_spent_while_there_is_no_namespace_to_share() -> None:
    again = stack(
        {
            "app": {"restart": {"condition": "always", "delay": 60.0}},
            "debug": {
                "pid": "service:app",
                "depends_on": {"app": {}},
                "restart": {"condition": "on-failure", "max_attempts": 3},
            },
        },
    )
    killed = Exit(code=137, signal=9, at=NOW - 10)
    seen = world(again, exited(again, "app", 1), exited(again, "debug", 137, exit=killed))
    plan = reconcile(desired(again), seen, now=NOW)
    assert plan.is_empty
    assert plan.wake_at == NOW + 50
    assert dict(plan.notes)["shop-debug-1"] == (
        "attempt 1 of 3, when it can share a namespace again"
    )


def test_restart_follows_a_dependency_when_asked_to() -> None:
    two = stack(
        {"db": {}, "web": {"depends_on": {"db": {"restart": True}}}},
    )
    says(
        reconcile(desired(two, restart=frozenset({"id-db-1"})), full(two), now=NOW),
        """
        #1 stop container shop-db-1: asked for
        #2 start container shop-db-1 after #1: asked for
        #3 stop container shop-web-1: db is started anew
        #4 start container shop-web-1 after #2, #3: db is started anew
        """,
    )
