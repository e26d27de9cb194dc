from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import mannwhitneyu, wasserstein_distance
from sklearn import metrics

from intentscore.data.files import open_file
from intentscore.data.simulate import PURCHASE_PROBABILITY, draw
from intentscore.errors import ConfigurationError, GateRefusedError, NothingToDoError, WarehouseError
from intentscore.features.definitions import features_using
from intentscore.services.check import CheckLimits, check_day
from intentscore.services.features import refresh_features
from intentscore.services.monitor import MonitorResult, monitor, monitors
from intentscore.services.monitor_figures import ColumnDrift, DayFigures, MonitorReport, Performance
from intentscore.services.monitor_report import monitor_report, performance_alarms
from intentscore.services.promote import PromotionPlan, promote
from intentscore.services.register import register
from intentscore.services.rollback import RollbackPlan, plan_rollback, rollback
from intentscore.services.score import plan_score, score
from intentscore.services.status import status
from intentscore.services.train import train
from intentscore.services.upload import upload
from intentscore.settings import MonitoringLimits, MonitoringSettings
from tests.services.conftest import QUICK, Trained, Workspace, command

LEARNED, DAYS, PER_DAY = 3000, 31, 100
LAST = date(2024, 12, 31)
FIRST = LAST - timedelta(days=DAYS - 1)
DRIFT_DAY = LAST - timedelta(days=1)
LATE = 10
UNKNOWN_FROM = LAST - timedelta(days=LATE - 1)


@dataclass(frozen=True)
class Watch:
    """A shop whose sessions are alike every day of a month, until exit rates grow by half on DRIFT_DAY. Outcomes come
    ten days late: on the evening of the last day, `before`, and ten days later, `after`.
    """

    work: Workspace
    sessions: pd.DataFrame
    result: MonitorResult
    before: MonitorReport
    scores_before: pd.DataFrame
    after: MonitorReport

    def scores(self) -> pd.DataFrame:
        return self.work.session.sql("SELECT UID, SESSION_DATE, SCORE, SCORED_AT FROM SCORES ORDER BY UID").to_pandas()

    def joined(self) -> pd.DataFrame:
        """What happened, as the simulation has it, beside the scores."""
        scores = self.scores().drop(columns="SESSION_DATE")
        return scores.merge(self.sessions, on="UID", validate="one_to_one")


