"""Purchase-intent scores for online shop sessions, trained and served in Snowflake."""

__version__ = "0.1.0"
