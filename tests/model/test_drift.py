from __future__ import annotations

from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import mannwhitneyu, wasserstein_distance
from sklearn.metrics import roc_auc_score

from intentscore.data.simulate import draw
from intentscore.features.definitions import FEATURES
from intentscore.model.chance import chance
from intentscore.model.drift import (
    MIN_NON_ZERO,
    Drift,
    auc_error,
    beside_monitor,
    comparable_size,
    exceeded,
    measure,
    reference,
    scale,
    widened,
)
from intentscore.services.monitor_limits import DAY, Limits, Watch, references
from intentscore.settings import MonitoringLimits

Values = npt.NDArray[Any]
NUMBERS = (
    "ADMINISTRATIVE", "ADMINISTRATIVE_DURATION", "INFORMATIONAL", "PRODUCT_RELATED", "PRODUCT_RELATED_DURATION",
    "BOUNCE_RATES", "EXIT_RATES", "PAGE_VALUES",
)  # fmt: skip
TEXTS = ("OPERATING_SYSTEMS", "BROWSER", "REGION", "TRAFFIC_TYPE", "VISITOR_TYPE")


def numbers(rows: int, seed: int) -> Values:
    """Skewed numbers of which a third are zero, and one in fifty is missing."""
    rng = np.random.default_rng(seed)
    values = rng.lognormal(1, 1.2, rows).round(2) * (rng.random(rows) > 1 / 3)
    values[rng.random(rows) < 0.02] = np.nan
    return values


def test_drift_of_numbers_agrees_with_scipy() -> None:
    base, day = numbers(4000, 1), numbers(300, 2) * 1.3
    then, now = base[~np.isnan(base)], day[~np.isnan(day)]
    edges = np.unique(np.quantile(then, np.arange(1, 10) / 10))
    q, p = (np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) / len(x) for x in (then, now))
    found = measure(reference("X", base, numeric=True), day)
    assert found.wasserstein == pytest.approx(wasserstein_distance(now, then), abs=1e-9)
    assert found.jensen_shannon == pytest.approx(jensenshannon(p, q, base=2), abs=1e-9)
    floored_p, floored_q = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    assert found.psi == pytest.approx(np.sum((floored_p - floored_q) * np.log(floored_p / floored_q)), abs=1e-9)
    ranks = mannwhitneyu(now[now != 0], then[then != 0])
    assert found.shift == pytest.approx(ranks.statistic / (sum(now != 0) * sum(then != 0)), abs=1e-9)
    assert found.missing == pytest.approx(np.isnan(day).mean() - np.isnan(base).mean(), abs=1e-12)


def test_drift_of_categories_agrees_with_scipy() -> None:
    rng = np.random.default_rng(3)
    base = rng.choice(np.array(["a", "b", "c"], dtype=object), 2000, p=[0.6, 0.3, 0.1])
    day = rng.choice(np.array(["b", "c", "new"], dtype=object), 100)
    shares = [[np.mean(x == value) for value in ("a", "b", "c", "new")] for x in (day, base)]
    p, q = (np.maximum(share, 1e-4) for share in shares)
    found = measure(reference("X", base, numeric=False), day)
    assert found.jensen_shannon == pytest.approx(jensenshannon(*shares, base=2), abs=1e-9)
    assert found.psi == pytest.approx(np.sum((p - q) * np.log(p / q)), abs=1e-9)
    assert (found.wasserstein, found.shift) == (None, None)


def test_a_sample_of_the_baseline_itself_has_not_moved() -> None:
    base = numbers(500, 4)
    found = measure(reference("X", base, numeric=True), base)
    assert [found.psi, found.jensen_shannon, found.wasserstein, found.missing] == pytest.approx([0, 0, 0, 0])
    assert found.shift == pytest.approx(0.5)


def test_values_that_are_all_missing_are_beyond_the_limit() -> None:
    baseline = reference("X", numbers(1000, 5), numeric=True)
    found = measure(baseline, np.full(50, np.nan))
    assert found == Drift(missing=1 - baseline.missing)
    assert exceeded(found, chance([baseline], 50, 99)["X"]) == ("missing",)


def test_the_measures_no_monitor_knows_are_the_same_alone() -> None:
    baseline, day = reference("X", numbers(1000, 6), numeric=True), numbers(100, 7)
    found = measure(baseline, day)
    assert beside_monitor(baseline, day) == {"shift": found.shift, "scale": found.scale, "missing": found.missing}


