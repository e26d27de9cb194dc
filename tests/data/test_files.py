from __future__ import annotations

import datetime as dt
import decimal
import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from intentscore.data.files import open_file
from intentscore.data.schema import ATTRIBUTES, BATCH_SCHEMA, RAW_COLUMNS
from intentscore.data.source import BATCH_ROWS
from intentscore.errors import DataError, UsageError
from tests.data.sheets import SESSION, all_sessions, column, session, write_csv

TYPED = {
    "Administrative": pa.array([2], pa.int64()),
    "Administrative_Duration": pa.array([80.5], pa.float64()),
    "Informational": pa.array([0.0], pa.float64()),
    "Informational_Duration": pa.array([0], pa.int16()),
    "ProductRelated": pa.array([12.0], pa.float32()),
    "ProductRelated_Duration": pa.array([decimal.Decimal("420.2500")]),
    "BounceRates": pa.array([-0.0], pa.float64()),
    "ExitRates": pa.array([0.025], pa.float32()),
    "PageValues": pa.array([12.5], pa.float64()),
    "SpecialDay": pa.array([0], pa.int8()),
    "Month": pa.array(["Nov"]).dictionary_encode(),
    "OperatingSystems": pa.array([2], pa.uint8()),
    "Browser": pa.array(["2"]),
    "Region": pa.array([1]),
    "TrafficType": pa.array([3]),
    "VisitorType": pa.array(["Returning_Visitor"], pa.large_string()),
    "Weekend": pa.array([False]),
    "Revenue": pa.array([True]),
}


def refusal(path: Path) -> str:
    """The one line with which a file is refused, on opening it or while reading it."""
    with pytest.raises(DataError) as caught:
        all_sessions(open_file(path))
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    assert ";" in str(caught.value), "a refusal says what to do next"
    return str(caught.value)


def test_a_batch_has_every_column_as_text_and_the_row_numbers(tmp_path: Path) -> None:
    sessions = all_sessions(open_file(write_csv(tmp_path / "a.csv", [session(), session(Region="4")])))
    assert sessions.schema == BATCH_SCHEMA
    assert sessions.schema.names == [*RAW_COLUMNS, "ROW_NUMBER"]
    assert sessions["ROW_NUMBER"].to_pylist() == [1, 2]
    assert sessions["REGION"].to_pylist() == ["1", "4"]
    assert sessions["REVENUE"].to_pylist() == ["TRUE", "TRUE"]


@pytest.mark.parametrize("rename", [str.upper, str.lower, lambda name: name.replace("_", ""), lambda n: f" {n} "])
def test_columns_are_found_whatever_their_case_and_underscores(tmp_path: Path, rename: Callable[[str], str]) -> None:
    renamed = write_csv(tmp_path / "a.csv", [{rename(name): value for name, value in SESSION.items()}])
    plain = write_csv(tmp_path / "b.csv", [SESSION])
    assert all_sessions(open_file(renamed)) == all_sessions(open_file(plain))


def test_snake_case_columns_and_columns_of_another_kind_are_welcome(tmp_path: Path) -> None:
    row = {**SESSION, "loaded_at": "x", "": "y"}
    row["product_related_duration"] = row.pop("ProductRelated_Duration")
    assert column(open_file(write_csv(tmp_path / "a.csv", [row])), "PRODUCT_RELATED_DURATION") == ["420.25"]


@pytest.mark.parametrize(("encoding", "line_end"), [("utf-8", "\r\n"), ("utf-8", "\n"), ("utf-8-sig", "\r\n")])
def test_line_ends_and_a_byte_order_mark_make_no_difference(tmp_path: Path, encoding: str, line_end: str) -> None:
    rows = [session(), session(Month="Dec")]
    path = write_csv(tmp_path / "a.csv", rows, encoding=encoding, line_end=line_end)
    plain = write_csv(tmp_path / "b.csv", rows)
    assert all_sessions(open_file(path)) == all_sessions(open_file(plain))