def shop() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    sessions = draw(LEARNED + DAYS * PER_DAY, seed=5).drop(columns=PURCHASE_PROBABILITY)
    learned = [date(2024, 1, 1) + timedelta(days=int(day)) for day in rng.integers(0, 330, LEARNED)]
    scored = [FIRST + timedelta(days=number // PER_DAY) for number in range(DAYS * PER_DAY)]
    sessions["SESSION_DATE"] = [*learned, *scored]
    drifted = sessions["SESSION_DATE"] >= DRIFT_DAY
    sessions.loc[drifted, "EXIT_RATES"] *= 1.5
    return sessions


def load(work: Workspace, sessions: pd.DataFrame, path: Path) -> None:
    sessions.to_csv(path, index=False)
    upload(work.session, work.settings, open_file(path))


@pytest.fixture(scope="module")
def watch(new_workspace: Callable[[], Workspace], tmp_path_factory: pytest.TempPathFactory) -> Watch:
    work, sessions = new_workspace(), shop()
    path = tmp_path_factory.mktemp("shop") / "sessions.csv"
    unknown = sessions["SESSION_DATE"] >= UNKNOWN_FROM
    load(work, sessions.assign(REVENUE=sessions["REVENUE"].astype("boolean").mask(unknown)), path)
    refresh_features(work.session, work.settings)
    train(work.session, work.settings, QUICK)
    register(work.session, work.settings)
    result = monitor(work.session, work.settings)
    score(work.session, work.settings, plan_score(work.session, work.settings, FIRST, LAST))
    quick = MonitoringSettings(limits=MonitoringLimits(chance_days=199))
    before = monitor_report(work.session, work.settings.model_copy(update={"monitoring": quick}), FIRST, LAST)
    scores = Watch.scores(Watch(work, sessions, result, before, pd.DataFrame(), before))
    load(work, sessions, path)
    return Watch(work, sessions, result, before, scores, monitor_report(work.session, work.settings, FIRST, LAST))


@pytest.fixture
def watched(watch: Watch) -> Watch:
    """The shop, with the session back in its schema."""
    watch.work.session.use_schema(watch.work.settings.schema_name)
    return watch


def by_day(report: MonitorReport) -> dict[date, DayFigures]:
    return {figures.day: figures for figures in report.days}


def days_of(joined: pd.DataFrame) -> list[tuple[date, pd.DataFrame]]:
    return [(day, joined[joined["SESSION_DATE"] == day]) for day in sorted(joined["SESSION_DATE"].unique())]


def drift_of(report: MonitorReport, day: date, column: str) -> ColumnDrift:
    return next(one for one in report.drift if (one.day, one.column) == (day, column))


def test_the_champion_gets_one_monitor_with_what_it_learned_from_as_baseline(watched: Watch) -> None:
    session, settings, made = watched.work.session, watched.work.settings, watched.result
    assert (made.created, made.baseline_sessions) == (True, LEARNED)
    again = monitor(session, settings)
    assert (again.created, again.cut_off, again.suspended) == (False, made.cut_off, ())
    assert [(one.name, one.version, one.state) for one in monitors(session, settings)] == [
        (made.monitor, made.version, "ACTIVE")
    ]
    top = watched.work.value(f"SELECT AVG(IFF(SCORE >= {made.cut_off!r}, 1, 0)) FROM {made.baseline}")
    assert float(top) == pytest.approx(0.1, abs=1 / LEARNED)


def test_status_names_the_champions_monitor(watched: Watch) -> None:
    assert status(watched.work.session, watched.work.settings).monitor == f"{watched.result.monitor} (active)"


def test_performance_agrees_with_scikit_learn(watched: Watch) -> None:
    known = watched.joined()
    y, p = known["REVENUE"].to_numpy(dtype=bool), known["SCORE"].to_numpy()
    contacted = p >= watched.result.cut_off
    found = watched.after.performance
    expected = {
        "roc_auc": metrics.roc_auc_score(y, p), "precision": metrics.precision_score(y, contacted),
        "recall": metrics.recall_score(y, contacted), "brier": metrics.brier_score_loss(y, p),
        "log_loss": metrics.log_loss(y, p), "mean_score": p.mean(), "buyer_rate": y.mean(),
    }  # fmt: skip
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, abs=1e-9)
    for day, rows in days_of(known):
        figures, bought = by_day(watched.after)[day], rows["REVENUE"].to_numpy(dtype=bool)
        called = rows["SCORE"] >= watched.result.cut_off
        assert figures.roc_auc == pytest.approx(metrics.roc_auc_score(bought, rows["SCORE"]), abs=1e-9)
        assert figures.precision == pytest.approx(metrics.precision_score(bought, called), abs=1e-9)
        assert figures.recall == pytest.approx(metrics.recall_score(bought, called), abs=1e-9)
        assert (figures.sessions, figures.scores, figures.contacted) == (PER_DAY, PER_DAY, called.sum())


def test_calibration_by_decile_is_that_of_the_sorted_scores(watched: Watch) -> None:
    known = watched.joined().sort_values("SCORE", ascending=False, kind="stable")
    tenth = len(known) // 10
    for number, decile in enumerate(watched.after.calibration):
        rows = known.iloc[number * tenth : (number + 1) * tenth]
        assert decile.mean_score == pytest.approx(rows["SCORE"].mean(), abs=1e-9)
        # sessions that share a score across the cut count in proportion
        assert decile.buyers == pytest.approx(rows["REVENUE"].sum(), abs=2)
    assert sum(decile.buyers for decile in watched.after.calibration) == pytest.approx(known["REVENUE"].sum())


@pytest.mark.parametrize("column", ["SCORE", "PAGE_VALUES", "PRODUCT_RELATED_DURATION"])
def test_drift_of_numbers_agrees_with_scipy(watched: Watch, column: str) -> None:
    base = watched.work.session.table(watched.result.baseline).select(column).to_pandas()[column].to_numpy()
    edges = np.unique(np.quantile(base, np.arange(1, 10) / 10))
    q = np.bincount(np.searchsorted(edges, base), minlength=len(edges) + 1) / len(base)
    for day, rows in days_of(watched.joined()):
        values, found = rows[column].to_numpy(dtype=float), drift_of(watched.after, day, column)
        p = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) / len(values)
        floored_p, floored_q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
        assert found.psi == pytest.approx(np.sum((floored_p - floored_q) * np.log(floored_p / floored_q)), abs=1e-9)
        assert found.jensen_shannon == pytest.approx(jensenshannon(p, q, base=2), abs=1e-9)
        assert found.wasserstein == pytest.approx(wasserstein_distance(values, base), abs=1e-9)
        above = mannwhitneyu(values[values != 0], base[base != 0]).statistic
        assert found.shift == pytest.approx(above / ((values != 0).sum() * (base != 0).sum()), abs=1e-9)


