-- Dates and times.

-- A moment to look at: that of a TIMESTAMP_TZ is what the clock shows in its own zone.
CREATE OR REPLACE MACRO sf_moment(d VARCHAR) AS sf_timestamp_from_text(d), (d VARIANT) AS sf_to_timestamp(d), (d INTERVAL) AS sf_zoned_clock(d),
    (d BIGINT) AS CASE WHEN d IS NOT NULL THEN CAST('001044:42P13:SQL compilation error: a number is no date or time' AS TIMESTAMP) END, (d) AS d;
-- A moment to move, whose type stays.
CREATE OR REPLACE MACRO sf_movable(d VARCHAR) AS sf_timestamp_from_text(d), (d VARIANT) AS sf_to_timestamp(d), (d) AS d;
CREATE OR REPLACE MACRO sf_plus_interval(d INTERVAL, i) AS sf_in_zone_of(sf_zoned_clock(d) + i, d), (d, i) AS d + i;
CREATE OR REPLACE MACRO sf_minus_interval(d INTERVAL, i) AS sf_in_zone_of(sf_zoned_clock(d) - i, d), (d, i) AS d - i;

CREATE OR REPLACE MACRO sf_plus_days(n, d DATE) AS CAST(d + CAST(n AS INTEGER) AS DATE),
    (n, d TIMESTAMP) AS d + to_days(CAST(n AS INTEGER)),
    (n, d TIMESTAMPTZ) AS d + to_days(CAST(n AS INTEGER)),
    (n, d INTERVAL) AS sf_in_zone_of(sf_zoned_clock(d) + to_days(CAST(n AS INTEGER)), d);
CREATE OR REPLACE MACRO sf_plus_months(n, d DATE) AS CAST(d + to_months(CAST(n AS INTEGER)) AS DATE),
    (n, d TIMESTAMP) AS d + to_months(CAST(n AS INTEGER)),
    (n, d TIMESTAMPTZ) AS d + to_months(CAST(n AS INTEGER)),
    (n, d INTERVAL) AS sf_in_zone_of(sf_zoned_clock(d) + to_months(CAST(n AS INTEGER)), d);
CREATE OR REPLACE MACRO sf_plus_micros(n, d DATE) AS CAST(d AS TIMESTAMP) + to_microseconds(CAST(n AS BIGINT)),
    (n, d TIMESTAMP) AS d + to_microseconds(CAST(n AS BIGINT)),
    (n, d TIMESTAMPTZ) AS d + to_microseconds(CAST(n AS BIGINT)),
    (n, d INTERVAL) AS sf_in_zone_of(sf_zoned_clock(d) + to_microseconds(CAST(n AS BIGINT)), d),
    (n, d TIME) AS d + to_microseconds(CAST(n AS BIGINT));
CREATE OR REPLACE MACRO sf_count_added(n) AS CAST(round(sf_number(n)) AS BIGINT);

-- Month arithmetic of ADD_MONTHS: the last day of a month stays a last day.
CREATE OR REPLACE MACRO sf_added_months(d, n) AS
    CASE WHEN d = last_day(d) THEN last_day(CAST(d + to_months(CAST(n AS INTEGER)) AS DATE)) ELSE CAST(d + to_months(CAST(n AS INTEGER)) AS DATE) END;
CREATE OR REPLACE MACRO sf_months_added(d DATE, n) AS sf_added_months(d, n),
    (d TIMESTAMP, n) AS sf_added_months(CAST(d AS DATE), n) + CAST(d AS TIME),
    (d INTERVAL, n) AS sf_in_zone_of(sf_added_months(CAST(sf_zoned_clock(d) AS DATE), n) + CAST(sf_zoned_clock(d) AS TIME), d);
