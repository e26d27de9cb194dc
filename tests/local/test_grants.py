from __future__ import annotations

import pytest
from snowflake.connector import ProgrammingError, SnowflakeConnection


def test_granting_and_revoking_are_accepted_for_the_roles_there_are(
    connection: SnowflakeConnection, schema: str
) -> None:
    cursor = connection.cursor()
    for statement in (
        f"GRANT ALL PRIVILEGES ON SCHEMA {schema} TO ROLE PUBLIC",
        f"GRANT USAGE, CREATE TABLE ON SCHEMA {schema} TO PUBLIC WITH GRANT OPTION",
        f"REVOKE USAGE ON SCHEMA {schema} FROM ROLE PUBLIC",
    ):
        cursor.execute(statement)
        assert cursor.fetchone() == ("Statement executed successfully.",)


def test_granting_to_an_unknown_role_is_refused(connection: SnowflakeConnection, schema: str) -> None:
    with pytest.raises(ProgrammingError, match="Role 'NOBODY' does not exist"):
        connection.cursor().execute(f"GRANT USAGE ON SCHEMA {schema} TO ROLE nobody")
