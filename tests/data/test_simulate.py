from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from intentscore.data.schema import BATCH_SCHEMA, MONTHS, RAW_COLUMNS
from intentscore.data.simulate import PURCHASE_PROBABILITY, draw, simulate, simulated_uids
from intentscore.data.source import BATCH_ROWS
from intentscore.data.uci import DATASET_VARIABLE, open_uci
from intentscore.errors import UsageError
from tests.data.sheets import all_sessions

# Of the published sessions: mean and share of zeros.
PUBLISHED_MEASURES = {
    "ADMINISTRATIVE": (2.315, 0.468),
    "ADMINISTRATIVE_DURATION": (80.8, 0.479),
    "INFORMATIONAL": (0.504, 0.787),
    "INFORMATIONAL_DURATION": (34.5, 0.805),
    "PRODUCT_RELATED": (31.73, 0.003),
    "PRODUCT_RELATED_DURATION": (1194.7, 0.061),
    "BOUNCE_RATES": (0.0222, 0.448),
    "EXIT_RATES": (0.0431, 0.006),
    "PAGE_VALUES": (5.889, 0.779),
    "SPECIAL_DAY": (0.0614, 0.899),
}
PUBLISHED_MEDIANS = {"PRODUCT_RELATED": 18, "PRODUCT_RELATED_DURATION": 599, "EXIT_RATES": 0.0252}
# Sessions, and share of buyers among them.
PUBLISHED_MONTHS = {
    "Feb": (184, 0.016),
    "Mar": (1907, 0.101),
    "May": (3364, 0.109),
    "Jun": (288, 0.101),
    "Jul": (432, 0.153),
    "Aug": (433, 0.176),
    "Sep": (448, 0.192),
    "Oct": (549, 0.209),
    "Nov": (2998, 0.254),
    "Dec": (1727, 0.125),
}
PUBLISHED_VISITORS = {"Returning_Visitor": (10551, 0.139), "New_Visitor": (1694, 0.249), "Other": (85, 0.188)}
PUBLISHED_SESSIONS = 12_330
DATES = ["SESSION_DATE", "OUTCOME_DATE"]


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    return draw(2 * BATCH_ROWS, seed=11)


def test_the_share_of_buyers_is_the_published_one(drawn: pd.DataFrame) -> None:
    valued = drawn["PAGE_VALUES"] > 0
    assert drawn["REVENUE"].mean() == pytest.approx(0.155, abs=0.006)
    assert drawn["REVENUE"][~valued].mean() == pytest.approx(0.0385, abs=0.006)
    assert drawn["REVENUE"][valued].mean() == pytest.approx(0.563, abs=0.02)


@pytest.mark.parametrize("name", PUBLISHED_MEASURES)
def test_means_and_shares_of_zeros_are_near_the_published_ones(drawn: pd.DataFrame, name: str) -> None:
    mean, zeros = PUBLISHED_MEASURES[name]
    assert drawn[name].mean() == pytest.approx(mean, rel=0.1)
    assert (drawn[name] == 0).mean() == pytest.approx(zeros, abs=0.025)


@pytest.mark.parametrize(("name", "median"), PUBLISHED_MEDIANS.items())
def test_medians_are_near_the_published_ones(drawn: pd.DataFrame, name: str, median: float) -> None:
    assert drawn[name].median() == pytest.approx(median, rel=0.12)


@pytest.mark.parametrize(("column", "published"), [("MONTH", PUBLISHED_MONTHS), ("VISITOR_TYPE", PUBLISHED_VISITORS)])
def test_months_and_visitor_types_have_the_published_shares_and_buyers(
    drawn: pd.DataFrame, column: str, published: dict[str, tuple[int, float]]
) -> None:
    groups = drawn.groupby(column)["REVENUE"]
    assert set(groups.groups) == set(published)
    for name, (sessions, buyers) in published.items():
        assert groups.size()[name] / len(drawn) == pytest.approx(sessions / PUBLISHED_SESSIONS, abs=0.005)
        if name != "Other":
            assert groups.mean()[name] == pytest.approx(buyers, abs=0.025)


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("PAGE_VALUES", 1),
        ("PRODUCT_RELATED", 1),
        ("ADMINISTRATIVE", 1),
        ("EXIT_RATES", -1),
        ("BOUNCE_RATES", -1),
    ],
)
def test_correlations_with_the_outcome_have_the_published_sign(drawn: pd.DataFrame, name: str, sign: int) -> None:
    assert sign * np.corrcoef(drawn[name], drawn["REVENUE"])[0, 1] > 0.05