def test_gzipped_csv_is_read(tmp_path: Path) -> None:
    plain = write_csv(tmp_path / "a.csv", [session(), session(Month="Dec")])
    zipped = tmp_path / "a.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert all_sessions(open_file(zipped)) == all_sessions(open_file(plain))


def test_quoted_text_may_hold_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [session(VisitorType='a, "b"\nc'), session(Month="Dec")])
    sessions = all_sessions(open_file(path))
    assert sessions["VISITOR_TYPE"].to_pylist() == ['a, "b"\nc', "Returning_Visitor"]
    assert sessions["ROW_NUMBER"].to_pylist() == [1, 2]


def test_values_are_trimmed_and_empty_ones_are_null(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [session(Region=" 4 ", Browser="", VisitorType="  ", Revenue="")])
    (found,) = all_sessions(open_file(path)).to_pylist()
    assert (found["REGION"], found["BROWSER"], found["VISITOR_TYPE"], found["REVENUE"]) == (
        "4",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("name", [name for name in SESSION if name != "Month"])
@pytest.mark.parametrize("value", ["abc", "NaN", "-5", "1e400", "null", "0.50"])
def test_wrong_values_are_passed_through_for_the_warehouse_to_judge(tmp_path: Path, name: str, value: str) -> None:
    path = write_csv(tmp_path / "a.csv", [session(**{name: value})])
    canonical = {bare(found): found for found in RAW_COLUMNS}[bare(name)]
    assert column(open_file(path, spread_days=True), canonical) == [value]


def bare(name: str) -> str:
    return name.replace("_", "").lower()


@pytest.mark.parametrize(
    ("text", "month", "date"),
    [
        ("June", "Jun", "2023-06-01"),
        ("JUN", "Jun", "2023-06-01"),
        ("feb", "Feb", "2023-02-01"),
        ("September", "Sep", "2023-09-01"),
        ("Sept", "Sep", "2023-09-01"),
        ("Foo", "Foo", None),
        ("13", "13", None),
        ("", None, None),
    ],
)
@pytest.mark.parametrize("spread_days", [False, True])
def test_a_month_gets_its_short_name_and_its_date(
    tmp_path: Path, text: str, month: str | None, date: str | None, spread_days: bool
) -> None:
    source = open_file(write_csv(tmp_path / "a.csv", [session(Month=text)]), year=2023, spread_days=spread_days)
    (found,) = all_sessions(source).to_pylist()
    assert found["MONTH"] == month
    assert found["SESSION_DATE"] == date or (spread_days and date and found["SESSION_DATE"][:7] == date[:7])


def test_dates_uids_and_outcomes_of_the_file_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = [
        {**session(), "uid": "u-1", "session_date": "2024-11-17"},
        {**session(), "uid": "", "session_date": "yesterday"},
    ]
    sessions = all_sessions(open_file(write_csv(tmp_path / "a.csv", rows), year=2020, spread_days=True))
    assert sessions["UID"].to_pylist() == ["u-1", None]
    assert sessions["SESSION_DATE"].to_pylist() == ["2024-11-17", "yesterday"]


def test_the_outcome_may_be_absent(tmp_path: Path) -> None:
    row = {name: value for name, value in SESSION.items() if name != "Revenue"}
    assert column(open_file(write_csv(tmp_path / "a.csv", [row])), "REVENUE") == [None]


def test_typed_parquet_is_the_same_sessions_as_the_text_of_a_csv(tmp_path: Path) -> None:
    pq.write_table(pa.table(TYPED), tmp_path / "a.parquet")
    parquet = open_file(tmp_path / "a.parquet")
    (typed,) = all_sessions(parquet).to_pylist()
    (text,) = all_sessions(open_file(write_csv(tmp_path / "a.csv", [SESSION]))).to_pylist()
    assert parquet.rows == 1
    assert (typed["WEEKEND"], typed["REVENUE"], typed["BOUNCE_RATES"]) == ("false", "true", "-0")
    same = [name for name in RAW_COLUMNS if name not in ("WEEKEND", "REVENUE", "BOUNCE_RATES")]
    assert {name: typed[name] for name in same} == {name: text[name] for name in same}


@pytest.mark.parametrize(
    "dates",
    [
        pa.array([dt.date(2024, 11, 17)]),
        pa.array([dt.date(2024, 11, 17)], pa.date64()),
        pa.array([dt.datetime(2024, 11, 17, 13, 5)], pa.timestamp("ns")),
        pa.array([dt.datetime(2024, 11, 18, 2)], pa.timestamp("us", "UTC")).cast(
            pa.timestamp("us", "America/New_York")
        ),
        pa.array(["2024-11-17"]),
    ],
    ids=lambda dates: str(dates.type),
)
def test_parquet_dates_become_days(tmp_path: Path, dates: pa.Array) -> None:
    pq.write_table(pa.table({**TYPED, "Session_Date": dates}), tmp_path / "a.parquet")
    assert column(open_file(tmp_path / "a.parquet"), "SESSION_DATE") == ["2024-11-17"]


def test_parquet_nulls_and_nan_are_passed_through(tmp_path: Path) -> None:
    odd = {**TYPED, "PageValues": pa.array([float("nan")]), "Region": pa.array([None], pa.int64())}
    pq.write_table(pa.table(odd), tmp_path / "a.parquet")
    (found,) = all_sessions(open_file(tmp_path / "a.parquet")).to_pylist()
    assert (found["PAGE_VALUES"], found["REGION"]) == ("nan", None)


def test_a_long_file_comes_in_batches_with_running_row_numbers(tmp_path: Path) -> None:
    n = BATCH_ROWS + 25_000
    table = pa.table({name: pa.repeat(values[0], n) for name, values in TYPED.items() if name != "Month"})
    table = table.append_column("Month", pa.repeat("Nov", n))
    pq.write_table(table, tmp_path / "a.parquet")
    line = ",".join(SESSION.values())
    (tmp_path / "a.csv").write_text("\n".join([",".join(SESSION), *[line] * n]))
    for name in ("a.parquet", "a.csv"):
        batches = list(open_file(tmp_path / name).batches())
        assert len(batches) > 1
        assert pa.concat_tables(batches)["ROW_NUMBER"].to_pylist() == list(range(1, n + 1))
        assert len(set(pa.concat_tables(batches)["UID"].to_pylist())) == n


def test_a_source_can_be_read_again_and_its_fingerprint_follows_the_content(tmp_path: Path) -> None:
    source = open_file(write_csv(tmp_path / "a.csv", [session()]))
    assert all_sessions(source) == all_sessions(source)
    same = open_file(write_csv(tmp_path / "b.csv", [session()]))
    other = open_file(write_csv(tmp_path / "c.csv", [session(Region="2")]))
    assert source.fingerprint() == same.fingerprint() != other.fingerprint()
    assert str(source.fingerprint()).startswith("sha256:")


def test_a_missing_file_a_folder_and_another_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    assert "does not exist" in refusal(tmp_path / "no.csv")
    assert "is a folder" in refusal(tmp_path / "folder.csv")
    assert "neither CSV nor Parquet" in refusal(tmp_path / "a.xlsx")


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert "is empty" in refusal(tmp_path / name)


@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_a_header_without_sessions_is_refused(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.csv").write_text(",".join(SESSION) + end, newline="")
    assert "no sessions" in refusal(tmp_path / "a.csv")


def test_a_parquet_file_without_sessions_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table(TYPED).slice(0, 0), tmp_path / "a.parquet")
    assert "no sessions" in refusal(tmp_path / "a.parquet")


def test_missing_columns_are_named_with_what_was_found(tmp_path: Path) -> None:
    row = {name: value for name, value in SESSION.items() if name not in ("PageValues", "Month")}
    message = refusal(write_csv(tmp_path / "a.csv", [row]))
    assert "missing columns PAGE_VALUES, MONTH (found: Administrative, " in message
    pq.write_table(pa.table({"Foo": [1]}), tmp_path / "a.parquet")
    assert f"missing columns {', '.join(ATTRIBUTES)} (found: Foo)" in refusal(tmp_path / "a.parquet")


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    message = refusal(write_csv(tmp_path / "a.csv", [{**SESSION, "page_values": "3"}]))
    assert "'PageValues' and 'page_values' both mean PAGE_VALUES" in message


@pytest.mark.parametrize("lines", [3, 3_000, 120_000])
@pytest.mark.parametrize(("extra", "count"), [(",9", 19), (None, 17)])
def test_a_ragged_line_is_named(tmp_path: Path, lines: int, extra: str | None, count: int) -> None:
    line = ",".join(SESSION.values())
    ragged = line + extra if extra else line.rpartition(",")[0]
    (tmp_path / "a.csv").write_text("\n".join([",".join(SESSION), *[line] * (lines - 1), ragged, line]))
    assert f"row {lines} has {count} values where the header has 18" in refusal(tmp_path / "a.csv")


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    rows = [session(), session(VisitorType="Zurück")]
    assert "row 2 is not UTF-8" in refusal(write_csv(tmp_path / "a.csv", rows, encoding="latin-1"))
    assert "header is not UTF-8" in refusal(write_csv(tmp_path / "b.csv", rows, encoding="utf-16"))


@pytest.mark.parametrize(("rows", "words"), [(3, "row 2 has 1 values"), (130_000, "never closed")])
def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path, rows: int, words: str) -> None:
    line = ",".join(SESSION.values())
    (tmp_path / "a.csv").write_text("\n".join([",".join(SESSION), line, '"' + line, *[line] * rows]))
    assert words in refusal(tmp_path / "a.csv")


