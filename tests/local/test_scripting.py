from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Row, Session


def run(connection: SnowflakeConnection, statement: str, *values: Any) -> list[Any]:
    return connection.cursor().execute(statement, values or None).fetchall()  # type: ignore[union-attr]


def answer(connection: SnowflakeConnection, block: str) -> Any:
    """What a block returns, as the clients send one."""
    ((value,),) = run(connection, f"EXECUTE IMMEDIATE $${block}$$")
    return value


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("BEGIN RETURN 1 + 1; END", 2),
        ("DECLARE a NUMBER(10, 2) DEFAULT 1.5; b INT := 2; BEGIN RETURN a * b; END;", Decimal("3.00")),
        ("BEGIN LET n INT := '7'; n := n + 0.6; RETURN n; END", 8),
        ("BEGIN LET s := 'it''s'; RETURN s || ' ' || :s; END", "it's it's"),
        ("BEGIN LET d := '2026-01-31'::DATE; RETURN TO_VARCHAR(DATEADD(DAY, 1, d)); END", "2026-02-01"),
        ("BEGIN LET v := PARSE_JSON('{\"a\": [1, 2]}'); RETURN v:a[1]::INT; END", 2),
        ("BEGIN LET x := 5; BEGIN LET x := 6; END; RETURN x; END", 5),
        ("BEGIN LET x INT; NULL; END", None),
        ("BEGIN SET of_session = 4; LET x := $of_session + 1; RETURN x; END", 5),
        ("BEGIN LET x := 3; IF (x > 5) THEN RETURN 'big'; ELSEIF (x > 2) THEN RETURN 'mid'; END IF; END", "mid"),
        ("BEGIN LET x := 3; CASE (x) WHEN 1 THEN RETURN 'one'; ELSE RETURN 'more'; END CASE; END", "more"),
        ("BEGIN LET x := 3; RETURN CASE WHEN x = 3 THEN 'three' ELSE 'no' END; END", "three"),
        ("BEGIN LET t := 0; FOR i IN 1 TO 4 DO t := t + i; END FOR; RETURN t; END", 10),
        ("BEGIN LET t := ''; FOR i IN REVERSE 1 TO 3 DO t := t || i; END FOR; RETURN t; END", "321"),
        ("BEGIN LET n := 0; WHILE (n < 5) DO n := n + 2; END WHILE; RETURN n; END", 6),
        ("BEGIN LET n := 9; REPEAT n := n + 1; UNTIL (n > 3) END REPEAT; RETURN n; END", 10),
        ("BEGIN LET n := 0; LOOP n := n + 1; IF (n = 4) THEN BREAK; END IF; END LOOP; RETURN n; END", 4),
        (
            "BEGIN LET n := 0; FOR i IN 1 TO 3 DO FOR j IN 1 TO 3 DO IF (j = 2) THEN CONTINUE outer; END IF; "
            "n := n + 1; END FOR; END FOR outer; RETURN n; END",
            3,
        ),
    ],
)
def test_blocks_compute(connection: SnowflakeConnection, block: str, expected: Any) -> None:
    assert answer(connection, block) == expected


def test_a_block_needs_no_quotes_and_names_its_column(connection: SnowflakeConnection) -> None:
    cursor = connection.cursor()
    cursor.execute("BEGIN LET x := 2; RETURN x; END;")
    assert (cursor.fetchall(), cursor.description[0].name) == ([(2,)], "anonymous block")


def test_variables_go_into_statements_and_come_out_of_them(connection: SnowflakeConnection) -> None:
    run(connection, "CREATE TABLE T (ID INT, DOC VARIANT)")
    block = """
    DECLARE
        n INT;
        id INT DEFAULT 7;
        name VARCHAR := 'T';
    BEGIN
        INSERT INTO T SELECT :id, PARSE_JSON('{"id": 8}');
        LET inserted := SQLROWCOUNT;
        SELECT DOC:id INTO :n FROM IDENTIFIER(:name) WHERE id = :id LIMIT 1;
        UPDATE T SET ID = :n WHERE FALSE;
        RETURN inserted || ' ' || n || ' ' || SQLNOTFOUND || ' ' || (SELECT COUNT(*) FROM T WHERE ID = :id);
    END"""
    assert answer(connection, block) == "1 8 true 1"
    assert answer(connection, "BEGIN LET n := 1; SELECT ID INTO :n FROM T WHERE FALSE; RETURN n IS NULL; END") is True