def test_the_known_probability_is_calibrated_and_separates_as_well_as_real_models_do(
    drawn: pd.DataFrame,
) -> None:
    probability = drawn[PURCHASE_PROBABILITY]
    assert 0 < probability.min() <= probability.max() < 1
    assert 0.92 < roc_auc_score(drawn["REVENUE"], probability) < 0.945
    tenths = drawn.groupby(pd.qcut(probability, 10, labels=False))
    gaps = (tenths["REVENUE"].mean() - tenths[PURCHASE_PROBABILITY].mean()).abs()
    assert gaps.max() < 0.02


def test_sessions_make_sense(drawn: pd.DataFrame) -> None:
    for pages in ("ADMINISTRATIVE", "INFORMATIONAL", "PRODUCT_RELATED"):
        assert (drawn[pages] >= 0).all()
        assert (drawn[f"{pages}_DURATION"][drawn[pages] == 0] == 0).all()
        assert (drawn[f"{pages}_DURATION"] >= 0).all()
    assert drawn["EXIT_RATES"].between(0, 0.2).all()
    assert (drawn["BOUNCE_RATES"] <= drawn["EXIT_RATES"]).all()
    assert (drawn[["OPERATING_SYSTEMS", "BROWSER", "REGION", "TRAFFIC_TYPE"]] >= 1).all(axis=None)
    assert set(drawn["SPECIAL_DAY"].unique()) == {0, 0.2, 0.4, 0.6, 0.8, 1}
    assert set(drawn["MONTH"][drawn["SPECIAL_DAY"] > 0]) == {"Feb", "May"}
    assert drawn["UID"].is_unique
    assert not drawn.isna().any(axis=None)


def test_a_session_lies_on_a_day_of_its_month_that_suits_its_weekend_flag(drawn: pd.DataFrame) -> None:
    days = drawn["SESSION_DATE"].dt
    assert (days.year == 2024).all()
    assert (days.month == drawn["MONTH"].map(lambda name: MONTHS.index(name) + 1)).all()
    assert ((days.weekday >= 5) == drawn["WEEKEND"]).all()
    assert drawn["SESSION_DATE"].nunique() == 29 + 31 + 31 + 30 + 31 + 31 + 30 + 31 + 30 + 31


def test_the_frame_is_typed(drawn: pd.DataFrame) -> None:
    assert list(drawn) == [*RAW_COLUMNS, PURCHASE_PROBABILITY]
    assert drawn["SESSION_DATE"].dtype == "datetime64[ns]"
    assert drawn["PRODUCT_RELATED"].dtype == np.int64
    assert drawn["PAGE_VALUES"].dtype == np.float64
    assert drawn["WEEKEND"].dtype == drawn["REVENUE"].dtype == np.bool_


def test_the_source_is_the_text_of_the_frame() -> None:
    n = BATCH_ROWS + 7
    batches = list(simulate(n, seed=3).batches())
    assert [batch.num_rows for batch in batches] == [BATCH_ROWS, 7]
    text, typed = pa.concat_tables(batches), draw(n, 3)
    assert text.schema == BATCH_SCHEMA
    assert text["ROW_NUMBER"].to_pylist() == list(range(1, n + 1))
    assert text["UID"].to_pylist() == typed["UID"].tolist()
    assert text["SESSION_DATE"].to_pylist() == typed["SESSION_DATE"].dt.strftime("%Y-%m-%d").tolist()
    assert [float(value) for value in text["PAGE_VALUES"].to_pylist()] == typed["PAGE_VALUES"].tolist()
    assert [value == "true" for value in text["REVENUE"].to_pylist()] == typed["REVENUE"].tolist()


@settings(max_examples=6)
@given(st.integers(1, BATCH_ROWS + 50), st.integers(0, BATCH_ROWS), st.integers(0, 2**32))
def test_a_shorter_simulation_is_the_start_of_a_longer_one(n: int, more: int, seed: int) -> None:
    shorter, longer = all_sessions(simulate(n, seed=seed)), all_sessions(simulate(n + more, seed=seed))
    assert longer.slice(0, n) == shorter


@pytest.fixture(scope="module")
def back() -> pd.DataFrame:
    return draw(BATCH_ROWS, seed=11, returning=0.6)


def test_shoppers_come_back_on_other_days_as_often_as_asked(back: pd.DataFrame) -> None:
    visits = back.groupby("UID")
    assert 0.35 < 1 - back["UID"].nunique() / len(back) < 0.6
    assert not back.duplicated(["UID", "SESSION_DATE"]).any()
    assert visits["SESSION_DATE"].is_monotonic_increasing.all()
    assert (visits[["REGION", "BROWSER", "OPERATING_SYSTEMS"]].nunique() == 1).all(axis=None)
    assert not (back["VISITOR_TYPE"][visits.cumcount() > 0] == "New_Visitor").any()
    assert back["REVENUE"].mean() == pytest.approx(0.155, abs=0.03)


