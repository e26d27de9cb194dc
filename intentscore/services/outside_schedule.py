"""For those who orchestrate outside of Snowflake: a crontab line or a GitHub workflow that scores every day."""

from __future__ import annotations

from typing import Literal

from intentscore.services.schedule_config import ScheduleConfig

CRON = """\
CRON_TZ={zone}
{cron} intentscore features {env}--quiet && intentscore score --date {date} {explain}{env}--format json
"""
# GitHub's schedules are in UTC; the day is still the one of the configured time zone.
GITHUB = """\
name: score
on:
  schedule:
    - cron: "{cron}"  # UTC
  workflow_dispatch:
jobs:
  score:
    runs-on: ubuntu-latest
    env:
      INTENTSCORE_CONNECTION: env
      SNOWFLAKE_ACCOUNT: ${{{{ secrets.SNOWFLAKE_ACCOUNT }}}}
      SNOWFLAKE_USER: ${{{{ secrets.SNOWFLAKE_USER }}}}
      SNOWFLAKE_PASSWORD: ${{{{ secrets.SNOWFLAKE_PASSWORD }}}}
      SNOWFLAKE_ROLE: ${{{{ secrets.SNOWFLAKE_ROLE }}}}
      SNOWFLAKE_WAREHOUSE: ${{{{ secrets.SNOWFLAKE_WAREHOUSE }}}}
      SNOWFLAKE_DATABASE: ${{{{ secrets.SNOWFLAKE_DATABASE }}}}
    steps:
      - uses: actions/checkout@v4
      - run: make setup
      - run: .venv/bin/intentscore features {env}--quiet
      - run: .venv/bin/intentscore score --date "$(TZ={zone} date -d '-{lag} day' +%F)" {explain}{env}--format json
"""


def outside_schedule(config: ScheduleConfig, orchestrator: Literal["cron", "github"], env: str | None) -> str:
    """The text for a crontab or for `.github/workflows/score.yml`; `env` names the overlay to score with."""
    daily = config.daily
    given = {"env": f"--env {env} " if env else "", "explain": _explaining(config)}
    if orchestrator == "github":
        return GITHUB.format(cron=daily.cron, zone=daily.time_zone, lag=daily.lag_days, **given).rstrip()
    date = f"$(TZ={daily.time_zone} date -d '-{daily.lag_days} day' +\\%F)"  # cron takes a bare % for a line end
    return CRON.format(cron=daily.cron, zone=daily.time_zone, date=date, **given).rstrip()


def _explaining(config: ScheduleConfig) -> str:
    asked = config.explain
    if asked is None:
        return ""
    return f"--explain {asked.scores} --top {asked.reasons} {'--distinct ' if asked.distinct else ''}"