def test_a_baseline_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="no value of X"):
        reference("X", np.full(3, np.nan), numeric=True)


@pytest.mark.parametrize("size", [40, 300])
def test_days_without_drift_pass_the_limits_about_as_seldom_as_drawn_ones(size: int) -> None:
    """99 drawn days: one day in a hundred lies beyond, for each measure, though the column is skewed and lumpy."""
    baseline = reference("X", numbers(20_000, 8), numeric=True)
    days = numbers(200 * size, 9).reshape(200, size)
    limits = [chance([baseline], size, 99, seed=seed)["X"] for seed in range(5)]
    beyond = [exceeded(found, limit) for found in (measure(baseline, day) for day in days) for limit in limits]
    for name in ("psi", "jensen_shannon", "wasserstein", "shift"):
        assert np.mean([name in one for one in beyond]) < 0.04, name


def test_larger_days_have_lower_limits() -> None:
    baseline = reference("X", numbers(5000, 10), numeric=True)
    small, large = (chance([baseline], size, 199)["X"] for size in (50, 1000))
    for name in ("psi", "jensen_shannon", "wasserstein", "shift"):
        assert getattr(large, name) < getattr(small, name) / 2


def test_days_of_similar_size_share_their_limits() -> None:
    assert comparable_size(280) == comparable_size(300) <= 280
    assert comparable_size(400) > comparable_size(300)


def test_the_error_of_an_auc_is_that_of_repeated_samples() -> None:
    rng = np.random.default_rng(11)
    bought = np.repeat([True, False], [60, 340])
    aucs = [roc_auc_score(bought, rng.exponential(1 + 5 * bought)) for _ in range(400)]
    assert auc_error(float(np.mean(aucs)), 60, 340) == pytest.approx(np.std(aucs), rel=0.15)


def exponential_score(value: float, base: Values) -> float:
    """The expected order statistics of standard exponential draws, by the formula; between two of them, their mean."""
    ordered = np.sort(base)
    expected = [sum(1 / (len(base) - k) for k in range(i + 1)) for i in range(len(base))]
    if value in ordered:
        return float(np.mean([e for e, x in zip(expected, ordered, strict=True) if x == value]))
    around = [0.0, *expected, expected[-1] + 2]
    below = int((ordered < value).sum())
    return (around[below] + around[below + 1]) / 2


def test_the_scale_is_the_mean_exponential_score() -> None:
    base, day = numbers(60, 12), numbers(40, 13)
    then, now = (values[(values != 0) & ~np.isnan(values)] for values in (base, day))
    expected = np.mean([exponential_score(value, then) for value in now])
    assert measure(reference("X", base, numeric=True), day).scale == pytest.approx(expected, abs=1e-12)


def test_the_scale_of_exponential_values_is_how_much_they_have_grown() -> None:
    rng = np.random.default_rng(14)
    baseline = reference("X", rng.exponential(30, 20_000), numeric=True)
    for factor in (0.5, 1.0, 1.5):
        assert scale(baseline, rng.exponential(30 * factor, 20_000)) == pytest.approx(factor, rel=0.03)
    assert scale(baseline, rng.exponential(30, MIN_NON_ZERO - 1)) is None


def test_limits_are_wider_by_what_seasons_differ() -> None:
    limits = Drift(psi=0.09, jensen_shannon=0.1, wasserstein=None, shift=0.05, scale=1.1, missing=0.02)
    seasons = Drift(psi=0.04, jensen_shannon=0.2, wasserstein=3.0, shift=0.38, scale=0.729, missing=-0.01)
    wider = widened(limits, seasons)
    assert (wider.psi, wider.jensen_shannon, wider.shift) == pytest.approx((0.25, 0.3, 0.17))
    assert (wider.wasserstein, wider.missing) == (None, 0.02)
    assert wider.scale == pytest.approx(1.1 * 1.1**3)


# ---------------------------------------------------------------------------- two hundred days


def shop(sessions: int, seed: int) -> pd.DataFrame:
    """What a shop records of simulated sessions, which follow the seasons of the published data."""
    drawn = draw(sessions, seed)
    texts = {name: drawn[name].astype(str).astype(object) for name in TEXTS}
    return drawn[list(NUMBERS)].astype(float).assign(**texts, **{DAY: drawn["SESSION_DATE"].dt.date})


def of_two_hundred_days(sessions: pd.DataFrame) -> list[date]:
    days: list[date] = sorted(sessions[DAY].unique())
    return days[-200:]


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    return shop(60_000, 20)


