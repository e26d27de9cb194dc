from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from snowflake.snowpark import Row, Session
from typer.testing import CliRunner, Result

from intentscore.cli.commands import app
from intentscore.data.source import SessionSource
from intentscore.model.config import BoosterParams, TrainConfig
from intentscore.services.explain import explain, plan_explanation
from intentscore.services.features import refresh_features
from intentscore.services.monitor import monitor
from intentscore.services.register import RegisterResult, register
from intentscore.services.report import ReportResult, report
from intentscore.services.score import plan_score, score
from intentscore.services.train import TrainResult, train
from intentscore.services.upload import UploadResult, upload
from intentscore.settings import Settings, TableNames
from intentscore.warehouse.session import open_session
from tests.services.schema_state import SchemaState, restored, schema_state, tidy

QUICK = TrainConfig(
    cv_folds=2, num_boost_round=40, early_stopping_rounds=10, boosters=1, params=BoosterParams(learning_rate=0.1)
)
HAVE_DATASET = bool(os.environ.get("INTENTSCORE_DATASET"))
SIMULATED = 3000


@dataclass(frozen=True)
class Workspace:
    """One schema on the shared engine; services work in the session's current schema."""

    session: Session
    settings: Settings

    def rows(self, sql: str) -> list[Row]:
        return self.session.sql(sql).collect()

    def value(self, sql: str) -> Any:
        return self.rows(sql)[0][0]


@dataclass(frozen=True)
class Reported:
    """A page about the champion of a model of its own, with a challenger, a scored day and a monitor."""

    workspace: Workspace
    settings: Settings
    run: str
    other_run: str
    day: date
    page: Path
    result: ReportResult
    figures: Any


@dataclass(frozen=True)
class Trained:
    workspace: Workspace
    uploaded: UploadResult
    trained: TrainResult
    registered: RegisterResult
    day: date


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTENTSCORE_HOME", str(home))
        yield home


@pytest.fixture(autouse=True)
def _shared_home(home: Path, _own_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs of the shared pipeline are in the shared home."""
    monkeypatch.setenv("INTENTSCORE_HOME", str(home))


@pytest.fixture(scope="session")
def session(home: Path) -> Iterator[Session]:
    with open_session(Settings(), connection="local", command="tests", announce=lambda _: None) as opened:
        yield opened.session


@pytest.fixture(scope="session")
def new_workspace(session: Session) -> Callable[[], Workspace]:
    numbers = itertools.count(1)

    def create() -> Workspace:
        schema = f"WORK_{next(numbers)}"
        session.sql(f"CREATE SCHEMA {schema}").collect()
        session.use_schema(schema)
        return Workspace(session, Settings(schema_name=schema))

    return create


@pytest.fixture
def workspace(new_workspace: Callable[[], Workspace]) -> Workspace:
    return new_workspace()


@pytest.fixture(scope="session")
def source(home: Path) -> SessionSource:
    if HAVE_DATASET:
        from intentscore.data.uci import open_uci

        return open_uci(home / "data")
    from intentscore.data.simulate import simulate

    return simulate(SIMULATED, seed=1, spread_days=False)


@pytest.fixture(scope="session")
def made_once(new_workspace: Callable[[], Workspace], source: SessionSource) -> tuple[Trained, SchemaState]:
    work = new_workspace()
    uploaded = upload(work.session, work.settings, source)
    refresh_features(work.session, work.settings)
    trained = train(work.session, work.settings, QUICK)
    registered = register(work.session, work.settings, trained.run_id)
    made = Trained(work, uploaded, trained, registered, date(2024, 11, 1))
    return made, schema_state(work.session, work.settings.schema_name)


@pytest.fixture(scope="module")
def pipeline(made_once: tuple[Trained, SchemaState]) -> Iterator[Trained]:
    """Sessions, features, a registered champion, made once. After each module the tables and models that it added are
    dropped, and all else has to be as it was: whoever changes it takes that back.
    """
    made, before = made_once
    session, schema = made.workspace.session, made.workspace.settings.schema_name
    session.use_schema(schema)
    yield made
    tidy(session, schema, before)
    assert schema_state(session, schema) == before


@pytest.fixture(scope="module")
def reporting(pipeline: Trained, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    work, day = pipeline.workspace, date(2024, 12, 1)
    work.session.use_schema(work.settings.schema_name)
    tables = TableNames(
        scores="REPORTED_SCORES", challenger_scores="REPORTED_CHALLENGERS", explanations="REPORTED_REASONS"
    )
    # so few simulated sessions are compared, too, when there is no data set
    gates = work.settings.promotion.model_copy(update={"min_sessions": 50, "min_buyers": 10})
    settings = work.settings.model_copy(update={"model_name": "REPORTED", "tables": tables, "promotion": gates})
    other = train(work.session, settings, QUICK.model_copy(update={"exclude": ("PAGE_VALUES",), "seed": 8}))
    for run in (pipeline.trained.run_id, other.run_id):
        register(work.session, settings, run)
    score(work.session, settings, plan_score(work.session, settings, day, day))
    explain(work.session, settings, plan_explanation(work.session, settings, day, day))
    monitor(work.session, settings)
    page = tmp_path_factory.mktemp("report") / "report.html"
    result = report(work.session, settings, page, day=day)
    return Reported(work, settings, pipeline.trained.run_id, other.run_id, day, page, result, figures_of(page))


def command(work: Workspace, *arguments: str, **variables: str) -> Result:
    """The command line, on the shared engine and in the workspace's schema."""
    given = {"INTENTSCORE_CONNECTION": "local", "INTENTSCORE_SCHEMA": work.settings.schema_name, **variables}
    return CliRunner().invoke(app, [*arguments, "--quiet", "--format", "json"], env=given, prog_name="intentscore")


def figures_of(page: Path) -> Any:
    """The figures a page carries."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.fixture
def trained(pipeline: Trained) -> Trained:
    """The shared pipeline, with the session back in its schema."""
    pipeline.workspace.session.use_schema(pipeline.workspace.settings.schema_name)
    return pipeline


@pytest.fixture
def changed(trained: Trained) -> Iterator[Trained]:
    """The shared pipeline, for a test that changes SESSIONS."""
    work = trained.workspace
    view = trained.trained.feature_view
    with restored(work.session, work.settings.schema_name, work.settings.tables.sessions, view):
        yield trained


@pytest.fixture
def reported(trained: Trained, reporting: Reported) -> Reported:
    """The page, with the session back in the schema it is about."""
    return reporting
