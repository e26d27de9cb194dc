"""INFORMATION_SCHEMA: the views the clients read, as queries over DuckDB's own catalog and ours."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from intentscore.local import spelling
from intentscore.local.catalog import OWNER, SCHEMA
from intentscore.local.errors import does_not_exist
from intentscore.local.names import ObjectName, literal, quote

if TYPE_CHECKING:
    from intentscore.local.session import Session

View = Callable[["Session", str], str]
VIEWS: dict[str, View] = {}
RUNTIMES = ("3.9", "3.10", "3.11", "3.12", "3.13")


def information_schema_view(function: View) -> View:
    VIEWS[function.__name__.upper()] = function
    return function


def view(session: Session, name: ObjectName) -> exp.Expr:
    """The query that stands for DATABASE.INFORMATION_SCHEMA.NAME, in DuckDB's SQL."""
    function = VIEWS.get(name.name)
    if function is None:
        raise does_not_exist("Object", str(name))
    return sqlglot.parse_one(function(session, name.database), read="duckdb")


def hidden(column: str) -> str:
    return f"{column} NOT IN ('main', {literal(SCHEMA)}, 'pg_catalog', 'information_schema')"


@information_schema_view
def tables(session: Session, database: str) -> str:
    """Source: https://docs.snowflake.com/en/sql-reference/info-schema/tables"""
    return f"""
    WITH NOTED AS (
        SELECT SCHEMA_NAME, NAME, max(CREATED_ON) AS CREATED, bool_or(KIND = 'DYNAMIC TABLE') AS DYNAMIC,
            bool_or(KIND = 'TABLE' AND contains(DETAILS, '"transient": true')) AS TRANSIENT,
            max(CASE WHEN KIND = 'CLUSTERING' THEN replace(substr(DETAILS, 14, length(DETAILS) - 15), '\\"', '"') END)
            AS CLUSTERED_BY
        FROM {quote(database)}._ENGINE.OBJECTS
        WHERE KIND IN ('TABLE', 'VIEW', 'DYNAMIC TABLE', 'CLUSTERING') GROUP BY ALL),
    FOUND AS (
        SELECT schema_name, table_name AS name, 'BASE TABLE' AS kind, CAST(estimated_size AS BIGINT) AS size, comment
        FROM duckdb_tables() WHERE database_name = {literal(database)} AND {hidden("schema_name")}
        UNION ALL
        SELECT schema_name, view_name, 'VIEW', NULL, comment
        FROM duckdb_views() WHERE database_name = {literal(database)} AND {hidden("schema_name")} AND NOT internal)
    SELECT {literal(database)} AS "TABLE_CATALOG", FOUND.schema_name AS "TABLE_SCHEMA", FOUND.name AS "TABLE_NAME",
        '{OWNER}' AS "TABLE_OWNER", kind AS "TABLE_TYPE", CASE WHEN TRANSIENT THEN 'YES' ELSE 'NO' END
        AS "IS_TRANSIENT", 'LINEAR(' || nullif(CLUSTERED_BY, '') || ')' AS "CLUSTERING_KEY", size AS "ROW_COUNT",
        CASE WHEN size IS NOT NULL THEN 0 END AS "BYTES", 1 AS "RETENTION_TIME", CREATED AS "CREATED",
        CREATED AS "LAST_ALTERED", CREATED AS "LAST_DDL", CAST(NULL AS VARCHAR) AS "LAST_DDL_BY",
        CASE WHEN size IS NOT NULL THEN 'YES' ELSE 'NO' END AS "IS_INSERTABLE_INTO", 'YES' AS "IS_TYPED",
        'NO' AS "AUTO_CLUSTERING_ON", comment AS "COMMENT", 'NO' AS "IS_TEMPORARY", 'NO' AS "IS_ICEBERG",
        CASE WHEN DYNAMIC THEN 'YES' ELSE 'NO' END AS "IS_DYNAMIC", 'NO' AS "IS_HYBRID"
    FROM FOUND LEFT JOIN NOTED ON FOUND.schema_name = NOTED.SCHEMA_NAME AND FOUND.name = NOTED.NAME"""


@information_schema_view
def views(session: Session, database: str) -> str:
    return f"""
    SELECT database_name AS "TABLE_CATALOG", schema_name AS "TABLE_SCHEMA", view_name AS "TABLE_NAME",
        '{OWNER}' AS "TABLE_OWNER", sql AS "VIEW_DEFINITION", 'NONE' AS "CHECK_OPTION", 'NO' AS "IS_UPDATABLE",
        'NO' AS "INSERTABLE_INTO", 'NO' AS "IS_SECURE", comment AS "COMMENT"
    FROM duckdb_views() WHERE database_name = {literal(database)} AND {hidden("schema_name")} AND NOT internal"""


