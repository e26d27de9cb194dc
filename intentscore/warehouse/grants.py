"""The privileges intentscore uses, once: docs/grants.sql is made of them, and `doctor` checks them.

Three roles: the owner deploys and runs everything, the operator watches and runs the graph, the reader reads scores.
`python -m intentscore.warehouse.grants docs/grants.sql` writes the script.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

OWNER, OPERATOR, READER = "INTENTSCORE_OWNER", "INTENTSCORE_OPERATOR", "INTENTSCORE_READER"
DATABASE, SCHEMA, WAREHOUSE = "<database>", "INTENTSCORE", "<warehouse>"


@dataclass(frozen=True)
class Grant:
    """A privilege on an object for a role; `kind` is what SHOW GRANTS prints under granted_on."""

    privilege: str
    kind: str
    target: str
    role: str
    why: str

    @property
    def sql(self) -> str:
        return f"GRANT {self.privilege} ON {self.target} TO ROLE {self.role};"


def _created(*kinds: str) -> tuple[Grant, ...]:
    why = {
        "TABLE": "SESSIONS, SCORES, RUNS and their like", "DYNAMIC TABLE": "the feature view",
        "STAGE": "the packaged code, registered runs", "FILE FORMAT": "temporary ones of write_pandas",
        "TAG": "entities of the Feature Store", "MODEL": "the registry", "MODEL MONITOR": "the monitor of the champion",
        "PROCEDURE": "the steps of the task graph",
        "TASK": "the task graph", "VIEW": "views of the Feature Store",
    }  # fmt: skip
    return tuple(Grant(f"CREATE {k}", "SCHEMA", f"SCHEMA {DATABASE}.{SCHEMA}", OWNER, why[k]) for k in kinds)


GRANTS = (
    Grant("USAGE", "DATABASE", f"DATABASE {DATABASE}", OWNER, "everything is in it"),
    Grant("USAGE", "SCHEMA", f"SCHEMA {DATABASE}.{SCHEMA}", OWNER, "everything is in it"),
    Grant("USAGE", "WAREHOUSE", f"WAREHOUSE {WAREHOUSE}", OWNER, "queries, the model, the feature view's refresh"),
    *_created(
        "TABLE", "VIEW", "DYNAMIC TABLE", "STAGE", "FILE FORMAT", "TAG", "MODEL", "MODEL MONITOR", "PROCEDURE", "TASK"
    ),
    Grant("EXECUTE TASK", "ACCOUNT", "ACCOUNT", OWNER, "the schedule"),
    Grant("EXECUTE MANAGED TASK", "ACCOUNT", "ACCOUNT", OWNER, "only for serverless tasks (serverless: true)"),
    Grant("USAGE", "DATABASE", f"DATABASE {DATABASE}", OPERATOR, "to see the graph"),
    Grant("USAGE", "SCHEMA", f"SCHEMA {DATABASE}.{SCHEMA}", OPERATOR, "to see the graph"),
    Grant("USAGE", "WAREHOUSE", f"WAREHOUSE {WAREHOUSE}", OPERATOR, "to query the history"),
    Grant("MONITOR, OPERATE", "TASK", f"ALL TASKS IN SCHEMA {DATABASE}.{SCHEMA}", OPERATOR, "run, suspend, resume"),
    Grant("MONITOR, OPERATE", "TASK", f"FUTURE TASKS IN SCHEMA {DATABASE}.{SCHEMA}", OPERATOR, "after each deployment"),
    Grant("SELECT", "TABLE", f"TABLE {DATABASE}.{SCHEMA}.RUNS", OPERATOR, "what ran"),
    Grant("USAGE", "DATABASE", f"DATABASE {DATABASE}", READER, "to reach SCORES"),
    Grant("USAGE", "SCHEMA", f"SCHEMA {DATABASE}.{SCHEMA}", READER, "to reach SCORES"),
    Grant("SELECT", "TABLE", f"TABLE {DATABASE}.{SCHEMA}.SCORES", READER, "the scores"),
    Grant("SELECT", "TABLE", f"TABLE {DATABASE}.{SCHEMA}.EXPLANATIONS", READER, "the reasons of the scores"),
)
DATABASE_ROLES = (
    f"GRANT DATABASE ROLE SNOWFLAKE.PYPI_REPOSITORY_USER TO ROLE {OWNER};"
    "  -- the procedures' packages; accounts give it to PUBLIC unless they were told not to",
)
OPTIONAL = frozenset({"EXECUTE MANAGED TASK"})

HEAD = f"""\
-- The privileges intentscore uses, for three roles. Made by `make grants`; do not edit.
-- Put your names in the place of {DATABASE} and {WAREHOUSE}. Run it as a role that may grant them:
-- SECURITYADMIN for the roles, the owners of database and warehouse for theirs, ACCOUNTADMIN once for the
-- two privileges on the account. intentscore itself never uses ACCOUNTADMIN.
"""


def script() -> str:
    """The grants as one SQL script, role by role."""
    blocks = [HEAD]
    for role in (OWNER, OPERATOR, READER):
        own = [grant for grant in GRANTS if grant.role == role]
        width = max(len(grant.sql) for grant in own)
        lines = [f"{grant.sql:<{width}}  -- {grant.why}" for grant in own]
        more = DATABASE_ROLES if role == OWNER else ()
        blocks.append("\n".join([f"CREATE ROLE IF NOT EXISTS {role};", *lines, *more]))
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(script(), encoding="utf-8")
