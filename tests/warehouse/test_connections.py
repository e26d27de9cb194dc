from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from intentscore.errors import ConfigurationError
from intentscore.settings import Settings
from intentscore.warehouse.connections import (
    Connection,
    choose_connection,
    connection_from_environment,
    connection_from_file,
)

SECRET = "correct-horse-battery-staple"
TWO_CONNECTIONS = '[work]\naccount = "acme-work"\n[play]\naccount = "acme-play"\n'


@pytest.fixture(autouse=True)
def user_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTENTSCORE_CONNECTION", raising=False)
    monkeypatch.setenv("SNOWFLAKE_CONNECTIONS", TWO_CONNECTIONS)


def parameters_file(folder: Path, mode: int = 0o600, **values: Any) -> Path:
    file = folder / "connection_parameters.json"
    file.write_text(json.dumps({"account": "acme", "user": "ada", **values}), encoding="utf-8")
    file.chmod(mode)
    return file


def test_without_anything_it_is_the_local_engine(tmp_path: Path) -> None:
    assert choose_connection(Settings(), None, tmp_path).name == "local"


def test_a_parameters_file_in_the_folder_beats_the_local_engine(tmp_path: Path) -> None:
    parameters_file(tmp_path)
    assert choose_connection(Settings(), None, tmp_path).name == "connection_parameters.json"


def test_the_settings_beat_a_parameters_file(tmp_path: Path) -> None:
    parameters_file(tmp_path)
    assert choose_connection(Settings(connection="work"), None, tmp_path).name == "work"


def test_the_environment_beats_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTENTSCORE_CONNECTION", "play")
    assert choose_connection(Settings(connection="work"), None, tmp_path).name == "play"


def test_the_option_beats_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters_file(tmp_path)
    monkeypatch.setenv("INTENTSCORE_CONNECTION", "play")
    assert choose_connection(Settings(connection="work"), "local", tmp_path).name == "local"


def test_a_named_connection_is_left_to_the_connector(tmp_path: Path) -> None:
    chosen = choose_connection(Settings(), "work", tmp_path)
    assert dict(chosen.parameters) == {"connection_name": "work"}


def test_an_unknown_connection_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown connection 'wrok'; known: local, env, play, work"):
        choose_connection(Settings(), "wrok", tmp_path)


def test_an_unknown_key_names_file_key_and_what_is_allowed(tmp_path: Path) -> None:
    file = parameters_file(tmp_path, passwort=SECRET)
    with pytest.raises(ConfigurationError, match=r"unknown key 'passwort'; allowed: account, user,") as caught:
        connection_from_file(file)
    assert str(file) in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not valid JSON at line 1"),
        ("[1]", "expected one JSON object"),
        ('{"user": "ada"}', "no account"),
        ('{"account": "acme", "port": "443"}', "'port' must be a whole number"),
        (f'{{"account": "acme", "password": ["{SECRET}"]}}', "'password' must be text"),
    ],
)
def test_a_wrong_parameters_file_is_refused_without_its_contents(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "connection_parameters.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        connection_from_file(file)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("key", ["private_key_file", "private_key_path"])
def test_a_key_pair_signs_in_with_a_token_of_its_own(tmp_path: Path, key: str) -> None:
    parameters = connection_from_file(parameters_file(tmp_path, 0o600, **{key: "rsa.p8"})).parameters
    assert parameters["private_key_file"] == "rsa.p8"
    assert parameters["authenticator"] == "SNOWFLAKE_JWT"
    assert "private_key_path" not in parameters


def test_an_authenticator_that_is_given_stays(tmp_path: Path) -> None:
    file = parameters_file(tmp_path, private_key_file="rsa.p8", authenticator="OAUTH")
    assert connection_from_file(file).parameters["authenticator"] == "OAUTH"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_that_others_may_read_is_noticed(tmp_path: Path, mode: int) -> None:
    file = parameters_file(tmp_path, mode, password=SECRET)
    assert connection_from_file(file).exposed_file == file


def test_no_warning_for_a_private_file_or_one_without_secrets(tmp_path: Path) -> None:
    assert connection_from_file(parameters_file(tmp_path, 0o600, password=SECRET)).exposed_file is None
    assert connection_from_file(parameters_file(tmp_path, 0o644)).exposed_file is None


def test_the_environment_is_parsed_and_taken_alone() -> None:
    environment = {
        "SNOWFLAKE_ACCOUNT": "acme",
        "SNOWFLAKE_USER": "ada",
        "SNOWFLAKE_PASSWORD": SECRET,
        "SNOWFLAKE_PORT": "8443",
        "SNOWFLAKE_CLIENT_SESSION_KEEP_ALIVE": "false",
        "SNOWFLAKE_HOME": "/somewhere",
    }
    parameters = connection_from_environment(environment).parameters
    assert parameters["port"] == 8443
    assert parameters["client_session_keep_alive"] is False
    assert "home" not in parameters
    assert "connection_name" not in parameters


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SNOWFLAKE_PORT", "https"),
        ("SNOWFLAKE_CLIENT_SESSION_KEEP_ALIVE", "maybe"),
        ("SNOWFLAKE_ACCOUNT", ""),
    ],
)
def test_a_wrong_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=variable if value else "no account"):
        connection_from_environment({"SNOWFLAKE_ACCOUNT": "acme", variable: value})


def test_a_connection_does_not_show_its_secrets() -> None:
    connection = Connection("env", "the SNOWFLAKE_* variables", {"account": "acme", "password": SECRET})
    assert SECRET not in repr(connection)
    assert connection.secrets == (SECRET,)
