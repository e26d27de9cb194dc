"""Handlers of the stored procedures: each calls one service with the procedure's own session.

The package is zipped to a stage and imported there, so what these modules import must exist in Snowflake's
Python; `cli` and `local` stay behind.
"""