def test_drift_of_a_category_agrees_with_scipy(watched: Watch) -> None:
    base = watched.sessions.iloc[:LEARNED]["TRAFFIC_TYPE"].value_counts(normalize=True)
    for day, rows in days_of(watched.joined()):
        now = rows["TRAFFIC_TYPE"].value_counts(normalize=True)
        shares = [one.reindex(base.index.union(now.index), fill_value=0) for one in (now, base)]
        found = drift_of(watched.after, day, "TRAFFIC_TYPE")
        assert found.jensen_shannon == pytest.approx(jensenshannon(*shares, base=2), abs=1e-9)
        assert (found.kind, found.wasserstein) == ("categorical", None)


def test_a_planted_drift_is_flagged_on_its_day_and_not_before(watched: Watch) -> None:
    flagged = [alarm.day for alarm in watched.after.alarms if alarm.column == "EXIT_RATES" and alarm.day]
    assert min(flagged) == DRIFT_DAY
    assert not [alarm for alarm in watched.after.alarms if alarm.day and alarm.day < DRIFT_DAY]
    with pytest.raises(GateRefusedError, match=rf"limits passed .* on {DRIFT_DAY}: "):
        watched.after.require_no_alarm()
    with pytest.raises(GateRefusedError, match=r"^1 limit passed by"):
        replace(watched.after, alarms=watched.after.alarms[:1]).require_no_alarm()


def test_the_command_ends_with_7_when_a_limit_is_passed_and_shows_the_report_all_the_same(watched: Watch) -> None:
    quick, before, on = {"INTENTSCORE_MONITORING__LIMITS__CHANCE_DAYS": "999"}, str(FIRST), str(DRIFT_DAY)
    calm = command(watched.work, "monitor", "report", "--from", before, "--to", before, **quick)
    assert (calm.exit_code, json.loads(calm.stdout)["alarms"]) == (0, [])
    refused = command(watched.work, "monitor", "report", "--from", on, "--to", on, **quick)
    assert refused.exit_code == 7
    assert "EXIT_RATES" in {alarm["column"] for alarm in json.loads(refused.stdout)["alarms"]}
    assert "limits passed by" in refused.stderr


def test_the_check_refuses_the_drift_by_the_same_limits(watched: Watch) -> None:
    session, settings = watched.work.session, watched.work.settings
    passed = check_day(session, settings, DRIFT_DAY - timedelta(days=1), CheckLimits())
    assert passed.compared > 30
    with pytest.raises(GateRefusedError, match="EXIT_RATES drifted"):
        check_day(session, settings, DRIFT_DAY, CheckLimits())
    wide = MonitoringLimits(max_psi=9, max_jensen_shannon=1, max_wasserstein=99, max_shift=0.5, max_scale=8)
    lenient = settings.model_copy(update={"monitoring": MonitoringSettings(limits=wide)})
    assert check_day(session, lenient, DRIFT_DAY, CheckLimits()).scores == PER_DAY


def test_late_outcomes_change_the_performance_of_past_days_and_no_score(watched: Watch) -> None:
    before, after = by_day(watched.before), by_day(watched.after)
    assert [day for day, figures in before.items() if figures.coverage < 1] == sorted(before)[-LATE:]
    assert {figures.coverage for figures in after.values()} == {1.0}
    assert (watched.before.behind, watched.after.behind) == (0, 0)
    yesterday = LAST - timedelta(days=1)
    assert (before[yesterday].roc_auc, before[yesterday].precision) == (None, None)
    assert after[yesterday].roc_auc is not None
    assert watched.before.performance.roc_auc != watched.after.performance.roc_auc
    assert watched.before.performance.outcomes + LATE * PER_DAY == watched.after.performance.outcomes
    for first, later in zip(watched.before.drift, watched.after.drift, strict=True):
        assert (first.day, first.column) == (later.day, later.column)
        assert first.psi == pytest.approx(later.psi, abs=1e-12)
    pd.testing.assert_frame_equal(watched.scores(), watched.scores_before)
    early = sorted(before)[0]
    assert before[early] == after[early]


def test_a_range_without_scores_says_which_days_have_some(watched: Watch) -> None:
    with pytest.raises(NothingToDoError, match=f"scored some from {FIRST} to {LAST}"):
        monitor_report(watched.work.session, watched.work.settings, date(2024, 1, 1), date(2024, 1, 31))


