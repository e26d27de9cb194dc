from __future__ import annotations

import pytest
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException
from snowflake.snowpark.functions import col, lit, when


def test_a_syntax_error_names_the_word_it_did_not_expect(session: Session) -> None:
    with pytest.raises(SnowparkSQLException, match=r"unexpected '\+'"):
        session.sql("select (1 as b + 10)").collect()


def test_a_text_among_the_numbers_of_a_case_is_refused_as_a_number(session: Session) -> None:
    frame = session.create_dataframe([[1], [None]], schema=["A"])
    with pytest.raises(SnowparkSQLException, match="Numeric value 'a' is not recognized"):
        frame.select(when(col("A").is_null(), lit("a")).when(col("A") == 1, lit(6))).collect()


def test_a_text_that_is_a_number_is_one_in_a_case(session: Session) -> None:
    rows = session.sql("select case when column1 = 1 then '7' else 6 end from values (1), (2)").collect()
    assert sorted(row[0] for row in rows) == [6, 7]


def test_a_wrong_regular_expression_is_refused_as_one(session: Session) -> None:
    with pytest.raises(SnowparkSQLException, match="Invalid regular expression"):
        session.sql("select column1 rlike '+*' from values ('a')").collect()


def test_rows_are_generated_by_their_number_only(session: Session) -> None:
    assert session.sql("select count(*) from table(generator(rowcount => 3, timelimit => 1))").collect()[0][0] == 3
    with pytest.raises(SnowparkSQLException, match="does not support GENERATOR by TIMELIMIT"):
        session.sql("select 1 from table(generator(timelimit => 1))").collect()