def test_what_a_returning_shopper_did_before_counts(back: pd.DataFrame) -> None:
    before = back.groupby("UID")["REVENUE"].transform(lambda bought: bought.shift().cummax())
    rates = back.groupby(before.astype("boolean"))["REVENUE"].mean()
    assert rates[True] > 2 * rates[False]
    tenths = back.groupby(pd.qcut(back[PURCHASE_PROBABILITY], 10, labels=False))
    assert (tenths["REVENUE"].mean() - tenths[PURCHASE_PROBABILITY].mean()).abs().max() < 0.025


def test_returning_deals_the_same_sessions_to_fewer_shoppers(back: pd.DataFrame) -> None:
    alone = draw(BATCH_ROWS, seed=11)
    same = ["PRODUCT_RELATED", "PAGE_VALUES", "EXIT_RATES", "SESSION_DATE"]
    assert back[same].sort_values(same, ignore_index=True).equals(alone[same].sort_values(same, ignore_index=True))
    shorter = all_sessions(simulate(700, seed=11, returning=0.6))
    assert shorter == all_sessions(simulate(9000, seed=11, returning=0.6)).slice(0, 700)
    assert back["SESSION_DATE"][:3000].dt.month.nunique() == 10


@pytest.mark.parametrize("returning", [-0.1, 1.0])
def test_an_impossible_probability_of_returning_is_refused(returning: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        simulate(10, seed=1, returning=returning)


def test_blocks_of_a_simulation_differ(drawn: pd.DataFrame) -> None:
    first, second = drawn["PRODUCT_RELATED"][:BATCH_ROWS], drawn["PRODUCT_RELATED"][BATCH_ROWS:]
    assert (first.to_numpy() == second.to_numpy()).mean() < 0.1


def test_a_simulation_of_any_size_is_streamed() -> None:
    assert next(simulate(10**12, seed=1).batches()).num_rows == BATCH_ROWS


def test_another_seed_gives_other_sessions_with_other_uids() -> None:
    one, other = all_sessions(simulate(500, seed=1)), all_sessions(simulate(500, seed=2))
    assert not set(one["UID"].to_pylist()) & set(other["UID"].to_pylist())
    assert one["PRODUCT_RELATED"] != other["PRODUCT_RELATED"]


def test_year_and_days_change_dates_alone() -> None:
    spread, months = (
        all_sessions(simulate(300, seed=1)),
        all_sessions(simulate(300, seed=1, year=2023, spread_days=False)),
    )
    assert spread.drop_columns(DATES) == months.drop_columns(DATES)
    assert {date[:5] + date[7:] for date in months["SESSION_DATE"].to_pylist()} == {"2023--01"}


def test_uids_of_simulations_are_version_8_and_unique() -> None:
    uids = [*simulated_uids(5, 0, 40_000).to_pylist(), *simulated_uids(5, 40_000, 40_000).to_pylist()]
    assert len(set(uids)) == 80_000
    assert {uid[14] for uid in uids} == {"8"}


def test_a_simulation_says_what_it_is() -> None:
    source = simulate(12_000, seed=4)
    assert (source.name, source.rows) == ("12,000 simulated sessions (seed 4)", 12_000)
    others = [simulate(12_001, seed=4), simulate(12_000, seed=5), simulate(12_000, seed=4, year=2023)]
    assert len({source.fingerprint(), *(other.fingerprint() for other in others)}) == 4
    assert source.fingerprint() == simulate(12_000, seed=4).fingerprint()


@pytest.mark.parametrize(("n", "seed"), [(0, 1), (-5, 1), (10, -1)])
def test_no_sessions_or_a_negative_seed_are_refused(n: int, seed: int) -> None:
    with pytest.raises(UsageError, match="; "):
        simulate(n, seed=seed)
    with pytest.raises(UsageError, match="; "):
        draw(n, seed)


@pytest.mark.skipif(DATASET_VARIABLE not in os.environ, reason=f"{DATASET_VARIABLE} names no copy of the data set")
def test_the_published_figures_of_this_test_are_those_of_the_published_file(tmp_path: Path) -> None:
    real = all_sessions(open_uci(tmp_path)).to_pandas()
    assert len(real) == PUBLISHED_SESSIONS
    for name, (mean, zeros) in PUBLISHED_MEASURES.items():
        values = real[name].astype(float)
        assert values.mean() == pytest.approx(mean, rel=0.003)
        assert (values == 0).mean() == pytest.approx(zeros, abs=0.001)
    for column, published in (("MONTH", PUBLISHED_MONTHS), ("VISITOR_TYPE", PUBLISHED_VISITORS)):
        buyers = real["REVENUE"].eq("TRUE").groupby(real[column])
        assert {name: (int(buyers.size()[name]), round(buyers.mean()[name], 3)) for name in published} == published
