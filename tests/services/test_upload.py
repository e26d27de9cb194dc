from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Literal

import pytest

from intentscore.data.files import open_file
from intentscore.errors import DataError, DataProblems
from intentscore.services.features import refresh_features
from intentscore.services.upload import UploadResult, upload
from tests.services.conftest import HAVE_DATASET, Trained, Workspace
from tests.services.sheets import session_file


def load(
    work: Workspace,
    path: Path,
    *changes: dict[str, str],
    on_error: Literal["abort", "skip"] = "abort",
    rejects: Path | None = None,
) -> UploadResult:
    file = session_file(path / "sessions.csv", *changes)
    return upload(work.session, work.settings, open_file(file), on_error=on_error, rejects=rejects)


def rejected_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def refusal(work: Workspace, path: Path, *changes: dict[str, str], rejects: Path | None = None) -> DataProblems:
    with pytest.raises(DataError) as caught:
        load(work, path, *changes, rejects=rejects)
    assert caught.value.details is not None
    assert "\n" not in str(caught.value)
    return caught.value.details


@pytest.mark.skipif(not HAVE_DATASET, reason="needs INTENTSCORE_DATASET")
def test_the_published_sessions_all_arrive(trained: Trained) -> None:
    work = trained.workspace
    assert work.value("SELECT COUNT(*) FROM SESSIONS") == 12_330
    assert work.value("SELECT COUNT_IF(REVENUE) FROM SESSIONS") == 1_908
    assert work.value("SELECT COUNT(*) FROM SESSIONS WHERE SESSION_DATE = '2024-11-01'::DATE") == 2_998


def test_every_row_of_the_source_is_a_session(trained: Trained) -> None:
    uploaded = trained.uploaded
    assert uploaded.inserted == uploaded.rows_read > 0
    counted = trained.workspace.rows("SELECT COUNT(*), COUNT(DISTINCT UID) FROM SESSIONS")[0]
    assert tuple(counted) == (uploaded.rows_read, uploaded.rows_read)


def test_values_arrive_as_what_they_mean(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {"PRODUCT_RELATED": "7.0", "WEEKEND": "TRUE", "MONTH": "november"})
    row = workspace.rows("SELECT PRODUCT_RELATED, PAGE_VALUES, WEEKEND, MONTH, REVENUE FROM SESSIONS")[0]
    assert tuple(row) == (7, 12.5, True, "Nov", True)


def test_the_same_rows_again_change_nothing(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {}, {})
    before = workspace.rows("SELECT * FROM SESSIONS ORDER BY UID")
    again = load(workspace, tmp_path, {}, {})
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 2)
    assert workspace.rows("SELECT * FROM SESSIONS ORDER BY UID") == before


def test_a_changed_row_is_updated_and_only_that_one(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {}, {})
    before = workspace.value("SELECT LOADED_AT FROM SESSIONS WHERE UID = 's1'")
    again = load(workspace, tmp_path, {}, {"PAGE_VALUES": "99"}, {})
    assert (again.inserted, again.updated, again.unchanged) == (1, 1, 1)
    assert workspace.value("SELECT PAGE_VALUES FROM SESSIONS WHERE UID = 's2'") == 99
    assert workspace.value("SELECT LOADED_AT FROM SESSIONS WHERE UID = 's1'") == before
    assert workspace.value("SELECT LOADED_AT FROM SESSIONS WHERE UID = 's2'") > before


def test_an_outcome_that_comes_with_the_session_was_known_on_its_day(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {}, {"REVENUE": ""}, {"OUTCOME_DATE": "2024-11-20"})
    days = "SELECT OUTCOME_DATE FROM SESSIONS ORDER BY UID"
    assert [row[0] for row in workspace.rows(days)] == [date(2024, 11, 1), None, date(2024, 11, 20)]


def test_an_outcome_that_comes_later_is_known_from_then_on(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {"REVENUE": ""}, {"REVENUE": ""}, {"REVENUE": "true"})
    load(workspace, tmp_path, {"REVENUE": "true"}, {"OUTCOME_DATE": "2024-11-20"}, {"REVENUE": "false"})
    loaded = workspace.value("SELECT MAX(LOADED_AT)::DATE FROM SESSIONS")
    days = "SELECT OUTCOME_DATE FROM SESSIONS ORDER BY UID"
    assert [row[0] for row in workspace.rows(days)] == [loaded, date(2024, 11, 20), loaded]
    again = load(workspace, tmp_path, {"REVENUE": "true"}, {"REVENUE": ""}, {"REVENUE": "false"})
    assert again.unchanged == 3


def test_a_table_of_an_earlier_intentscore_gets_the_new_column(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {})
    workspace.rows("ALTER TABLE SESSIONS DROP COLUMN OUTCOME_DATE")
    refresh_features(workspace.session, workspace.settings)
    assert workspace.value("SELECT COUNT(OUTCOME_DATE) FROM SESSIONS") == 0
    assert load(workspace, tmp_path, {}, {}).inserted == 1


