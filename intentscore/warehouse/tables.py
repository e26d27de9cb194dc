"""Every table, defined once: DDL, validation of uploads and documentation come from here.

Keys are declared; Snowflake does not enforce them. The services keep them true: an upload refuses duplicates
before it merges, and scores are written with one MERGE on the key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from intentscore.warehouse.identifiers import current_schema, identifier, literal, qualified

if TYPE_CHECKING:
    from snowflake.snowpark import Session

    from intentscore.settings import Settings

TEXT, DATE, INTEGER, FLOAT = "VARCHAR", "DATE", "NUMBER(38, 0)", "FLOAT"
BOOLEAN, TIMESTAMP = "BOOLEAN", "TIMESTAMP_NTZ"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
VISITORS = ("Returning_Visitor", "New_Visitor", "Other")
LARGEST_COUNT = 2_147_483_647
LARGEST_FLOAT = 1e300


@dataclass(frozen=True)
class Column:
    """`minimum`, `maximum`, `choices` and `pattern` (a regular expression) say what an upload may bring."""

    name: str
    type: str
    comment: str
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None


@dataclass(frozen=True)
class Table:
    """`role` is the table's field in `Settings.tables`, which holds the name it has in this schema."""

    role: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def qualified_name(self, session: Session, settings: Settings) -> str:
        return qualified(session, getattr(settings.tables, self.role))


def _count(name: str, comment: str, minimum: int = 0) -> Column:
    return Column(name, INTEGER, comment, minimum=minimum, maximum=LARGEST_COUNT)


def _seconds(name: str, pages: str) -> Column:
    return Column(name, FLOAT, f"seconds spent on {pages} pages", minimum=0)


def _share(name: str, comment: str) -> Column:
    return Column(name, FLOAT, comment, minimum=0, maximum=1)


UID = Column("UID", TEXT, "identifier of the session", pattern=".{1,256}")
SESSION_DATE = Column("SESSION_DATE", DATE, "day of the session", pattern="[0-9]{4}-[0-9]{2}-[0-9]{2}")
LOADED_AT = Column("LOADED_AT", TIMESTAMP, "when this row last changed (UTC)")
SCORE = _share("SCORE", "predicted probability that the session ends in a purchase")
MODEL_NAME = Column("MODEL_NAME", TEXT, "registered model that gave the score")
MODEL_VERSION = Column("MODEL_VERSION", TEXT, "version of that model")
SCORED_AT = Column("SCORED_AT", TIMESTAMP, "when the scoring run started (UTC)")

SESSIONS = Table(
    "sessions",
    "one row per shop session",
    (
        UID,
        SESSION_DATE,
        _count("ADMINISTRATIVE", "account and administration pages seen"),
        _seconds("ADMINISTRATIVE_DURATION", "administrative"),
        _count("INFORMATIONAL", "information pages seen"),
        _seconds("INFORMATIONAL_DURATION", "informational"),
        _count("PRODUCT_RELATED", "product pages seen"),
        _seconds("PRODUCT_RELATED_DURATION", "product"),
        _share("BOUNCE_RATES", "mean bounce rate of the pages seen"),
        _share("EXIT_RATES", "mean exit rate of the pages seen"),
        Column("PAGE_VALUES", FLOAT, "mean page value of the pages seen", minimum=0),
        _share("SPECIAL_DAY", "closeness of the day to a special day"),
        Column("MONTH", TEXT, "month of the session", choices=MONTHS),
        _count("OPERATING_SYSTEMS", "code of the operating system", minimum=1),
        _count("BROWSER", "code of the browser", minimum=1),
        _count("REGION", "code of the region", minimum=1),
        _count("TRAFFIC_TYPE", "code of the traffic source", minimum=1),
        Column("VISITOR_TYPE", TEXT, "kind of visitor", choices=VISITORS),
        Column("WEEKEND", BOOLEAN, "the session was on a weekend"),
        Column("REVENUE", BOOLEAN, "the session ended in a purchase; null while unknown", nullable=True),
        Column(
            "OUTCOME_DATE",
            DATE,
            "day the outcome became known; the session's own when null",
            nullable=True,
            pattern="[0-9]{4}-[0-9]{2}-[0-9]{2}",
        ),
        LOADED_AT,
    ),
    key=("UID", "SESSION_DATE"),
)

