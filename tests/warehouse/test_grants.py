from __future__ import annotations

from pathlib import Path

from intentscore.warehouse.grants import GRANTS, OPERATOR, OWNER, READER, script

ROOT = Path(__file__).parents[2]


def test_the_script_is_what_the_code_names() -> None:
    assert (ROOT / "docs" / "grants.sql").read_text(encoding="utf-8") == script(), "run: make grants"


def test_nobody_is_granted_accountadmin() -> None:
    granted = [line for line in script().splitlines() if line.startswith("GRANT")]
    assert granted
    assert not any("ACCOUNTADMIN" in line for line in granted)


def test_a_reader_may_read_scores_with_their_reasons_and_nothing_else() -> None:
    assert {g.target for g in GRANTS if g.role == READER and g.privilege == "SELECT"} == {
        "TABLE <database>.INTENTSCORE.SCORES",
        "TABLE <database>.INTENTSCORE.EXPLANATIONS",
    }
    assert {g.role for g in GRANTS} == {OWNER, OPERATOR, READER}
