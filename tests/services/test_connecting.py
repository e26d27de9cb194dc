from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snowflake.snowpark import Session

from intentscore.errors import ConfigurationError, IntentscoreError
from intentscore.local.engine import open_engine
from intentscore.services.status import status
from intentscore.settings import Settings
from intentscore.warehouse.session import OpenSession, open_session

WRONG = "correct-horse-battery-staple"
SCHEMA = Settings(schema_name="CONNECTING")


@pytest.fixture
def address(home: Path, session: Session) -> Iterator[dict[str, Any]]:
    """The shared engine as an account that is reached over the network."""
    with open_engine(home, lambda _: None) as engine:
        parameters = engine.connection_parameters()
        yield {key: value for key, value in parameters.items() if key not in ("schema", "session_parameters")}


def by_name(monkeypatch: pytest.MonkeyPatch, address: dict[str, Any]) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in address.items()]
    monkeypatch.setenv("SNOWFLAKE_CONNECTIONS", "\n".join(["[shop]", *lines]))


def stands_in(opened: OpenSession) -> str:
    row = opened.session.sql("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()").collect()[0]
    return ".".join(row)


def test_a_named_connection_leads_to_the_schema_of_the_settings(
    address: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_name(monkeypatch, address)
    with open_session(SCHEMA, connection="shop", command="status") as opened:
        where = stands_in(opened)
        assert where == f"{address['database']}.CONNECTING"
        assert opened.target == f"{address['account']}/{where} as {address['role']}"
        assert status(opened.session, SCHEMA).schema == where


def test_the_session_is_tagged_with_command_and_run(address: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    by_name(monkeypatch, address)
    with open_session(SCHEMA, connection="shop", command="status") as opened:
        tag = json.loads(opened.session.query_tag or "")
    assert (tag["command"], tag["run_id"]) == ("status", opened.run_id)


def test_the_environment_alone_is_enough(address: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in address.items():
        monkeypatch.setenv(f"SNOWFLAKE_{key.upper()}", str(value))
    monkeypatch.setenv("SNOWFLAKE_SCHEMA", "FROM_ENVIRONMENT")
    with open_session(Settings(), connection="env", command="status") as opened:
        assert stands_in(opened).endswith(".FROM_ENVIRONMENT")


def test_a_parameters_file_may_name_the_schema(
    address: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "connection_parameters.json"
    file.write_text(json.dumps({**address, "schema": "FROM_FILE"}), encoding="utf-8")
    file.chmod(0o600)
    with open_session(Settings(), command="status") as opened:
        assert stands_in(opened).endswith(".FROM_FILE")
    with open_session(SCHEMA, command="status") as opened:
        assert stands_in(opened).endswith(".CONNECTING")


def test_refused_credentials_are_named_without_being_shown(
    address: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    by_name(monkeypatch, {**address, "password": WRONG})
    with (
        pytest.raises(ConfigurationError, match="check account, user and credentials") as caught,
        open_session(SCHEMA, connection="shop", command="status"),
    ):
        pass
    assert WRONG not in str(caught.value)
    assert WRONG not in "".join(capfd.readouterr())


def test_without_a_database_there_is_nowhere_to_go(address: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    by_name(monkeypatch, {key: value for key, value in address.items() if key != "database"})
    with (
        pytest.raises(ConfigurationError, match="no database; set `database:`"),
        open_session(SCHEMA, connection="shop", command="status"),
    ):
        pass


def test_a_database_that_is_not_there_is_named(address: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    by_name(monkeypatch, address)
    settings = SCHEMA.model_copy(update={"database": "NOWHERE"})
    with (
        pytest.raises(IntentscoreError, match="NOWHERE"),
        open_session(settings, connection="shop", command="status"),
    ):
        pass
