"""Where Snowflake is, what stands there, and what its errors mean."""
