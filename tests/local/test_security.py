from __future__ import annotations

import json
import re
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import DatabaseError, ProgrammingError
from starlette.routing import Route

from intentscore.local.engine import Endpoint, Engine, open_engine
from intentscore.local.server import application

Connect = Callable[..., SnowflakeConnection]
OPEN_TO_ALL = {"/session/v1/login-request"}


def routes(tmp_path: Path) -> list[tuple[str, str]]:
    engine = Engine(tmp_path / "engine")
    try:
        return [
            (method, re.sub(r"\{[^}]*\}", "x", route.path))
            for route in application(engine).routes
            if isinstance(route, Route)
            for method in sorted((route.methods or set()) - {"HEAD"})
        ]
    finally:
        engine.close()


def request(engine: Endpoint, method: str, path: str, token: str | None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", "X-Snowflake-Authorization-Token-Type": "PROGRAMMATIC_ACCESS_TOKEN"}
    if token is not None:
        headers["Authorization"] = token
    asked = urllib.request.Request(
        f"http://{engine.host}:{engine.port}{path}",
        b"{}" if method in ("POST", "PUT") else None,
        headers,
        method=method,
    )
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_every_route_refuses_a_wrong_or_missing_token(engine: Endpoint, tmp_path: Path) -> None:
    found = routes(tmp_path)
    assert len(found) > len(OPEN_TO_ALL)
    for method, path in found:
        if path in OPEN_TO_ALL:
            continue
        for token in (
            None,
            "",
            'Snowflake Token=""',
            'Snowflake Token="None"',
            'Snowflake Token="wrong"',
            "Bearer wrong",
        ):
            status, answer = request(engine, method, path, token)
            refused = status in (401, 403) or (status == 200 and json.loads(answer)["success"] is False)
            assert refused, (method, path, token, status, answer)


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"password": ""}, {"user": "someone"}])
def test_login_refuses_wrong_credentials(connect: Connect, wrong: dict[str, Any]) -> None:
    with pytest.raises((DatabaseError, ProgrammingError)):
        connect(**wrong)


def test_the_master_token_opens_nothing_but_a_renewal(engine: Endpoint, connection: SnowflakeConnection) -> None:
    rest: Any = connection.rest
    assert rest.master_token != rest.token
    _, answer = request(engine, "POST", "/queries/v1/query-request", f'Snowflake Token="{rest.master_token}"')
    assert json.loads(answer)["code"] == "390104"
    _, answer = request(engine, "POST", "/session/token-request", f'Snowflake Token="{rest.token}"')
    assert json.loads(answer)["code"] == "390104"


def test_a_renewed_token_keeps_the_session(connection: SnowflakeConnection) -> None:
    connection.cursor().execute("CREATE TEMPORARY TABLE MINE AS SELECT 1 AS N")
    rest: Any = connection.rest
    before = rest.token
    rest._renew_session()
    assert rest.token != before
    assert connection.cursor().execute("SELECT N FROM MINE").fetchall() == [(1,)]  # type: ignore[union-attr]
    assert rest._heartbeat()["success"]


def test_the_token_ends_with_its_session(engine: Endpoint, connect: Connect) -> None:
    connection = connect()
    token = connection.rest.token  # type: ignore[union-attr]
    connection.close()
    _, answer = request(engine, "POST", "/session/heartbeat", f'Snowflake Token="{token}"')
    assert json.loads(answer)["success"] is False


def test_a_session_reads_no_other_sessions_results(connection: SnowflakeConnection, connect: Connect) -> None:
    cursor, other = connection.cursor(), connect()
    cursor.execute("SELECT SEQ4() AS N FROM TABLE(GENERATOR(ROWCOUNT => 20000))")
    with pytest.raises(ProgrammingError, match="not found"):
        other.cursor().query_result(str(cursor.sfqid))
    with pytest.raises(ProgrammingError, match="not found"):
        other.cursor().execute(f"SELECT * FROM TABLE(RESULT_SCAN('{cursor.sfqid}'))")
    chunk = chunk_address(cursor)
    assert fetched(chunk, other.rest.token) == 404  # type: ignore[union-attr]
    assert fetched(chunk, connection.rest.token) == 200  # type: ignore[union-attr]


@pytest.mark.parametrize("token", [None, "", "None", "wrong"])
def test_a_results_chunk_is_refused_without_its_sessions_token(
    connection: SnowflakeConnection, token: str | None
) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT SEQ4() AS N FROM TABLE(GENERATOR(ROWCOUNT => 20000))")
    assert fetched(chunk_address(cursor), token) == 401


def chunk_address(cursor: SnowflakeCursor) -> str:
    first = next(batch for batch in cursor.get_result_batches() or [] if batch._remote_chunk_info)
    return str(first._remote_chunk_info.url)  # type: ignore[union-attr]


def fetched(address: str, token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f'Snowflake Token="{token}"'}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_engine_listens_on_the_loopback_interface_only(engine: Endpoint, connection: SnowflakeConnection) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("no /proc/net/tcp")
    cursor = connection.cursor()
    cursor.execute("SELECT SEQ4() AS N FROM TABLE(GENERATOR(ROWCOUNT => 20000))")
    local = [line.split()[1] for line in listening.read_text().splitlines()[1:] if line.split()[3] == "0A"]
    loopback = f"{int.from_bytes(socket.inet_aton('127.0.0.1'), 'little'):08X}"
    for port in (engine.port, urlsplit(chunk_address(cursor)).port):
        assert [address for address in local if address.endswith(f":{port:04X}")] == [f"{loopback}:{port:04X}"]


def test_home_and_endpoint_are_for_their_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_engine(home, lambda _: None):
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (home, home / "engine", home / "engine/endpoint.json")]
    assert modes == [0o700, 0o700, 0o600]
    assert not (home / "engine/endpoint.json").exists()


@pytest.mark.parametrize("name", ["..", ".", "../../escape", "a/b", "%2e%2e", "é" * 10])
def test_names_are_no_paths(tmp_path: Path, name: str) -> None:
    engine = Engine(tmp_path / "engine")
    try:
        engine.create_database(name)
        engine.close()
        engine = Engine(tmp_path / "engine")
        assert name in engine.databases()
        engine.drop_database(name)
    finally:
        engine.close()
    assert [path.name for path in tmp_path.iterdir()] == ["engine"]
    assert sorted(path.name for path in (tmp_path / "engine/databases").iterdir()) == ["INTENTSCORE.duckdb"]


def test_stages_of_oddly_named_tables_stay_apart(connection: SnowflakeConnection, tmp_path: Path) -> None:
    file = tmp_path / "secret.txt"
    file.write_text("x")
    cursor = connection.cursor()
    cursor.execute('CREATE TABLE ".." (N INT)')
    cursor.execute(f"PUT 'file://{file}' '@%\"..\"' AUTO_COMPRESS = FALSE")
    assert len(cursor.execute("LIST '@%\"..\"'").fetchall()) == 1  # type: ignore[union-attr]
    with pytest.raises(ProgrammingError, match="leaves the stage"):
        cursor.execute("LIST '@~/../../databases'")
