"""The model card: what the model is for, what it learned from, how good it is beside what it has to beat, its limits.

After M. Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, https://arxiv.org/abs/1810.03993.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from intentscore.report.content import Block, Note, Points, Section, Table, Value, pairs, table_of
from intentscore.report.ranking import decile_chart, ranking_charts

if TYPE_CHECKING:
    from intentscore.model.run import RunFolder
    from intentscore.services.evaluate import PageValueMonth
    from intentscore.services.versions import RegisteredVersion

PAGE_VALUES = "PAGE_VALUES"
PURPOSE = (
    "It orders the sessions of a day by how likely each is to end in a purchase, so that marketing can choose whom to "
    "address.",
    "A score is a probability between 0 and 1 for one session; it says nothing about a person beyond that session.",
    "Not for prices, credit or any decision that a single shopper would have to answer for.",
)
LIMITS = (
    "The figures are of the months held out in training; another season, shop or campaign can give others. The "
    "intervals say how far they move with other sessions to test on, not with other sessions to learn from.",
    "Contributions say what the model looked at, not what causes a purchase.",
    "Codes for browser, region, operating system and traffic source are the data's own; a new code counts as unseen.",
)


def model_card(
    folder: RunFolder | None, version: RegisteredVersion | None, months: Sequence[PageValueMonth]
) -> Section:
    """Of a run folder where it is at hand, else of what the registry says of the version."""
    blocks: list[Block] = [Points("What it is for", PURPOSE)]
    if folder is None:
        blocks += [_registered(version), _elsewhere(version)]
    else:
        blocks += [_origin(folder, version), _learned_from(folder), _measured(folder)]
    blocks += [Points("Limits", LIMITS), *_page_values(folder, months)]
    return Section("model-card", "Model card", "", tuple(blocks))


def details(folder: RunFolder) -> Section:
    """What the model looks at, and what it takes to make it again."""
    return Section("details", "Features and parameters", "", (_features(folder), *_made_with(folder)))


def held_out(folder: RunFolder) -> Section:
    """Curves of the held-out months and of cross-validation, and the held-out deciles."""
    period, curves = folder.metrics["holdout_period"], folder.curves
    found = {"held-out months": curves["holdout"], "cross-validation": curves["cv"]}
    lead = (
        f"{_sessions(period)}, which the model had not seen; beside them the training sessions, each scored by a "
        "booster that had not seen it."
    )
    charts = (*ranking_charts("holdout", found), decile_chart("holdout_deciles", folder.metrics["deciles"]))
    return Section("held-out", "On sessions it had not seen", lead, charts)


def facts(folder: RunFolder | None, version: RegisteredVersion | None) -> tuple[tuple[str, Value, str], ...]:
    """The head of the page."""
    if folder is None:
        figures = version.metrics if version else {}
        return tuple((title, figures.get(f"holdout_{name}"), "held-out months") for name, title in HEADLINES)
    return tuple((title, folder.metrics["holdout"][name], _interval(folder.metrics, name)) for name, title in HEADLINES)


HEADLINES = (
    ("roc_auc", "ROC AUC"),
    ("average_precision", "Average precision"),
    ("brier", "Brier score"),
    ("lift_at_10", "Lift of the best tenth"),
)


def _interval(metrics: dict[str, Any], name: str) -> str:
    found = metrics.get("intervals", {}).get(name)
    return f"95 %: {found['low']:.4f} to {found['high']:.4f}" if found and found["low"] is not None else ""


def _origin(folder: RunFolder, version: RegisteredVersion | None) -> Table:
    metrics, data = folder.metrics, folder.data
    trained, tested = metrics["train_period"], metrics["holdout_period"]
    return pairs(
        "model",
        "Model",
        [
            ("run", folder.run_id),
            ("registered as", version.name if version else "not registered"),
            ("alias", ", ".join(version.aliases) if version else ""),
            ("kind", f"LightGBM, {metrics['model']['trees']:,} trees"),
            ("learned from", _sessions(trained)),
            ("held out", _sessions(tested)),
            ("buyers", data["buyers"]),
            ("buyer rate", data["buyers"] / data["rows"]),
            ("features", len(metrics["model"]["features"])),
            ("hash of the feature list", folder.features["hash"]),
            ("fingerprint of the data", data["fingerprint"][:16]),
            ("SHA-256 of the model", metrics["model"]["sha256"][:16]),
        ],
    )


def _registered(version: RegisteredVersion | None) -> Table:
    values = sorted(version.metrics.items()) if version else []
    return pairs("model", "What the Model Registry says of the version", values)


def _elsewhere(version: RegisteredVersion | None) -> Note:
    run = version.metrics.get("run_id") if version else None
    return Note(
        f"The folder of run {run} is not on this machine, so that curves, deciles and baselines are missing here; make "
        "the report where the model was trained, or train anew:",
        "intentscore train",
    )


def _measured(folder: RunFolder) -> Table:
    """The held-out months with their intervals, cross-validation, and what the model has to beat."""
    metrics = folder.metrics
    holdout, mean, std = metrics["holdout"], metrics["cv"]["mean"], metrics["cv"]["std"]
    intervals, baselines = metrics.get("intervals", {}), metrics["baselines"]
    rows = [
        (
            name, holdout[name], intervals.get(name, {}).get("low"), intervals.get(name, {}).get("high"), mean[name],
            std[name], *(one["holdout"][name] for one in baselines.values()),
        )
        for name in mean
    ]  # fmt: skip
    header = ("measure", "held_out", "low", "high", "cv_mean", "cv_std", *baselines)
    caption = (
        "Figures of the held-out months with 95 % interval, of cross-validation, and of what the model has to beat"
    )
    return Table("metrics", caption, header, tuple(rows))


def _learned_from(folder: RunFolder) -> Table:
    rows = tuple((m["month"], m["sessions"], m["buyers"], m["buyers"] / m["sessions"]) for m in folder.data["months"])
    return Table("months", "Sessions by month", ("month", "sessions", "buyers", "buyer_rate"), rows, narrow=True)


def _page_values(folder: RunFolder | None, months: Sequence[PageValueMonth]) -> list[Block]:
    caption = "Sessions with a known outcome, with and without a page value"
    gain = _page_value_gain(folder) if folder else None
    worth = Note("What the model is worth without them:", f"intentscore evaluate --without {PAGE_VALUES}")
    return [
        Points("Page values", (_page_value_caveat(gain),)),
        *([table_of("page_values", caption, months)] if months else []),
        *([] if gain == 0 else [worth]),
    ]


def _page_value_gain(folder: RunFolder) -> float:
    """The share of what the splits gained that features made of page values did."""
    made = {one["name"] for one in folder.features["features"] if PAGE_VALUES in one["sql"].upper()}
    return float(sum(row["gain"] for row in folder.metrics["importances"] if row["feature"] in made))


def _page_value_caveat(gain: float | None) -> str:
    caveat = (
        "Page value is computed by the shop's analytics from sales: it is high for pages that were seen before "
        "purchases, and so knows something of the outcome it helps to predict."
    )
    if gain is None:
        return caveat
    if gain == 0:
        return f"{caveat} This model does without it."
    return f"{caveat} The features made of it account for {gain:.0%} of what this model's splits gained."


def _features(folder: RunFolder) -> Table:
    """The strongest first, as the run has them."""
    listed = {one["name"]: one for one in folder.features["features"]}
    found = [(row, listed[row["feature"]]) for row in folder.metrics["importances"]]
    rows = tuple((row["feature"], one["kind"], row["gain"], row["splits"], one["meaning"]) for row, one in found)
    return Table("features", "Features", ("feature", "kind", "share_of_gain", "splits", "meaning"), rows)


def _made_with(folder: RunFolder) -> tuple[Table, Table]:
    config = folder.config
    chosen: list[tuple[str, Value]] = [
        ("seed", config.seed),
        ("folds", config.cv_folds),
        ("dealings of the folds merged into one", config.bags),
        ("left out", ", ".join(config.exclude) or None),
        *config.params.model_dump().items(),
    ]
    return pairs("parameters", "Parameters", chosen), pairs("packages", "Made with", folder.versions.items())


def _sessions(period: dict[str, Any]) -> str:
    first, last = period["first"], period["last"]
    when = f"of {first}" if first == last else f"from {first} to {last}"
    return f"{period['sessions']:,} sessions {when}"
