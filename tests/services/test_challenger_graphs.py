"""The monthly and the mid-month graph, through their procedures and the packaged code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from intentscore.model.config import BoosterParams, TrainConfig
from intentscore.services.challenger import NONE
from intentscore.services.graph_execution import RunResult, run_days
from intentscore.services.graphs import plan_schedule
from intentscore.services.register import register
from intentscore.services.schedule import deploy, drop, schedule_status
from intentscore.services.schedule_config import DailyGraph, GraphKind, MidMonthGraph, MonthlyGraph, ScheduleConfig
from intentscore.services.score import plan_score, score
from intentscore.services.train import train
from intentscore.services.versions import registered_versions
from intentscore.settings import PromotionSettings, Settings

from .conftest import QUICK, Trained

POOR = TrainConfig(
    cv_folds=2, num_boost_round=5, exclude=("PAGE_VALUES",), params=BoosterParams(learning_rate=0.1, num_leaves=3)
)
LIMITS = PromotionSettings(min_sessions=100, min_buyers=10, max_calibration_error=0.2, max_segment_loss=0.1)
MONTH_END, MID_MONTH = date(2024, 11, 30), date(2024, 12, 14)


@dataclass
class Months:
    """A model of its own whose champion is poor, and graphs of its own."""

    trained: Trained
    settings: Settings
    config: ScheduleConfig

    def run(self, kind: GraphKind, day: date) -> RunResult:
        return run_days(self.trained.workspace.session, self.settings, self.config, day, day, kind=kind)

    def aliases(self) -> dict[str, tuple[str, ...]]:
        known = registered_versions(self.trained.workspace.session, self.settings)
        return {version.name: version.aliases for version in known}

    def last_run(self, graph: str) -> dict[str, tuple[str, str | None]]:
        tasks = schedule_status(self.trained.workspace.session, self.config).tasks
        found = [task for task in tasks if task.task.startswith(f"{graph}$")]
        return {task.task.split("$")[1]: (task.state, task.returned) for task in found}

    def recorded(self, command: str) -> Any:
        query = f"SELECT OUTCOME, ARGUMENTS FROM RUNS WHERE COMMAND = '{command}' ORDER BY FINISHED_AT DESC"
        return self.trained.workspace.rows(query)[0]


@pytest.fixture(scope="module")
def months(pipeline: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Months]:
    work = pipeline.workspace
    work.session.use_schema(work.settings.schema_name)
    settings = work.settings.model_copy(update={"model_name": "MONTHLY_MODEL", "promotion": LIMITS})
    poor = train(work.session, settings, POOR, until=date(2024, 10, 31))
    register(work.session, settings, poor.run_id)
    config = ScheduleConfig(
        daily=DailyGraph(name="DAY"),
        monthly=MonthlyGraph(name="MONTH", train_config=_written(tmp_path_factory.mktemp("configs"), QUICK)),
        mid_month=MidMonthGraph(name="MID"),
        retries=0,
    )
    deploy(work.session, settings, plan_schedule(work.session, settings, config))
    yield Months(pipeline, settings, config)
    work.session.use_schema(work.settings.schema_name)
    drop(work.session, settings, apply=True)


def _written(folder: Path, config: TrainConfig) -> Path:
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    return path


def test_the_months_challenger_is_trained_registered_scored_compared_and_promoted(
    months: Months, trained: Trained
) -> None:
    work = trained.workspace
    (champion,) = months.aliases()
    score(work.session, months.settings, plan_score(work.session, months.settings, trained.day, trained.day))
    champions_day = work.rows("SELECT * FROM SCORES ORDER BY UID")

    months.run("monthly", MONTH_END)
    steps = months.last_run("MONTH")
    challenger = steps["REGISTER_CHALLENGER"][1] or ""
    assert months.aliases() == {champion: ("CHAMPION",), challenger: ("CHALLENGER",)}
    learned = next(v for v in registered_versions(work.session, months.settings) if v.name == challenger)
    assert learned.learned_until is not None
    assert learned.learned_until < date(2024, 11, 1)
    assert steps["TRAIN_CHALLENGER"] == ("SUCCEEDED", learned.metrics["run_id"])
    scored = work.rows(
        "SELECT MIN(SESSION_DATE), MAX(SESSION_DATE), COUNT(*), MIN(MODEL_VERSION), COUNT(DISTINCT MODEL_VERSION) "
        "FROM CHALLENGER_SCORES"
    )[0]
    november = "SESSION_DATE > '2024-10-31'::DATE AND SESSION_DATE <= '2024-11-30'::DATE"
    first, last, sessions = work.rows(
        f"SELECT MIN(SESSION_DATE), MAX(SESSION_DATE), COUNT(*) FROM SESSIONS WHERE {november}"
    )[0]
    assert tuple(scored) == (first, last, sessions, challenger, 1)
    assert work.rows("SELECT * FROM SCORES ORDER BY UID") == champions_day

    months.run("mid-month", MID_MONTH)
    assert months.last_run("MID")["EVALUATE_CHALLENGER"] == ("SUCCEEDED", "accepted")
    assert months.last_run("MID")["PROMOTE_CHALLENGER"][0] == "SUCCEEDED"
    assert months.aliases() == {champion: (), challenger: ("CHAMPION",)}
    assert months.recorded("graph")["OUTCOME"] == "done"
    assert '"accepted": true' in months.recorded("compare")["ARGUMENTS"]

    months.run("mid-month", MID_MONTH)
    assert months.last_run("MID")["EVALUATE_CHALLENGER"] == ("SUCCEEDED", NONE)
    assert months.last_run("MID")["PROMOTE_CHALLENGER"][0] == "SKIPPED"
    assert months.aliases() == {champion: (), challenger: ("CHAMPION",)}
