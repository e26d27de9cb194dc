-- TIMESTAMP_TZ: a moment with an offset of its own, held as an INTERVAL. DuckDB compares, sorts and hashes intervals by
-- their length, a month counting 30 days, and keeps the parts they have. So the months are the offset, in minutes and a
-- day more, as on the wire; with the days and the microseconds they come to the time since 1970 in UTC.

CREATE OR REPLACE MACRO sf_zoned(utc, minutes) AS list_transform([struct_pack(t := utc, m := CAST(minutes AS INTEGER) + 1440)], x ->
    to_months(struct_extract(x, 'm')) + to_days(CAST(CAST(struct_extract(x, 't') AS DATE) - DATE '1970-01-01' - 30 * struct_extract(x, 'm') AS INTEGER)) + (struct_extract(x, 't') - date_trunc('day', struct_extract(x, 't'))))[1];
CREATE OR REPLACE MACRO sf_zone(v) AS CAST(date_part('year', CAST(v AS INTERVAL)) * 12 + date_part('month', CAST(v AS INTERVAL)) - 1440 AS BIGINT);
CREATE OR REPLACE MACRO sf_utc(v) AS make_timestamp(CAST(epoch_us(CAST(v AS INTERVAL)) AS BIGINT));
CREATE OR REPLACE MACRO sf_zoned_instant(v) AS timezone('UTC', sf_utc(v));
CREATE OR REPLACE MACRO sf_zoned_clock(v) AS make_timestamp(CAST(epoch_us(CAST(v AS INTERVAL)) + sf_zone(v) * 60000000 AS BIGINT));
-- A clock on the wall, in the zone another value has.
CREATE OR REPLACE MACRO sf_in_zone_of(clock, v) AS sf_zoned(clock - to_minutes(sf_zone(v)), sf_zone(v));
-- A moment in the session's time zone, and in a named one.
CREATE OR REPLACE MACRO sf_in_session_zone(v) AS sf_zoned(timezone('UTC', v), date_part('timezone', v) // 60);
CREATE OR REPLACE MACRO sf_in_named_zone(v, z) AS sf_zoned(timezone('UTC', v), date_diff('minute', timezone('UTC', v), timezone(z, v)));

CREATE OR REPLACE MACRO sf_zone_text(minutes) AS list_transform([CAST(minutes AS BIGINT)], o ->
    CASE WHEN o < 0 THEN '-' ELSE '+' END || lpad(CAST(abs(o) // 60 AS VARCHAR), 2, '0') || lpad(CAST(abs(o) % 60 AS VARCHAR), 2, '0'))[1];
CREATE OR REPLACE MACRO sf_offset_text(v) AS sf_zone_text(date_part('timezone', v) // 60);
CREATE OR REPLACE MACRO sf_clock_text(v) AS strftime(sf_zoned_clock(v), '%Y-%m-%d %H:%M:%S.%g ') || sf_zone_text(sf_zone(v));
-- With all the digits there are, for what reads it again.
CREATE OR REPLACE MACRO sf_exact_text(v) AS strftime(sf_zoned_clock(v), '%Y-%m-%d %H:%M:%S.%f ') || sf_zone_text(sf_zone(v));
CREATE OR REPLACE MACRO sf_at_offset(t, minutes, f) AS list_transform([sf_zone_text(minutes)], o -> replace(t, '~z~',
    CASE WHEN f ILIKE '%TZH:TZM%' THEN o[1:3] || ':' || o[4:5] WHEN f ILIKE '%TZHTZM%' THEN o ELSE o[1:3] END))[1];

-- The offset a text ends with, in minutes; NULL where it has none.
CREATE OR REPLACE MACRO sf_offset_minutes(p) AS CASE WHEN struct_extract(p, 'h') <> '' THEN CASE WHEN struct_extract(p, 's') = '-' THEN -1 ELSE 1 END * (60 * CAST(struct_extract(p, 'h') AS INTEGER) + CAST('0' || struct_extract(p, 'm') AS INTEGER)) END;
CREATE OR REPLACE MACRO sf_last_offset(v) AS sf_offset_minutes(regexp_extract(v, '([+-])([0-9]{2}):?([0-9]{2})?\s*$', ['s', 'h', 'm']));
CREATE OR REPLACE MACRO sf_written_offset(v) AS CASE WHEN regexp_matches(v, '[0-9]\s*Z$') THEN 0 ELSE sf_offset_minutes(regexp_extract(v,
    '[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]*)?)?\s*([+-])([0-9]{2}):?([0-9]{2})?(?: [0-9]{4})?$', ['s', 'h', 'm'])) END;
-- A moment with the offset that was found, or the session's.
CREATE OR REPLACE MACRO sf_with_offset(v, minutes) AS list_transform([v], i -> sf_zoned(timezone('UTC', i), coalesce(minutes, date_part('timezone', i) // 60)))[1];
