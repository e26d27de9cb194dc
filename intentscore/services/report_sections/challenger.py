"""Champion against challenger, as `intentscore promote` would plan it; nothing is promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intentscore.report.charts import Axis, intervals
from intentscore.report.content import Block, Chart, Section, Table, table_of

if TYPE_CHECKING:
    from intentscore.model.bootstrap import Difference
    from intentscore.services.promote import PromotionPlan

NAME, TITLE = "challenger", "Champion against challenger"


def challenger(plan: PromotionPlan) -> Section:
    verdict = "every gate lets it pass" if plan.accepted else "a gate refuses it"
    lead = (
        f"{plan.version} beside the champion {plan.champion}, on {plan.sessions:,} sessions with {plan.buyers:,} "
        f"buyers after {plan.tested_after}, which neither learned from: {verdict}."
    )
    blocks: list[Block] = []
    if plan.differences:
        blocks += [_difference_chart(plan.differences), table_of("challenger_figures", "Figures", plan.figures)]
    blocks.append(table_of("gates", "Gates of a promotion", plan.gates))
    return Section(NAME, TITLE, lead, tuple(blocks))


def _difference_chart(found: tuple[Difference, ...]) -> Chart:
    drawn = [
        (one.measure.replace("_", " "), one.low, one.difference, one.high)
        for one in found
        if one.difference is not None and one.low is not None and one.high is not None
    ]
    header = ("measure", "difference", "low", "high", "p_value", "better")
    rows = tuple((one.measure, one.difference, one.low, one.high, one.p_value, one.better) for one in found)
    return Chart(
        "challenger_differences",
        "Challenger minus champion",
        "With 95 % intervals, on the same sessions. More is better for ROC AUC and average precision, less for log "
        "loss and Brier score.",
        intervals(drawn, Axis("difference")),
        Table("challenger_differences", "Challenger minus champion", header, rows),
    )
