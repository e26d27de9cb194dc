"""What a feature's value and contribution say, in a marketer's words, as SQL over the columns that hold them.

A reason is a fact (one wording per feature) and what it does to the odds (one wording per direction):
`The shopper saw 42 product pages, which raises the odds of a purchase by 35%.` A feature without a wording of its
own is told by its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from intentscore.features.feature import Feature
from intentscore.warehouse.identifiers import literal

Wording = Callable[[str], str]
"""From the SQL of a value to the SQL of a text about it, which is null for a missing value."""

MONTH_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
               "November", "December")  # fmt: skip
LARGEST_SPELT_OUT, LARGEST_FORM = "1e15", "999,999,999,999,990"
HARDLY, TWICE = 0.005, "LN(2)"


def _number(decimals: int) -> Wording:
    form = f"FM{LARGEST_FORM}.{'0' * decimals}".rstrip(".")

    def text(value: str) -> str:
        # within bounds whichever branch a warehouse computes: it may compute both
        bounded = f"GREATEST(LEAST({value}, {LARGEST_SPELT_OUT}), -{LARGEST_SPELT_OUT})"
        spelt = f"TO_VARCHAR(CAST({bounded} AS NUMBER(38, {decimals})), '{form}')"
        return f"IFF(ABS({value}) < {LARGEST_SPELT_OUT}, {spelt}, CAST({value} AS VARCHAR))"

    return text


def _percent(value: str) -> str:
    return f"{_number(1)(f'({value} * 100)')} || '%'"


def _count(thing: str) -> Wording:
    """No page, 1 page, 2 pages."""

    def text(value: str) -> str:
        few = f"CASE ROUND({value}) WHEN 0 THEN {literal(f'no {thing}')} WHEN 1 THEN {literal(f'1 {thing}')}"
        return f"{few} ELSE {_number(0)(value)} || {literal(f' {thing}s')} END"

    return text


def _time(value: str) -> str:
    short = f"IFF(ROUND({value}) = 0, 'no time', {_count('second')(value)})"
    return f"IFF({value} < 120, {short}, {_number(1)(f'({value} / 60)')} || ' minutes')"


def _anti_log(unit: Wording) -> Wording:
    """The value v that a feature shows as LN(1 + v)."""
    return lambda value: unit(f"(EXP(LEAST({value}, 700)) - 1)")


def _says(sentence: str, unit: Wording, zero: str | None = None) -> Wording:
    before, after = sentence.split("{value}")

    def text(value: str) -> str:
        told = " || ".join([*_quoted(before), f"({unit(value)})", *_quoted(after)])
        return told if zero is None else f"IFF({value} = 0, {literal(zero)}, {told})"

    return text


def _quoted(text: str) -> list[str]:
    return [literal(text)] if text else []


def _one_of(*cases: tuple[str, str], otherwise: str) -> Wording:
    """`cases`: a condition on the value, written {v}, and what is said when it holds."""

    def text(value: str) -> str:
        told = " ".join(f"WHEN {condition.format(v=value)} THEN {literal(words)}" for condition, words in cases)
        return f"CASE {told} WHEN {value} IS NOT NULL THEN {literal(otherwise)} END"

    return text


NO_PAGE_SOLD, SOME_PAGES_SOLD = "no page seen has led to a purchase before", "pages seen have led to purchases before"
NO_VALUE = f"{NO_PAGE_SOLD.capitalize()} (none has a page value)"
SOME_VALUE = f"{SOME_PAGES_SOLD.capitalize()} (they have a page value)"
WORDINGS: dict[str, Wording] = {
    "ADMINISTRATIVE": _says("The shopper saw {value}", _count("administrative page")),
    "ADMINISTRATIVE_DURATION": _says("The shopper spent {value} on administrative pages", _time),
    "INFORMATIONAL": _says("The shopper saw {value}", _count("information page")),
    "INFORMATIONAL_DURATION": _says("The shopper spent {value} on information pages", _time),
    "PRODUCT_RELATED": _says("The shopper saw {value}", _count("product page")),
    "PRODUCT_RELATED_DURATION": _says("The shopper spent {value} on product pages", _time),
    "BOUNCE_RATES": _says("The pages seen have a mean bounce rate of {value}", _percent),
    "EXIT_RATES": _says("The pages seen have a mean exit rate of {value}", _percent),
    "PAGE_VALUES": _says("The pages seen have a mean page value of {value}", _number(2), zero=NO_VALUE),
    "SPECIAL_DAY": _says("A special day is near (closeness {value})", _percent, zero="No special day is near"),
    "IS_WEEKEND": _one_of(("{v} = 1", "The session is on a weekend"), otherwise="The session is not on a weekend"),
    "TOTAL_PAGES": _says("The shopper saw {value} in all", _count("page")),
    "TOTAL_DURATION": _says("The shopper spent {value} on all pages", _time),
    "SECONDS_PER_PAGE": _says("The shopper spent {value} on the average page", _time),
    "SECONDS_PER_PRODUCT_PAGE": _says("The shopper spent {value} on the average product page", _time),
    "ADMINISTRATIVE_SHARE": _says("Of the pages seen, {value} are administrative pages", _percent),
    "INFORMATIONAL_SHARE": _says("Of the pages seen, {value} are information pages", _percent),
    "PRODUCT_SHARE": _says("Of the pages seen, {value} are product pages", _percent),
    "PRODUCT_DURATION_SHARE": _says("Of the time spent, {value} went to product pages", _percent),
    "EXIT_MINUS_BOUNCE": _says("The mean exit rate less the mean bounce rate is {value}", _percent),
    "EXIT_TIMES_BOUNCE": _says("The mean exit rate times the mean bounce rate is {value}", _number(5)),
    "BOUNCE_TO_EXIT": _says("The mean bounce rate is {value} of the mean exit rate", _percent),
    "TOTAL_EXIT_RATE": _says("The exit rates of the pages seen add up to {value}", _percent),
    "TOTAL_BOUNCE_RATE": _says("The bounce rates of the pages seen add up to {value}", _percent),
    "HAS_PAGE_VALUE": _one_of(
        ("{v} = 1", SOME_VALUE),
        otherwise=NO_VALUE,
    ),
    "LOG_PAGE_VALUES": _says(
        "On a logarithmic scale, the pages seen have a mean page value of {value}", _anti_log(_number(2))
    ),
    "TOTAL_VALUE": _says("The mean page value times the number of pages seen is {value}", _number(2)),
    "LOG_TOTAL_VALUE": _says(
        "On a logarithmic scale, the mean page value times the number of pages seen is {value}", _anti_log(_number(2))
    ),
    "VALUE_AFTER_EXIT": _says("The mean page value times the share of visitors who stay is {value}", _number(2)),
    "LOG_TOTAL_DURATION": _says("On a logarithmic scale, the shopper spent {value} on all pages", _anti_log(_time)),
    "MONTH_NUMBER": _one_of(
        *((f"{{v}} = {number}", f"The session is in {name}") for number, name in enumerate(MONTH_NAMES, start=1)),
        otherwise="The month of the session is not known",
    ),
    "MONTH_SIN": _one_of(
        ("{v} > 0.01", "The time of the year is between February and June"),
        ("{v} < -0.01", "The time of the year is between August and December"),
        otherwise="The time of the year is January or July",
    ),
    "MONTH_COS": _one_of(
        ("{v} > 0.01", "The time of the year is between November and March"),
        ("{v} < -0.01", "The time of the year is between May and September"),
        otherwise="The time of the year is April or October",
    ),
    "OPERATING_SYSTEMS": _says("The shopper's operating system has the code {value}", _number(0)),
    "BROWSER": _says("The shopper's browser has the code {value}", _number(0)),
    "REGION": _says("The shopper's region has the code {value}", _number(0)),
    "TRAFFIC_TYPE": _says("The shopper came by the traffic source with the code {value}", _number(0)),
    "VISITOR_CODE": _one_of(
        ("{v} = 1", "The shopper is a returning visitor"),
        ("{v} = 2", "The shopper is a new visitor"),
        otherwise="The shopper is neither a new nor a returning visitor",
    ),
    "PAST_SESSIONS": _says("The shopper has {value}", _count("earlier session")),
    "DAYS_SINCE_SESSION": _says("The shopper's last session was {value} ago", _count("day")),
    "DAYS_SINCE_FIRST_SESSION": _says("The shopper's first session was {value} ago", _count("day")),
    "PAST_PURCHASES": _says("The shopper made {value}", _count("earlier purchase")),
    "PAST_PURCHASE_RATE": _says("Of the shopper's earlier sessions, {value} ended in a purchase", _percent),
    "DAYS_SINCE_PURCHASE": _says("The shopper's last purchase was {value} ago", _count("day")),
}
APART = re.compile(r"(\w+)_(WITH|WITHOUT)_VALUE")
WITHIN_DAYS = re.compile(r"(PAST_\w+)_(\d+)D")
WORDINGS_WITHIN_DAYS: dict[str, tuple[str, Wording]] = {
    "PAST_SESSIONS": ("In the {days} days before, the shopper had {value}", _count("session")),
    "PAST_PAGES": ("In the {days} days before, the shopper saw {value} pages a session", _number(1)),
    "PAST_DURATION": ("In the {days} days before, the shopper spent {value} a session", _time),
    "PAST_EXIT_RATES": ("In the {days} days before, pages the shopper saw had a mean exit rate of {value}", _percent),
    "PAST_PAGE_VALUES": (
        "In the {days} days before, pages the shopper saw had a mean page value of {value}",
        _number(2),
    ),
}


SUBJECTS = (
    ("page values", re.compile(r"\bPAGE_VALUES\b")),
    ("time of the year", re.compile(r"\b(MONTH|SPECIAL_DAY)\b")),
    ("leaving", re.compile(r"\b(BOUNCE_RATES|EXIT_RATES)\b")),
    ("time spent", re.compile(r"_DURATION\b")),
    ("pages seen", re.compile(r"\b(ADMINISTRATIVE|INFORMATIONAL|PRODUCT_RELATED)\b")),
)


def subject(feature: Feature) -> str:
    """What a feature tells of, which it may share with others: the first of SUBJECTS whose columns it is made of."""
    if feature.history:
        return "history"
    told = feature.sql.replace("PAGE_VALUES", "") if APART.fullmatch(feature.name) else feature.sql
    return next((name for name, columns in SUBJECTS if columns.search(told)), feature.name)


def reason_sql(feature: str, value: str, log_odds: str, features: Iterable[Feature]) -> str:
    """The sentence, as SQL; `feature`, `value` and `log_odds` are the SQL of what it is about."""
    listed = tuple(features)
    told = "\n".join(f"WHEN {literal(one.name)} THEN {_wording(one)(value)}" for one in listed)
    missing = "\n".join(f"WHEN {literal(one.name)} THEN {literal(_absent(one))}" for one in listed)
    return f"COALESCE(CASE {feature}\n{told}\nEND, CASE {feature}\n{missing}\nEND) || {_effect(log_odds)} || '.'"


def _wording(feature: Feature) -> Wording:
    own, within = WORDINGS.get(feature.name), WITHIN_DAYS.fullmatch(feature.name)
    if own is None and (apart := APART.fullmatch(feature.name)) and apart[1] in WORDINGS:
        return _given(f"In a session {apart[2].lower()} page value: ", WORDINGS[apart[1]])
    if own is None and within and within[1] in WORDINGS_WITHIN_DAYS:
        sentence, unit = WORDINGS_WITHIN_DAYS[within[1]]
        return _says(sentence.replace("{days}", within[2]), unit)
    return own or _says(f"{_capital(feature)}: {{value}}", _number(2))


def _absent(feature: Feature) -> str:
    """What a missing value says: a feature that stands apart is missing where its condition does not hold."""
    if apart := APART.fullmatch(feature.name):
        because = NO_PAGE_SOLD if apart[2] == "WITH" else SOME_PAGES_SOLD
        return f"That {because} puts the {feature.meaning.partition(', when ')[0]} in another light"
    return f"{_capital(feature)}: none"


def _given(condition: str, wording: Wording) -> Wording:
    return lambda value: f"{literal(condition)} || ({wording(value)})"


def _capital(feature: Feature) -> str:
    return feature.meaning[:1].upper() + feature.meaning[1:]


def _effect(log_odds: str) -> str:
    """By how much the odds change: in percent up to twice, as a factor from there on."""
    odds = "the odds of a purchase"
    percent, factor = _number(0), _number(1)
    cases = (
        (f"ABS({log_odds}) < {HARDLY}", literal(f", which hardly changes {odds}")),
        (f"{log_odds} >= {TWICE}", f"{literal(f', which multiplies {odds} by ')} || {factor(f'EXP({log_odds})')}"),
        (
            f"{log_odds} > 0",
            f"{literal(f', which raises {odds} by ')} || {percent(f'((EXP({log_odds}) - 1) * 100)')} || '%'",
        ),
        (
            f"{log_odds} > -{TWICE}",
            f"{literal(f', which lowers {odds} by ')} || {percent(f'((1 - EXP({log_odds})) * 100)')} || '%'",
        ),
    )
    told = "\n".join(f"WHEN {condition} THEN {words}" for condition, words in cases)
    return f"CASE {told}\nELSE {literal(f', which divides {odds} by ')} || {factor(f'EXP(-{log_odds})')} END"
