"""What a version's monitor reads: a view of its scores with the outcomes known so far, and the baseline beside it.

The baseline is a table of the sessions the version learned from, with its scores of them. View and baseline have the
same columns: what the version was given (categories as text, as a monitor wants them), its score, the class at
the marketing cut-off, and the outcome. An outcome that arrives later appears in the view when it is uploaded; the
scores stay as they were given.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from intentscore.errors import GateRefusedError
from intentscore.features.store import RegisteredView
from intentscore.services.score import PREDICTION
from intentscore.services.versions import RegisteredVersion, features_of, inputs_of, load_version
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import current_schema, identifier, literal, qualified
from intentscore.warehouse.tables import SCORES, SESSIONS

if TYPE_CHECKING:
    from snowflake.snowpark import Session

KEY = "UID"
TIMESTAMP, SCORE, PREDICTED, ACTUAL = "SESSION_AT", "SCORE", "PREDICTED_CLASS", "ACTUAL_CLASS"
STAGED = "BASELINE_STAGED"
WRITTEN = re.compile(r"cut-off ([0-9.e+-]+), definition ([0-9a-f]{12})")


@dataclass(frozen=True)
class Watched:
    """The names of what belongs to the monitor of one version."""

    version: str
    monitor: str
    view: str
    baseline: str


@dataclass(frozen=True)
class Source:
    """The view as it stands; `definition` is a hash of all it was made of."""

    cut_off: float
    definition: str


@dataclass(frozen=True)
class _Given:
    """What a version was given: a version of the feature view, and those of its features that it scores with."""

    view: RegisteredView
    names: tuple[str, ...]

    @classmethod
    def to(cls, session: Session, settings: Settings, version: RegisteredVersion) -> _Given:
        return cls(features_of(session, settings, version), inputs_of(session, settings, version.name))


def watched(settings: Settings, version: str) -> Watched:
    stem = f"{settings.model_name}_{version}"
    return Watched(version, f"{stem}_MONITOR", f"{stem}_SCORED", f"{stem}_BASELINE")


def existing_source(session: Session, names: Watched) -> Source | None:
    """What the view's comment says of it; None when there is no such view, or it is not ours."""
    shown = session.sql(f"SHOW VIEWS LIKE {literal(names.view)} IN SCHEMA {current_schema(session)}").collect()
    comment = next((row["comment"] for row in shown if row["name"] == names.view), None)
    found = WRITTEN.search(comment or "")
    return Source(float(found[1]), found[2]) if found else None


def definition(session: Session, settings: Settings, version: RegisteredVersion) -> str:
    """12 hex digits that change with the view's SQL or with what decides baseline and cut-off."""
    monitoring = settings.monitoring
    decided = (monitoring.cut_off, monitoring.marketing_share, monitoring.baseline_sessions)
    features = _Given.to(session, settings, version)
    text = f"{_view_query(session, settings, version.name, features, '0')} {_learned_sessions(version)} {decided}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write_source(session: Session, settings: Settings, version: RegisteredVersion) -> Source:
    """Write the baseline and make the view, in the place of any there was. Raises GateRefusedError when the version
    does not say what it learned from, or none of these sessions is left.
    """
    names, features = watched(settings, version.name), _Given.to(session, settings, version)
    staged, baseline, view = (qualified(session, name) for name in (STAGED, names.baseline, names.view))
    session.sql(_stage_statement(session, settings, version, features.view, staged)).collect()
    cut_off = settings.monitoring.cut_off
    if cut_off is None:
        cut_off = _score_of_share(session, staged, settings.monitoring.marketing_share)
    made = Source(cut_off, definition(session, settings, version))
    at = f"CAST('{cut_off!r}' AS FLOAT)"
    comment = f"scores of {version.name} and their outcomes; cut-off {cut_off!r}, definition {made.definition}"
    session.sql(
        f"CREATE OR REPLACE TABLE {baseline} COMMENT = {literal(f'what {version.name} learned from, with its scores')} "
        f"AS\nSELECT {_columns(features, at)}\nFROM {staged} c"
    ).collect()
    session.sql(
        f"CREATE OR REPLACE VIEW {view} COMMENT = {literal(comment)} AS\n"
        f"{_view_query(session, settings, version.name, features, at)}"
    ).collect()
    session.sql(f"DROP TABLE IF EXISTS {staged}").collect()
    return made


