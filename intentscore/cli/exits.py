"""Exit codes, in one table. Those of errors are the `exit_code` of the classes in `intentscore.errors`."""

from __future__ import annotations

INTERRUPTED = 130

EXIT_CODES: dict[int, str] = {
    0: "done",
    1: "unexpected",
    2: "usage: the command line is wrong",
    3: "bad configuration or credentials",
    4: "cannot reach or use the account",
    5: "refused input data",
    6: "nothing to do (no sessions for that date)",
    7: "a gate refused (promotion, quality)",
    INTERRUPTED: "interrupted",
}