CREATE OR REPLACE MACRO sf_add_months(d, n) AS sf_months_added(sf_movable(d), sf_count_added(n));
CREATE OR REPLACE MACRO sf_months_between(a, b) AS CASE
    WHEN day(sf_moment(a)) = day(sf_moment(b)) OR (CAST(sf_moment(a) AS DATE) = last_day(CAST(sf_moment(a) AS DATE)) AND CAST(sf_moment(b) AS DATE) = last_day(CAST(sf_moment(b) AS DATE)))
        THEN CAST(date_diff('month', sf_moment(b), sf_moment(a)) AS DECIMAL(38, 6))
    ELSE CAST(date_diff('month', sf_moment(b), sf_moment(a)) + (day(sf_moment(a)) - day(sf_moment(b))) / 31.0
        + (date_part('epoch', CAST(sf_moment(a) AS TIMESTAMP)) % 86400 - date_part('epoch', CAST(sf_moment(b) AS TIMESTAMP)) % 86400) / 86400.0 / 31.0 AS DECIMAL(38, 6)) END;

CREATE OR REPLACE MACRO sf_truncated(p, d DATE) AS CAST(date_trunc(p, d) AS DATE),
    (p, d TIME) AS CAST(date_trunc(p, CAST('1970-01-01' AS DATE) + d) AS TIME),
    (p, d INTERVAL) AS sf_in_zone_of(date_trunc(p, sf_zoned_clock(d)), d),
    (p, d) AS date_trunc(p, d);
CREATE OR REPLACE MACRO sf_date_trunc(p, d) AS sf_truncated(p, sf_movable(d));
-- TRUNC of a number by digits, of a date by a part.
CREATE OR REPLACE MACRO sf_shortened(v DATE) AS v, (v TIMESTAMP) AS CAST(v AS DATE), (v TIMESTAMPTZ) AS CAST(v AS DATE), (v INTERVAL) AS CAST(sf_zoned_clock(v) AS DATE),
    (v BIGINT) AS v, (v HUGEINT) AS v, (v) AS trunc(v),
    (v DATE, p VARCHAR) AS CAST(date_trunc(p, v) AS DATE), (v TIMESTAMP, p VARCHAR) AS date_trunc(p, v),
    (v TIMESTAMPTZ, p VARCHAR) AS date_trunc(p, v), (v INTERVAL, p VARCHAR) AS sf_in_zone_of(date_trunc(p, sf_zoned_clock(v)), v),
    (v BIGINT, s BIGINT) AS CASE WHEN s >= 0 THEN v ELSE trunc(v * power(10, s)) / power(10, s) END,
    (v DOUBLE, s BIGINT) AS trunc(v * power(10, s)) / power(10, s),
    (v, s BIGINT) AS CASE WHEN s >= 0 THEN sign(v) * floor(abs(v) * CAST(power(10, s) AS BIGINT)) / power(10, s) END;
CREATE OR REPLACE MACRO sf_trunc(v) AS sf_shortened(sf_number(v)), (v, s) AS sf_shortened(sf_number(v), s);

CREATE OR REPLACE MACRO sf_day_of(d DATE) AS d, (d TIME) AS CAST('1970-01-01' AS DATE) + d, (d VARCHAR) AS sf_timestamp_from_text(d), (d VARIANT) AS sf_timestamp_from_text(sf_variant_text(d)),
    (d INTERVAL) AS sf_zoned_instant(d), (d) AS d;
CREATE OR REPLACE MACRO sf_datediff(p, a, b) AS date_diff(p, sf_day_of(a), sf_day_of(b));
CREATE OR REPLACE MACRO sf_nanoseconds(a) AS CAST(epoch_us(sf_day_of(a)) AS HUGEINT) * 1000;
CREATE OR REPLACE MACRO sf_part(p, d) AS CAST(date_part(p, sf_moment(d)) AS BIGINT);
CREATE OR REPLACE MACRO sf_nanosecond_of(d) AS CAST(date_part('microsecond', sf_moment(d)) % 1000000 * 1000 AS BIGINT);
-- TZH and TZM: the parts of the offset.
CREATE OR REPLACE MACRO sf_offset_part(p, d INTERVAL) AS CASE p WHEN 'timezone_hour' THEN sf_zone(d) // 60 ELSE sf_zone(d) % 60 END,
    (p, d TIMESTAMPTZ) AS CASE p WHEN 'timezone_hour' THEN date_part('timezone_hour', d) ELSE date_part('timezone_minute', d) END,
    (p, d) AS CAST(NULL AS BIGINT);