def test_two_hundred_days_of_all_seasons_without_drift_raise_at_most_ten_alarms(year: pd.DataFrame) -> None:
    watch = Watch(shop(20_000, 21), year, MonitoringLimits())
    assert sum(len(watch.changes(day)) for day in of_two_hundred_days(year)) <= 10


def test_months_the_model_did_not_learn_from_are_no_drift(year: pd.DataFrame) -> None:
    learned = year[year[DAY] < date(2024, 7, 1)]
    watch = Watch(learned, year, MonitoringLimits())
    first_days = [date(2024, month, number) for month in range(7, 13) for number in (1, 2, 8)]
    assert sum(len(watch.changes(day)) for day in first_days) <= 3
    # though November lies far from what was learned
    november = year[year[DAY] >= date(2024, 11, 1)]
    far = measure(
        reference("X", learned["PRODUCT_RELATED"].to_numpy(), numeric=True), november["PRODUCT_RELATED"].to_numpy()
    )
    assert far.shift is not None
    assert far.shift > 0.5 + MonitoringLimits().max_shift


PLANTED = [
    ("PRODUCT_RELATED", date(2024, 11, 20)),
    ("PRODUCT_RELATED", date(2024, 12, 2)),  # when these grow by half, December looks like November
    ("PRODUCT_RELATED_DURATION", date(2024, 12, 2)),
    ("EXIT_RATES", date(2024, 12, 2)),
    ("EXIT_RATES", date(2024, 11, 20)),
]


@pytest.mark.parametrize(("column", "day"), PLANTED)
def test_a_feature_scaled_by_half_is_flagged_on_its_first_day_and_not_before(
    year: pd.DataFrame, column: str, day: date
) -> None:
    around = year[(year[DAY] > day - timedelta(days=25)) & (year[DAY] <= day)]
    drifted = around.assign(**{column: around[column].where(around[DAY] < day, around[column] * 1.5)})
    watch = Watch(shop(20_000, 22), drifted, MonitoringLimits())
    flagged = [one for one in sorted(drifted[DAY].unique()) if column in {found.column for found in watch.changes(one)}]
    assert flagged == [day]


def test_the_scale_sees_page_values_grow_before_any_other_measure() -> None:
    """Of 600 sessions a day; most page values are zero."""
    values = draw(62_000, 15)["PAGE_VALUES"].to_numpy()
    baseline, days = reference("X", values[:20_000], numeric=True), values[20_000:].reshape(-1, 600)
    limits = chance([baseline], 600, MonitoringLimits().chance_days - 1)["X"]
    seen = [set(exceeded(measure(baseline, day * 1.5), limits)) for day in days]
    shares = {name: np.mean([name in one for one in seen]) for name in ("psi", "wasserstein", "shift", "scale")}
    assert shares["scale"] > 0.6
    assert shares["scale"] > 0.1 + max(share for name, share in shares.items() if name != "scale")
    assert sum(bool(exceeded(measure(baseline, day), limits)) for day in days) <= 1


def test_a_column_that_most_sessions_lack_is_judged_by_the_values_it_has() -> None:
    rng = np.random.default_rng(5)

    def values(sessions: int, factor: float = 1.0) -> npt.NDArray[np.float64]:
        return np.where(rng.random(sessions) < 0.2, rng.gamma(2, factor, sessions), np.nan)

    baseline = references(pd.DataFrame({"X": values(20_000)}))
    limits = Limits(baseline, MonitoringLimits())

    def beyond(day: npt.NDArray[np.float64]) -> tuple[str, ...]:
        return exceeded(measure(baseline["X"], day), limits.of_column(pd.Series(day, name="X")))

    assert sum(bool(beyond(values(200))) for _ in range(200)) <= 2
    assert sum("shift" in beyond(values(1000, 1.5)) for _ in range(20)) >= 18
    assert beyond(np.r_[np.full(172, np.nan), np.full(28, 50.0)]) == ()  # too few values to say anything
    assert beyond(np.full(200, np.nan)) == ("missing",)


def test_the_limited_features_are_those_the_list_has() -> None:
    names = {feature.name for feature in FEATURES}
    limits = MonitoringLimits()
    assert all(any(fnmatchcase(name, pattern) for name in names) for pattern in limits.not_limited)
    assert limits.has_limits("EXIT_RATES")
    assert not limits.has_limits("EXIT_RATES_WITH_VALUE")
