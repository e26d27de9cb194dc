from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.snowpark import Session

from intentscore.local.engine import Endpoint, open_engine

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """One engine on a home of its own, for the whole suite."""
    with open_engine(tmp_path_factory.mktemp("engine"), lambda _: None) as endpoint:
        yield endpoint


@pytest.fixture
def parameters(engine: Endpoint) -> dict[str, Any]:
    """What a client needs to connect."""
    return engine.connection_parameters()


@pytest.fixture
def connect(engine: Endpoint) -> Iterator[Callable[..., SnowflakeConnection]]:
    """Opens plain connections, which are closed when the test ends."""
    opened: list[SnowflakeConnection] = []

    def connect(**others: Any) -> SnowflakeConnection:
        opened.append(snowflake.connector.connect(**(engine.connection_parameters() | others)))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def schema(parameters: dict[str, Any]) -> str:
    """The name of a new, empty schema."""
    name = f"TEST_{next(_NUMBERS)}"
    with snowflake.connector.connect(**parameters) as connection:
        connection.cursor().execute(f"CREATE SCHEMA {name}")
    return name


@pytest.fixture
def connection(connect: Callable[..., SnowflakeConnection], schema: str) -> SnowflakeConnection:
    """A plain connection in a new schema."""
    return connect(schema=schema)


@pytest.fixture
def session(connect: Callable[..., SnowflakeConnection], schema: str) -> Iterator[Session]:
    """A Snowpark session in a new schema (the one of `connection`, where a test asks for both)."""
    session = Session.builder.configs({"connection": connect(schema=schema)}).create()
    yield session
    session.close()
