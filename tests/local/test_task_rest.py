"""Tasks through `snowflake.core`, the client of the REST routes."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from snowflake.core import CreateMode, Root
from snowflake.core.exceptions import APIError, ConflictError, NotFoundError
from snowflake.core.task import Cron, Task, TaskCollection
from snowflake.core.task.dagv1 import DAG, DAGOperation, DAGRun, DAGTask, DAGTaskBranch
from snowflake.snowpark import Session

from intentscore.local.engine import Endpoint


@pytest.fixture
def root(session: Session) -> Root:
    return Root(session)


@pytest.fixture
def tasks(root: Root, schema: str) -> TaskCollection:
    return root.databases["INTENTSCORE"].schemas[schema].tasks


@pytest.fixture
def graphs(root: Root, schema: str) -> DAGOperation:
    return DAGOperation(root.databases["INTENTSCORE"].schemas[schema])


@pytest.fixture
def wait(graphs: DAGOperation) -> Callable[..., list[DAGRun]]:
    def wait(graph: DAG, runs: int = 1) -> list[DAGRun]:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            done = graphs.get_complete_dag_runs(graph, error_only=False)
            if len(done) >= runs:
                return done
            time.sleep(0.02)
        raise AssertionError("the graph did not end")

    return wait


def test_a_task_comes_back_as_it_was_created(tasks: TaskCollection, schema: str) -> None:
    tasks.create(
        Task(
            "nightly", "select 1", warehouse="LOCAL_WH", schedule=Cron("0 3 * * *", "Europe/Berlin"),
            comment="each night", config={"day": "today"}, condition="1 = 1",
            user_task_timeout_ms=60_000, suspend_task_after_num_failures=3,
            task_auto_retry_attempts=2, session_parameters={"TIMEZONE": "UTC"}, allow_overlapping_execution=False,
        )
    )  # fmt: skip
    found = tasks["nightly"].fetch()
    assert (found.name, found.definition, found.warehouse, found.comment) == (
        "NIGHTLY", "select 1", "LOCAL_WH", "each night",
    )  # fmt: skip
    assert (found.schedule, found.config, found.condition) == (
        Cron("0 3 * * *", "Europe/Berlin"),
        {"day": "today"},
        "1 = 1",
    )
    assert (found.user_task_timeout_ms, found.suspend_task_after_num_failures, found.task_auto_retry_attempts) == (
        60_000, 3, 2,
    )  # fmt: skip
    assert (found.state, found.database_name, found.schema_name) == ("suspended", "INTENTSCORE", schema)
    assert found.session_parameters == {"TIMEZONE": "UTC"}
    assert found.created_on is not None
    assert found.last_committed_on is None


def test_create_modes(tasks: TaskCollection) -> None:
    tasks.create(Task("t", "select 1"))
    first = tasks["t"].fetch()
    with pytest.raises(ConflictError):
        tasks.create(Task("t", "select 2"))
    tasks.create(Task("t", "select 2"), mode=CreateMode.if_not_exists)
    assert tasks["t"].fetch().id == first.id
    tasks.create(Task("t", "select 3", schedule=timedelta(minutes=5)), mode=CreateMode.or_replace)
    replaced = tasks["t"].fetch()
    assert (replaced.definition, replaced.schedule) == ("select 3", timedelta(minutes=5))
    assert replaced.id != first.id


def test_create_or_alter_sets_the_whole_description(tasks: TaskCollection) -> None:
    tasks["t"].create_or_alter(Task("t", "select 1", comment="old"))
    tasks["t"].create_or_alter(Task("t", "select 2"))
    assert (tasks["t"].fetch().definition, tasks["t"].fetch().comment) == ("select 2", "")


def test_lists_are_filtered_and_limited(tasks: TaskCollection) -> None:
    tasks.create(Task("a_root", "select 1"))
    tasks.create(Task("b_child", "select 1", predecessors=["a_root"]))
    tasks.create(Task('"lower"', "select 1", finalize="a_root"))

    def listed(**filters: Any) -> list[str]:
        return [task.name for task in tasks.iter(**filters)]

    assert listed() == ["A_ROOT", "B_CHILD", '"lower"']
    assert listed(like="%child") == ["B_CHILD"]
    assert listed(like="") == []
    assert listed(starts_with="A") == ["A_ROOT"]
    assert listed(limit=1) == ["A_ROOT"]
    assert listed(limit=2, from_name="B") == ["B_CHILD", '"lower"']
    assert listed(root_only=True) == ["A_ROOT"]


def test_relations_are_told_from_both_sides(tasks: TaskCollection, schema: str) -> None:
    tasks.create(Task("root", "select 1"))
    tasks.create(Task("child", "select 1", predecessors=["root"]))
    tasks.create(Task("last", "select 1", finalize="root"))
    full = f"INTENTSCORE.{schema}"
    assert tasks["child"].fetch().predecessors == [f"{full}.ROOT"]
    assert tasks["last"].fetch().finalize == "ROOT"
    assert json.loads(str(tasks["root"].fetch().task_relations))["FinalizerTask"] == f"{full}.LAST"
    assert json.loads(str(tasks["last"].fetch().task_relations))["FinalizedRootTask"] == f"{full}.ROOT"
    assert {task.name for task in tasks["root"].fetch_task_dependents()} == {"ROOT", "CHILD", "LAST"}
    assert [task.name for task in tasks["child"].fetch_task_dependents(recursive=False)] == ["CHILD"]


def test_resuming_and_suspending(tasks: TaskCollection) -> None:
    tasks.create(Task("root", "select 1", schedule=timedelta(hours=1)))
    tasks.create(Task("child", "select 1", predecessors=["root"]))
    tasks["child"].resume()
    tasks["root"].resume()
    assert tasks["root"].fetch().state == "started"
    with pytest.raises(APIError, match="not suspended") as refused:
        tasks["child"].suspend()
    assert refused.value.status == 400
    assert refused.value.get_request_info()["error_code"] == "091421"
    (coming,) = tasks["root"].get_current_graphs()
    assert coming.state == "SCHEDULED"
    tasks["root"].suspend()
    tasks["child"].drop()
    assert [task.name for task in tasks.iter()] == ["ROOT"]


def test_what_is_not_there(tasks: TaskCollection) -> None:
    for ask in (
        tasks["t"].fetch,
        tasks["t"].drop,
        tasks["t"].resume,
        tasks["t"].execute,
        tasks["t"].get_current_graphs,
    ):
        with pytest.raises(NotFoundError):
            ask()
    tasks["t"].drop(if_exists=True)


@pytest.mark.filterwarnings("ignore:Setting drop_finalizer")
def test_a_graph_is_deployed_run_and_dropped(graphs: DAGOperation, session: Session, wait: Any) -> None:
    with DAG("day", schedule=Cron("0 3 * * *", "Europe/Berlin"), warehouse="LOCAL_WH", config={"n": 7}) as graph:
        first = DAGTask("first", "create table first as select 1 as n")
        left = DAGTask("left", "create table left_side as select n + 1 as n from first")
        right = DAGTask("right", "create table right_side as select system$get_task_graph_config('n')::int as n")
        both = DAGTask("both", "create table both as select n from left_side union all select n from right_side")
        DAGTask("last", "create table last as select count(*) as n from both", is_finalizer=True)
        first >> [left, right]
        left >> both
        right >> both
    graphs.deploy(graph)
    assert graphs.iter_dags(like="D%") == ["DAY"]
    graphs.run(graph)
    assert {run.state for run in graphs.get_current_dag_runs(graph)} <= {"EXECUTING", "SCHEDULED"}
    (done,) = wait(graph)
    assert (done.state, done.dag_name, done.graph_version) == ("SUCCEEDED", "DAY", 1)
    assert sorted(row["N"] for row in session.sql("select n from both").collect()) == [2, 7]
    assert session.table("last").collect()[0]["N"] == 2
    assert graphs.get_complete_dag_runs(graph) == []
    graphs.deploy(graph, mode=CreateMode.or_replace)
    graphs.drop(graph, drop_finalizer=True)
    assert graphs.iter_dags(like="%") == []


def test_a_failed_graph_is_run_again_from_what_failed(graphs: DAGOperation, session: Session, wait: Any) -> None:
    with DAG("retried", warehouse="LOCAL_WH") as graph:
        DAGTask("once", "create table once as select 1 as n") >> DAGTask(
            "late", "create table late as select * from later"
        )
    graphs.deploy(graph)
    graphs.run(graph)
    (failed,) = wait(graph)
    assert (failed.state, failed.first_error_task_name) == ("FAILED", "RETRIED$LATE")
    assert "LATER" in str(failed.first_error_message)
    session.sql("create table later as select 2 as n").collect()
    graphs.run(graph, retry_last=True)
    again, _ = wait(graph, runs=2)
    assert (again.state, again.run_id) == ("SUCCEEDED", failed.run_id)


def test_every_route_refuses_a_wrong_token(engine: Endpoint) -> None:
    base = f"http://{engine.host}:{engine.port}/api/v2/databases/INTENTSCORE/schemas/PUBLIC/tasks"
    for method, path in [("GET", ""), ("POST", ""), ("GET", "/t"), ("PUT", "/t"), ("DELETE", "/t"),
                         ("POST", "/t:resume"),
                         ("POST", "/t:execute"), ("GET", "/t/dependents"), ("GET", "/t/current_graphs")]:  # fmt: skip
        for headers in ({}, {"Authorization": 'Snowflake Token="wrong"'}, {"Authorization": "Bearer wrong"}):
            request = urllib.request.Request(base + path, method=method, headers=headers)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=5)
            assert refused.value.code == 401
            refused.value.close()


def test_python_tasks_choose_a_branch_and_read_their_context(
    graphs: DAGOperation, session: Session, wait: Any, schema: str
) -> None:
    def choose(session: Session) -> str:
        return "LEFT"

    def seen(session: Session) -> str:
        from snowflake.core.task.context import TaskContext

        context = TaskContext(session)
        day, before = context.get_task_graph_config_property("day"), context.get_predecessor_return_value()
        session.sql(f"create table seen as select '{day}' as day, '{before}' as chosen").collect()
        return context.get_current_task_short_name()

    session.sql("create stage code").collect()
    with DAG(
        "branching", warehouse="LOCAL_WH", stage_location="@code", use_func_return_value=True, config={"day": "today"},
        packages=["snowflake-snowpark-python"],
    ) as graph:  # fmt: skip
        branch = DAGTaskBranch("choose", choose)
        branch >> [DAGTask("LEFT", seen), DAGTask("RIGHT", "select 1 / 0")]
    graphs.deploy(graph)
    graphs.run(graph)
    (done,) = wait(graph)
    assert (done.state, done.first_error_message) == ("SUCCEEDED", None)
    assert [tuple(row) for row in session.table("seen").collect()] == [("today", "LEFT")]
    history = session.sql(
        f"select name, state, return_value from table(information_schema.task_history()) where schema_name = '{schema}'"
    )
    assert {tuple(row) for row in history.collect()} == {
        ("BRANCHING", "SUCCEEDED", None), ("BRANCHING$CHOOSE", "SUCCEEDED", "LEFT"),
        ("BRANCHING$LEFT", "SUCCEEDED", "LEFT"), ("BRANCHING$RIGHT", "SKIPPED", None),
    }  # fmt: skip