def test_an_outcome_may_come_later_and_is_never_forgotten(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {"REVENUE": ""})
    assert workspace.value("SELECT REVENUE FROM SESSIONS") is None
    assert load(workspace, tmp_path, {"REVENUE": "true"}).updated == 1
    assert workspace.value("SELECT REVENUE FROM SESSIONS") is True
    assert load(workspace, tmp_path, {"REVENUE": ""}).unchanged == 1
    assert workspace.value("SELECT REVENUE FROM SESSIONS") is True


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("ADMINISTRATIVE", "many", "is not a number"),
        ("ADMINISTRATIVE", "1.5", "is not a whole number"),
        ("ADMINISTRATIVE", "-1", "is less than 0"),
        ("ADMINISTRATIVE", "99999999999", "is more than 2147483647"),
        ("PRODUCT_RELATED_DURATION", "-0.5", "is less than 0"),
        ("PRODUCT_RELATED_DURATION", "NaN", "is not a finite number"),
        ("PAGE_VALUES", "inf", "is not a finite number"),
        ("PAGE_VALUES", "-inf", "is not a finite number"),
        ("PAGE_VALUES", "", "is missing"),
        ("EXIT_RATES", "1.01", "is more than 1"),
        ("BROWSER", "0", "is less than 1"),
        ("MONTH", "Smarch", "is not one of Jan"),
        ("VISITOR_TYPE", "Robot", "is not one of Returning_Visitor"),
        ("SESSION_DATE", "2024-13-01", "is not a date"),
        ("SESSION_DATE", "2024-02-30", "is not a date of the calendar"),
        ("SESSION_DATE", "01/11/2024", "is not a date like 2024-11-01"),
        ("SESSION_DATE", "2024-11-01x", "is not a date like 2024-11-01"),
        ("WEEKEND", "perhaps", "is not true or false"),
        ("REVENUE", "perhaps", "is not true or false"),
        ("UID", "u" * 257, "is not one line of at most 256 characters"),
    ],
)
def test_a_bad_value_refuses_the_file_and_is_named(
    workspace: Workspace, tmp_path: Path, column: str, value: str, reason: str
) -> None:
    details = refusal(workspace, tmp_path, {}, {column: value}, {})
    assert (details.rows_read, details.rows_rejected) == (3, 1)
    (problem,) = details.problems
    assert (problem.column, problem.rows, problem.row, problem.value) == (column, 1, 2, value or None)
    assert problem.reason.startswith(reason)
    assert workspace.value("SELECT COUNT(*) FROM SESSIONS") == 0


def test_the_first_row_of_a_key_is_good_and_later_ones_name_it(workspace: Workspace, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    rows: tuple[dict[str, str], ...] = (
        {"UID": "x"},
        {},
        {"UID": "x", "PAGE_VALUES": "1"},
        {"UID": "x", "SESSION_DATE": "2024-11-02"},
    )
    details = refusal(workspace, tmp_path, *rows, rejects=rejects)
    (problem,) = details.problems
    assert (problem.column, problem.rows, problem.row) == ("UID, SESSION_DATE", 1, 3)
    (rejected,) = rejected_rows(rejects)
    assert rejected["REASON"] == "UID, SESSION_DATE repeats row 1"
    assert load(workspace, tmp_path, *rows, on_error="skip").inserted == 3
    assert workspace.value("SELECT MAX(PAGE_VALUES) FROM SESSIONS") == 12.5


def test_a_bad_row_does_not_stand_in_the_way_of_a_good_one_with_its_key(workspace: Workspace, tmp_path: Path) -> None:
    loaded = load(workspace, tmp_path, {"UID": "x", "REGION": "far"}, {"UID": "x"}, on_error="skip")
    assert (loaded.inserted, loaded.rows_rejected) == (1, 1)
    assert [problem.column for problem in loaded.problems] == ["REGION"]


def test_skipping_loads_the_good_rows_and_writes_down_the_others(workspace: Workspace, tmp_path: Path) -> None:
    rejects = tmp_path / "out" / "rejects.csv"
    bad = {"MONTH": "Smarch", "REGION": "far"}
    loaded = load(workspace, tmp_path, {}, bad, {"BROWSER": "0"}, on_error="skip", rejects=rejects)
    assert (loaded.inserted, loaded.rows_rejected, loaded.rejects) == (1, 2, str(rejects))
    first, second = rejected_rows(rejects)
    assert first["ROW_NUMBER"] == "2"
    assert first["REGION"] == "far"
    assert "MONTH is not one of" in first["REASON"]
    assert first["REASON"].endswith("REGION is not a number")
    assert second["REASON"] == "BROWSER is less than 1"


def test_nothing_good_is_refused_even_when_skipping(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 of 1 rows are refused"):
        load(workspace, tmp_path, {"REGION": "far"}, on_error="skip")


def test_progress_counts_the_rows_staged(workspace: Workspace, tmp_path: Path) -> None:
    heard: list[int] = []
    file = session_file(tmp_path / "sessions.csv", {}, {})
    upload(workspace.session, workspace.settings, open_file(file), progress=heard.append)
    assert heard[-1] == 2


def test_an_upload_leaves_no_table_behind_but_its_own(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, tmp_path, {})
    schema = workspace.settings.schema_name
    assert {row["name"] for row in workspace.rows(f"SHOW TABLES IN SCHEMA {schema}")} == {"RUNS", "SESSIONS"}


def test_a_refused_upload_is_on_record(workspace: Workspace, tmp_path: Path) -> None:
    refusal(workspace, tmp_path, {"REGION": "it's far"})
    row = workspace.rows("SELECT COMMAND, OUTCOME, MESSAGE, QUERY_TAG, RUN_ID FROM RUNS")[0]
    assert (row["COMMAND"], row["OUTCOME"]) == ("upload", "failed")
    assert "1 of 1 rows are refused" in row["MESSAGE"]
    assert row["RUN_ID"] in row["QUERY_TAG"]
