"""Rewrites that fakesnow already has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fakesnow import transforms as fakesnow
from sqlglot import Expr, exp

from intentscore.local.rewrites.registry import Rewrite, rewrite

if TYPE_CHECKING:
    from intentscore.local.session import Session


def _adopted(function: Callable[[Expr], Expr]) -> Rewrite:
    def adopt(node: Expr, session: Session) -> Expr:
        return function(node)

    return adopt


for _classes, _function in (
    ((exp.ArrayAgg, exp.Window), fakesnow.array_agg),
    ((exp.WithinGroup,), fakesnow.array_agg_within_group),
    ((exp.ObjectAgg,), fakesnow.object_agg),
    ((exp.ArraySize,), fakesnow.array_size),
    ((exp.RegexpReplace,), fakesnow.regex_replace),
    ((exp.RegexpExtract,), fakesnow.regex_substr),
    ((exp.HexString,), fakesnow.hex_string),
    ((exp.TableSample,), fakesnow.sample),
    ((exp.ToVariant,), fakesnow.to_variant),
    ((exp.Split,), fakesnow.split),
    ((exp.JSONExtract, exp.JSONExtractScalar), fakesnow.json_extract_precedence),
    ((exp.StarMap, exp.Struct, exp.JSONObject), fakesnow.object_construct),
    ((exp.Lateral, exp.TableFromRows), fakesnow.flatten),
):
    rewrite(*_classes)(_adopted(_function))
