from __future__ import annotations

import math

from snowflake.snowpark import Session

from intentscore.features.definitions import FEATURES, feature_names, features_using, meanings
from intentscore.features.feature import Feature
from intentscore.features.reasons import reason_sql, subject

FACTS: dict[str, tuple[float, str]] = {
    "ADMINISTRATIVE": (3, "The shopper saw 3 administrative pages"),
    "ADMINISTRATIVE_DURATION": (80.4, "The shopper spent 80 seconds on administrative pages"),
    "INFORMATIONAL": (1, "The shopper saw 1 information page"),
    "INFORMATIONAL_DURATION": (0, "The shopper spent no time on information pages"),
    "PRODUCT_RELATED": (1234, "The shopper saw 1,234 product pages"),
    "PRODUCT_RELATED_DURATION": (1854, "The shopper spent 30.9 minutes on product pages"),
    "BOUNCE_RATES": (0.02, "The pages seen have a mean bounce rate of 2.0%"),
    "EXIT_RATES": (0.0256, "The pages seen have a mean exit rate of 2.6%"),
    "PAGE_VALUES": (0, "No page seen has led to a purchase before (none has a page value)"),
    "SPECIAL_DAY": (0.8, "A special day is near (closeness 80.0%)"),
    "IS_WEEKEND": (1, "The session is on a weekend"),
    "TOTAL_PAGES": (0, "The shopper saw no page in all"),
    "TOTAL_DURATION": (1, "The shopper spent 1 second on all pages"),
    "SECONDS_PER_PAGE": (45.2, "The shopper spent 45 seconds on the average page"),
    "SECONDS_PER_PRODUCT_PAGE": (120, "The shopper spent 2.0 minutes on the average product page"),
    "ADMINISTRATIVE_SHARE": (0.5, "Of the pages seen, 50.0% are administrative pages"),
    "INFORMATIONAL_SHARE": (0, "Of the pages seen, 0.0% are information pages"),
    "PRODUCT_SHARE": (1, "Of the pages seen, 100.0% are product pages"),
    "PRODUCT_DURATION_SHARE": (0.954, "Of the time spent, 95.4% went to product pages"),
    "EXIT_MINUS_BOUNCE": (0.014, "The mean exit rate less the mean bounce rate is 1.4%"),
    "EXIT_TIMES_BOUNCE": (0.00042, "The mean exit rate times the mean bounce rate is 0.00042"),
    "BOUNCE_TO_EXIT": (0.25, "The mean bounce rate is 25.0% of the mean exit rate"),
    "TOTAL_EXIT_RATE": (0.35, "The exit rates of the pages seen add up to 35.0%"),
    "TOTAL_BOUNCE_RATE": (0.052, "The bounce rates of the pages seen add up to 5.2%"),
    "HAS_PAGE_VALUE": (1, "Pages seen have led to purchases before (they have a page value)"),
    "LOG_PAGE_VALUES": (math.log(36.5), "On a logarithmic scale, the pages seen have a mean page value of 35.50"),
    "TOTAL_VALUE": (812.5, "The mean page value times the number of pages seen is 812.50"),
    "LOG_TOTAL_VALUE": (
        math.log(813.5),
        "On a logarithmic scale, the mean page value times the number of pages seen is 812.50",
    ),
    "VALUE_AFTER_EXIT": (62.02, "The mean page value times the share of visitors who stay is 62.02"),
    "LOG_TOTAL_DURATION": (math.log(241), "On a logarithmic scale, the shopper spent 4.0 minutes on all pages"),
    "MONTH_NUMBER": (11, "The session is in November"),
    "MONTH_SIN": (-0.866, "The time of the year is between August and December"),
    "MONTH_COS": (0.5, "The time of the year is between November and March"),
    "OPERATING_SYSTEMS": (2, "The shopper's operating system has the code 2"),
    "BROWSER": (2, "The shopper's browser has the code 2"),
    "REGION": (9, "The shopper's region has the code 9"),
    "TRAFFIC_TYPE": (13, "The shopper came by the traffic source with the code 13"),
    "VISITOR_CODE": (1, "The shopper is a returning visitor"),
    **{
        f"{name}_{which}_VALUE": (value, f"In a session {which.lower()} page value: {fact}")
        for which in ("WITHOUT", "WITH")
        for name, value, fact in (
            ("ADMINISTRATIVE_SHARE", 0.5, "Of the pages seen, 50.0% are administrative pages"),
            ("PRODUCT_SHARE", 1, "Of the pages seen, 100.0% are product pages"),
            ("EXIT_RATES", 0.0256, "The pages seen have a mean exit rate of 2.6%"),
            ("BOUNCE_RATES", 0.02, "The pages seen have a mean bounce rate of 2.0%"),
            ("PRODUCT_RELATED", 1, "The shopper saw 1 product page"),
            ("TOTAL_DURATION", 600, "The shopper spent 10.0 minutes on all pages"),
        )
    },
    "PAST_SESSIONS": (3, "The shopper has 3 earlier sessions"),
    "DAYS_SINCE_SESSION": (1, "The shopper's last session was 1 day ago"),
    "DAYS_SINCE_FIRST_SESSION": (400, "The shopper's first session was 400 days ago"),
    "PAST_PURCHASES": (0, "The shopper made no earlier purchase"),
    "PAST_PURCHASE_RATE": (0.25, "Of the shopper's earlier sessions, 25.0% ended in a purchase"),
    "DAYS_SINCE_PURCHASE": (12, "The shopper's last purchase was 12 days ago"),
    **{
        f"PAST_{what}_{days}D": (value, f"In the {days} days before, {fact}")
        for days in (7, 30, 90)
        for what, value, fact in (
            ("SESSIONS", 1, "the shopper had 1 session"),
            ("PAGES", 24.25, "the shopper saw 24.3 pages a session"),
            ("DURATION", 600, "the shopper spent 10.0 minutes a session"),
            ("EXIT_RATES", 0.03, "pages the shopper saw had a mean exit rate of 3.0%"),
            ("PAGE_VALUES", 12.5, "pages the shopper saw had a mean page value of 12.50"),
        )
    },
}
EFFECTS: dict[float, str] = {
    0.0: "hardly changes the odds of a purchase",
    -0.004: "hardly changes the odds of a purchase",
    0.3: "raises the odds of a purchase by 35%",
    2.6: "multiplies the odds of a purchase by 13.5",
    -0.3: "lowers the odds of a purchase by 26%",
    -2.6: "divides the odds of a purchase by 13.5",
}
Told = tuple[str, float | None, float]