def test_rows_are_walked_and_returned(connection: SnowflakeConnection) -> None:
    run(connection, "CREATE TABLE T AS SELECT * FROM VALUES (1, 'a'), (2, 'b'), (3, 'c') V(ID, NAME)")
    block = """
    DECLARE
        rows_above CURSOR FOR SELECT ID, NAME FROM T WHERE ID > ? ORDER BY ID;
        found RESULTSET DEFAULT (SELECT ID FROM T ORDER BY ID);
        least INT DEFAULT 1; first INT; name VARCHAR; text VARCHAR DEFAULT '';
    BEGIN
        OPEN rows_above USING (least);
        FETCH rows_above INTO first, name;
        CLOSE rows_above;
        FOR row_ IN found DO
            text := text || row_.id || ',';
        END FOR;
        RETURN text || first || name;
    END"""
    assert answer(connection, block) == "1,2,3,2b"
    table = "BEGIN LET q := 'SELECT NAME FROM T WHERE ID >= ?'; LET least := 2; "
    table += "LET r RESULTSET := (EXECUTE IMMEDIATE :q USING (least)); RETURN TABLE(r); END"
    assert run(connection, f"EXECUTE IMMEDIATE $${table}$$") == [("b",), ("c",)]
    scanned = "BEGIN SHOW TABLES LIKE 'T'; LET n := (SELECT \"rows\" FROM TABLE(RESULT_SCAN(:SQLID))); RETURN n; END"
    assert answer(connection, scanned) == 3


def test_exceptions_find_their_handler(connection: SnowflakeConnection) -> None:
    handled = """
    DECLARE
        mine EXCEPTION (-20002, 'too late');
    BEGIN
        BEGIN
            LET x := 1 / 0;
        EXCEPTION
            WHEN STATEMENT_ERROR THEN RETURN 'wrong handler';
            WHEN EXPRESSION_ERROR THEN RAISE mine;
        END;
    EXCEPTION
        WHEN mine THEN RETURN SQLCODE || ' ' || SQLERRM || ' ' || SQLSTATE;
    END"""
    assert answer(connection, handled) == "-20002 too late P0001"
    assert answer(connection, "BEGIN SELECT * FROM MISSING; EXCEPTION WHEN OTHER THEN RETURN SQLCODE; END") == 2003


def test_an_exception_nobody_handles_tells_its_place(connection: SnowflakeConnection) -> None:
    with pytest.raises(ProgrammingError, match=r"'STATEMENT_ERROR' on line 2 at position 2 : (.|\n)*MISSING") as caught:
        answer(connection, "BEGIN\n  SELECT * FROM MISSING;\nEXCEPTION WHEN OTHER THEN RAISE;\nEND")
    assert caught.value.errno == 2003
    with pytest.raises(ProgrammingError, match="'MINE' on line 1") as caught:
        answer(connection, "DECLARE mine EXCEPTION (-20005, 'no'); BEGIN RAISE mine; END")
    assert (caught.value.errno, caught.value.sqlstate) == (-20005, "P0001")


def test_a_block_holds_transactions(connection: SnowflakeConnection) -> None:
    run(connection, "CREATE TABLE T (ID INT)")
    answer(connection, "BEGIN BEGIN TRANSACTION; INSERT INTO T VALUES (1); ROLLBACK; INSERT INTO T VALUES (2); END")
    assert run(connection, "SELECT ID FROM T") == [(2,)]


