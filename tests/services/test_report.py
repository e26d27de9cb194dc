from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shap
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from sklearn import metrics as sklearn

from intentscore.errors import NothingToDoError, UsageError
from intentscore.model.run import RunFolder, find_run
from intentscore.report.content import Chart, Note, Table
from intentscore.services import report as report_service
from intentscore.services.report import find_subject, report
from intentscore.services.report_data import day_scores, scoring_table
from intentscore.services.report_sections.model_card import facts, model_card
from intentscore.services.report_sections.scored_day import ScoredDay, scored_day
from intentscore.services.score import plan_score, score
from intentscore.services.train import training_frame
from intentscore.settings import Settings
from intentscore.warehouse.tables import CHALLENGER_SCORES, SCORES
from tests.services.conftest import Reported, Trained, Workspace, figures_of

COUNTED = "SELECT COUNT(*) FROM SESSIONS WHERE SESSION_DATE = '{}'"
Tested = Callable[[Reported], tuple[NDArray[np.bool_], NDArray[np.float64]]]


def exactly(expected: Any) -> Any:
    return pytest.approx(expected, abs=1e-9, rel=0, nan_ok=True)


def column(figures: Any, table: str, name: str, **where: Any) -> NDArray[Any]:
    """A column of a table of the page, of the rows that have these values."""
    frame = pd.DataFrame(figures[table])
    for key, value in where.items():
        frame = frame[frame[key] == value]
    return frame[name].to_numpy()


def by_name(figures: Any, table: str, key: str, value: str) -> dict[str, Any]:
    return dict(zip(figures[table][key], figures[table][value], strict=True))


def held_out(reported: Reported) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Outcomes and scores of the held-out month, computed anew from the run's model."""
    work = reported.workspace
    frame = training_frame(work.session, work.settings)
    frame = frame[pd.to_datetime(frame["SESSION_DATE"]).dt.strftime("%Y-%m") == "2024-12"]
    booster = find_run(work.settings.home / "runs", reported.run).booster()
    return frame["REVENUE"].to_numpy(dtype=bool), np.asarray(booster.predict(frame[booster.feature_name()]))


def of_day(reported: Reported) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rows = reported.workspace.rows(
        f"SELECT x.REVENUE, s.SCORE FROM {reported.settings.tables.scores} s JOIN SESSIONS x "
        f"ON x.UID = s.UID AND x.SESSION_DATE = s.SESSION_DATE WHERE s.SESSION_DATE = '{reported.day}'"
    )
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


SOURCES = [("holdout", "held-out months", held_out), ("day", "this day", of_day)]
everywhere = pytest.mark.parametrize(("prefix", "series", "tested"), SOURCES, ids=["held out", "day"])


@everywhere
def test_gain_and_lift_are_those_of_scikit_learns_roc_curve(
    reported: Reported, prefix: str, series: str, tested: Tested
) -> None:
    bought, scores = tested(reported)
    fpr, tpr, _ = sklearn.roc_curve(bought, scores, drop_intermediate=False)
    taken = (fpr * (~bought).sum() + tpr * bought.sum()) / len(bought)
    share = column(reported.figures, f"{prefix}_gain", "share_of_sessions", series=series)
    gain = column(reported.figures, f"{prefix}_gain", "share_of_buyers", series=series)
    assert gain == exactly(np.interp(share, taken, tpr))
    deep = share >= 0.01
    lift = column(reported.figures, f"{prefix}_lift", "times_the_buyer_rate_of_all", series=series)
    assert lift == exactly(np.interp(share[deep], taken, tpr) / share[deep])


@everywhere
def test_roc_and_precision_points_are_scikit_learns(
    reported: Reported, prefix: str, series: str, tested: Tested
) -> None:
    bought, scores = tested(reported)
    fpr, tpr, _ = sklearn.roc_curve(bought, scores)
    precision, recall, _ = sklearn.precision_recall_curve(bought, scores)
    for table, x, y, curve in (
        (f"{prefix}_roc", "share_of_the_others", "share_of_buyers", np.c_[fpr, tpr]),
        (f"{prefix}_pr", "share_of_buyers_found_(recall)", "share_that_bought_(precision)", np.c_[recall, precision]),
    ):
        drawn = np.c_[
            column(reported.figures, table, x, series=series), column(reported.figures, table, y, series=series)
        ].astype(float)
        distance = np.abs(drawn[:, None, :] - curve[None]).max(axis=2).min(axis=1)
        assert distance == exactly(np.zeros(len(drawn)))
        assert len(drawn) > 20


