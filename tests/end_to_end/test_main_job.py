from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.conftest import DATASET, DAY, Job, Shell

published = pytest.mark.skipif(not DATASET, reason="INTENTSCORE_DATASET names no copy of the published data")
SESSIONS, BUYERS, SESSIONS_OF_DAY = 12_330, 1_908, 2_998


@published
def test_the_published_data_is_loaded_whole(job: Job) -> None:
    assert job.uploaded["inserted"] == SESSIONS
    assert (job.trained["rows"], job.trained["buyers"]) == (SESSIONS, BUYERS)


@published
def test_a_day_has_one_score_a_session(job: Job) -> None:
    assert job.scored["rows"] == SESSIONS_OF_DAY
    assert job.scored["days"] == [{"day": DAY, "sessions": SESSIONS_OF_DAY}]


def test_every_session_has_features(job: Job) -> None:
    assert job.features["rows"] == job.uploaded["rows_read"]


def test_the_first_version_is_the_champion_that_scores(job: Job) -> None:
    assert job.registered["alias"] == "CHAMPION"
    assert job.scored["version"] == job.registered["version"]
    assert re.fullmatch(r"V_\d{6}_\d{6}", job.registered["version"])


def test_loading_again_changes_nothing(job: Job) -> None:
    source = () if DATASET else ("--simulate", "4000", "--seed", "7")
    again = job.shell.json("upload", *source)
    assert (again["inserted"], again["updated"]) == (0, 0)
    assert again["unchanged"] == job.uploaded["rows_read"]


def test_scoring_again_keeps_one_score_a_session(job: Job) -> None:
    day = job.scored["days"][0]["day"]
    again = job.shell.json("score", "--date", day)
    assert (again["inserted"], again["removed"]) == (0, 0)
    assert again["updated"] == job.scored["rows"]


def test_scores_and_their_reasons_in_one_command(job: Job) -> None:
    day = job.scored["days"][0]["day"]
    done = job.shell.json("score", "--date", day, "--explain", "--top", "2")
    reasons = done["explanations"]["reasons"]
    assert (done["updated"], done["failure"]) == (job.scored["rows"], None)
    assert done["explanations"]["rows"] == 2 * done["explanations"]["scores"] == 2 * -(-job.scored["rows"] // 10)
    again = job.shell.json("explain", "--date", day, "--uid", reasons[0]["uid"], "--top", "2")
    assert again["reasons"] == reasons[:2]


def test_features_are_ranked_by_what_they_matter(job: Job) -> None:
    found = job.shell.json("explain", "--global", "--sample", "50")
    sizes = [feature["log_odds"] for feature in found["features"]]
    assert (found["version"], found["sessions"]) == (job.registered["version"], 50)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 0


def test_a_dry_run_shows_the_plan_and_changes_nothing(job: Job) -> None:
    before = {t["table"]: t["rows"] for t in job.shell.json("status")["tables"]}
    shown = job.shell.run("score", "--date", job.scored["days"][0]["day"], "--dry-run")
    after = {t["table"]: t["rows"] for t in job.shell.json("status")["tables"]}
    assert "MERGE INTO" in shown.stdout
    assert before == after


def test_the_target_is_named_on_stderr(job: Job) -> None:
    done = job.shell.run("status")
    assert done.stderr.startswith("target: ")
    assert "target:" not in done.stdout


def test_two_commands_at_once_both_succeed(job: Job) -> None:
    day = job.scored["days"][0]["day"]
    both = [job.shell.start("score", "--date", day), job.shell.start("status")]
    finished = [(process.communicate(timeout=240), process.returncode) for process in both]
    assert [code for _, code in finished] == [0, 0], finished


def test_a_day_without_sessions_names_the_nearest(job: Job) -> None:
    done = job.shell.run("score", "--date", "2019-01-15")
    assert done.returncode == 6
    assert "no sessions on 2019-01-15; the nearest days with sessions:" in done.stderr


def test_an_unknown_version_is_refused_by_name(job: Job) -> None:
    done = job.shell.run("score", "--date", job.scored["days"][0]["day"], "--model-version", "V_NONE")
    assert done.returncode == 3
    assert job.registered["version"] in done.stderr


def test_a_refused_file_leaves_the_sessions_as_they_were(job: Job, tmp_path: Path) -> None:
    before = job.shell.json("status")["tables"]
    bad = write_sheet(tmp_path / "bad.csv", administrative_duration="-5")
    done = job.shell.run("upload", str(bad), "--rejects", str(tmp_path / "rejects.csv"))
    assert done.returncode == 5
    assert "ADMINISTRATIVE_DURATION is less than 0" in done.stderr
    assert "ADMINISTRATIVE_DURATION" in (tmp_path / "rejects.csv").read_text()
    sessions = [t for t in before if t["table"] == "SESSIONS"]
    assert [t for t in job.shell.json("status")["tables"] if t["table"] == "SESSIONS"] == sessions


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        ("", "is empty"),
        ("a,b\n1,2\n", "missing columns"),
    ],
)
def test_an_unreadable_file_is_one_clear_line(shell: Shell, tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "sheet.csv"
    if content is not None:
        file.write_text(content)
    done = shell.run("upload", str(file), "--quiet")
    assert done.returncode == 5
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_unknown_connection_is_refused(shell: Shell) -> None:
    done = shell.run("status", "--connection", "nosuch")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "unknown connection 'nosuch'" in done.stderr


def test_a_wrong_key_in_a_configuration_is_named(shell: Shell, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("seeed: 3\n")
    done = shell.run("train", "--config", str(wrong))
    assert done.returncode == 3
    assert "unknown key 'seeed'" in done.stderr


HEADER = (
    "administrative,administrative_duration,informational,informational_duration,product_related,"
    "product_related_duration,bounce_rates,exit_rates,page_values,special_day,month,operating_systems,browser,region,"
    "traffic_type,visitor_type,weekend,revenue"
)
ROW = {
    **dict.fromkeys(HEADER.split(","), "0"), "month": "Nov", "visitor_type": "New_Visitor", "weekend": "FALSE",
    "revenue": "TRUE", "operating_systems": "1", "browser": "1", "region": "1", "traffic_type": "1",
}  # fmt: skip


def write_sheet(path: Path, **changed: str) -> Path:
    rows = [ROW, {**ROW, "product_related": "3"}, {**ROW, **changed}]
    path.write_text("\n".join([HEADER, *(",".join(row[c] for c in HEADER.split(",")) for row in rows)]) + "\n")
    return path
