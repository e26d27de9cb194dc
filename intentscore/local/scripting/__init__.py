"""Snowflake Scripting: blocks with variables, branches, loops, cursors and exception handlers.

`nodes` are the statements of a block, `parser` reads them, `variables` puts values into expressions and SQL,
`interpreter` runs them, and `blocks` is where anonymous blocks and procedures in SQL come in.

Source: https://docs.snowflake.com/en/developer-guide/snowflake-scripting/index
"""
