"""One HTML page about a model: its card, its curves, a scored day, drift, reasons, and champion against challenger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from intentscore.errors import ConfigurationError, GateRefusedError, IntentscoreError, NothingToDoError, UsageError
from intentscore.services.kept_runs import run_at_hand
from intentscore.services.report_data import (
    day_scores,
    example_reasons,
    last_scored_day,
    page_value_months,
    scoring_table,
    version_that_scored,
)
from intentscore.services.runs import utc_now
from intentscore.services.versions import CHALLENGER, CHAMPION, RegisteredVersion, registered_versions
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors

if TYPE_CHECKING:
    from snowflake.snowpark import Session

    from intentscore.model.run import RunFolder
    from intentscore.report.content import Page, Section


EXPLAINED_DAYS = 28
REFUSALS = (ConfigurationError, GateRefusedError, NothingToDoError)


@dataclass(frozen=True)
class ReportResult:
    """`bytes` is the size of the page; `figures` are the tables it carries."""

    path: str
    bytes: int
    model_version: str | None
    trained_run: str | None
    day: date | None
    sections: tuple[str, ...]
    figures: int


@dataclass(frozen=True)
class Subject:
    """What the page is about: a model, by its run or its version or both, and a day it scored."""

    folder: RunFolder | None
    version: RegisteredVersion | None
    day: date | None

    @property
    def run_id(self) -> str | None:
        if self.folder:
            return self.folder.run_id
        return _run_of(self.version) if self.version else None


def report(
    session: Session,
    settings: Settings,
    output: Path,
    *,
    run: str | None = None,
    day: date | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> ReportResult:
    """Write a page about the model of a run, the one that scored a day, or (both None) the champion.

    The page stands alone: no script, no network. It is written whole or not at all, and nothing else changes. `say`
    hears which section is under way.

    Raises UsageError for a path that cannot be written, or without such a run; NothingToDoError for a day without
    scores.
    """
    from intentscore.report.page import html, writable, write_whole

    writable(output)
    with snowflake_errors("make the report"):
        subject = find_subject(session, settings, run, day)
        sections = _sections(session, settings, subject, say)
    page = _page(subject, sections, settings)
    size = write_whole(output, html(page, utc_now()))
    return ReportResult(
        path=str(output),
        bytes=size,
        model_version=subject.version.name if subject.version else None,
        trained_run=subject.run_id,
        day=subject.day,
        sections=tuple(section.title for section in sections),
        figures=len(page.figures()),
    )


def find_subject(session: Session, settings: Settings, run: str | None, day: date | None) -> Subject:
    """Raises UsageError when both or no run is found, NothingToDoError for a day without scores."""
    from intentscore.model.run import latest_run

    if run and day:
        raise UsageError("give either --run or --date, not both")
    known = registered_versions(session, settings)
    if day:
        scored_by = _named(known, version_that_scored(session, settings, day))
        return Subject(_folder(session, settings, scored_by), scored_by, day)
    champion = next((one for one in known if CHAMPION in one.aliases), None)
    if run is None and champion is not None:
        return Subject(
            _folder(session, settings, champion), champion, last_scored_day(session, settings, champion.name)
        )
    folder = run_at_hand(session, settings, run) if run else latest_run(settings.home / "runs")
    made_of_it = next((one for one in reversed(known) if _run_of(one) == folder.run_id), None)
    scored = last_scored_day(session, settings, made_of_it.name) if made_of_it else None
    return Subject(folder, made_of_it, scored)


def _sections(
    session: Session, settings: Settings, subject: Subject, say: Callable[[str], None]
) -> tuple[Section, ...]:
    from intentscore.services.report_sections.model_card import details, held_out, model_card

    say("model card")
    sections = [model_card(subject.folder, subject.version, page_value_months(session, settings))]
    if subject.folder:
        sections.append(held_out(subject.folder))
    for name, section in (
        ("scored day", _day),
        ("over time", _over_time),
        ("reasons", _reasons),
        ("champion against challenger", _challenger),
    ):
        say(name)
        sections.append(section(session, settings, subject))
    if subject.folder:
        sections.append(details(subject.folder))
    return tuple(sections)


def _day(session: Session, settings: Settings, subject: Subject) -> Section:
    from intentscore.report.content import Note, Section
    from intentscore.services.report_sections.scored_day import scored_day

    if subject.day is None or subject.version is None:
        note = Note("This version has not scored a day yet.", "intentscore score --date yesterday")
        return Section("day", "Scores of a day", "", (note,))
    table = scoring_table(session, settings, subject.version.name, subject.day)
    found = day_scores(session, settings, table, subject.version.name, subject.day)
    return scored_day(found, subject.version.learned_until)


def _over_time(session: Session, settings: Settings, subject: Subject) -> Section:
    from intentscore.report.content import Note, Section
    from intentscore.services.monitor_report import monitor_report
    from intentscore.services.report_sections.drift import NAME, TITLE, over_time

    if subject.version is None or CHAMPION not in subject.version.aliases:
        note = Note("Only the champion's scores are watched day by day; this version is not the champion.")
        return Section(NAME, TITLE, "", (note,))
    try:
        return over_time(monitor_report(session, settings, last=subject.day))
    except REFUSALS as error:
        return Section(NAME, TITLE, "", (Note(f"Nothing is known of the scores over time: {error}."),))


def _reasons(session: Session, settings: Settings, subject: Subject) -> Section:
    from intentscore.report.content import Note, Section
    from intentscore.services.importance import explained_sample, global_explanation
    from intentscore.services.report_sections.reasons import NAME, TITLE, reasons

    if subject.version is None:
        note = Note("Only a registered version explains its scores.", f"intentscore register {subject.run_id}")
        return Section(NAME, TITLE, "", (note,))
    first = subject.day - timedelta(days=EXPLAINED_DAYS - 1) if subject.day else None
    try:
        sample = explained_sample(session, settings, first, subject.day, subject.version.name)
    except REFUSALS as error:
        return Section(NAME, TITLE, "", (Note(f"The scores cannot be explained: {error}."),))
    ranked = global_explanation(sample)
    if subject.day is None:
        return reasons(ranked, sample, (), "intentscore score --date yesterday --explain")
    examples = example_reasons(session, settings, subject.version.name, subject.day)
    return reasons(ranked, sample, examples, f"intentscore explain --date {subject.day}")


def _challenger(session: Session, settings: Settings, subject: Subject) -> Section:
    from intentscore.report.content import Note, Section
    from intentscore.services.promote import plan_promotion
    from intentscore.services.report_sections.challenger import NAME, TITLE, challenger

    # a champion is compared with its challenger, any other version with the champion
    chosen = subject.version.name if subject.version and CHAMPION not in subject.version.aliases else None
    try:
        return challenger(plan_promotion(session, settings, chosen))
    except REFUSALS as error:
        return Section(NAME, TITLE, "", (Note(f"{CHALLENGER.capitalize()} and champion are not compared: {error}."),))


def _page(subject: Subject, sections: tuple[Section, ...], settings: Settings) -> Page:
    from intentscore.report.content import Page
    from intentscore.services.report_sections.model_card import facts

    what = subject.version.name if subject.version else f"run {subject.run_id}"
    alias = f", {', '.join(subject.version.aliases)}" if subject.version and subject.version.aliases else ""
    day = f"; scores of {subject.day}" if subject.day else ""
    return Page(
        f"Purchase intent: {settings.model_name}",
        f"{what}{alias}{day}",
        facts(subject.folder, subject.version),
        sections,
    )


def _named(known: tuple[RegisteredVersion, ...], name: str) -> RegisteredVersion:
    """The registered version; one that has been deleted since is known by its name alone."""
    return next((one for one in known if one.name == name), RegisteredVersion(name, (), {}))


def _folder(session: Session, settings: Settings, version: RegisteredVersion) -> RunFolder | None:
    """The run folder the version was made of, if it is on this machine or on its stage."""
    run = _run_of(version)
    try:
        return run_at_hand(session, settings, run) if run else None
    except IntentscoreError:
        return None


def _run_of(version: RegisteredVersion) -> str | None:
    run = version.metrics.get("run_id")
    return str(run) if run else None
