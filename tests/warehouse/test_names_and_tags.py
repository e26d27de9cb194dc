from __future__ import annotations

import json
from datetime import datetime

import pytest

from intentscore import __version__
from intentscore.warehouse.identifiers import identifier, literal, resolved, timestamp_literal
from intentscore.warehouse.tags import new_run_id, query_tag


@pytest.mark.parametrize(
    ("name", "written"),
    [("sessions", "SESSIONS"), ('"SESSIONS"', "SESSIONS"), ('"my table"', '"my table"'), ("F$V1", "F$V1")],
)
def test_a_name_is_quoted_only_where_it_has_to_be(name: str, written: str) -> None:
    assert identifier(name) == written


def test_a_quote_in_a_name_survives() -> None:
    assert resolved('"a""b"') == 'a"b'
    assert identifier('"a""b"') == '"a""b"'


def test_a_literal_cannot_be_left_from_inside() -> None:
    assert literal("it's") == "'it''s'"
    assert literal("a\\'; DROP") == "'a\\\\''; DROP'"


def test_a_moment_is_written_to_the_microsecond() -> None:
    assert timestamp_literal(datetime(2024, 11, 1, 2, 3, 4, 5)) == "'2024-11-01 02:03:04.000005'::TIMESTAMP_NTZ"


def test_the_query_tag_is_json_with_command_run_and_version() -> None:
    tag = json.loads(query_tag("score", "241101_020304_abcd"))
    assert tag == {
        "app": "intentscore",
        "command": "score",
        "run_id": "241101_020304_abcd",
        "version": __version__,
    }


def test_two_runs_of_one_second_have_two_ids() -> None:
    moment = datetime(2024, 11, 1, 2, 3, 4)
    ids = {new_run_id(moment) for _ in range(20)}
    assert len(ids) > 1
    assert all(run_id.startswith("241101_020304_") for run_id in ids)