SCORES = Table(
    "scores",
    "the champion's score of each session",
    (UID, SESSION_DATE, SCORE, MODEL_NAME, MODEL_VERSION, SCORED_AT),
    key=("UID", "SESSION_DATE"),
)

CHALLENGER_SCORES = Table(
    "challenger_scores",
    "scores of model versions under test",
    SCORES.columns,
    key=("UID", "SESSION_DATE", "MODEL_VERSION"),
)

EXPLANATIONS = Table(
    "explanations",
    "the strongest reasons of a score",
    (
        UID,
        SESSION_DATE,
        SCORE,
        MODEL_NAME,
        MODEL_VERSION,
        Column("REASON_RANK", INTEGER, "1 is the strongest reason", minimum=1),
        Column("FEATURE", TEXT, "feature behind the reason"),
        Column("VALUE", FLOAT, "value of the feature", nullable=True),
        Column("LOG_ODDS", FLOAT, "contribution to the score in log-odds"),
        Column("REASON", TEXT, "the reason in words"),
        Column("BASE_LOG_ODDS", FLOAT, "what the model starts from, the same for every session"),
        Column("OTHER_LOG_ODDS", FLOAT, "contributions of the features that are not among the reasons"),
        Column("EXPLAINED_AT", TIMESTAMP, "when the reasons were computed (UTC)"),
    ),
    key=("UID", "SESSION_DATE", "MODEL_VERSION", "REASON_RANK"),
)

RUNS = Table(
    "runs",
    "every command that changed something",
    (
        Column("RUN_ID", TEXT, "identifier of the run; also in the query tag"),
        Column("COMMAND", TEXT, "command that ran"),
        Column("STARTED_AT", TIMESTAMP, "when it started (UTC)"),
        Column("FINISHED_AT", TIMESTAMP, "when it ended (UTC)"),
        Column("OUTCOME", TEXT, "how it ended", choices=("done", "failed")),
        Column("MESSAGE", TEXT, "why it failed", nullable=True),
        Column("USER_NAME", TEXT, "user who ran it"),
        Column("ROLE_NAME", TEXT, "role it ran with", nullable=True),
        Column("ARGUMENTS", TEXT, "its arguments as JSON"),
        Column("ROW_COUNT", INTEGER, "rows it wrote or read", nullable=True),
        Column("MODEL_VERSION", TEXT, "model version it used or made", nullable=True),
        Column("FEATURE_HASH", TEXT, "hash of the feature list it used", nullable=True),
        Column("QUERY_TAG", TEXT, "query tag of its statements"),
        Column("PACKAGE_VERSION", TEXT, "version of intentscore"),
    ),
    key=("RUN_ID",),
)

TABLES = (SESSIONS, SCORES, CHALLENGER_SCORES, EXPLANATIONS, RUNS)


def create_statement(table: Table, name: str) -> str:
    lines = [f"    {_definition(column)}" for column in table.columns]
    lines.append(f"    PRIMARY KEY ({', '.join(table.key)})")
    body = ",\n".join(lines)
    return f"CREATE TABLE IF NOT EXISTS {name} (\n{body}\n) COMMENT = {literal(table.comment)}"


def exists(session: Session, settings: Settings, table: Table) -> bool:
    name = getattr(settings.tables, table.role)
    statement = f"SHOW TABLES LIKE {literal(name)} IN SCHEMA {current_schema(session)}"
    return any(row["name"] == name for row in session.sql(statement).collect())


