"""The formulas of a model monitor's metrics, as DuckDB queries that go on from `WITH _ROWS AS (…)`.

`_ROWS` are the monitor's rows, with the start of the range each falls in as `_AT`. A query gives a row per range:
its start, the value, then how many rows were used and how many were not.
Two choices Snowflake's documentation leaves open: the Jensen-Shannon value is the distance with base 2 (0 alike,
1 disjoint; Lin 1991, https://doi.org/10.1109/18.61115), and numbers are compared by the deciles of the baseline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from intentscore.local.errors import invalid
from intentscore.local.names import quote

if TYPE_CHECKING:
    from intentscore.local.session import Session

DRIFT = ("JENSEN_SHANNON", "DIFFERENCE_OF_MEANS", "WASSERSTEIN", "POPULATION_STABILITY_INDEX")
BINNED = ("JENSEN_SHANNON", "POPULATION_STABILITY_INDEX")
BINS = 10
SMALLEST_SHARE = 1e-4

# ---------------------------------------------------------------------------- performance

Formula = Callable[[str, str], str]


def _pairs(value: str, *, usable: str = "TRUE", source: str = "_PAIRS", text: bool = False) -> Formula:
    """An aggregate over pairs of prediction P and actual Y; pairs with a NULL are not used."""
    kind = "VARCHAR" if text else "DOUBLE"
    good = f"P IS NOT NULL AND Y IS NOT NULL AND {usable}"

    def formula(predicted: str, actual: str) -> str:
        return f"""
            , _PAIRS AS (SELECT _AT, CAST({predicted} AS {kind}) AS P, CAST({actual} AS {kind}) AS Y FROM _ROWS),
            _COUNTS AS (SELECT _AT, count(*) FILTER (WHERE {good}) AS _USED, count(*) AS _ALL FROM _PAIRS GROUP BY _AT),
            _VALUES AS (SELECT _AT, {value} AS _VALUE FROM {source} WHERE {good} GROUP BY _AT)
            SELECT _AT, CAST(_VALUE AS DOUBLE), _USED, _ALL - _USED FROM _COUNTS LEFT JOIN _VALUES USING (_AT)
            ORDER BY _AT"""

    return formula


# The mean rank of the buyers' scores, ties sharing theirs (Hanley and McNeil 1982, radiology.143.1.7063747).
_RANKED = """(SELECT *, rank() OVER (PARTITION BY _AT ORDER BY P)
    + (count(*) OVER (PARTITION BY _AT, P) - 1) / 2 AS _RANK FROM _PAIRS WHERE P IS NOT NULL AND Y IS NOT NULL)"""
_ROC_AUC = "(sum(_RANK) FILTER (WHERE Y = 1) - sum(Y) * (sum(Y) + 1) / 2) / nullif(sum(Y) * (count(*) - sum(Y)), 0)"
_HIT, _CLAIMED, _ACTUAL = "sum(CAST(P = 1 AND Y = 1 AS INT))", "sum(CAST(P = 1 AS INT))", "sum(CAST(Y = 1 AS INT))"

# One row per class, for the averages over classes; a class never claimed, or never there, counts as 0.
_BY_CLASS = """(SELECT _AT, C AS P, C AS Y, sum(CAST(P = C AND Y = C AS INT)) AS _HIT,
    sum(CAST(P = C AS INT)) AS _CLAIMED, sum(CAST(Y = C AS INT)) AS _ACTUAL
    FROM (SELECT * FROM _PAIRS WHERE P IS NOT NULL AND Y IS NOT NULL)
    JOIN (SELECT DISTINCT _AT, unnest([P, Y]) AS C FROM _PAIRS WHERE P IS NOT NULL AND Y IS NOT NULL) USING (_AT)
    GROUP BY _AT, C)"""
_ACCURACY = "avg(CAST(P = Y AS INT))"

PERFORMANCE: dict[str, dict[str, Formula]] = {
    "TABULAR_REGRESSION": {
        "RMSE": _pairs("sqrt(avg((P - Y) ** 2))"),
        "MAE": _pairs("avg(abs(P - Y))"),
        "MAPE": _pairs("avg(abs((P - Y) / Y))", usable="Y <> 0"),
        "MSE": _pairs("avg((P - Y) ** 2)"),
    },
    "TABULAR_BINARY_CLASSIFICATION": {
        "ROC_AUC": _pairs(_ROC_AUC, source=_RANKED),
        "CLASSIFICATION_ACCURACY": _pairs(_ACCURACY),
        "PRECISION": _pairs(f"{_HIT} / nullif({_CLAIMED}, 0)"),
        "RECALL": _pairs(f"{_HIT} / nullif({_ACTUAL}, 0)"),
        "F1_SCORE": _pairs(f"2 * {_HIT} / nullif({_CLAIMED} + {_ACTUAL}, 0)"),
    },
    "TABULAR_MULTI_CLASSIFICATION": {
        "CLASSIFICATION_ACCURACY": _pairs(_ACCURACY, text=True),
        "MACRO_AVERAGE_PRECISION": _pairs("avg(coalesce(_HIT / nullif(_CLAIMED, 0), 0))", source=_BY_CLASS, text=True),
        "MACRO_AVERAGE_RECALL": _pairs("avg(coalesce(_HIT / nullif(_ACTUAL, 0), 0))", source=_BY_CLASS, text=True),
        "MICRO_AVERAGE_PRECISION": _pairs("sum(_HIT) / sum(_CLAIMED)", source=_BY_CLASS, text=True),
        "MICRO_AVERAGE_RECALL": _pairs("sum(_HIT) / sum(_ACTUAL)", source=_BY_CLASS, text=True),
    },
}
_OF_SCORES = ("ROC_AUC", "RMSE", "MAE", "MAPE", "MSE")


def columns_of(metric: str, details: dict[str, Any]) -> tuple[str, str]:
    """The prediction and the actual column a metric reads."""
    of_regression = details["task"] == "TABULAR_REGRESSION"
    predicted = "prediction_score_columns" if metric in _OF_SCORES else "prediction_class_columns"
    actual = "actual_score_columns" if of_regression else "actual_class_columns"
    for key in (predicted, actual):
        if not details[key]:
            raise invalid(f"{metric} needs {key.upper()}, and the model monitor has none")
    return quote(details[predicted][0]), quote(details[actual][0])


# ---------------------------------------------------------------------------- drift


def bins(session: Session, baseline: str, column: str, *, numeric: bool) -> str:
    """The bin of a value, as SQL over `_X`: the baseline's deciles for numbers, the value itself for anything else."""
    if not numeric:
        return "CAST(_X AS VARCHAR)"
    at = ", ".join(str(i / BINS) for i in range(1, BINS))
    found = session.fetch(f"SELECT quantile_cont(CAST({quote(column)} AS DOUBLE), [{at}]) FROM {baseline}")[0][0]
    edges = sorted(set(found or ()))
    whens = " ".join(f"WHEN _X <= CAST('{edge!r}' AS DOUBLE) THEN {i}" for i, edge in enumerate(edges))
    return f"CASE {whens} ELSE {len(edges)} END" if edges else "0"


