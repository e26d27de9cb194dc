"""What a deployment sends to the task REST API, taken from the wire."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from snowflake.core.task._generated.models import Task as PublishedTask
from urllib3.connection import HTTPConnection

from intentscore.services.graph_plan import SchedulePlan
from intentscore.services.graphs import plan_schedule
from intentscore.services.schedule import deploy, drop
from intentscore.services.schedule_config import ScheduleConfig

from .conftest import Workspace

READ_ONLY = {
    *("created_on", "id", "owner", "owner_role_type", "state", "last_committed_on", "last_suspended_on"),
    *("database_name", "schema_name", "task_relations"),
}
ROUTE = re.compile(r"/api/v2/databases/(\w+)/schemas/(\w+)/tasks(?:/([^/:]+))?(:resume|:suspend|/dependents)?")


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    body: dict[str, Any] | None


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Every request of `snowflake.core`, noted on its way out; the connector has a urllib3 of its own."""
    noted: list[Sent] = []
    request = HTTPConnection.request

    def note(self: HTTPConnection, method: str, url: str, body: Any = None, *arguments: Any, **named: Any) -> None:
        noted.append(Sent(method, urlsplit(url).path, json.loads(body) if body else None))
        request(self, method, url, body, *arguments, **named)

    monkeypatch.setattr(HTTPConnection, "request", note)
    return noted


@pytest.fixture
def tasks(workspace: Workspace, sent: list[Sent]) -> dict[str, dict[str, Any]]:
    """The last description sent of each task."""
    work = workspace
    plan = plan_schedule(work.session, work.settings, ScheduleConfig())
    deploy(work.session, work.settings, plan)
    return {request.body["name"]: request.body for request in sent if request.method == "PUT" and request.body}


def test_every_request_is_of_a_published_route_and_every_task_as_the_published_description_demands(
    tasks: dict[str, dict[str, Any]], sent: list[Sent]
) -> None:
    assert len(tasks) == 3 * 1 + 4 + 4 + 3
    assert all(ROUTE.fullmatch(request.path) for request in sent), [request.path for request in sent]
    for body in tasks.values():
        read = PublishedTask.from_dict(body)
        assert read is not None
        assert set(body) <= set(PublishedTask.model_fields) - READ_ONLY
        assert read.to_dict() == {key: value for key, value in body.items() if value is not None}


def test_the_root_alone_has_the_clock_the_configuration_and_the_retries(tasks: dict[str, dict[str, Any]]) -> None:
    roots = {name: body for name, body in tasks.items() if "$" not in name}
    assert {name: body["schedule"]["cron_expr"] for name, body in roots.items()} == {
        "INTENTSCORE_DAILY": "0 6 * * *",
        "INTENTSCORE_MONTHLY": "0 7 1 * *",
        "INTENTSCORE_MID_MONTH": "0 7 15 * *",
    }
    for body in roots.values():
        assert body["config"] == {"time_zone": "UTC", "lag_days": 1}
        assert body["task_auto_retry_attempts"] == 1
        assert not body.get("predecessors")
        assert body.get("overlap_policy") is None
    own_to_roots = ("schedule", "config", "task_auto_retry_attempts", "suspend_task_after_num_failures")
    for name, body in tasks.items():
        if name not in roots:
            assert [key for key in own_to_roots if body.get(key) is not None] == []


def test_each_step_follows_the_one_before_and_the_finalizer_the_root(tasks: dict[str, dict[str, Any]]) -> None:
    followed = {name: body.get("predecessors") for name, body in tasks.items() if name.startswith("INTENTSCORE_DAILY$")}
    daily = "INTENTSCORE_DAILY"
    assert followed == {
        f"{daily}$REFRESH_FEATURES": [daily],
        f"{daily}$SCORE_DAY": [f"{daily}$REFRESH_FEATURES"],
        f"{daily}$CHECK_SCORES": [f"{daily}$SCORE_DAY"],
        f"{daily}$RECORD_RUN": None,
    }
    for name, body in tasks.items():
        assert body.get("finalize") == (name.split("$")[0] if name.endswith("$RECORD_RUN") else None)


def test_a_serverless_graph_names_no_warehouse(workspace: Workspace, sent: list[Sent]) -> None:
    work = workspace
    plan = plan_schedule(work.session, work.settings, ScheduleConfig(serverless=True, monthly=None, mid_month=None))
    deploy(work.session, work.settings, plan)
    bodies = [request.body for request in sent if request.method == "PUT" and request.body]
    assert len(bodies) == 6
    assert all(body.get("warehouse") is None for body in bodies)


def test_a_graph_left_half_made_is_made_whole_or_dropped(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    work, config = workspace, ScheduleConfig(monthly=None, mid_month=None)
    plan = dataclasses.replace(plan_schedule(work.session, work.settings, config), procedures=())
    request = HTTPConnection.request

    def cut_off(self: HTTPConnection, method: str, url: str, *arguments: Any, **named: Any) -> None:
        if method == "PUT" and "SCORE_DAY" in url:
            raise KeyboardInterrupt
        request(self, method, url, *arguments, **named)

    def interrupt(half: SchedulePlan) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(HTTPConnection, "request", cut_off)
            with pytest.raises(KeyboardInterrupt):
                deploy(work.session, work.settings, half)

    interrupt(plan)
    assert len(work.rows("SHOW TASKS")) == 2
    assert deploy(work.session, work.settings, plan).changed == ("INTENTSCORE_DAILY",)
    interrupt(dataclasses.replace(plan, graphs=(dataclasses.replace(plan.graphs[0], timeout_minutes=5),)))
    assert drop(work.session, work.settings, apply=True).graphs == ("INTENTSCORE_DAILY",)
    assert work.rows("SHOW TASKS") == []