def _columns(features: _Given, cut_off: str, rows: str = "c", outcome: str = "c") -> str:
    """The columns of view and baseline, from the rows called `c`; the features from those called `rows`."""
    given = {name: f"{rows}.{identifier(name)}" for name in features.names}
    categorical = features.view.categorical
    texts = {name: f"TO_VARCHAR(CAST({sql} AS INTEGER))" for name, sql in given.items() if name in categorical}
    return ",\n".join(
        [
            f"c.UID AS {KEY}",
            f"c.SESSION_DATE::TIMESTAMP_NTZ AS {TIMESTAMP}",
            f"c.SCORE AS {SCORE}",
            f"IFF(c.SCORE >= {cut_off}, 1, 0) AS {PREDICTED}",
            f"CAST({outcome}.REVENUE AS INTEGER) AS {ACTUAL}",
            *(f"{sql} AS {identifier(name)}" for name, sql in (given | texts).items()),
        ]
    )


def _view_query(session: Session, settings: Settings, version: str, features: _Given, cut_off: str) -> str:
    scores, sessions = (table.qualified_name(session, settings) for table in (SCORES, SESSIONS))
    return (
        f"SELECT {_columns(features, cut_off, 'f', 's')}\nFROM {scores} c\n"
        f"JOIN {sessions} s ON s.UID = c.UID AND s.SESSION_DATE = c.SESSION_DATE\n"
        f"JOIN {qualified(session, features.view.full_name)} f ON f.UID = c.UID AND f.SESSION_DATE = c.SESSION_DATE\n"
        f"WHERE c.MODEL_NAME = {literal(settings.model_name)} AND c.MODEL_VERSION = {literal(version)}\n"
        # a score that is no probability suspends a monitor; `check` reports it
        "AND c.SCORE BETWEEN 0 AND 1"
    )


def _learned_sessions(version: RegisteredVersion) -> str:
    if version.learned_from is None or version.learned_until is None:
        raise GateRefusedError(
            f"{version.name} does not say which sessions it learned from, so it has no baseline; "
            "train and register it again"
        )
    return f"SESSION_DATE BETWEEN '{version.learned_from}'::DATE AND '{version.learned_until}'::DATE"


def _stage_statement(
    session: Session, settings: Settings, version: RegisteredVersion, view: RegisteredView, staged: str
) -> str:
    """The version's scores of the sessions it learned from; of too many, those with the smallest hash."""
    from snowflake.snowpark.functions import sql_expr

    learned = _learned_sessions(version)
    rows = session.table(qualified(session, view.full_name)).filter(sql_expr(learned))
    with snowflake_errors("prepare the baseline", wrapped=True):
        model = load_version(session, settings, version.name)
        predicted = model.run(rows, function_name="predict")
        (query,) = predicted.queries["queries"]
    sessions = SESSIONS.qualified_name(session, settings)
    return (
        f'CREATE OR REPLACE TEMPORARY TABLE {staged} AS\nSELECT p.* EXCLUDE ("{PREDICTION}"), '
        f'p."{PREDICTION}" AS SCORE, s.REVENUE\nFROM (\n{query.strip()}\n) p\n'
        f"JOIN {sessions} s ON s.UID = p.UID AND s.SESSION_DATE = p.SESSION_DATE\n"
        f"WHERE s.REVENUE IS NOT NULL\n"
        f"QUALIFY ROW_NUMBER() OVER (ORDER BY MD5(p.UID), p.UID, p.SESSION_DATE) "
        f"<= {settings.monitoring.baseline_sessions}"
    )


def _score_of_share(session: Session, staged: str, share: float) -> float:
    found = session.sql(f"SELECT PERCENTILE_CONT({1 - share!r}) WITHIN GROUP (ORDER BY SCORE) FROM {staged}").collect()[
        0
    ][0]
    if found is None:
        raise GateRefusedError("none of the sessions the version learned from is left; load them again")
    return float(found)