def drift(metric: str, column: str, baseline: str, binned: str | None) -> str:
    """How far the column's values in each range are from the baseline's."""
    values = {
        "DIFFERENCE_OF_MEANS": lambda: _DIFFERENCE_OF_MEANS, "WASSERSTEIN": lambda: _WASSERSTEIN,
        "JENSEN_SHANNON": lambda: _over_bins(_JENSEN_SHANNON, str(binned)),
        "POPULATION_STABILITY_INDEX": lambda: _over_bins(_STABILITY, str(binned)),
    }[metric]()  # fmt: skip
    return f"""
        , _CURRENT AS (SELECT _AT, {column} AS _X FROM _ROWS WHERE {column} IS NOT NULL),
        _BASE AS (SELECT {column} AS _X FROM {baseline} WHERE {column} IS NOT NULL),
        _COUNTS AS (SELECT _AT, count({column}) AS _USED, count(*) - count({column}) AS _UNUSED
            FROM _ROWS GROUP BY _AT),
        _TOTAL AS (SELECT count({column}) AS _BASE_USED, count(*) - count({column}) AS _BASE_UNUSED FROM {baseline}),
        _VALUES AS ({values})
        SELECT _AT, CAST(_VALUE AS DOUBLE), _USED, _UNUSED, _BASE_USED, _BASE_UNUSED
        FROM _COUNTS LEFT JOIN _VALUES USING (_AT) CROSS JOIN _TOTAL ORDER BY _AT"""


_DIFFERENCE_OF_MEANS = "SELECT _AT, avg(_X) - (SELECT avg(_X) FROM _BASE) AS _VALUE FROM _CURRENT GROUP BY _AT"

# The area between the two cumulative distributions (https://doi.org/10.1016/0304-4149(93)90017-X).
_WASSERSTEIN = """
    SELECT _AT, coalesce(sum(abs(_F) * (_NEXT - _X)), 0) AS _VALUE FROM (
        SELECT _AT, _X, sum(_STEP) OVER (PARTITION BY _AT ORDER BY _X) AS _F,
            lead(_X) OVER (PARTITION BY _AT ORDER BY _X) AS _NEXT
        FROM (SELECT _AT, _X, sum(_STEP) AS _STEP FROM (
            SELECT _AT, CAST(_X AS DOUBLE) AS _X, 1 / count(*) OVER (PARTITION BY _AT) AS _STEP FROM _CURRENT
            UNION ALL
            SELECT _AT, _X, -_SHARE FROM (SELECT DISTINCT _AT FROM _CURRENT) CROSS JOIN (
                SELECT CAST(_X AS DOUBLE) AS _X, count(*) / (SELECT count(*) FROM _BASE) AS _SHARE
                FROM _BASE GROUP BY 1))
            GROUP BY _AT, _X))
    GROUP BY _AT"""

_JENSEN_SHANNON = """sqrt(greatest(0, sum(
    CASE WHEN _P > 0 THEN _P * log2(2 * _P / (_P + _Q)) ELSE 0 END
    + CASE WHEN _Q > 0 THEN _Q * log2(2 * _Q / (_P + _Q)) ELSE 0 END) / 2))"""
_STABILITY = (
    f"sum((greatest(_P, {SMALLEST_SHARE}) - greatest(_Q, {SMALLEST_SHARE})) "
    f"* ln(greatest(_P, {SMALLEST_SHARE}) / greatest(_Q, {SMALLEST_SHARE})))"
)


def _over_bins(value: str, binned: str) -> str:
    """An aggregate over the shares of every bin: `_P` now, `_Q` in the baseline."""
    return f"""
        SELECT _AT, {value} AS _VALUE FROM (
            SELECT _AT, _BIN, sum(_P) AS _P, sum(_Q) AS _Q FROM (
                SELECT _AT, {binned} AS _BIN, 1 / count(*) OVER (PARTITION BY _AT) AS _P, 0 AS _Q FROM _CURRENT
                UNION ALL
                SELECT _AT, _BIN, 0, _Q FROM (SELECT DISTINCT _AT FROM _CURRENT) CROSS JOIN (
                    SELECT {binned} AS _BIN, count(*) / (SELECT count(*) FROM _BASE) AS _Q FROM _BASE GROUP BY 1))
            GROUP BY _AT, _BIN)
        GROUP BY _AT"""