CREATE OR REPLACE MACRO sf_since_epoch(d TIMESTAMPTZ) AS epoch_us(timezone('UTC', d)), (d INTERVAL) AS epoch_us(d), (d) AS epoch_us(CAST(d AS TIMESTAMP));
CREATE OR REPLACE MACRO sf_epoch_part(f, d) AS CAST(CAST(sf_since_epoch(sf_movable(d)) AS HUGEINT) * f // 1000000 AS BIGINT);

CREATE OR REPLACE MACRO sf_last_day(d) AS last_day(CAST(sf_moment(d) AS DATE)),
    (d, p) AS CASE p
        WHEN 'week' THEN CAST(date_trunc('week', CAST(sf_moment(d) AS DATE)) + INTERVAL 6 DAY AS DATE)
        WHEN 'quarter' THEN last_day(CAST(date_trunc('quarter', CAST(sf_moment(d) AS DATE)) + INTERVAL 2 MONTH AS DATE))
        WHEN 'year' THEN last_day(CAST(date_trunc('year', CAST(sf_moment(d) AS DATE)) + INTERVAL 11 MONTH AS DATE))
        WHEN 'day' THEN CAST(sf_moment(d) AS DATE)
        ELSE last_day(CAST(sf_moment(d) AS DATE)) END;
CREATE OR REPLACE MACRO sf_weekday_number(n) AS
    CASE lower(left(trim(n), 2)) WHEN 'mo' THEN 1 WHEN 'tu' THEN 2 WHEN 'we' THEN 3 WHEN 'th' THEN 4 WHEN 'fr' THEN 5 WHEN 'sa' THEN 6 WHEN 'su' THEN 7 END;
CREATE OR REPLACE MACRO sf_next_day(d, n) AS CAST(CAST(sf_moment(d) AS DATE)
    + CAST((sf_weekday_number(n) - isodow(CAST(sf_moment(d) AS DATE)) + 6) % 7 + 1 AS INTEGER) AS DATE);
CREATE OR REPLACE MACRO sf_previous_day(d, n) AS CAST(CAST(sf_moment(d) AS DATE)
    - CAST((isodow(CAST(sf_moment(d) AS DATE)) - sf_weekday_number(n) + 6) % 7 + 1 AS INTEGER) AS DATE);
CREATE OR REPLACE MACRO sf_dayname(d) AS left(dayname(sf_moment(d)), 3);
CREATE OR REPLACE MACRO sf_monthname(d) AS left(monthname(sf_moment(d)), 3);
CREATE OR REPLACE MACRO sf_date_from_parts(y, m, d) AS CAST(make_date(CAST(y AS INTEGER), 1, 1) + to_months(CAST(m AS INTEGER) - 1) AS DATE) + CAST(d AS INTEGER) - 1;
CREATE OR REPLACE MACRO sf_time_from_parts(h, m, s) AS CAST('00:00:00' AS TIME) + to_seconds(CAST(h AS BIGINT) * 3600 + CAST(m AS BIGINT) * 60 + CAST(s AS BIGINT)),
    (h, m, s, n) AS CAST('00:00:00' AS TIME) + to_microseconds((CAST(h AS BIGINT) * 3600 + CAST(m AS BIGINT) * 60 + CAST(s AS BIGINT)) * 1000000 + CAST(n AS BIGINT) // 1000);
CREATE OR REPLACE MACRO sf_timestamp_from_parts(d, t) AS CAST(CAST(d AS DATE) + CAST(t AS TIME) AS TIMESTAMP),
    (y, mo, d, h, mi, s) AS sf_timestamp_from_parts(y, mo, d, h, mi, s, 0),
    (y, mo, d, h, mi, s, n) AS CAST(sf_date_from_parts(y, mo, d) AS TIMESTAMP)
        + to_microseconds((CAST(h AS BIGINT) * 3600 + CAST(mi AS BIGINT) * 60 + CAST(s AS BIGINT)) * 1000000 + CAST(n AS BIGINT) // 1000);
CREATE OR REPLACE MACRO sf_timestamp_ltz_from_parts(y, mo, d, h, mi, s) AS CAST(sf_timestamp_from_parts(y, mo, d, h, mi, s) AS TIMESTAMPTZ),
    (y, mo, d, h, mi, s, n) AS CAST(sf_timestamp_from_parts(y, mo, d, h, mi, s, n) AS TIMESTAMPTZ),
    (y, mo, d, h, mi, s, n, z) AS sf_timestamp_from_parts(y, mo, d, h, mi, s, n) AT TIME ZONE z;
CREATE OR REPLACE MACRO sf_timestamp_tz_from_parts(y, mo, d, h, mi, s) AS sf_in_session_zone(sf_timestamp_ltz_from_parts(y, mo, d, h, mi, s)),
    (y, mo, d, h, mi, s, n) AS sf_in_session_zone(sf_timestamp_ltz_from_parts(y, mo, d, h, mi, s, n)),
    (y, mo, d, h, mi, s, n, z) AS sf_in_named_zone(sf_timestamp_ltz_from_parts(y, mo, d, h, mi, s, n, z), z);
CREATE OR REPLACE MACRO sf_not_a_clock() AS CAST('001044:42P13:SQL compilation error:
Invalid argument types for function CONVERT_TIMEZONE: with three arguments, the moment has to be a TIMESTAMP_NTZ' AS TIMESTAMP);
CREATE OR REPLACE MACRO sf_wall_clock(d TIMESTAMPTZ) AS sf_not_a_clock(), (d INTERVAL) AS sf_not_a_clock(), (d TIMESTAMP) AS d, (d DATE) AS CAST(d AS TIMESTAMP);
CREATE OR REPLACE MACRO sf_convert_timezone(z, d) AS sf_in_named_zone(sf_to_timestamp_ltz(d), z),
    (f, t, d) AS (sf_wall_clock(sf_movable(d)) AT TIME ZONE f) AT TIME ZONE t;
CREATE OR REPLACE MACRO sf_sliced_days(n, d, at_end) AS CAST(date '1970-01-01' + CAST((floor((CAST(d AS DATE) - date '1970-01-01') / n) + at_end) * n AS INTEGER) AS DATE);
CREATE OR REPLACE MACRO sf_sliced_months(n, d, at_end) AS CAST(date '1970-01-01' + to_months(CAST((floor(date_diff('month', date '1970-01-01', CAST(d AS DATE)) / n) + at_end) * n AS INTEGER)) AS DATE);
CREATE OR REPLACE MACRO sf_sliced_seconds(n, d, at_end) AS make_timestamp(CAST((floor(epoch_us(CAST(d AS TIMESTAMP)) / 1000000 / n) + at_end) * n AS BIGINT) * 1000000);
CREATE OR REPLACE MACRO sf_like_argument(v DATE, d DATE) AS d, (v INTERVAL, d) AS sf_in_zone_of(CAST(d AS TIMESTAMP), v), (v, d) AS CAST(d AS TIMESTAMP);

-- The sides of a MATCH_CONDITION: text is the moment it names, a moment with a zone is compared in UTC.
CREATE OR REPLACE MACRO sf_asof_key(v VARCHAR) AS CAST(v AS TIMESTAMP),
    (v DATE) AS CAST(v AS TIMESTAMP),
    (v TIMESTAMPTZ) AS CAST(v AS TIMESTAMP),
    (v INTERVAL) AS CAST(sf_zoned_instant(v) AS TIMESTAMP),
    (v) AS v;
