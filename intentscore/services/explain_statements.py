"""The SQL of an explanation: which scores, their contributions side by side, and the strongest as rows of reasons."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from intentscore.features.feature import Feature
from intentscore.features.reasons import reason_sql, subject
from intentscore.services.contributions import SUFFIX
from intentscore.warehouse.identifiers import literal, quoted, timestamp_literal
from intentscore.warehouse.tables import EXPLANATIONS

DECILES = 10
LARGEST_DIFFERENCE = 1e-9


def scores_of(first: date, last: date, model_name: str, version: str, uid: str | None) -> str:
    """The condition on a table of scores, or of explanations, for the rows of a version on these days."""
    conditions = [
        f"SESSION_DATE BETWEEN '{first}'::DATE AND '{last}'::DATE",
        f"MODEL_NAME = {literal(model_name)}",
        f"MODEL_VERSION = {literal(version)}",
        *([f"UID = {literal(uid)}"] if uid is not None else []),
    ]
    return " AND ".join(conditions)


def selected_rows(scores: str, condition: str, view: str, features: Iterable[str], *, top_decile: bool) -> str:
    """The scores to explain, beside the features of their sessions."""
    decile = f"NTILE({DECILES}) OVER (PARTITION BY SESSION_DATE ORDER BY SCORE DESC, UID) = 1"
    chosen = f"SELECT UID, SESSION_DATE, SCORE FROM {scores} WHERE {condition}"
    chosen += f"\nQUALIFY {decile}" if top_decile else ""
    inputs = ", ".join(f"f.{name}" for name in features)
    return (
        f"SELECT s.UID, s.SESSION_DATE, s.SCORE, {inputs}\nFROM ({chosen}) s\n"
        f"JOIN {view} f ON f.UID = s.UID AND f.SESSION_DATE = s.SESSION_DATE"
    )


def staged_check(staged: str, features: Iterable[str], base_log_odds: float) -> str:
    """How many rows are staged, and in how many contributions and base value do not give the score."""
    total = " + ".join([number(base_log_odds), *(quoted(name + SUFFIX) for name in features)])
    differs = f"ABS(1 / (1 + EXP(-({total}))) - SCORE) > {LARGEST_DIFFERENCE:.0e}"
    return f"SELECT COUNT(*) AS STAGED_ROWS, COUNT_IF({differs} OR ({total}) IS NULL) AS UNLIKE FROM {staged}"


def insert_reasons(
    target: str,
    staged: str,
    features: Iterable[Feature],
    *,
    model_name: str,
    version: str,
    base_log_odds: float,
    top: int,
    distinct: bool,
    explained_at: datetime,
) -> str:
    """The `top` strongest contributions of every staged row, in words; the others as one sum.

    With `distinct` the strongest of each subject come first, the strongest of these before the others.
    """
    told = tuple(features)
    listed = ", ".join(f"({literal(feature.name)})" for feature in told)
    values = _by_feature((feature.name, feature.name) for feature in told)
    contributions = _by_feature((feature.name, quoted(feature.name + SUFFIX)) for feature in told)
    subjects = _by_feature((feature.name, literal(subject(feature))) for feature in told)
    strongest = "ABS(LOG_ODDS) DESC, FEATURE"
    repeated = f"IFF(ROW_NUMBER() OVER (PARTITION BY UID, SESSION_DATE, {subjects} ORDER BY {strongest}) > 1, 1, 0)"
    written = {
        "UID": "UID", "SESSION_DATE": "SESSION_DATE", "SCORE": "SCORE", "MODEL_NAME": literal(model_name),
        "MODEL_VERSION": literal(version), "REASON_RANK": "REASON_RANK", "FEATURE": "FEATURE", "VALUE": "VALUE",
        "LOG_ODDS": "LOG_ODDS", "REASON": reason_sql("FEATURE", "VALUE", "LOG_ODDS", told),
        "BASE_LOG_ODDS": number(base_log_odds), "OTHER_LOG_ODDS": "OTHER_LOG_ODDS",
        "EXPLAINED_AT": timestamp_literal(explained_at),
    }  # fmt: skip
    return (
        f"INSERT INTO {target} ({', '.join(EXPLANATIONS.column_names)})\n"
        f"SELECT {', '.join(written[name] for name in EXPLANATIONS.column_names)}\n"
        f"FROM (SELECT *, SUM(IFF(REASON_RANK > {top}, LOG_ODDS, 0)) OVER (PARTITION BY UID, SESSION_DATE) "
        "AS OTHER_LOG_ODDS\n"
        f"FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY UID, SESSION_DATE ORDER BY REPEATED, {strongest}) "
        "AS REASON_RANK\n"
        f"FROM (SELECT *, {repeated if distinct else 0} AS REPEATED\n"
        f"FROM (SELECT UID, SESSION_DATE, SCORE, FEATURE,\n{values} AS VALUE,\n{contributions} AS LOG_ODDS\n"
        f"FROM {staged} CROSS JOIN (SELECT COLUMN1 AS FEATURE FROM VALUES {listed})))))\n"
        f"WHERE REASON_RANK <= {top}"
    )


def number(value: float) -> str:
    """A FLOAT in SQL, to the last bit."""
    return f"'{value!r}'::FLOAT"


def _by_feature(columns: Iterable[tuple[str, str]]) -> str:
    cases = " ".join(f"WHEN {literal(name)} THEN {column}" for name, column in columns)
    return f"CASE FEATURE {cases} END"
