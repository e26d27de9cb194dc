from __future__ import annotations

import datetime as dt
import tempfile
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intentscore.data.files import open_file
from intentscore.data.identity import NAMESPACE, Dating, Occurrences, completed, derived_dates, uuid_texts
from intentscore.data.schema import ATTRIBUTES, MONTHS, NUMBERS
from tests.data.sheets import SESSION, Row, column, session, write_csv

WHOLE = tuple(name for name in SESSION if not name.endswith(("Duration", "Rates", "Values", "Day")))
AS_IT_CAME = Dating(2024, spread_days=False)

sessions = st.fixed_dictionaries(
    {
        **{name: st.integers(0, 3).map(str) for name in SESSION},
        "BounceRates": st.sampled_from(["0", "0.2", "0.006451613", "1e-7"]),
        "PageValues": st.floats(0, 1e6).map(str),
        "Month": st.sampled_from(MONTHS),
        "VisitorType": st.sampled_from(["Returning_Visitor", "New_Visitor", "Other"]),
        "Weekend": st.sampled_from(["true", "false"]),
        "Revenue": st.sampled_from(["true", "false"]),
    }
)
files = st.lists(sessions, min_size=1, max_size=6)


def uids_of(rows: Sequence[Row]) -> list[str | None]:
    with tempfile.TemporaryDirectory() as folder:
        return column(open_file(write_csv(Path(folder) / "a.csv", rows)), "UID")


def uids(raw: pa.Table, dating: Dating = AS_IT_CAME) -> list[str]:
    found: list[str] = completed(raw, 1, dating, Occurrences())["UID"].to_pylist()
    return found


def raw_table(rows: Sequence[Row]) -> pa.Table:
    names = dict(zip(SESSION, (*ATTRIBUTES, "REVENUE"), strict=True))
    return pa.table({names[name]: pa.array([row[name] for row in rows]) for name in SESSION})


def test_the_uid_is_the_documented_uuid_of_the_attributes_and_the_occurrence(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [session(Month="June", ExitRates="0.0250", Browser=""), session()])
    text = ["2", "80.5", "0", "0", "12", "420.25", "0", "0.025", "12.5", "0", "Jun", "2", "", "1", "3"]
    name = "\x1f".join([*text, "Returning_Visitor", "false", "1"])
    assert column(open_file(path), "UID")[0] == str(uuid.uuid5(NAMESPACE, name))


def test_uids_stay_what_they_were_in_the_first_release(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [SESSION, SESSION])
    assert column(open_file(path), "UID") == [
        "29a099d2-6b63-56fb-b54b-d78366f76c3c",
        "85e5c175-2679-5e95-ba01-c10849538bd7",
    ]


@given(files)
def test_the_same_rows_have_the_same_distinct_uids(rows: list[dict[str, str]]) -> None:
    once, again = uids_of(rows), uids_of(rows)
    assert once == again
    assert len(set(once)) == len(rows)


@given(files, st.randoms(use_true_random=False))
def test_the_order_and_case_of_columns_do_not_change_uids(rows: list[dict[str, str]], random: Random) -> None:
    names = list(SESSION)
    random.shuffle(names)
    renamed = {name: random.choice((name.upper(), name.lower())) for name in names}
    assert uids_of([{renamed[name]: row[name] for name in names} for row in rows]) == uids_of(rows)


@given(files)
def test_csv_and_parquet_of_the_same_sessions_have_the_same_uids(rows: list[dict[str, str]]) -> None:
    typed = {
        name: pa.array([float(row[name]) if name not in WHOLE else int(row[name]) for row in rows])
        for name in SESSION
        if name not in ("Month", "VisitorType", "Weekend", "Revenue")
    }
    texts = {name: pa.array([row[name] for row in rows]) for name in ("Month", "VisitorType")}
    flags = {name: pa.array([row[name] == "true" for row in rows]) for name in ("Weekend", "Revenue")}
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table({**typed, **texts, **flags}), Path(folder) / "a.parquet")
        assert column(open_file(Path(folder) / "a.parquet"), "UID") == uids_of(rows)


@given(files, st.sampled_from(["1", "0"]), st.integers(2000, 2030), st.booleans())
def test_outcome_year_and_day_do_not_change_uids(
    rows: list[dict[str, str]], revenue: str, year: int, spread_days: bool
) -> None:
    later = [{**row, "Revenue": revenue} for row in rows]
    assert uids(raw_table(later), Dating(year, spread_days)) == uids(raw_table(rows))


