"""Objects as resources: the catalog of a Snowpark session and the REST routes of `snowflake.core`."""

from __future__ import annotations

import json

import pytest
from snowflake.core import CreateMode, Root
from snowflake.core.database import Database as DatabaseResource
from snowflake.core.exceptions import ConflictError, NotFoundError
from snowflake.core.schema import Schema as SchemaResource
from snowflake.snowpark import Session
from snowflake.snowpark.types import LongType

FUNCTION = "RETURNS INT LANGUAGE PYTHON RUNTIME_VERSION = 3.11 HANDLER = 'f' AS $$\ndef f(*given):\n    return 1\n$$"


@pytest.fixture(autouse=True)
def objects(session: Session) -> None:
    for statement in (
        "CREATE TABLE VISITS (ID INT NOT NULL, LABEL VARCHAR(5)) COMMENT = 'one a row'",
        "CREATE TEMPORARY TABLE SCRATCH (N INT)",
        "CREATE VIEW LABELS AS SELECT LABEL FROM VISITS",
        f"CREATE FUNCTION ONE(X INT) {FUNCTION}",
        "CREATE PROCEDURE TWO(X INT, Y VARCHAR DEFAULT 'y') RETURNS TABLE (A INT) LANGUAGE PYTHON RUNTIME_VERSION = "
        "3.11 PACKAGES = ('snowflake-snowpark-python') HANDLER = 'f' AS 'def f(session, x, y): pass'",
    ):
        session.sql(statement).collect()


def test_the_catalog_lists_what_is_there(session: Session, schema: str) -> None:
    catalog = session.catalog
    tables = {table.name: table for table in catalog.list_tables()}
    assert {name: (table.kind, table.schema_name) for name, table in tables.items()} == {
        "VISITS": ("PERMANENT", schema), "SCRATCH": ("TEMPORARY", schema),
    }  # fmt: skip
    assert [view.name for view in catalog.list_views(like="lab%")] == ["LABELS"]
    assert [function.name for function in catalog.list_user_defined_functions()] == ["ONE"]
    assert [procedure.name for procedure in catalog.list_procedures()] == ["TWO"]
    assert schema in [each.name for each in catalog.list_schemas()]
    assert catalog.database_exists("INTENTSCORE")
    assert not catalog.table_exists("MISSING")


def test_an_object_is_fetched_with_all_that_it_is_made_of(session: Session) -> None:
    table = session.catalog.get_table("VISITS")
    assert [(c.name, c.datatype, c.nullable) for c in table.columns] == [
        ("ID", "NUMBER(38,0)", False), ("LABEL", "VARCHAR(5)", True),
    ]  # fmt: skip
    assert table.comment == "one a row"
    function = session.catalog.get_user_defined_function("ONE", [LongType()])
    assert (function.arguments[0].name, function.return_type.datatype, function.language_config.handler) == (
        "X", "NUMBER(38,0)", "f",
    )  # fmt: skip
    described = session.sql("DESCRIBE AS RESOURCE PROCEDURE TWO(INT, VARCHAR)").collect()[0][0]
    procedure = json.loads(described)
    assert procedure["return_type"] == {"type": "TABLE", "column_list": [{"name": "A", "datatype": "NUMBER(38,0)"}]}
    assert procedure["arguments"][1] == {"name": "Y", "datatype": "VARCHAR", "default_value": "'y'"}


def test_an_object_is_dropped_over_rest(session: Session, schema: str) -> None:
    tables = Root(session).databases["INTENTSCORE"].schemas[schema].tables
    assert [table.name for table in tables.iter(like="vis%")] == ["VISITS"]
    tables["VISITS"].drop()
    with pytest.raises(NotFoundError):
        tables["VISITS"].fetch()
    tables["VISITS"].drop(if_exists=True)


def test_schemas_and_databases_are_made_over_rest(session: Session, schema: str) -> None:
    schemas = Root(session).databases["INTENTSCORE"].schemas
    made = schemas.create(SchemaResource(name=f"{schema}_made", comment="by hand", managed_access=True))
    assert (made.fetch().name, made.fetch().comment) == (f"{schema}_MADE", "by hand")
    assert session.get_current_schema() == f'"{schema}"'
    with pytest.raises(ConflictError):
        schemas.create(SchemaResource(name=f"{schema}_made"))
    schemas.create(SchemaResource(name=f"{schema}_made", comment="again"), mode=CreateMode.or_replace)
    assert made.fetch().comment == "again"
    databases = Root(session).databases
    databases.create(DatabaseResource(name=f"{schema}_DB", kind="TRANSIENT"), mode=CreateMode.if_not_exists).drop()
    assert f"{schema}_DB" not in {database.name for database in databases.iter()}