def test_blank_lines_are_no_sessions(tmp_path: Path) -> None:
    line = ",".join(SESSION.values())
    path = tmp_path / "a.csv"
    path.write_text("\n\n".join(["", ",".join(SESSION), line, line, ""]))
    assert all_sessions(open_file(path))["ROW_NUMBER"].to_pylist() == [1, 2]
    path.write_text("\n\n".join(["", ",".join(SESSION), line, line + ",9", ""]))
    assert "row 2 has 19 values" in refusal(path)


def test_a_broken_gzip_is_refused(tmp_path: Path) -> None:
    content = gzip.compress(write_csv(tmp_path / "a.csv", [SESSION] * 5_000).read_bytes())
    (tmp_path / "half.csv.gz").write_bytes(content[: len(content) // 2])
    (tmp_path / "spoilt.csv.gz").write_bytes(content[:20] + b"spoilt" + content[26:])
    assert "cannot be read" in refusal(tmp_path / "half.csv.gz")
    assert "cannot be read" in refusal(tmp_path / "spoilt.csv.gz")


def test_broken_parquet_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({name: pa.repeat(values[0], 5_000) for name, values in TYPED.items()}), tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    for number, content in enumerate((b"PAR1", b"not parquet", whole[:-100], b"PAR1" + b"\xff" * 900 + whole[904:])):
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(content)
        assert "not a readable Parquet file" in refusal(path)


def test_a_parquet_column_of_lists_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({**TYPED, "Region": pa.array([[1, 2]])}), tmp_path / "a.parquet")
    assert "column 'Region' is list<" in refusal(tmp_path / "a.parquet")


@pytest.mark.parametrize("year", [0, 24, 20240])
def test_a_year_out_of_range_is_refused(tmp_path: Path, year: int) -> None:
    path = write_csv(tmp_path / "a.csv", [SESSION])
    with pytest.raises(UsageError, match="between 1900 and 9999"):
        open_file(path, year=year)
