from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import mannwhitneyu, wasserstein_distance
from sklearn.metrics import roc_auc_score

from intentscore.data.simulate import draw
from intentscore.features.definitions import FEATURES
from intentscore.model.drift import (
    Drift,
    Reference,
    auc_error,
    chance,
    comparable_size,
    exceeded,
    measure,
    reference,
    shift_and_missing,
)
from intentscore.settings import MonitoringLimits

Values = npt.NDArray[Any]
NUMBERS = (
    "ADMINISTRATIVE", "ADMINISTRATIVE_DURATION", "INFORMATIONAL", "PRODUCT_RELATED", "PRODUCT_RELATED_DURATION",
    "BOUNCE_RATES", "EXIT_RATES", "PAGE_VALUES",
)  # fmt: skip
TEXTS = ("OPERATING_SYSTEMS", "BROWSER", "REGION", "TRAFFIC_TYPE", "VISITOR_TYPE")
SESSIONS_A_DAY = 300


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
    assert shift_and_missing(baseline, day) == {"shift": found.shift, "missing": found.missing}


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


# ---------------------------------------------------------------------------- two hundred days


@pytest.fixture(scope="module")
def columns() -> Mapping[str, Values]:
    """What the shop records of simulated sessions: 12,000 to learn from, then 200 days of 300."""
    sessions = draw(12_000 + 200 * SESSIONS_A_DAY, seed=20)
    texts = {name: sessions[name].astype(str).to_numpy(dtype=object) for name in TEXTS}
    return texts | {name: sessions[name].to_numpy(dtype=float) for name in NUMBERS}


@pytest.fixture(scope="module")
def baselines(columns: Mapping[str, Values]) -> list[Reference]:
    return [reference(name, values[:12_000], numeric=name in NUMBERS) for name, values in columns.items()]


@pytest.fixture(scope="module")
def limits(baselines: list[Reference]) -> Mapping[str, Drift]:
    return chance(baselines, comparable_size(SESSIONS_A_DAY), MonitoringLimits().chance_days - 1)


def day_of(values: Values, number: int) -> Values:
    return values[12_000 + number * SESSIONS_A_DAY :][:SESSIONS_A_DAY]


def test_two_hundred_days_without_drift_raise_at_most_ten_alarms(
    columns: Mapping[str, Values], baselines: list[Reference], limits: Mapping[str, Drift]
) -> None:
    alarms = [
        (number, baseline.column)
        for number in range(200)
        for baseline in baselines
        if exceeded(measure(baseline, day_of(columns[baseline.column], number)), limits[baseline.column])
    ]
    assert len(alarms) <= 10


@pytest.mark.parametrize("column", ["PRODUCT_RELATED", "PRODUCT_RELATED_DURATION", "EXIT_RATES", "ADMINISTRATIVE"])
def test_a_feature_scaled_by_half_is_beyond_its_limit_on_most_days(
    columns: Mapping[str, Values], baselines: list[Reference], limits: Mapping[str, Drift], column: str
) -> None:
    baseline = next(one for one in baselines if one.column == column)
    days = [day_of(columns[column], number) * 1.5 for number in range(100)]
    assert np.mean([bool(exceeded(measure(baseline, day), limits[column])) for day in days]) > 0.8


def test_the_limited_features_are_those_the_list_has() -> None:
    assert set(MonitoringLimits().not_limited) < {feature.name for feature in FEATURES}
