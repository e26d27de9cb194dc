"""The generative model of simulated sessions, fitted to the published data (see published.py).

For every session, with u, e independent standard normal draws, s(x) = 1 / (1 + exp(-x)) and N = 1 for a new
visitor, else 0:

1.  MONTH, VISITOR_TYPE, WEEKEND, SPECIAL_DAY, REGION, (OPERATING_SYSTEMS, BROWSER) and TRAFFIC_TYPE follow
    the published shares: visitor type and weekend given the month, special day given both month and visitor
    type, traffic given the visitor type.
2.  PRODUCT_RELATED = round(exp(a + m + b u)) within 1..705, or 1 with probability c, or 0 with probability
    1/330; a, b and c by visitor type, m by month (the constants below). L = log(max(PRODUCT_RELATED, 1)).
3.  ADMINISTRATIVE is 0, or with probability s(-2.15 + 0.8 L + 0.95 N) it is 1 + a negative binomial count of
    shape 1.3, mean 2.2 exp(0.2 L) in all. INFORMATIONAL likewise, with probability
    s(-4.45 + 0.8 L + 1.1 [ADMINISTRATIVE > 0]), shape 0.8, mean 1 + 0.8 exp(0.14 L) in all.
4.  A duration is 0 without pages, and with pages with probability 0.89 exp(-1.25 (pages - 1)) (product),
    0.021 (administrative) or 0.086 (informational); else it is pages times exp(mean + sd e) seconds, with
    mean 3.55 - 1.3 exp(-0.95 L) and sd 0.35 + 0.95 exp(-0.4 L), or 3.2 and 0.9, or 3.59 and 1.2.
    The longest are 64,000, 3,400 and 2,550 s.
5.  BOUNCE_RATES and EXIT_RATES are both 0.2 with probability 0.8 exp(-1.4 (PRODUCT_RELATED - 1)). Else the
    bounce rate is positive with probability s(-1.15 + 0.52 L) (new visitors s(-2.9 + 0.3 L), others s(-2.5)),
    then exp(-1.5 - 0.83 L - 0.57 N + 0.85 e), and the exit rate is the bounce rate plus
    exp(-4.68 + 3 exp(-0.63 L) - 0.15 log(1 + ADMINISTRATIVE) + 0.72 e); both are at most 0.2.
6.  PAGE_VALUES is positive with probability s(-5.4 + 0.6 L + 0.59 log(1 + ADMINISTRATIVE)
    - 0.41 log(max(EXIT_RATES, 0.002)) + month effect), then gamma distributed by visitor type (mean 22.5, 48,
    96; shape 0.95, 1.5, 1.5), within 0.04..362.
7.  REVENUE is true with the probability of `purchase_probability`, a function of the observed columns alone.

Durations are rounded to 2 decimals, rates to 6, page values to 4, before they are used in a later step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from intentscore.data import published

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_RETURNING, _NEW, _OTHER = range(3)
_MAX_RATE: Final = 0.2
_MIN_RATE: Final = 1e-6

_ONE_PAGE_SHARE: Final = np.array([0.035, 0.01, 0.15])
_LOG_PAGES_MEAN: Final = np.array([2.97, 2.50, 1.85])
_LOG_PAGES_SD: Final = np.array([1.08, 0.88, 1.15])
# By published.MONTHS.
_LOG_PAGES_BY_MONTH: Final = np.array([-0.95, -0.42, -0.16, 0.08, 0.13, 0.2, 0.08, 0.12, 0.34, -0.04])
_PAGE_VALUE_BY_MONTH: Final = np.array([-1.45, 0.0, 0.27, -0.1, 0.0, 0.15, 0.34, 0.53, 0.05, 0.0])
_BUY_WITHOUT_VALUE_BY_MONTH: Final = np.array([-7.0, -7.0, -7.0, 0.0, 0.4, 0.25, 0.8, -0.05, 1.08, -0.25])
_BUY_WITH_VALUE_BY_MONTH: Final = np.array([-0.1, 0.6, -0.05, -0.35, -0.1, 0.1, -0.5, 0.15, 0.85, -0.15])

_PAGE_VALUE_MEAN: Final = np.array([22.5, 48.0, 96.0])
_PAGE_VALUE_SHAPE: Final = np.array([0.95, 1.5, 1.5])


@dataclass(frozen=True)
class Sessions:
    """Columns of n sessions, arrays of shape (n,): month and visitor are indices into published.MONTHS and
    published.VISITOR_TYPES, counts and codes int64, durations in seconds, rates in [0, 0.2]."""

    month: Integers
    visitor: Integers
    weekend: npt.NDArray[np.bool_]
    special_day: Floats
    region: Integers
    operating_system: Integers
    browser: Integers
    traffic: Integers
    product: Integers
    product_duration_s: Floats
    administrative: Integers
    administrative_duration_s: Floats
    informational: Integers
    informational_duration_s: Floats
    bounce_rate: Floats
    exit_rate: Floats
    page_value: Floats


def draw_sessions(rng: np.random.Generator, n: int) -> Sessions:
    """Steps 1 to 6 of the model."""
    month = _sample(rng, np.array(published.VISITORS_BY_MONTH).sum(axis=1), n)
    visitor = _sample_given(rng, published.VISITORS_BY_MONTH, month)
    weekend = rng.random(n) < np.array(published.WEEKEND_SHARE_BY_MONTH)[month]
    special_day = _special_day(rng, month, visitor)
    region = 1 + _sample(rng, np.array(published.REGIONS), n)
    device = _sample(rng, np.array(published.BROWSERS_BY_SYSTEM).ravel(), n)
    browsers = len(published.BROWSERS_BY_SYSTEM[0])
    traffic = 1 + _sample_given(rng, published.TRAFFIC_BY_VISITOR, visitor)
    product = _product_pages(rng, month, visitor)
    log_pages = _log_pages(product)
    administrative = _pages(
        rng, -2.15 + 0.8 * log_pages + 0.95 * (visitor == _NEW), 2.2 * np.exp(0.2 * log_pages), shape=1.3
    )
    informational = _pages(
        rng,
        -4.45 + 0.8 * log_pages + 1.1 * (administrative > 0),
        1 + 0.8 * np.exp(0.14 * log_pages),
        shape=0.8,
    )
    bounce_rate, exit_rate = _rates(rng, product, administrative, visitor)
    return Sessions(
        month=month,
        visitor=visitor,
        weekend=weekend,
        special_day=special_day,
        region=region,
        operating_system=1 + device // browsers,
        browser=1 + device % browsers,
        traffic=traffic,
        product=product,
        product_duration_s=_product_duration(rng, product),
        administrative=administrative,
        administrative_duration_s=_duration(rng, administrative, 0.021, 3.2, 0.9, longest=3_400),
        informational=informational,
        informational_duration_s=_duration(rng, informational, 0.086, 3.59, 1.2, longest=2_550),
        bounce_rate=bounce_rate,
        exit_rate=exit_rate,
        page_value=_page_value(rng, product, administrative, exit_rate, month, visitor),
    )


def is_new(sessions: Sessions) -> npt.NDArray[np.bool_]:
    """Of a new visitor, shape (n,)."""
    return np.equal(sessions.visitor, _NEW)


def purchase_probability(sessions: Sessions) -> Floats:
    """The probability that REVENUE is true, shape (n,).

    s(z0) without and s(z1) with a page value V > 0, N for a new visitor, and month effects:
    z0 = -2.30 + 0.48 L + 0.33 A + 0.7 N + 0.3 X - 0.22 D - 14 B + month
    z1 = -0.63 - 0.40 L - 0.54 A + 1.0 N - 0.5 X + 0.04 D - 20 B + 0.13 log V + 0.35 V / 50 + month
    with L = log(max(PRODUCT_RELATED, 1)), A = log(1 + ADMINISTRATIVE), X = log(max(EXIT_RATES, 0.002)),
    D = log(1 + PRODUCT_RELATED_DURATION) and B = BOUNCE_RATES. In Feb, Mar and May next to
    nobody buys without a page value, as in the published data.
    """
    log_pages, log_admin = _log_pages(sessions.product), np.log1p(sessions.administrative)
    log_exit = np.log(np.maximum(sessions.exit_rate, 0.002))
    log_duration, new = np.log1p(sessions.product_duration_s), sessions.visitor == _NEW
    without = (
        -2.30
        + (0.48 * log_pages + 0.33 * log_admin + 0.7 * new + 0.3 * log_exit)
        - (0.22 * log_duration + 14 * sessions.bounce_rate)
        + _BUY_WITHOUT_VALUE_BY_MONTH[sessions.month]
    )
    value = sessions.page_value
    log_value = np.log(np.where(value > 0, value, 1.0))
    with_value = (
        -0.63
        - (0.4 * log_pages + 0.54 * log_admin + 0.5 * log_exit + 20 * sessions.bounce_rate)
        + (1.0 * new + 0.04 * log_duration + 0.13 * log_value + 0.35 * value / 50)
        + _BUY_WITH_VALUE_BY_MONTH[sessions.month]
    )
    return _logistic(np.where(value > 0, with_value, without))


def _special_day(rng: np.random.Generator, month: Integers, visitor: Integers) -> Floats:
    nowhere = (0.0, 0.0, 0.0)
    shares = np.array([published.SPECIAL_DAY_SHARE.get(name, nowhere) for name in published.MONTHS])
    near = rng.random(len(month)) < shares[month, visitor]
    levels = 1 + _sample(rng, np.array(published.SPECIAL_DAY_LEVELS), len(month))
    return np.where(near, levels / 5, 0.0)


def _product_pages(rng: np.random.Generator, month: Integers, visitor: Integers) -> Integers:
    spread = _LOG_PAGES_SD[visitor] * rng.standard_normal(len(month))
    pages = np.exp(_LOG_PAGES_MEAN[visitor] + _LOG_PAGES_BY_MONTH[month] + spread)
    pages = np.where(rng.random(len(month)) < _ONE_PAGE_SHARE[visitor], 1, pages)
    seen = rng.random(len(month)) >= 1 / 330
    return np.where(seen, np.clip(np.rint(pages), 1, 705), 0).astype(np.int64)


def _pages(rng: np.random.Generator, logit: Floats, mean: Floats, shape: float) -> Integers:
    """Zero-inflated counts: 0, or 1 + a negative binomial of that shape, the positive count of that mean."""
    visited = rng.random(len(logit)) < _logistic(logit)
    more = rng.poisson((mean - 1) * rng.standard_gamma(shape, len(logit)) / shape)
    return np.where(visited, 1 + more, 0).astype(np.int64)


def _product_duration(rng: np.random.Generator, pages: Integers) -> Floats:
    log_pages = _log_pages(pages)
    none = 0.89 * np.exp(-1.25 * np.maximum(pages - 1, 0))
    mean = 3.55 - 1.3 * np.exp(-0.95 * log_pages)
    return _duration(rng, pages, none, mean, 0.35 + 0.95 * np.exp(-0.4 * log_pages), longest=64_000)


def _duration(
    rng: np.random.Generator,
    pages: Integers,
    none: Floats | float,
    mean: Floats | float,
    sd: Floats | float,
    longest: float,
) -> Floats:
    seconds = np.minimum(pages * np.exp(mean + sd * rng.standard_normal(len(pages))), longest)
    return np.where(rng.random(len(pages)) < none, 0.0, seconds).round(2)


def _rates(
    rng: np.random.Generator, product: Integers, administrative: Integers, visitor: Integers
) -> tuple[Floats, Floats]:
    """Bounce and exit rates."""
    n, log_pages = len(product), _log_pages(product)
    left_at_once = rng.random(n) < 0.8 * np.exp(-1.4 * np.maximum(product - 1, 0))
    logit = np.select([visitor == _NEW, visitor == _OTHER], [-2.9 + 0.3 * log_pages, -2.5], -1.15 + 0.52 * log_pages)
    size = np.exp(-1.5 - 0.83 * log_pages - 0.57 * (visitor == _NEW) + 0.85 * rng.standard_normal(n))
    bounce = np.where(rng.random(n) < _logistic(logit), np.clip(size, _MIN_RATE, _MAX_RATE), 0.0)
    gap = np.exp(
        -4.68 + 3 * np.exp(-0.63 * log_pages) - 0.15 * np.log1p(administrative) + 0.72 * rng.standard_normal(n)
    )
    exits = np.clip(bounce + gap, _MIN_RATE, _MAX_RATE)
    full = np.full(n, _MAX_RATE)
    return np.where(left_at_once, full, bounce).round(6), np.where(left_at_once, full, exits).round(6)


def _page_value(
    rng: np.random.Generator,
    product: Integers,
    administrative: Integers,
    exit_rate: Floats,
    month: Integers,
    visitor: Integers,
) -> Floats:
    logit = (
        -5.4
        + 0.6 * _log_pages(product)
        + 0.59 * np.log1p(administrative)
        - 0.41 * np.log(np.maximum(exit_rate, 0.002))
        + _PAGE_VALUE_BY_MONTH[month]
    )
    shape = _PAGE_VALUE_SHAPE[visitor]
    value = np.clip(rng.standard_gamma(shape) * _PAGE_VALUE_MEAN[visitor] / shape, 0.04, 362.0)
    return np.where(rng.random(len(product)) < _logistic(logit), value, 0.0).round(4)


def _log_pages(product: Integers) -> Floats:
    return np.log(np.maximum(product, 1))


def _logistic(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def _sample(rng: np.random.Generator, weights: Integers, n: int) -> Integers:
    """Indices with probabilities proportional to `weights`, shape (n,)."""
    bounds = np.cumsum(weights) / np.sum(weights)
    return np.searchsorted(bounds, rng.random(n), side="right").astype(np.int64)


def _sample_given(rng: np.random.Generator, weights: tuple[tuple[int, ...], ...], group: Integers) -> Integers:
    """Indices with probabilities proportional to the row of `weights` that `group` names."""
    bounds = np.cumsum(weights, axis=1) / np.sum(weights, axis=1, keepdims=True)
    # Row g's bounds lie in (g, g + 1]: one sorted array serves all groups.
    offset = np.arange(len(weights))[:, None]
    found = np.searchsorted((bounds + offset).ravel(), rng.random(len(group)) + group, side="right")
    indices: Integers = found - group * bounds.shape[1]
    return indices
