"""What the report reads from the warehouse."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from intentscore.errors import NothingToDoError
from intentscore.services.evaluate import PageValueMonth
from intentscore.settings import Settings
from intentscore.warehouse.identifiers import literal
from intentscore.warehouse.tables import CHALLENGER_SCORES, EXPLANATIONS, SCORES, SESSIONS, Table, exists

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.snowpark import Session

    from intentscore.services.explain import Reason
    from intentscore.services.report_sections.scored_day import ScoredDay

EXAMPLES = 5


def version_that_scored(session: Session, settings: Settings, day: date) -> str:
    """The version in SCORES on that day. Raises NothingToDoError, naming the last scored day, when there is none."""
    if not exists(session, settings, SCORES):
        raise NothingToDoError(f"nothing has been scored yet; run `intentscore score --date {day}`")
    table = SCORES.qualified_name(session, settings)
    of_model = f"MODEL_NAME = {literal(settings.model_name)}"
    found = session.sql(
        f"SELECT MODEL_VERSION FROM {table} WHERE {of_model} AND SESSION_DATE = '{day}'::DATE "
        "GROUP BY MODEL_VERSION ORDER BY COUNT(*) DESC, MODEL_VERSION LIMIT 1"
    ).collect()
    if found:
        return str(found[0][0])
    last = session.sql(f"SELECT MAX(SESSION_DATE) FROM {table} WHERE {of_model}").collect()[0][0]
    known = f"; the last day with scores is {last}" if last else ""
    raise NothingToDoError(f"no scores on {day}{known}; run `intentscore score --date {day}`")


def last_scored_day(session: Session, settings: Settings, version: str) -> date | None:
    """The last day that the version scored, in SCORES or CHALLENGER_SCORES."""
    days = [_last_day(session, settings, table, version) for table in (SCORES, CHALLENGER_SCORES)]
    return max((day for day in days if day), default=None)


def scoring_table(session: Session, settings: Settings, version: str, day: date) -> Table:
    """Where the version's scores of that day are."""
    if exists(session, settings, SCORES) and _rows(session, settings, SCORES, version, day):
        return SCORES
    return CHALLENGER_SCORES


def day_scores(session: Session, settings: Settings, table: Table, version: str, day: date) -> ScoredDay:
    """The version's scores of a day, by UID, with the outcomes that are known by now."""
    from intentscore.services.report_sections.scored_day import ScoredDay

    frame: pd.DataFrame = session.sql(
        f"SELECT s.SCORE, x.REVENUE FROM {table.qualified_name(session, settings)} s "
        f"LEFT JOIN {SESSIONS.qualified_name(session, settings)} x "
        "ON x.UID = s.UID AND x.SESSION_DATE = s.SESSION_DATE "
        f"WHERE {_of(settings, version, day, 's.')} ORDER BY s.UID"
    ).to_pandas()
    known = frame["REVENUE"].notna().to_numpy(dtype=bool)
    bought = (frame["REVENUE"] == True).to_numpy(dtype=bool)  # noqa: E712 - null is neither
    name = getattr(settings.tables, table.role)
    return ScoredDay(day, name, version, frame["SCORE"].to_numpy(dtype="float64"), bought, known)


def example_reasons(session: Session, settings: Settings, version: str, day: date) -> tuple[Reason, ...]:
    """The strongest reasons of the day's highest scores that have been explained."""
    from intentscore.services.explain import Reason

    if not exists(session, settings, EXPLANATIONS):
        return ()
    rows = session.sql(
        "SELECT UID, SESSION_DATE, SCORE, REASON_RANK, FEATURE, VALUE, LOG_ODDS, REASON "
        f"FROM {EXPLANATIONS.qualified_name(session, settings)} WHERE {_of(settings, version, day)} "
        f"QUALIFY DENSE_RANK() OVER (ORDER BY SCORE DESC, UID) <= {EXAMPLES} "
        "ORDER BY SCORE DESC, UID, REASON_RANK"
    ).collect()
    return tuple(Reason(*row) for row in rows)


def page_value_months(session: Session, settings: Settings) -> tuple[PageValueMonth, ...]:
    """By month, the sessions with a known outcome; none when nothing has been loaded."""
    if not exists(session, settings, SESSIONS):
        return ()
    rows = session.sql(
        "SELECT TO_CHAR(SESSION_DATE, 'YYYY-MM') AS SESSION_MONTH, COUNT(*), COUNT_IF(REVENUE), "
        "COUNT_IF(NOT PAGE_VALUES > 0), COUNT_IF(REVENUE AND NOT PAGE_VALUES > 0), "
        "COUNT_IF(REVENUE AND PAGE_VALUES > 0)::FLOAT / NULLIF(COUNT_IF(PAGE_VALUES > 0), 0) "
        f"FROM {SESSIONS.qualified_name(session, settings)} WHERE REVENUE IS NOT NULL "
        "GROUP BY SESSION_MONTH ORDER BY SESSION_MONTH"
    ).collect()
    return tuple(PageValueMonth(*row) for row in rows)


def _last_day(session: Session, settings: Settings, table: Table, version: str) -> date | None:
    if not exists(session, settings, table):
        return None
    found: date | None = session.sql(
        f"SELECT MAX(SESSION_DATE) FROM {table.qualified_name(session, settings)} WHERE {_of(settings, version)}"
    ).collect()[0][0]
    return found


def _rows(session: Session, settings: Settings, table: Table, version: str, day: date) -> int:
    counted = f"SELECT COUNT(*) FROM {table.qualified_name(session, settings)} WHERE {_of(settings, version, day)}"
    return int(session.sql(counted).collect()[0][0])


def _of(settings: Settings, version: str, day: date | None = None, at: str = "") -> str:
    model = f"{at}MODEL_NAME = {literal(settings.model_name)} AND {at}MODEL_VERSION = {literal(version)}"
    return f"{model} AND {at}SESSION_DATE = '{day}'::DATE" if day else model
