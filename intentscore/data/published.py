"""Counts of the published sessions that the simulator draws from.

Source: Online Shoppers Purchasing Intention data set (UCI 468, https://doi.org/10.24432/C5F88Q, CC BY 4.0),
counted over its 12,330 sessions.
"""

from __future__ import annotations

from typing import Final

VISITOR_TYPES: Final = ("Returning_Visitor", "New_Visitor", "Other")

MONTHS: Final = ("Feb", "Mar", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Sessions by month and VISITOR_TYPES.
VISITORS_BY_MONTH: Final = (
    (183, 1, 0),
    (1675, 232, 0),
    (3045, 319, 0),
    (257, 30, 1),
    (378, 54, 0),
    (361, 72, 0),
    (340, 108, 0),
    (425, 124, 0),
    (2557, 419, 22),
    (1330, 335, 62),
)

WEEKEND_SHARE_BY_MONTH: Final = (0.152, 0.252, 0.213, 0.163, 0.241, 0.222, 0.214, 0.262, 0.264, 0.212)

# Share of sessions near a special day by month and VISITOR_TYPES, and sessions at 0.2, 0.4, 0.6, 0.8, 1.0.
SPECIAL_DAY_SHARE: Final = {"Feb": (0.432, 0.0, 0.0), "May": (0.366, 0.182, 0.0)}
SPECIAL_DAY_LEVELS: Final = (178, 243, 351, 325, 154)

# Sessions by operating system (1..8) and browser (1..13).
BROWSERS_BY_SYSTEM: Final = (
    (2153, 280, 0, 3, 5, 4, 0, 135, 0, 3, 0, 0, 2),
    (16, 5059, 1, 732, 430, 155, 39, 0, 0, 160, 0, 4, 5),
    (1, 2416, 104, 0, 6, 11, 9, 0, 1, 0, 0, 6, 1),
    (279, 174, 0, 1, 21, 3, 0, 0, 0, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0),
    (0, 15, 0, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0),
    (7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    (6, 17, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 53),
)

# Sessions by region (1..9).
REGIONS: Final = (4780, 1136, 2403, 1182, 318, 805, 761, 434, 511)

# Sessions by VISITOR_TYPES and traffic type (1..20).
TRAFFIC_BY_VISITOR: Final = (
    (2407, 2966, 1905, 970, 110, 401, 35, 167, 33, 425, 195, 1, 731, 12, 36, 2, 1, 9, 16, 129),
    (37, 936, 140, 99, 149, 42, 5, 175, 9, 22, 51, 0, 6, 1, 2, 1, 0, 1, 1, 17),
    (7, 11, 7, 0, 1, 1, 0, 1, 0, 3, 1, 0, 1, 0, 0, 0, 0, 0, 0, 52),
)
