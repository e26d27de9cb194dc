-- Conversions: TO_…, TRY_TO_… and the casts, which are the same functions.

CREATE OR REPLACE MACRO sf_zoned_text(v) AS strftime(v, '%Y-%m-%d %H:%M:%S.%g ') || sf_offset_text(v);
CREATE OR REPLACE MACRO sf_to_varchar(v VARIANT) AS sf_variant_text(v),
    (v VARCHAR) AS v,
    (v VARIANT[]) AS sf_json_text(sf_json_of(v)),
    (v MAP(VARCHAR, VARIANT)) AS sf_json_text(sf_json_of(v)),
    (v DOUBLE) AS sf_double_text(v),
    (v BIGINT) AS CAST(v AS VARCHAR),
    (v HUGEINT) AS CAST(v AS VARCHAR),
    (v BOOLEAN) AS CAST(v AS VARCHAR),
    (v BLOB) AS hex(v),
    (v DATE) AS CAST(v AS VARCHAR),
    (v TIMESTAMP) AS sf_timestamp_text(v),
    (v TIMESTAMPTZ) AS sf_zoned_text(v),
    (v INTERVAL) AS sf_clock_text(v),
    (v TIME) AS strftime(CAST('1970-01-01' AS DATE) + v, '%H:%M:%S'),
    (v) AS CASE WHEN typeof(v) = 'JSON' THEN json_extract_string(CAST(v AS JSON), '$') ELSE CAST(v AS VARCHAR) END;
CREATE OR REPLACE MACRO sf_to_text(v, f) AS CASE WHEN f = 'HEX' THEN hex(v) WHEN f = 'UTF-8' THEN decode(v) WHEN f = 'BASE64' THEN to_base64(v) END;

