"""A Snowflake-compatible server on DuckDB, so that Snowflake's own clients run without an account.

The rooms, from the wire inwards: `server` speaks the connector's protocol, `session` holds one client's
context, `statements` finds the handler of a statement, `rewrites` turns Snowflake SQL into DuckDB SQL,
`results` turns what DuckDB answers into what the clients parse, `catalog` keeps what DuckDB does not store.
"""
