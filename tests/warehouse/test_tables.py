from __future__ import annotations

import pytest

from intentscore.data.schema import MONTHS as MONTHS_IN_FILES
from intentscore.data.schema import RAW_COLUMNS
from intentscore.warehouse.tables import (
    MONTHS,
    SESSIONS,
    TABLES,
    Column,
    Table,
    create_statement,
    fault,
    parsed,
)


def column(name: str) -> Column:
    return next(column for column in SESSIONS.columns if column.name == name)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.role)
def test_a_table_is_never_replaced_and_declares_its_key(table: Table) -> None:
    statement = create_statement(table, "D.S.T")
    assert statement.startswith("CREATE TABLE IF NOT EXISTS D.S.T (")
    assert "REPLACE" not in statement
    assert f"PRIMARY KEY ({', '.join(table.key)})" in statement


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.role)
def test_key_columns_exist_and_are_required(table: Table) -> None:
    assert {c.name for c in table.columns if not c.nullable} >= set(table.key)
    assert len(set(table.column_names)) == len(table.columns)


def test_sessions_has_the_columns_of_a_file_and_when_they_were_loaded() -> None:
    assert SESSIONS.column_names == (*RAW_COLUMNS, "LOADED_AT")
    assert MONTHS == MONTHS_IN_FILES


def test_only_the_outcome_may_be_unknown() -> None:
    assert [c.name for c in SESSIONS.columns if c.nullable] == ["REVENUE", "OUTCOME_DATE"]


def test_the_comment_of_a_column_says_what_is_allowed() -> None:
    statement = create_statement(SESSIONS, "T")
    assert "BOUNCE_RATES FLOAT NOT NULL COMMENT 'mean bounce rate of the pages seen (0 to 1)'" in statement
    assert "(one of Returning_Visitor, New_Visitor, Other)" in statement
    assert "REVENUE BOOLEAN COMMENT" in statement


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BROWSER", "TRY_TO_NUMBER(x, 38, 0)"),
        ("PAGE_VALUES", "TRY_TO_DOUBLE(x)"),
        ("SESSION_DATE", "TRY_TO_DATE(x, 'YYYY-MM-DD')"),
        ("WEEKEND", "TRY_TO_BOOLEAN(x)"),
        ("MONTH", "x"),
    ],
)
def test_text_is_parsed_without_ever_failing_the_statement(name: str, expected: str) -> None:
    assert parsed(column(name), "x") == expected


def test_a_missing_value_is_a_fault_unless_it_may_be_unknown() -> None:
    assert "WHEN x IS NULL THEN 'is missing'" in fault(column("WEEKEND"), "x")
    assert "WHEN x IS NULL THEN NULL" in fault(column("REVENUE"), "x")


def test_ranges_and_categories_become_conditions() -> None:
    assert "WHEN TRY_TO_DOUBLE(x) > 1 THEN 'is more than 1'" in fault(column("EXIT_RATES"), "x")
    assert "THEN 'is less than 0'" in fault(column("PAGE_VALUES"), "x")
    assert "WHEN x NOT IN ('Returning_Visitor', 'New_Visitor', 'Other')" in fault(column("VISITOR_TYPE"), "x")
    assert "is not a whole number" in fault(column("REGION"), "x")
    assert "is not a whole number" not in fault(column("PAGE_VALUES"), "x")