def sentences(session: Session, told: list[Told], features: tuple[Feature, ...] = FEATURES) -> dict[Told, str]:
    rows = ", ".join(f"('{name}', {'NULL' if value is None else repr(value)}, {odds!r})" for name, value, odds in told)
    found = session.sql(
        f"SELECT {reason_sql('F', 'V', 'C', features)} AS REASON FROM "
        f"(SELECT COLUMN1 AS F, COLUMN2::FLOAT AS V, COLUMN3::FLOAT AS C FROM VALUES {rows})"
    ).collect()
    return dict(zip(told, [row[0] for row in found], strict=True))


def test_every_feature_says_its_value_with_its_unit(session: Session) -> None:
    found = sentences(session, [(name, value, 0.3) for name, (value, _) in FACTS.items()])
    assert set(FACTS) == set(feature_names()), "word a new feature in features/reasons.py"
    assert {name: found[name, value, 0.3] for name, (value, _) in FACTS.items()} == {
        name: f"{fact}, which raises the odds of a purchase by 35%." for name, (_, fact) in FACTS.items()
    }


def test_the_effect_on_the_odds_is_told_by_direction_and_size(session: Session) -> None:
    found = sentences(session, [("BROWSER", 2.0, odds) for odds in EFFECTS])
    assert list(found.values()) == [f"The shopper's browser has the code 2, which {told}." for told in EFFECTS.values()]


def test_a_missing_value_is_told_for_every_feature(session: Session) -> None:
    found = sentences(session, [(name, None, -0.3) for name in feature_names()])
    for (name, _, _), told in found.items():
        fact = f"{meanings(FEATURES)[name]}: none"
        apart = meanings(FEATURES)[name].split(", when ")[0]
        if name.endswith("_WITH_VALUE"):
            fact = f"That no page seen has led to a purchase before puts the {apart} in another light"
        elif name.endswith("_WITHOUT_VALUE"):
            fact = f"That pages seen have led to purchases before puts the {apart} in another light"
        assert told.lower() == f"{fact}, which lowers the odds of a purchase by 26%.".lower()
    assert len(set(found.values())) == len(found)


def test_a_feature_without_a_wording_is_told_by_its_meaning(session: Session) -> None:
    new = Feature("BASKETS", "NULL", "numeric", "baskets filled and left")
    found = sentences(session, [("BASKETS", 4.0, 0.3), ("BASKETS", None, 0.3)], (*FEATURES, new))
    assert list(found.values()) == [
        "Baskets filled and left: 4.00, which raises the odds of a purchase by 35%.",
        "Baskets filled and left: none, which raises the odds of a purchase by 35%.",
    ]


def test_any_value_of_any_feature_has_a_sentence(session: Session) -> None:
    told = sentences(session, [(name, value, 0.3) for name in feature_names() for value in (1e300, -1.0, 0.0, 0.5)])
    assert all(sentence.endswith(", which raises the odds of a purchase by 35%.") for sentence in told.values())


def test_features_that_tell_of_the_same_share_a_subject() -> None:
    found: dict[str, set[str]] = {}
    for feature in FEATURES:
        found.setdefault(subject(feature), set()).add(feature.name)
    apart = {f.name for f in FEATURES if f.name.endswith(("_WITH_VALUE", "_WITHOUT_VALUE"))}
    assert found["page values"] == set(features_using("PAGE_VALUES")) - {f.name for f in FEATURES if f.history} - apart
    assert {"EXIT_RATES", "EXIT_RATES_WITH_VALUE", "BOUNCE_RATES_WITHOUT_VALUE"} <= found["leaving"]
    assert found["time of the year"] == {"MONTH_NUMBER", "MONTH_SIN", "MONTH_COS", "SPECIAL_DAY"}
    assert found["history"] == {feature.name for feature in FEATURES if feature.history}
    assert found["BROWSER"] == {"BROWSER"}
    assert {"pages seen", "time spent", "leaving", "IS_WEEKEND", "VISITOR_CODE"} <= found.keys()