def create_tables(session: Session, settings: Settings, tables: Iterable[Table] = TABLES) -> None:
    """Make the tables that are missing, and the columns that tables of an earlier intentscore lack.

    A role that may only use them needs no right to create any.
    """
    for table in tables:
        name = table.qualified_name(session, settings)
        if not exists(session, settings, table):
            session.sql(create_statement(table, name)).collect()
            continue
        found = {row["name"] for row in session.sql(f"DESCRIBE TABLE {name}").collect()}
        for column in table.columns:
            if column.nullable and column.name not in found:
                session.sql(f"ALTER TABLE {name} ADD COLUMN {_definition(column)}").collect()


def parsed(column: Column, text: str) -> str:
    """The SQL that turns `text` (a VARCHAR expression) into the column's type, null where it cannot."""
    match column.type:
        case "NUMBER(38, 0)":
            return f"TRY_TO_NUMBER({text}, 38, 0)"
        case "FLOAT":
            return f"TRY_TO_DOUBLE({text})"
        case "DATE":
            return f"TRY_TO_DATE({text}, 'YYYY-MM-DD')"
        case "BOOLEAN":
            return f"TRY_TO_BOOLEAN({text})"
        case _:
            return text


def fault(column: Column, text: str) -> str:
    """The SQL that names the first thing wrong with `text` as a value of the column, null when nothing is."""
    missing = "NULL" if column.nullable else literal("is missing")
    cases = "".join(f" WHEN {wrong} THEN {literal(reason)}" for wrong, reason in _faults(column, text))
    return f"CASE WHEN {text} IS NULL THEN {missing}{cases} END"


def _definition(column: Column) -> str:
    required = "" if column.nullable else " NOT NULL"
    return f"{identifier(column.name)} {column.type}{required} COMMENT {literal(_documented(column))}"


def _documented(column: Column) -> str:
    allowed = _allowed(column)
    return f"{column.comment} ({allowed})" if allowed else column.comment


def _allowed(column: Column) -> str:
    if column.choices:
        return "one of " + ", ".join(column.choices)
    low, high = column.minimum, column.maximum
    if high is None or high == LARGEST_COUNT:
        return "" if low is None else f"at least {low:g}"
    return f"{low:g} to {high:g}"


def _faults(column: Column, text: str) -> Iterable[tuple[str, str]]:
    value = parsed(column, text)
    yield from _type_faults(column, text, value)
    if column.minimum is not None:
        yield f"{value} < {column.minimum:g}", f"is less than {column.minimum:g}"
    if column.maximum is not None:
        yield f"{value} > {column.maximum}", f"is more than {column.maximum}"
    if column.choices:
        allowed = ", ".join(literal(choice) for choice in column.choices)
        yield f"{text} NOT IN ({allowed})", f"is not one of {', '.join(column.choices)}"


def _type_faults(column: Column, text: str, value: str) -> Iterable[tuple[str, str]]:
    if column.type in (INTEGER, FLOAT):
        number = f"TRY_TO_DOUBLE({text})"
        yield f"{number} IS NULL", "is not a number"
        # NaN is greater than every number in Snowflake, so this catches it together with the infinities
        yield f"NOT ABS({number}) <= {LARGEST_FLOAT:g}", "is not a finite number"
    if column.type == INTEGER:
        yield f"{number} <> FLOOR({number})", "is not a whole number"
        yield f"{value} IS NULL", f"is not a whole number up to {LARGEST_COUNT}"
    if column.pattern:
        yield f"NOT REGEXP_LIKE({text}, {literal(column.pattern)})", _shape(column)
    if column.type == DATE:
        yield f"{value} IS NULL", "is not a date of the calendar"
    if column.type == BOOLEAN:
        yield f"{value} IS NULL", "is not true or false"


def _shape(column: Column) -> str:
    return "is not a date like 2024-11-01" if column.type == DATE else "is not one line of at most 256 characters"
