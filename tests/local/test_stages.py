from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import DictCursor, SnowflakeConnection
from snowflake.connector.errors import DatabaseError
from snowflake.snowpark import Session

from intentscore.local.engine import open_engine

Run = Callable[..., list[Any]]


@pytest.fixture
def run(connection: SnowflakeConnection) -> Run:
    """Runs statements and returns the rows of the last."""

    def run(*statements: str, **others: Any) -> list[Any]:
        cursor = connection.cursor(**others)
        for statement in statements:
            cursor.execute(statement)
        rows: list[Any] = cursor.fetchall()
        return rows

    run("CREATE STAGE S")
    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_text("1,one\n2,two\n")
    return path


def names(rows: list[Any]) -> list[str]:
    return [row[0] for row in rows]


def test_put_compresses_and_list_tells_size_and_digest(run: Run, file: Path) -> None:
    (put,) = run(f"PUT 'file://{file}' @S/day", cursor_class=DictCursor)
    assert (put["target"], put["status"], put["target_compression"]) == ("visits.csv.gz", "UPLOADED", "GZIP")
    ((name, size, digest, modified),) = run("LIST @S")
    assert name == "s/day/visits.csv.gz"
    assert size == put["target_size"]
    assert len(digest) == 32
    assert modified.endswith("GMT")


def test_an_address_with_one_more_slash_is_no_comment(run: Run, file: Path, tmp_path: Path) -> None:
    run(f"PUT file:///{file} @S AUTO_COMPRESS = FALSE")
    target = tmp_path / "got"
    target.mkdir()
    assert names(run(f"GET @S/{file.name} file:///{target}/")) == [file.name]
    assert (target / file.name).read_bytes() == file.read_bytes()


def test_put_takes_patterns_and_get_brings_the_files_back(run: Run, file: Path, tmp_path: Path) -> None:
    (tmp_path / "visits_2.csv").write_text("3,three\n")
    run(f"PUT 'file://{tmp_path}/visits*.csv' @S AUTO_COMPRESS = FALSE")
    target = tmp_path / "got"
    target.mkdir()
    run(f"GET @S 'file://{target}/' PATTERN = '.*_2[.]csv'")
    assert [path.name for path in target.iterdir()] == ["visits_2.csv"]
    run(f"GET @S/visits.csv 'file://{target}/'")
    assert (target / "visits.csv").read_text() == file.read_text()


def test_list_and_remove_take_patterns_and_folders(run: Run, file: Path) -> None:
    for folder in ("a", "a/b", "c"):
        run(f"PUT 'file://{file}' @S/{folder} AUTO_COMPRESS = FALSE")
    assert names(run("LIST @S/a")) == ["s/a/b/visits.csv", "s/a/visits.csv"]
    assert names(run("LIST @S PATTERN = '.*b/.*'")) == ["s/a/b/visits.csv"]
    assert run("REMOVE @S PATTERN = '^a/.*'") == [("s/a/b/visits.csv", "removed"), ("s/a/visits.csv", "removed")]
    assert names(run("LIST @S")) == ["s/c/visits.csv"]


def test_streams_go_both_ways(session: Session) -> None:
    session.sql("CREATE STAGE S").collect()
    session.file.put_stream(io.BytesIO(b"a\nb\n"), "@S/folder/letters.txt")
    with session.file.get_stream("@S/folder/letters.txt.gz", decompress=True) as stream:
        assert stream.read() == b"a\nb\n"


def test_user_and_table_stages(run: Run, file: Path) -> None:
    run("CREATE TABLE T (N INT, S TEXT)", f"PUT 'file://{file}' @%T", f"PUT 'file://{file}' @~/files_of_the_user")
    assert len(run("LIST @%T")) == 1
    assert run("COPY INTO T FROM @%T")[0][1:4] == ("LOADED", 2, 2)
    assert names(run("LIST @~/files_of_the_user")) == ["files_of_the_user/visits.csv.gz"]
    run("REMOVE @~/files_of_the_user")


@pytest.mark.parametrize(
    "place",
    [
        "@S/../../secret",
        "@S/a/../../../secret",
        "'@S//../..//secret'",
        "'@S/../../'",
        "@~/../../databases",
        "@%T/../..",
    ],
)
def test_no_path_leaves_its_stage(run: Run, file: Path, tmp_path: Path, place: str) -> None:
    run("CREATE TABLE T (N INT, S TEXT)")
    for statement in (
        f"PUT 'file://{file}' {place}",
        f"GET {place} 'file://{tmp_path}/'",
        f"LIST {place}",
        f"REMOVE {place}",
        f"COPY INTO {place} FROM (SELECT 1 AS N)",
        f"COPY INTO T FROM {place}",
        f"COPY FILES INTO {place} FROM @S",
        f"SELECT $1 FROM {place}",
    ):
        with pytest.raises(DatabaseError, match="leaves the stage"):
            run(statement)


def test_files_named_by_a_load_stay_in_the_stage(run: Run) -> None:
    run("CREATE TABLE T (N INT)")
    with pytest.raises(DatabaseError, match="leaves the stage"):
        run("COPY INTO T FROM @S FILES = ('../../../endpoint.json')")