def test_procedures_in_sql(session: Session) -> None:
    session.sql("CREATE TABLE T AS SELECT 1 AS ID").collect()
    session.sql(
        "CREATE PROCEDURE ADD_ROWS(first INT, how_many INT DEFAULT 2) RETURNS VARCHAR LANGUAGE SQL AS $$"
        "BEGIN FOR i IN 0 TO how_many - 1 DO INSERT INTO T VALUES (:first + :i); END FOR;"
        " RETURN (SELECT SUM(ID) FROM T); END $$"
    ).collect()
    assert session.call("ADD_ROWS", 10) == "22"
    session.sql(
        "CREATE PROCEDURE ABOVE(least INT) RETURNS TABLE (NUMBER_ INT) LANGUAGE SQL EXECUTE AS CALLER AS "
        "DECLARE r RESULTSET DEFAULT (SELECT ID FROM T WHERE ID >= :least ORDER BY ID); BEGIN RETURN TABLE(r); END"
    ).collect()
    assert session.sql("CALL ABOVE(10)").collect() == [Row(NUMBER_=10), Row(NUMBER_=11)]
    called = "BEGIN LET sum INT; CALL ADD_ROWS(0, 0) INTO :sum; RETURN sum; END"
    assert session.sql(called).collect()[0][0] == 22


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ("BEGIN LET r RESULTSET := ASYNC (SELECT 1); AWAIT r; END", "ASYNC"),
        ("DECLARE p PROCEDURE() RETURNS INT AS BEGIN RETURN 1; END; BEGIN NULL; END", "procedure within"),
        ("BEGIN NULL; EXCEPTION WHEN OTHER CONTINUE THEN NULL; END", "CONTINUE handler"),
        ("BEGIN IF (TRUE) RETURN 1; END IF; END", "syntax error"),
        ("BEGIN SELECT :missing; END", "MISSING not set"),
        ("BEGIN RETURN missing; END", "invalid identifier 'MISSING'"),
    ],
)
def test_what_is_not_known_is_refused_by_name(connection: SnowflakeConnection, block: str, named: str) -> None:
    with pytest.raises(ProgrammingError, match=named):
        answer(connection, block)


def test_a_procedure_that_does_not_parse_is_not_created(connection: SnowflakeConnection) -> None:
    with pytest.raises(ProgrammingError, match="syntax error"):
        run(connection, "CREATE PROCEDURE P() RETURNS INT LANGUAGE SQL AS $$BEGIN RETURN 1 END$$")
    assert run(connection, "SHOW PROCEDURES LIKE 'P'") == []


def test_a_block_that_never_ends_can_be_cancelled(connection: SnowflakeConnection) -> None:
    block = "BEGIN LOOP BEGIN SELECT 1; EXCEPTION WHEN OTHER THEN NULL; END; END LOOP; END"
    cursor = connection.cursor()
    cursor.execute_async(block)
    time.sleep(0.2)  # the block runs
    run(connection, f"SELECT SYSTEM$CANCEL_QUERY('{cursor.sfqid}')")
    while connection.is_still_running(status := connection.get_query_status(str(cursor.sfqid))):
        time.sleep(0.02)
    assert connection.is_an_error(status)


def test_the_statements_of_a_staged_file_run(connection: SnowflakeConnection, tmp_path: Path) -> None:
    (tmp_path / "load.sql").write_text(
        "CREATE TABLE T (A INT); -- first\nBEGIN FOR i IN 1 TO 3 DO INSERT INTO T VALUES (:i); END FOR; END;\n"
        "SELECT SUM(A) FROM T;"
    )
    run(connection, "CREATE STAGE FILES")
    run(connection, f"PUT 'file://{tmp_path}/load.sql' @FILES AUTO_COMPRESS = FALSE")
    assert run(connection, "EXECUTE IMMEDIATE FROM @FILES/load.sql") == [(6,)]
    with pytest.raises(ProgrammingError, match="USING of EXECUTE IMMEDIATE FROM"):
        run(connection, "EXECUTE IMMEDIATE FROM @FILES/load.sql USING (n => 1)")
    with pytest.raises(ProgrammingError, match=r"File 'none\.sql' does not exist"):
        run(connection, "EXECUTE IMMEDIATE FROM @FILES/none.sql")


def test_comments_may_stand_before_a_block(connection: SnowflakeConnection) -> None:
    assert run(connection, "-- a\n/* b\n */ DECLARE x INT := 3; BEGIN RETURN x; END") == [(3,)]
