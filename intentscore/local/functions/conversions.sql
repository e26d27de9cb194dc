-- Snowflake's functions as DuckDB macros, where DuckDB has no function of the same meaning.
-- A macro is chosen by the types of its arguments when the statement is bound, so that the
-- result has the type Snowflake documents: DATEADD of a DATE by days is a DATE, not a TIMESTAMP.

CREATE OR REPLACE MACRO sf_divisor(b) AS CASE WHEN b = 0 THEN error('Division by zero') ELSE b END;

CREATE OR REPLACE MACRO sf_dateadd_days(n, d DATE) AS CAST(d + CAST(round(n) AS INTEGER) AS DATE),
    (n, d TIMESTAMP) AS d + to_days(CAST(round(n) AS INTEGER)),
    (n, d TIMESTAMPTZ) AS d + to_days(CAST(round(n) AS INTEGER)),
    (n, d VARCHAR) AS CAST(d AS TIMESTAMP) + to_days(CAST(round(n) AS INTEGER));
CREATE OR REPLACE MACRO sf_dateadd_months(n, d DATE) AS CAST(d + to_months(CAST(round(n) AS INTEGER)) AS DATE),
    (n, d TIMESTAMP) AS d + to_months(CAST(round(n) AS INTEGER)),
    (n, d TIMESTAMPTZ) AS d + to_months(CAST(round(n) AS INTEGER)),
    (n, d VARCHAR) AS CAST(d AS TIMESTAMP) + to_months(CAST(round(n) AS INTEGER));
CREATE OR REPLACE MACRO sf_dateadd_seconds(n, d DATE) AS CAST(d AS TIMESTAMP) + to_microseconds(CAST(n * CAST(1000000 AS BIGINT) AS BIGINT)),
    (n, d TIMESTAMP) AS d + to_microseconds(CAST(n * CAST(1000000 AS BIGINT) AS BIGINT)),
    (n, d TIMESTAMPTZ) AS d + to_microseconds(CAST(n * CAST(1000000 AS BIGINT) AS BIGINT)),
    (n, d VARCHAR) AS CAST(d AS TIMESTAMP) + to_microseconds(CAST(n * CAST(1000000 AS BIGINT) AS BIGINT));

CREATE OR REPLACE MACRO sf_timestamp(v BIGINT) AS CAST(to_timestamp(v) AS TIMESTAMP),
    (v DATE) AS CAST(v AS TIMESTAMP),
    (v TIMESTAMP) AS v,
    (v TIMESTAMPTZ) AS CAST(v AS TIMESTAMP),
    (v VARCHAR) AS CASE WHEN TRY_CAST(v AS BIGINT) IS NOT NULL THEN CAST(to_timestamp(TRY_CAST(v AS BIGINT)) AS TIMESTAMP)
                        ELSE CAST(v AS TIMESTAMP) END;

-- A number as text: whole numbers without a decimal point, others with as many digits as give the value back.
CREATE OR REPLACE MACRO sf_to_varchar(v DOUBLE) AS
        CASE WHEN v = trunc(v) AND abs(v) < 1e15 THEN CAST(CAST(v AS BIGINT) AS VARCHAR) ELSE CAST(v AS VARCHAR) END,
    (v BOOLEAN) AS CASE WHEN v THEN 'true' WHEN NOT v THEN 'false' END,
    (v BLOB) AS upper(hex(v)),
    (v) AS CAST(v AS VARCHAR);

-- A VARIANT as text: a string loses its quotes. The field of a STRUCT has a type of its own.
CREATE OR REPLACE MACRO sf_variant_text(v JSON) AS json_extract_string(v, '$'),
    (v VARCHAR) AS v,
    (v DOUBLE) AS sf_to_varchar(v),
    (v BOOLEAN) AS sf_to_varchar(v),
    (v) AS CAST(v AS VARCHAR);

-- TRY_TO_BOOLEAN and TO_BOOLEAN read these words and no others.
CREATE OR REPLACE MACRO sf_try_boolean(v BOOLEAN) AS v,
    (v VARCHAR) AS CASE WHEN lower(v) IN ('true', 't', 'yes', 'y', 'on', '1') THEN true
                        WHEN lower(v) IN ('false', 'f', 'no', 'n', 'off', '0') THEN false END;

CREATE OR REPLACE MACRO sf_uuid_string() AS CAST(uuid() AS VARCHAR);

-- The sides of a MATCH_CONDITION: text is the moment it names, a moment with a zone is compared in UTC.
CREATE OR REPLACE MACRO sf_asof_key(v VARCHAR) AS CAST(v AS TIMESTAMP),
    (v DATE) AS CAST(v AS TIMESTAMP),
    (v TIMESTAMPTZ) AS CAST(v AS TIMESTAMP),
    (v) AS v;
