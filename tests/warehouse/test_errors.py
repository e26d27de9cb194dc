from __future__ import annotations

import pytest
from snowflake.connector.errors import DatabaseError, OperationalError, ProgrammingError
from snowflake.snowpark.exceptions import SnowparkSQLException

from intentscore.errors import ConfigurationError, DataError, WarehouseError
from intentscore.warehouse.errors import snowflake_errors, translated

SECRET = "correct-horse-battery-staple"


def test_refused_credentials_are_a_matter_of_configuration() -> None:
    error = DatabaseError(msg="Incorrect username or password was specified.", errno=250001)
    found = translated(error, "connect")
    assert isinstance(found, ConfigurationError)
    assert "check account, user and credentials" in str(found)


def test_an_account_out_of_reach_is_not() -> None:
    assert isinstance(translated(OperationalError(msg="Could not connect", errno=250001), "connect"), WarehouseError)


def test_a_missing_object_says_what_to_check() -> None:
    error = ProgrammingError(msg="Object 'X' does not exist\nor not authorized.", errno=2003)
    assert str(translated(error, "score")).endswith("check database, schema and role")


def test_the_number_inside_a_snowpark_error_counts() -> None:
    error = SnowparkSQLException("No active warehouse", conn_error=ProgrammingError(msg="", errno=606))
    assert "no active warehouse; name one" in str(translated(error, "score"))


def test_a_message_is_one_line_without_secrets() -> None:
    error = DatabaseError(msg=f"250001 (08001): refused\nfor {SECRET}", errno=250001)
    message = str(translated(error, "connect", (SECRET,)))
    assert SECRET not in message
    assert "\n" not in message


def test_errors_of_snowflake_become_ours_and_others_stay() -> None:
    with pytest.raises(WarehouseError, match="cannot score"), snowflake_errors("score"):
        raise ProgrammingError(msg="syntax error", errno=1003)
    with pytest.raises(DataError, match="ours"), snowflake_errors("score"):
        raise DataError("ours")
    with pytest.raises(ZeroDivisionError), snowflake_errors("score", wrapped=True):
        raise ZeroDivisionError


def test_what_the_ml_clients_raise_again_as_runtime_error_is_theirs_only_when_said_so() -> None:
    with pytest.raises(WarehouseError), snowflake_errors("register", wrapped=True):
        raise RuntimeError("Failed to create feature store")
    with pytest.raises(RuntimeError), snowflake_errors("register"):
        raise RuntimeError("a fault of our own")