@information_schema_view
def schemata(session: Session, database: str) -> str:
    return f"""
    SELECT database_name AS "CATALOG_NAME", schema_name AS "SCHEMA_NAME", '{OWNER}' AS "SCHEMA_OWNER",
        'NO' AS "IS_TRANSIENT", 'NO' AS "IS_MANAGED_ACCESS", 1 AS "RETENTION_TIME", comment AS "COMMENT"
    FROM duckdb_schemas() WHERE database_name = {literal(database)} AND {hidden("schema_name")}"""


@information_schema_view
def columns(session: Session, database: str) -> str:
    counted = "column_default LIKE 'nextval(%'"
    sequence = (
        "(SELECT min({}) FROM duckdb_sequences() AS S WHERE S.database_name = duckdb_columns.database_name "
        "AND contains(column_default, S.sequence_name))"
    )
    return f"""
    SELECT database_name AS "TABLE_CATALOG", schema_name AS "TABLE_SCHEMA", table_name AS "TABLE_NAME",
        regexp_replace(column_name, '{spelling.MARK}[0-9]+$', '') AS "COLUMN_NAME",
        column_index AS "ORDINAL_POSITION", column_default AS "COLUMN_DEFAULT",
        CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS "IS_NULLABLE",
        CASE WHEN data_type IN ('BIGINT', 'INTEGER', 'HUGEINT') OR data_type LIKE 'DECIMAL%' THEN 'NUMBER'
             WHEN data_type = 'VARCHAR' THEN 'TEXT' WHEN data_type IN ('DOUBLE', 'FLOAT') THEN 'FLOAT'
             WHEN data_type = 'BLOB' THEN 'BINARY' WHEN data_type = 'JSON' THEN 'VARIANT'
             WHEN data_type = 'INTERVAL' THEN 'TIMESTAMP_TZ'
             WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_LTZ'
             WHEN data_type LIKE 'TIMESTAMP%' THEN 'TIMESTAMP_NTZ' ELSE data_type END AS "DATA_TYPE",
        CASE WHEN data_type = 'VARCHAR' THEN 16777216 END AS "CHARACTER_MAXIMUM_LENGTH",
        CASE WHEN data_type LIKE '%INT%' THEN 38 WHEN data_type LIKE 'DECIMAL%' THEN numeric_precision END
            AS "NUMERIC_PRECISION",
        CASE WHEN data_type LIKE '%INT%' THEN 0 WHEN data_type LIKE 'DECIMAL%' THEN numeric_scale END
            AS "NUMERIC_SCALE",
        CASE WHEN {counted} THEN 'YES' ELSE 'NO' END AS "IS_IDENTITY",
        CASE WHEN {counted} THEN {sequence.format("start_value")} END AS "IDENTITY_START",
        CASE WHEN {counted} THEN {sequence.format("increment_by")} END AS "IDENTITY_INCREMENT",
        CASE WHEN {counted} THEN 'BY DEFAULT' END AS "IDENTITY_GENERATION",
        CASE WHEN {counted} THEN 'NO' END AS "IDENTITY_CYCLE",
        CASE WHEN {counted} THEN 'NO' END AS "IDENTITY_ORDERED",
        CAST(NULL AS VARCHAR) AS "DATA_TYPE_ALIAS",
        comment AS "COMMENT"
    FROM duckdb_columns() WHERE database_name = {literal(database)} AND {hidden("schema_name")}"""


@information_schema_view
def table_constraints(session: Session, database: str) -> str:
    from intentscore.local import keys

    return keys.constraints(session, database)


@information_schema_view
def databases(session: Session, database: str) -> str:
    rows = ", ".join(f"({literal(name)})" for name in session.engine.databases())
    return f"""SELECT NAME AS "DATABASE_NAME", '{OWNER}' AS "DATABASE_OWNER", 'NO' AS "IS_TRANSIENT",
        1 AS "RETENTION_TIME", 'STANDARD' AS "TYPE" FROM (VALUES {rows}) AS D(NAME)"""


@information_schema_view
def packages(session: Session, database: str) -> str:
    """The Python packages the engine can run procedures and models with: those of its own environment."""
    found = sorted({(d.metadata["Name"].lower(), d.version) for d in metadata.distributions()})
    rows = ", ".join(f"({literal(name)}, {literal(version)})" for name, version in found)
    runtimes = ", ".join(f"({literal(runtime)})" for runtime in RUNTIMES)
    return f"""SELECT P.NAME AS "PACKAGE_NAME", P.VERSION AS "VERSION", 'python' AS "LANGUAGE",
            R.RUNTIME AS "RUNTIME_VERSION"
        FROM (VALUES {rows}) AS P(NAME, VERSION), (VALUES {runtimes}) AS R(RUNTIME)"""