@pytest.mark.parametrize("name", [name for name in SESSION if name != "Revenue"])
def test_every_attribute_counts(name: str) -> None:
    other = "Dec" if name == "Month" else "1" if name == "Weekend" else "7"
    assert uids(raw_table([SESSION])) != uids(raw_table([{**SESSION, name: other}]))


def test_a_date_that_came_with_the_file_counts_however_it_is_written(tmp_path: Path) -> None:
    plain, seventeenth, eighteenth, stamped = (
        column(open_file(write_csv(tmp_path / "a.csv", [{**SESSION, **date}])), "UID")
        for date in (
            {},
            {"Session_Date": "2024-11-17"},
            {"Session_Date": "2024-11-18"},
            {"Session_Date": "2024-11-17 00:00:00"},
        )
    )
    assert seventeenth == stamped
    assert len({plain[0], seventeenth[0], eighteenth[0]}) == 3


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (["0", "0.0", "0.00", "-0", "+0", ".0", "0e5"], "PageValues"),
        (["0.2", "0.20", "2e-1", ".2"], "BounceRates"),
        (["TRUE", "true", "True", "1", "t", "yes"], "Weekend"),
        (["June", "Jun", "JUN"], "Month"),
    ],
)
@pytest.mark.parametrize("beside", ["3", "abc", "NaN"])
def test_spellings_of_one_value_are_one_session(spellings: list[str], name: str, beside: str) -> None:
    row, other = SESSION, {**SESSION, "PageValues": beside, "Region": "9"}
    found = {uids(raw_table([{**row, name: spelling}, other]))[0] for spelling in spellings}
    assert len(found) == 1


def test_a_duplicate_keeps_its_uid_when_rows_are_added_after_it() -> None:
    rows = [SESSION, {**SESSION, "Region": "5"}, SESSION]
    assert uids(raw_table([*rows, SESSION, {**SESSION, "Region": "6"}]))[:3] == uids(raw_table(rows))


@given(st.lists(st.lists(st.integers(0, 6), max_size=30), max_size=6))
def test_occurrences_are_counted_over_all_batches(batches: list[list[int]]) -> None:
    occurrences, seen = Occurrences(), Counter[int]()
    for batch in batches:
        expected = []
        for key in batch:
            seen[key] += 1
            expected.append(seen[key])
        assert occurrences.number(np.array(batch, dtype=np.uint64)).tolist() == expected


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=5), st.sampled_from([5, 8]))
def test_uuid_texts_are_those_of_the_standard_library(raw: list[bytes], version: int) -> None:
    texts = uuid_texts(np.frombuffer(b"".join(raw), dtype=np.uint8).reshape(-1, 16), version).to_pylist()
    assert [uuid.UUID(text).version for text in texts] == [version] * len(raw)
    assert [str(uuid.UUID(text)) for text in texts] == texts
    fixed = int("ffffffffffff0fff3fffffffffffffff", 16)
    assert [uuid.UUID(text).int & fixed for text in texts] == [int.from_bytes(one, "big") & fixed for one in raw]


@given(
    st.integers(1900, 2100),
    st.sampled_from(MONTHS),
    st.sampled_from(["true", "false", "maybe", None]),
    st.uuids(),
)
def test_a_session_is_dealt_to_a_day_of_its_month_that_suits_its_weekend_flag(
    year: int, month: str, weekend: str | None, uid: uuid.UUID
) -> None:
    months, weekends, uids = (pa.array([text], pa.string()) for text in (month, weekend, str(uid)))
    day = dt.date.fromisoformat(derived_dates(months, weekends, uids, Dating(year, spread_days=True))[0].as_py())
    assert (day.year, MONTHS[day.month - 1]) == (year, month)
    if weekend in ("true", "false"):
        assert (day.weekday() >= 5) == (weekend == "true")


def test_a_months_sessions_reach_every_day_about_equally() -> None:
    n = 30_000
    months, names = pa.repeat("Nov", n), pa.array([f"u{number}" for number in range(n)])
    weekend = pa.array((["true"] * 9 + ["false"] * 21) * (n // 30))
    found = Counter(derived_dates(months, weekend, names, Dating(2024, spread_days=True)).to_pylist())
    assert len(found) == 30
    assert max(found.values()) < 1.25 * min(found.values())


def test_all_number_columns_are_canonical_in_the_uid() -> None:
    whole = {name: "3" for name, known in zip(SESSION, (*ATTRIBUTES, "REVENUE"), strict=True) if known in NUMBERS}
    decimals = dict.fromkeys(whole, "3.00")
    assert len(whole) == 14
    assert uids(raw_table([{**SESSION, **whole}])) == uids(raw_table([{**SESSION, **decimals}]))