CREATE OR REPLACE MACRO sf_not_numeric(v) AS CAST('100038:22018:Numeric value ''' || v || ''' is not recognized' AS BIGINT);
CREATE OR REPLACE MACRO sf_numeric_text(v) AS
    list_transform([v], x -> CASE WHEN x IS NULL THEN NULL ELSE coalesce(TRY_CAST(x AS DOUBLE), sf_not_numeric(x)) END)[1];
-- What arithmetic and number functions see of a value: text and VARIANT as a number, everything else as it is.
CREATE OR REPLACE MACRO sf_number(v VARCHAR) AS sf_numeric_text(v),
    (v VARIANT) AS sf_numeric_text(sf_variant_text(v)),
    (v) AS v;

-- A whole number of up to 38 digits, with or without an exponent.
CREATE OR REPLACE MACRO sf_wide_text(v) AS coalesce(TRY_CAST(TRY_CAST(v AS DECIMAL(38, 0)) AS HUGEINT), TRY_CAST(TRY_CAST(v AS DOUBLE) AS HUGEINT));
CREATE OR REPLACE MACRO sf_integer_text(v) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL ELSE
    coalesce(TRY_CAST(x AS BIGINT), CAST(round(TRY_CAST(x AS DECIMAL(38, 10))) AS BIGINT), CAST(sf_wide_text(x) AS BIGINT), sf_not_numeric(x)) END)[1];
CREATE OR REPLACE MACRO sf_wide_integer_text(v) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL ELSE
    coalesce(TRY_CAST(round(TRY_CAST(x AS DECIMAL(38, 10))) AS HUGEINT), sf_wide_text(x), sf_not_numeric(x)) END)[1];
CREATE OR REPLACE MACRO sf_to_wide_integer(v VARCHAR) AS sf_wide_integer_text(v),
    (v VARIANT) AS sf_wide_integer_text(sf_variant_text(v)),
    (v DOUBLE) AS CAST(round(v) AS HUGEINT),
    (v) AS CAST(v AS HUGEINT);
CREATE OR REPLACE MACRO sf_try_to_wide_integer(v VARCHAR) AS coalesce(TRY_CAST(round(TRY_CAST(v AS DECIMAL(38, 10))) AS HUGEINT), sf_wide_text(v)),
    (v) AS TRY_CAST(v AS HUGEINT);
CREATE OR REPLACE MACRO sf_not_of_kind(v, kind) AS error('100071:22000:Failed to cast variant value ' || CAST(to_json(v) AS VARCHAR) || ' to ' || kind);
CREATE OR REPLACE MACRO sf_to_integer(v VARCHAR) AS sf_integer_text(v),
    (v BOOLEAN) AS CAST(v AS BIGINT),
    (v BIGINT) AS v,
    (v HUGEINT) AS v,
    (v DOUBLE) AS CASE WHEN abs(v) < 9e18 THEN CAST(round(v) AS BIGINT) ELSE CAST(round(v) AS HUGEINT) END,
    (v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) LIKE 'BOOL%' THEN CAST(TRY_CAST(x AS BOOLEAN) AS BIGINT)
        WHEN sf_variant_kind(x) IN ('INTEGER', 'DECIMAL', 'DOUBLE') THEN CAST(round(TRY_CAST(x AS DECIMAL(38, 6))) AS BIGINT) WHEN TRY_CAST(sf_variant_text(x) AS DOUBLE) IS NULL AND NOT sf_holds_nothing(x) THEN sf_not_of_kind(x, 'FIXED') ELSE sf_integer_text(sf_variant_text(x)) END)[1],
    (v DECIMAL(38, 0)) AS CAST(v AS HUGEINT),
    (v) AS CAST(round(CAST(v AS DECIMAL(38, 10))) AS BIGINT);
-- What a cast to NUMBER(p, s) is made of.
CREATE OR REPLACE MACRO sf_castable(v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) LIKE 'BOOL%' THEN CASE WHEN TRY_CAST(x AS BOOLEAN) THEN '1' ELSE '0' END
        ELSE sf_variant_text(x) END)[1],
    (v VARCHAR) AS CASE WHEN v IS NULL OR TRY_CAST(v AS DOUBLE) IS NOT NULL THEN v ELSE CAST(sf_not_numeric(v) AS VARCHAR) END,
    (v BOOLEAN) AS CAST(v AS INTEGER),
    (v) AS v;
CREATE OR REPLACE MACRO sf_to_double(v VARCHAR) AS sf_numeric_text(v),
    (v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) LIKE 'BOOL%' THEN CAST(TRY_CAST(x AS BOOLEAN) AS DOUBLE)
        WHEN variant_typeof(x) IN ('DOUBLE', 'FLOAT') THEN TRY_CAST(x AS DOUBLE) ELSE sf_numeric_text(sf_variant_text(x)) END)[1],
    (v) AS CAST(v AS DOUBLE);
CREATE OR REPLACE MACRO sf_try_to_double(v VARIANT) AS TRY_CAST(sf_variant_text(v) AS DOUBLE), (v) AS TRY_CAST(v AS DOUBLE);
CREATE OR REPLACE MACRO sf_try_to_integer(v VARCHAR) AS coalesce(TRY_CAST(v AS BIGINT), TRY_CAST(round(TRY_CAST(v AS DECIMAL(38, 10))) AS BIGINT)),
    (v) AS TRY_CAST(v AS BIGINT);
-- A number written in a format of digits, sign, currency and separators.
CREATE OR REPLACE MACRO sf_formatted_number(v) AS regexp_replace(v, '[$,\s]', '', 'g');

-- TRY_TO_BOOLEAN and TO_BOOLEAN read these words and no others.
CREATE OR REPLACE MACRO sf_boolean_text(v) AS CASE
    WHEN lower(v) IN ('true', 't', 'yes', 'y', 'on', '1') THEN true
    WHEN lower(v) IN ('false', 'f', 'no', 'n', 'off', '0') THEN false END;
CREATE OR REPLACE MACRO sf_try_to_boolean(v VARCHAR) AS sf_boolean_text(v),
    (v VARIANT) AS sf_boolean_text(sf_variant_text(v)), (v) AS TRY_CAST(v AS BOOLEAN);
CREATE OR REPLACE MACRO sf_boolean_or_error(v) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL
    ELSE coalesce(sf_boolean_text(x), CAST('100037:22018:Boolean value ''' || x || ''' is not recognized' AS BOOLEAN)) END)[1];
CREATE OR REPLACE MACRO sf_to_boolean(v VARCHAR) AS sf_boolean_or_error(v),
    (v BOOLEAN) AS v,
    (v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) IN ('BOOL_TRUE', 'BOOL_FALSE') THEN TRY_CAST(x AS BOOLEAN)
        WHEN sf_variant_kind(x) IN ('INTEGER', 'DECIMAL', 'DOUBLE') THEN TRY_CAST(x AS DOUBLE) <> 0 ELSE sf_boolean_or_error(sf_variant_text(x)) END)[1],
    (v) AS CAST(v AS BOOLEAN);

CREATE OR REPLACE MACRO sf_unhex(v) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL WHEN regexp_full_match(x, '([0-9A-Fa-f]{2})*') THEN unhex(x)
    ELSE error('100115:22000:The following string is not a legal hex-encoded value: ''' || x || '''') END)[1];
CREATE OR REPLACE MACRO sf_to_binary(v BLOB) AS v,
    (v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) = 'BLOB' THEN TRY_CAST(x AS BLOB) ELSE sf_unhex(sf_variant_text(x)) END)[1],
    (v VARCHAR) AS sf_unhex(v),
    (v INTEGER) AS sf_unhex(CAST(v AS VARCHAR)),
    (v, f) AS CASE upper(f) WHEN 'HEX' THEN sf_unhex(v) WHEN 'BASE64' THEN from_base64(v) ELSE encode(v) END;
CREATE OR REPLACE MACRO sf_try_to_binary(v) AS CASE WHEN regexp_full_match(v, '([0-9A-Fa-f]{2})*') THEN unhex(v) END,
    (v, f) AS CASE upper(f) WHEN 'HEX' THEN CASE WHEN regexp_full_match(v, '([0-9A-Fa-f]{2})*') THEN unhex(v) END
        WHEN 'BASE64' THEN from_base64(v) ELSE encode(v) END;

CREATE OR REPLACE MACRO sf_without_offset(v) AS regexp_replace(v, '\s*([+-][0-9]{2}:?[0-9]{2}|Z)$', '');
-- Dates and times. Text is read in ISO form, as DD-MON-YYYY or MM/DD/YYYY, or as a number since 1970, whose size tells its unit.
CREATE OR REPLACE MACRO sf_is_count(v) AS regexp_full_match(v, '-?[0-9]+');
CREATE OR REPLACE MACRO sf_epoch(n) AS make_timestamp(CAST(CASE
    WHEN abs(n) < 31536000000 THEN n * 1000000 WHEN abs(n) < 31536000000000 THEN n * 1000
    WHEN abs(n) < 31536000000000000 THEN n ELSE n // 1000 END AS BIGINT));
CREATE OR REPLACE MACRO sf_zoned_epoch(n) AS timezone('UTC', sf_epoch(n));
CREATE OR REPLACE MACRO sf_zoned_epoch_at(n, s) AS timezone('UTC', make_timestamp(CAST(round(n * 1000000 / power(10, s)) AS BIGINT)));
CREATE OR REPLACE MACRO sf_epoch_at(n, s) AS make_timestamp(CAST(round(n * 1000000 / power(10, s)) AS BIGINT));
CREATE OR REPLACE MACRO sf_try_timestamp_text(v) AS list_transform([v], x -> coalesce(
    CASE WHEN sf_is_count(x) THEN sf_epoch(TRY_CAST(x AS BIGINT)) END,
    TRY_CAST(regexp_replace(x, '\s*([+-][0-9]{2}):?([0-9]{2})?$|\s*Z$', '') AS TIMESTAMP),
    TRY_CAST(x AS TIMESTAMP),
    try_strptime(sf_without_offset(x), '%a, %d %b %Y %H:%M:%S'),
    CAST(try_strptime(x, ['%d-%b-%Y', '%m/%d/%Y', '%m/%d/%Y %H:%M:%S', '%a %b %d %H:%M:%S %z %Y',
                     '%Y-%m-%d %H', '%Y-%m-%dT%H:%M', '%Y-%m']) AS TIMESTAMP)))[1];
CREATE OR REPLACE MACRO sf_timestamp_from_text(v) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL
    ELSE coalesce(sf_try_timestamp_text(x), CAST('100035:22007:Timestamp ''' || x || ''' is not recognized' AS TIMESTAMP)) END)[1];
CREATE OR REPLACE MACRO sf_try_zoned_text(v) AS list_transform([v], x -> coalesce(
    CASE WHEN sf_is_count(x) THEN sf_zoned_epoch(TRY_CAST(x AS BIGINT)) END,
    TRY_CAST(regexp_replace(regexp_replace(x, '\s*([+-])([0-9]{2}):?([0-9]{2})$', '\1\2:\3'), '\s+(Z)$', '\1') AS TIMESTAMPTZ),
    CAST(try_strptime(x, ['%a, %d %b %Y %H:%M:%S %z', '%a %b %d %H:%M:%S %z %Y']) AS TIMESTAMPTZ),
    CAST(sf_try_timestamp_text(x) AS TIMESTAMPTZ)))[1];
CREATE OR REPLACE MACRO sf_zoned_from_text(v) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL
    ELSE coalesce(sf_try_zoned_text(x), CAST('100035:22007:Timestamp ''' || x || ''' is not recognized' AS TIMESTAMPTZ)) END)[1];
CREATE OR REPLACE MACRO sf_to_timestamp(v BIGINT) AS sf_epoch_at(v, 0),
    (v DOUBLE) AS sf_epoch_at(v, 0),
    (v DATE) AS CAST(v AS TIMESTAMP),
    (v TIMESTAMP) AS v,
    (v TIMESTAMP_NS) AS CAST(v AS TIMESTAMP),
    (v TIMESTAMPTZ_NS) AS CAST(CAST(v AS TIMESTAMPTZ) AS TIMESTAMP),
    (v TIMESTAMPTZ) AS CAST(v AS TIMESTAMP),
    (v INTERVAL) AS sf_zoned_clock(v),
    (v VARCHAR) AS sf_timestamp_from_text(v),
    (v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) = 'DATE' OR variant_typeof(x) LIKE 'TIMESTAMP%' THEN TRY_CAST(x AS TIMESTAMP)
        WHEN sf_variant_kind(x) = 'INTEGER' THEN CAST(sf_zoned_epoch_at(TRY_CAST(x AS BIGINT), 0) AS TIMESTAMP) ELSE sf_timestamp_from_text(sf_variant_text(x)) END)[1],
    (v BIGINT, s) AS sf_epoch_at(v, s), (v DOUBLE, s) AS sf_epoch_at(v, s), (v VARIANT, s) AS sf_epoch_at(TRY_CAST(v AS BIGINT), s);
CREATE OR REPLACE MACRO sf_to_timestamp_ltz(v BIGINT) AS sf_zoned_epoch_at(v, 0),
    (v DOUBLE) AS sf_zoned_epoch_at(v, 0),
    (v DATE) AS CAST(v AS TIMESTAMPTZ),
    (v TIMESTAMP) AS CAST(v AS TIMESTAMPTZ),
    (v TIMESTAMPTZ) AS v,
    (v INTERVAL) AS sf_zoned_instant(v),
    (v TIMESTAMP_NS) AS CAST(CAST(v AS TIMESTAMP) AS TIMESTAMPTZ),
    (v TIMESTAMPTZ_NS) AS CAST(v AS TIMESTAMPTZ),
    (v VARCHAR) AS sf_zoned_from_text(v),
    (v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) = 'DATE' OR variant_typeof(x) LIKE 'TIMESTAMP%' THEN TRY_CAST(x AS TIMESTAMPTZ)
        WHEN sf_variant_kind(x) = 'INTEGER' THEN sf_zoned_epoch_at(TRY_CAST(x AS BIGINT), 0)
        ELSE sf_zoned_from_text(sf_variant_text(x)) END)[1],
    (v BIGINT, s) AS sf_zoned_epoch_at(v, s), (v DOUBLE, s) AS sf_zoned_epoch_at(v, s);
CREATE OR REPLACE MACRO sf_try_offset_text(v) AS list_transform([v], x -> sf_with_offset(sf_try_zoned_text(x), sf_written_offset(x)))[1];
CREATE OR REPLACE MACRO sf_to_timestamp_tz(v BIGINT) AS sf_in_session_zone(sf_zoned_epoch_at(v, 0)),
    (v DOUBLE) AS sf_in_session_zone(sf_zoned_epoch_at(v, 0)),
    (v DATE) AS sf_in_session_zone(CAST(v AS TIMESTAMPTZ)),
    (v TIMESTAMP) AS sf_in_session_zone(CAST(v AS TIMESTAMPTZ)),
    (v TIMESTAMPTZ) AS sf_in_session_zone(v),
    (v INTERVAL) AS v,
    (v TIMESTAMP_NS) AS sf_in_session_zone(CAST(CAST(v AS TIMESTAMP) AS TIMESTAMPTZ)),
    (v TIMESTAMPTZ_NS) AS sf_in_session_zone(CAST(v AS TIMESTAMPTZ)),
    (v VARCHAR) AS list_transform([v], x -> sf_with_offset(sf_zoned_from_text(x), sf_written_offset(x)))[1],
    (v VARIANT) AS list_transform([v], x -> CASE WHEN sf_variant_kind(x) = 'VARCHAR' THEN sf_with_offset(sf_zoned_from_text(sf_variant_text(x)), sf_written_offset(sf_variant_text(x)))
        ELSE sf_in_session_zone(sf_to_timestamp_ltz(x)) END)[1],
    (v BIGINT, s) AS sf_in_session_zone(sf_zoned_epoch_at(v, s)), (v DOUBLE, s) AS sf_in_session_zone(sf_zoned_epoch_at(v, s));
CREATE OR REPLACE MACRO sf_try_to_timestamp(v VARCHAR) AS sf_try_timestamp_text(v),
    (v VARIANT) AS sf_try_timestamp_text(sf_variant_text(v)),
    (v) AS CASE WHEN typeof(v) = 'INTERVAL' THEN sf_zoned_clock(TRY_CAST(CAST(v AS VARCHAR) AS INTERVAL)) ELSE TRY_CAST(v AS TIMESTAMP) END;
CREATE OR REPLACE MACRO sf_try_to_timestamp_tz(v VARCHAR) AS sf_try_offset_text(v),
    (v INTERVAL) AS v, (v VARIANT) AS sf_try_offset_text(sf_variant_text(v)), (v) AS sf_in_session_zone(TRY_CAST(v AS TIMESTAMPTZ));
CREATE OR REPLACE MACRO sf_try_to_timestamp_ltz(v VARCHAR) AS sf_try_zoned_text(v),
    (v INTERVAL) AS sf_zoned_instant(v), (v VARIANT) AS sf_try_zoned_text(sf_variant_text(v)), (v) AS TRY_CAST(v AS TIMESTAMPTZ);
CREATE OR REPLACE MACRO sf_try_date_text(v) AS list_transform([v], x -> coalesce(
    CASE WHEN sf_is_count(x) THEN CAST(sf_epoch(TRY_CAST(x AS BIGINT)) AS DATE) END, TRY_CAST(x AS DATE), CAST(sf_try_timestamp_text(x) AS DATE)))[1];
CREATE OR REPLACE MACRO sf_date_from_text(v) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL
    ELSE coalesce(sf_try_date_text(x), CAST('100040:22007:Date ''' || x || ''' is not recognized' AS DATE)) END)[1];
CREATE OR REPLACE MACRO sf_to_date(v DATE) AS v,
    (v TIMESTAMP) AS CAST(v AS DATE),
    (v TIMESTAMP_NS) AS CAST(v AS DATE),
    (v TIMESTAMPTZ) AS CAST(v AS DATE),
    (v INTERVAL) AS CAST(sf_zoned_clock(v) AS DATE),
    (v VARCHAR) AS sf_date_from_text(v),
    (v BIGINT) AS CAST(sf_epoch(v) AS DATE),
    (v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) = 'DATE' OR variant_typeof(x) LIKE 'TIMESTAMP%' THEN TRY_CAST(x AS DATE)
        ELSE sf_date_from_text(sf_variant_text(x)) END)[1];
CREATE OR REPLACE MACRO sf_try_to_date(v VARCHAR) AS sf_try_date_text(v),
    (v VARIANT) AS sf_try_date_text(sf_variant_text(v)),
    (v) AS CASE WHEN typeof(v) = 'INTERVAL' THEN CAST(sf_zoned_clock(TRY_CAST(CAST(v AS VARCHAR) AS INTERVAL)) AS DATE) ELSE TRY_CAST(v AS DATE) END;
CREATE OR REPLACE MACRO sf_try_time_text(v) AS list_transform([v], x -> coalesce(
    CASE WHEN sf_is_count(x) THEN CAST(sf_epoch(TRY_CAST(x AS BIGINT)) AS TIME) END, TRY_CAST(x AS TIME), CAST(try_strptime(x, ['%H:%M', '%I:%M %p', '%I:%M:%S %p']) AS TIME),
    CAST(TRY_CAST(x AS TIMESTAMP) AS TIME)))[1];
CREATE OR REPLACE MACRO sf_time_from_text(v) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL
    ELSE coalesce(sf_try_time_text(x), CAST('100108:22007:Time ''' || x || ''' is not recognized' AS TIME)) END)[1];
CREATE OR REPLACE MACRO sf_to_time(v TIME) AS v,
    (v TIMESTAMP) AS CAST(v AS TIME),
    (v TIMESTAMP_NS) AS CAST(v AS TIME),
    (v TIMETZ) AS CAST(v AS TIME),
    (v TIME_NS) AS CAST(v AS TIME),
    (v TIMESTAMPTZ) AS CAST(CAST(v AS TIMESTAMP) AS TIME),
    (v INTERVAL) AS CAST(sf_zoned_clock(v) AS TIME),
    (v VARCHAR) AS sf_time_from_text(v),
    (v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) LIKE 'TIME%' THEN TRY_CAST(x AS TIME) ELSE sf_time_from_text(sf_variant_text(x)) END)[1];
CREATE OR REPLACE MACRO sf_try_to_time(v VARCHAR) AS sf_try_time_text(v),
    (v VARIANT) AS sf_try_time_text(sf_variant_text(v)),
    (v) AS CASE WHEN typeof(v) = 'INTERVAL' THEN CAST(sf_zoned_clock(TRY_CAST(CAST(v AS VARCHAR) AS INTERVAL)) AS TIME) ELSE TRY_CAST(v AS TIME) END;
-- A value in a format: `d` for strftime, `n` for a number, `f` as it was written, `m` like `d` with ~z~ for the offset.
CREATE OR REPLACE MACRO sf_formatted(v DATE, d, n, f, m) AS strftime(v, d),
    (v TIMESTAMP, d, n, f, m) AS strftime(v, d),
    (v TIMESTAMPTZ, d, n, f, m) AS sf_at_offset(strftime(CAST(v AS TIMESTAMP), m), date_part('timezone', v) // 60, f),
    (v INTERVAL, d, n, f, m) AS sf_at_offset(strftime(sf_zoned_clock(v), m), sf_zone(v), f),
    (v TIME, d, n, f, m) AS strftime(CAST('1970-01-01' AS DATE) + v, d),
    (v VARCHAR, d, n, f, m) AS strftime(sf_timestamp_from_text(v), d),
    (v BLOB, d, n, f, m) AS CASE upper(f) WHEN 'BASE64' THEN to_base64(v) WHEN 'UTF-8' THEN decode(v) WHEN 'UTF8' THEN decode(v) ELSE hex(v) END,
    (v DOUBLE, d, n, f, m) AS format(n, v);
CREATE OR REPLACE MACRO sf_try_boolean(v) AS sf_boolean_text(v);

-- Shapes are held as GeoJSON and read from that or from well-known text: POINT(1 2), LINESTRING(1 2, 3 4)…
CREATE OR REPLACE MACRO sf_shape_kind(w) AS CASE upper(w) WHEN 'POINT' THEN 'Point' WHEN 'LINESTRING' THEN 'LineString' WHEN 'POLYGON' THEN 'Polygon'
    WHEN 'MULTIPOINT' THEN 'MultiPoint' WHEN 'MULTILINESTRING' THEN 'MultiLineString' WHEN 'MULTIPOLYGON' THEN 'MultiPolygon' END;
CREATE OR REPLACE MACRO sf_shape_places(t) AS replace(replace(regexp_replace(regexp_replace(t, '^\s*\w+\s*', ''),
    '(-?[0-9.eE+]+(?:-[0-9]+)?)\s+(-?[0-9.eE+]+(?:-[0-9]+)?)', '[\1,\2]', 'g'), '(', '['), ')', ']');
CREATE OR REPLACE MACRO sf_shape_json(t) AS '{"coordinates":' || CASE WHEN t ILIKE '%POINT%' AND t NOT ILIKE '%MULTI%'
    THEN sf_shape_places(t)[2:-2] ELSE sf_shape_places(t) END || ',"type":"' || sf_shape_kind(regexp_extract(t, '^\s*(\w+)', 1)) || '"}';
CREATE OR REPLACE MACRO sf_try_shape(v) AS list_transform([v], x -> CAST(TRY_CAST(CASE WHEN json_valid(x) THEN x ELSE sf_shape_json(x) END AS JSON) AS VARIANT))[1];
CREATE OR REPLACE MACRO sf_shape(v) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL ELSE
    coalesce(sf_try_shape(x), error('100217:22023:Error parsing Geo input: ' || x)) END)[1];
CREATE OR REPLACE MACRO sf_to_geography(v VARIANT) AS CASE WHEN sf_is_map(v) THEN v ELSE sf_shape(sf_variant_text(v)) END,
    (v VARCHAR) AS sf_shape(v), (v MAP(VARCHAR, VARIANT)) AS CAST(to_json(v) AS VARIANT);
CREATE OR REPLACE MACRO sf_try_to_geography(v VARIANT) AS v, (v VARCHAR) AS sf_try_shape(v);