@everywhere
def test_calibration_and_deciles_are_those_of_sorted_scores(
    reported: Reported, prefix: str, series: str, tested: Tested
) -> None:
    bought, scores = tested(reported)
    n = len(scores)
    cuts = np.array([-(-n * tenth // 10) for tenth in range(11)])
    fpr, tpr, _ = sklearn.roc_curve(bought, scores, drop_intermediate=False)
    taken = np.round(fpr * (~bought).sum() + tpr * bought.sum())
    buyers = np.diff(np.interp(cuts, taken, tpr * bought.sum()))
    ranked = np.sort(scores)[::-1]
    means = np.array([ranked[a:b].mean() for a, b in itertools.pairwise(cuts)])
    rates = buyers / np.diff(cuts)
    figures, table = reported.figures, f"{prefix}_deciles_table"
    assert column(figures, table, "buyers") == exactly(buyers)
    assert column(figures, table, "mean_score") == exactly(means)
    assert column(figures, table, "buyer_rate") == exactly(rates)
    assert column(figures, table, "lift") == exactly(rates / bought.mean())
    assert column(figures, f"{prefix}_calibration", "mean_score", series=series) == exactly(means[::-1])
    assert column(figures, f"{prefix}_calibration", "share_that_bought", series=series) == exactly(rates[::-1])


@pytest.mark.parametrize(
    ("table", "value", "tested"), [("metrics", "held_out", held_out), ("day_metrics", "value", of_day)]
)
def test_measures_are_scikit_learns(reported: Reported, table: str, value: str, tested: Tested) -> None:
    bought, scores = tested(reported)
    shown = by_name(reported.figures, table, "measure", value)
    assert shown["roc_auc"] == exactly(sklearn.roc_auc_score(bought, scores))
    assert shown["average_precision"] == exactly(sklearn.average_precision_score(bought, scores))
    assert shown["log_loss"] == exactly(sklearn.log_loss(bought, scores))
    assert shown["brier"] == exactly(sklearn.brier_score_loss(bought, scores))
    low, high = (by_name(reported.figures, table, "measure", bound) for bound in ("low", "high"))
    for measure in ("roc_auc", "average_precision", "log_loss", "brier"):
        assert low[measure] < shown[measure] < high[measure]


def test_every_score_of_the_day_is_in_the_histogram(reported: Reported) -> None:
    _, scores = of_day(reported)
    counts = column(reported.figures, "day_scores", "sessions")
    assert counts.tolist() == np.bincount((scores * 20).astype(int), minlength=20).tolist()


def test_page_values_are_counted_by_month(reported: Reported) -> None:
    frame = reported.workspace.session.table("SESSIONS").to_pandas()
    months = frame.groupby(pd.to_datetime(frame["SESSION_DATE"]).dt.strftime("%Y-%m"))
    figures = reported.figures["page_values"]
    assert figures["month"] == list(months.groups)
    assert figures["buyers"] == months["REVENUE"].sum().tolist()
    without = frame[frame["PAGE_VALUES"] == 0].groupby(pd.to_datetime(frame["SESSION_DATE"]).dt.strftime("%Y-%m"))
    assert figures["without_value"] == without.size().tolist()
    assert figures["buyers_without_value"] == without["REVENUE"].sum().tolist()
    valued = frame[frame["PAGE_VALUES"] > 0].groupby(pd.to_datetime(frame["SESSION_DATE"]).dt.strftime("%Y-%m"))
    rates = valued["REVENUE"].mean().astype(float)
    assert set(figures["month"]) - set(rates.index) == {
        month
        for month, rate in zip(figures["month"], figures["buyer_rate_with_value"], strict=True)
        if rate is None  # no session with a page value
    }
    assert [rate for rate in figures["buyer_rate_with_value"] if rate is not None] == exactly(rates.to_numpy())


def test_contributions_are_those_of_shap(reported: Reported) -> None:
    work = reported.workspace
    booster = find_run(work.settings.home / "runs", reported.run).booster()
    names = booster.feature_name()
    frame = training_frame(work.session, work.settings)
    frame = frame[frame["SESSION_DATE"].astype(str) == str(reported.day)]
    digests = frame["UID"].map(lambda uid: hashlib.md5(uid.encode()).hexdigest())
    sample = frame.loc[digests.sort_values().index[:1000]]
    values = shap.TreeExplainer(booster).shap_values(sample[names].astype("float64"), from_call=True)
    expected = dict(zip(names, np.abs(values).mean(axis=0), strict=True))
    shown = by_name(reported.figures, "importance", "feature", "log_odds")
    assert shown == {name: exactly(value) for name, value in expected.items()}
    assert list(shown.values()) == sorted(shown.values(), reverse=True)
    drawn = set(reported.figures["beeswarm"]["feature"])
    for name in drawn:
        dots = column(reported.figures, "beeswarm", "log_odds", feature=name).astype(float)
        nearest = np.abs(dots[:, None] - values[:, names.index(name)][None]).min(axis=1)
        assert nearest == exactly(np.zeros(len(dots)))


def test_the_highest_scores_are_shown_with_their_reasons(reported: Reported) -> None:
    work = reported.workspace
    examples = pd.DataFrame(reported.figures["examples"])
    _, scores = of_day(reported)
    assert examples.drop_duplicates("uid")["score"].tolist() == np.sort(scores)[::-1][:5].tolist()
    strongest = examples.iloc[0]
    booster = find_run(work.settings.home / "runs", reported.run).booster()
    frame = training_frame(work.session, work.settings)
    row = frame.loc[frame["UID"] == strongest["uid"], booster.feature_name()].astype("float64")
    contributions = booster.predict(row, pred_contrib=True)[0][:-1]
    assert strongest["log_odds"] == exactly(contributions[np.abs(contributions).argmax()])
    assert strongest["reason"] in reported.page.read_text(encoding="utf-8")


def test_champion_and_challenger_are_measured_on_the_same_sessions(reported: Reported) -> None:
    work = reported.workspace
    frame = training_frame(work.session, work.settings)
    frame = frame[pd.to_datetime(frame["SESSION_DATE"]).dt.strftime("%Y-%m") == "2024-12"]
    bought = frame["REVENUE"].to_numpy(dtype=bool)
    aucs = {}
    for name, run in (("champion", reported.run), ("challenger", reported.other_run)):
        booster = find_run(work.settings.home / "runs", run).booster()
        aucs[name] = sklearn.roc_auc_score(bought, booster.predict(frame[booster.feature_name()]))
    assert by_name(reported.figures, "challenger_figures", "model", "roc_auc") == {
        name: exactly(auc) for name, auc in aucs.items()
    }
    difference = by_name(reported.figures, "challenger_differences", "measure", "difference")
    assert difference["roc_auc"] == exactly(aucs["challenger"] - aucs["champion"])
    assert len(reported.figures["gates"]["gate"]) == 5


def test_drift_and_volume_are_those_of_the_scores_and_what_was_learned_from(reported: Reported) -> None:
    work = reported.workspace
    bought, scores = of_day(reported)
    days = {name: values[-1] for name, values in reported.figures["days"].items()}
    assert (days["day"], days["scores"], days["outcomes"]) == (str(reported.day), len(scores), len(bought))
    assert days["roc_auc"] == exactly(sklearn.roc_auc_score(bought, scores))
    assert days["mean_score"] == exactly(scores.mean())
    frame = training_frame(work.session, work.settings)
    past, day = (frame[(frame["SESSION_DATE"].astype(str) == str(reported.day)) == is_day] for is_day in (False, True))
    for name in ("PAGE_VALUES", "EXIT_RATES", "TOTAL_DURATION"):
        (shown,) = column(reported.figures, "column_drift", "wasserstein", column=name, day=str(reported.day))
        assert shown == exactly(wasserstein_distance(day[name], past[name]))


def test_the_result_says_what_was_written(reported: Reported) -> None:
    assert Path(reported.result.path) == reported.page
    assert reported.result.bytes == reported.page.stat().st_size < 2_000_000
    assert (reported.result.trained_run, reported.result.day) == (reported.run, reported.day)
    assert reported.result.figures == len(reported.figures)
    text = reported.page.read_text(encoding="utf-8")
    assert re.findall(r'<h2 id="[^"]*">([^<]*)</h2>', text) == list(reported.result.sections)
    for section in ("Model card", "Reasons", "Over time", "Champion against challenger"):
        assert section in reported.result.sections


def test_a_run_that_is_not_registered_says_what_is_missing(
    trained: Trained, reported: Reported, tmp_path: Path
) -> None:
    work = trained.workspace
    settings = work.settings.model_copy(update={"model_name": "NOT_THERE", "tables": reported.settings.tables})
    result = report(work.session, settings, tmp_path / "run.html", run=reported.run)
    assert (result.model_version, result.trained_run, result.day) == (None, reported.run, None)
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert f"<code>intentscore register {reported.run}</code>" in text
    assert "not registered" in text
    assert "<code>intentscore train</code>" in text
    assert "day_scores" not in figures_of(tmp_path / "run.html")


@pytest.mark.parametrize("named", [False, True])
def test_a_run_folder_that_is_not_on_this_machine_is_fetched_from_its_stage(
    trained: Trained, reported: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    monkeypatch.setenv("INTENTSCORE_HOME", str(tmp_path))
    subject = find_subject(trained.workspace.session, reported.settings, reported.run if named else None, None)
    assert subject.folder is not None
    assert subject.folder.run_id == reported.run
    assert subject.folder.path.parent == tmp_path / "runs"


def test_without_its_run_folder_the_registry_speaks_for_the_model(
    trained: Trained, reported: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> RunFolder:
        raise UsageError("no such run")

    monkeypatch.setattr(report_service, "run_at_hand", gone)
    subject = find_subject(trained.workspace.session, reported.settings, None, None)
    assert (subject.folder, subject.run_id, subject.day) == (None, reported.run, reported.day)
    section = model_card(subject.folder, subject.version, ())
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    registered = {row[0]: row[1] for row in table.rows}
    assert registered["holdout_roc_auc"] == exactly(sklearn.roc_auc_score(*of_day(reported)))
    assert facts(None, subject.version)[0] == ("ROC AUC", registered["holdout_roc_auc"], "held-out months")
    assert any("is not on this machine" in block.text for block in section.blocks if isinstance(block, Note))


def test_a_model_that_does_without_page_values_is_not_asked_what_it_is_worth_without_them(reported: Reported) -> None:
    told = []
    for run in (reported.run, reported.other_run):
        blocks = model_card(find_run(reported.settings.home / "runs", run), None, ()).blocks
        told.append(
            any(isinstance(block, Note) and "--without PAGE_VALUES" in (block.command or "") for block in blocks)
        )
    assert told == [True, False]


def test_a_day_without_scores_is_refused_before_anything_is_written(
    trained: Trained, reported: Reported, tmp_path: Path
) -> None:
    with pytest.raises(NothingToDoError, match=f"no scores on 2024-10-02; the last day with scores is {reported.day}"):
        report(trained.workspace.session, reported.settings, tmp_path / "page.html", day=date(2024, 10, 2))
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"run": "240101_000000_0000", "day": date(2024, 11, 1)}, "either --run or --date"),
        ({"run": "240101_000000_0000"}, "no run 240101_000000_0000"),
    ],
)
def test_bad_input_is_refused(trained: Trained, tmp_path: Path, arguments: Any, message: str) -> None:
    work = trained.workspace
    with pytest.raises(UsageError, match=message):
        report(work.session, work.settings, tmp_path / "page.html", **arguments)


def test_a_schema_with_nothing_in_it_says_what_to_run(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTENTSCORE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="train one with: intentscore train"):
        report(workspace.session, Settings(), tmp_path / "page.html")


def test_outcomes_that_are_not_known_yet_are_not_taken_for_no(changed: Trained, reported: Reported) -> None:
    work, day = changed.workspace, reported.day
    work.rows(f"UPDATE SESSIONS SET REVENUE = NULL WHERE SESSION_DATE = '{day}'")
    found = day_scores(work.session, reported.settings, SCORES, reported.result.model_version or "", day)
    assert (len(found.scores), found.outcomes) == (work.value(COUNTED.format(day)), 0)
    kinds = [type(block) for block in scored_day(found).blocks]
    assert kinds == [Chart, Note]


def test_a_day_that_the_version_learned_from_is_no_test_of_it() -> None:
    scores = np.linspace(0, 1, 40)
    found = ScoredDay(date(2024, 11, 1), "SCORES", "V_1", scores, scores > 0.5, np.ones(40, dtype=np.bool_))
    warned = [block for block in scored_day(found, date(2024, 11, 30)).blocks if isinstance(block, Note)]
    assert [note.text for note in warned] == [
        "The version learned from sessions up to 2024-11-30: the figures of this day flatter it."
    ]
    assert not [block for block in scored_day(found, date(2024, 10, 31)).blocks if isinstance(block, Note)]


def test_a_challengers_scores_are_found_in_their_own_table(trained: Trained, reported: Reported) -> None:
    work, day, settings = trained.workspace, reported.day, reported.settings
    scored = score(work.session, settings, plan_score(work.session, settings, day, day, "CHALLENGER"))
    subject = find_subject(work.session, settings, reported.other_run, None)
    assert (subject.run_id, subject.day) == (reported.other_run, day)
    assert subject.version
    assert subject.version.name == scored.version
    assert scoring_table(work.session, settings, scored.version, day) == CHALLENGER_SCORES
    assert len(day_scores(work.session, settings, CHALLENGER_SCORES, scored.version, day).scores) == scored.rows
