"""One module per verb: a session, settings and plain values in, a frozen dataclass out."""