def test_an_absolute_path_is_one_within_the_stage(run: Run, file: Path) -> None:
    run(f"PUT 'file://{file}' '@S//tmp' AUTO_COMPRESS = FALSE")
    assert names(run("LIST @S")) == ["s/tmp/visits.csv"]
    assert run("LIST '@S//etc/passwd'") == []


def test_a_symbolic_link_in_a_stage_shows_nothing_from_outside(tmp_path: Path) -> None:
    with open_engine(tmp_path / "home", print) as endpoint:
        connection = snowflake.connector.connect(**endpoint.connection_parameters())
        cursor = connection.cursor()
        cursor.execute("CREATE STAGE S")
        (folder,) = (p for p in (tmp_path / "home/engine/stages").iterdir() if not p.name.startswith("_"))
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret.csv").write_text("secret\n")
        (folder / "link").symlink_to(outside)
        (folder / "secret.csv").symlink_to(outside / "secret.csv")
        cursor.execute("LIST @S")
        assert cursor.fetchall() == []
        for place in ("@S/link", "@S/link/secret.csv", "@S/secret.csv"):
            with pytest.raises(DatabaseError, match="leaves the stage"):
                cursor.execute(f"LIST {place}")
        connection.close()


def test_stage_names_in_quotes_may_hold_anything(run: Run, file: Path) -> None:
    run('CREATE STAGE "odd \'n/ame"', f"PUT 'file://{file}' '@\"odd ''n/ame\"/x y'")
    assert len(run("LIST '@\"odd ''n/ame\"/x y'")) == 1


def test_copy_files_takes_a_stage_a_pattern_or_a_query(run: Run, session: Session, file: Path) -> None:
    run("CREATE STAGE OTHER", f"PUT 'file://{file}' @S/a AUTO_COMPRESS = FALSE")
    assert run("COPY FILES INTO @OTHER/b/ FROM @S/a/") == [("b/visits.csv",)]
    assert run("COPY FILES INTO @OTHER/c/ FROM @S PATTERN = '.*nothing' DETAILED_OUTPUT = FALSE") == [(0,)]
    frame = session.create_dataframe([["@S/a/visits.csv", "renamed.csv"]], schema=["U", "N"])
    copied = session.file.copy_files(frame, "@OTHER/d/")
    assert str(copied[0] if isinstance(copied, list) else copied).endswith("OTHER/d/renamed.csv")
    assert names(run("LIST @OTHER")) == ["other/b/visits.csv", "other/d/renamed.csv"]
    with pytest.raises(DatabaseError, match="was not found"):
        run("COPY FILES INTO @OTHER FROM @S/a/ FILES = ('missing.csv')")


def test_stages_and_formats_are_shown_described_and_altered(run: Run) -> None:
    run(
        "CREATE FILE FORMAT F TYPE = CSV SKIP_HEADER = 1 COMMENT = 'with a header'",
        "CREATE OR REPLACE STAGE S FILE_FORMAT = (FORMAT_NAME = 'F') DIRECTORY = (ENABLE = TRUE)",
        "ALTER STAGE S SET COMMENT = 'arrivals'",
    )
    (stage,) = run("SHOW STAGES LIKE 's'", cursor_class=DictCursor)
    assert (stage["type"], stage["comment"], stage["directory_enabled"]) == ("INTERNAL", "arrivals", "Y")
    described = {(row[0], row[1]): row[3] for row in run("DESC STAGE S")}
    assert described["STAGE_FILE_FORMAT", "SKIP_HEADER"] == "1"
    assert not described["STAGE_LOCATION", "URL"]
    (form,) = run("SHOW FILE FORMATS", cursor_class=DictCursor)
    assert (form["name"], form["type"], form["comment"]) == ("F", "CSV", "with a header")
    run("ALTER FILE FORMAT F SET SKIP_HEADER = 2")
    assert {row[0]: row[2] for row in run("DESC FILE FORMAT F")}["SKIP_HEADER"] == "2"


def test_delimiters_are_described_as_they_are_written(run: Run) -> None:
    run(
        r"CREATE FILE FORMAT F TYPE = CSV FIELD_OPTIONALLY_ENCLOSED_BY = '\"' ESCAPE = '\\'"
        " ESCAPE_UNENCLOSED_FIELD = none"
    )
    described = {row[0]: row[2] for row in run("DESC FILE FORMAT F")}
    wanted = {"FIELD_OPTIONALLY_ENCLOSED_BY": r"\"", "ESCAPE": r"\\", "ESCAPE_UNENCLOSED_FIELD": "NONE",
              "RECORD_DELIMITER": r"\n", "NULL_IF": r"[\\N]"}  # fmt: skip
    assert {name: described[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("TYPE = CSV STRIP_OUTER_ARRAY = TRUE", "invalid parameter 'STRIP_OUTER_ARRAY'"),
        ("TYPE = JSON STRIP_OUTER_ARRAY = MAYBE", "invalid value"),
        ("TYPE = EXCEL", "file format EXCEL"),
    ],
)
def test_formats_refuse_what_their_type_does_not_have(run: Run, options: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message):
        run(f"CREATE FILE FORMAT F {options}")


def test_gzip_in_a_stage_is_what_was_put(run: Run, file: Path, tmp_path: Path) -> None:
    run(f"PUT 'file://{file}' @S", f"GET @S 'file://{tmp_path}/'")
    assert gzip.decompress((tmp_path / "visits.csv.gz").read_bytes()) == file.read_bytes()