PERFORMANCE = Performance(
    scores=2000, outcomes=2000, coverage=1.0, buyers=300, mean_score=0.15, buyer_rate=0.15, roc_auc=0.9,
    promised_roc_auc=0.9, precision=0.5, recall=0.5, calibration_error=0.01, brier=0.1, log_loss=0.3,
)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "alarms"),
    [
        ({}, []),
        ({"roc_auc": 0.88}, []),
        ({"roc_auc": 0.8}, ["roc_auc"]),
        ({"mean_score": 0.19}, []),
        ({"mean_score": 0.3}, ["calibration"]),
        ({"roc_auc": 0.8, "mean_score": 0.3, "outcomes": 100, "buyers": 10}, []),
        ({"roc_auc": 0.8, "outcomes": 70, "buyers": 35, "buyer_rate": 0.2}, []),
        ({"roc_auc": None, "mean_score": None, "buyer_rate": None}, []),
    ],
    ids=["as promised", "a little less", "much less", "near", "far off", "few buyers", "not sure", "nothing known"],
)
def test_a_champion_that_fell_behind_its_promise_beyond_doubt_is_an_alarm(
    found: dict[str, float | None], alarms: list[str]
) -> None:
    performance = replace(PERFORMANCE, **found)  # type: ignore[arg-type]
    assert [one.measure for one in performance_alarms(performance, MonitoringLimits())] == alarms


# ---------------------------------------------------------------------------- one monitor after the other


@pytest.fixture(scope="module")
def challenger(watch: Watch) -> str:
    """Another version, which does without page values, and has no monitor yet."""
    watch.work.session.use_schema(watch.work.settings.schema_name)
    train(watch.work.session, watch.work.settings, QUICK.model_copy(update={"exclude": ("PAGE_VALUES",)}))
    return register(watch.work.session, watch.work.settings).version


def states(watched: Watch) -> dict[str, str]:
    return {one.version: one.state for one in monitors(watched.work.session, watched.work.settings)}


def accepted(plan: RollbackPlan) -> PromotionPlan:
    """A promotion by the same statements, which no gate refused."""
    return PromotionPlan(
        model_name=plan.model_name, version=plan.version, champion=str(plan.champion), accepted=True,
        tested_after=FIRST, sessions=0, buyers=0, feature_hash=plan.feature_hash, figures=(), differences=(), gates=(),
        statements=plan.statements, undo=plan.undo,
    )  # fmt: skip


def test_a_change_of_champion_that_fails_leaves_no_monitor_behind(watched: Watch, challenger: str) -> None:
    session, settings = watched.work.session, watched.work.settings
    plan = plan_rollback(session, settings, challenger)
    failing = replace(plan, statements=(plan.statements[0], "ALTER MODEL NOWHERE SET COMMENT = ''"))
    with pytest.raises(WarehouseError):
        rollback(session, settings, failing)
    assert states(watched) == {watched.result.version: "ACTIVE"}


def test_a_new_champion_brings_its_monitor_and_an_old_one_is_resumed(watched: Watch, challenger: str) -> None:
    session, settings, first = watched.work.session, watched.work.settings, watched.result.version
    promote(session, settings, accepted(plan_rollback(session, settings, challenger)))
    assert states(watched) == {first: "SUSPENDED", challenger: "ACTIVE"}
    with pytest.raises(NothingToDoError, match=f"{challenger} has scored nothing yet"):
        monitor_report(session, settings)
    rollback(session, settings, plan_rollback(session, settings, first))
    assert states(watched) == {first: "ACTIVE", challenger: "SUSPENDED"}


def test_what_a_version_does_not_score_with_is_not_watched(watched: Watch, challenger: str) -> None:
    session, settings = watched.work.session, watched.work.settings
    promote(session, settings, accepted(plan_rollback(session, settings, challenger)))
    columns = {
        version: {row["name"] for row in session.sql(f"DESCRIBE TABLE PURCHASE_INTENT_{version}_BASELINE").collect()}
        for version in (watched.result.version, challenger)
    }
    rollback(session, settings, plan_rollback(session, settings, watched.result.version))
    of_page_values = {name for name in features_using("PAGE_VALUES") if not name.startswith("PAST_")}
    assert columns[watched.result.version] - columns[challenger] == of_page_values
    assert not [name for name in columns[challenger] if name.startswith("PAST_")]  # nobody came back


def test_another_cut_off_makes_the_monitor_anew(watched: Watch, challenger: str) -> None:
    changed = MonitoringSettings(cut_off=0.25, baseline_sessions=100)
    made = monitor(watched.work.session, watched.work.settings.model_copy(update={"monitoring": changed}))
    assert (made.version, made.created) == (watched.result.version, True)
    assert (made.cut_off, made.baseline_sessions) == (0.25, 100)
    assert states(watched)[made.version] == "ACTIVE"


def test_a_report_without_a_monitor_says_how_to_get_one(trained: Trained) -> None:
    with pytest.raises(ConfigurationError, match="run `intentscore monitor`"):
        monitor_report(trained.workspace.session, trained.workspace.settings)
