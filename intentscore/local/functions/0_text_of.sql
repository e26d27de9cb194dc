-- Values as text, and what their text means.

-- A number as text: whole numbers without a decimal point, others with as many digits as give the value back.
CREATE OR REPLACE MACRO sf_double_text(v) AS list_transform([v], x -> CASE WHEN isnan(x) THEN 'NaN' WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'inf' ELSE '-inf' END
    WHEN x = trunc(x) AND abs(x) < 1e15 THEN CAST(CAST(x AS BIGINT) AS VARCHAR) ELSE CAST(x AS VARCHAR) END)[1];
CREATE OR REPLACE MACRO sf_timestamp_text(v) AS strftime(v, '%Y-%m-%d %H:%M:%S.%g');
CREATE OR REPLACE MACRO sf_variant_text(v) AS list_transform([v], x -> CASE
    WHEN x IS NULL THEN NULL
    WHEN starts_with(variant_typeof(x), 'ARRAY') OR starts_with(variant_typeof(x), 'OBJECT') THEN replace(CAST(to_json(x) AS VARCHAR), '"' || chr(57344) || 'undefined"', 'undefined')
    WHEN variant_typeof(x) IN ('DOUBLE', 'FLOAT') THEN sf_double_text(TRY_CAST(x AS DOUBLE))
    WHEN variant_typeof(x) = 'BLOB' THEN hex(TRY_CAST(x AS BLOB))
    WHEN variant_typeof(x) LIKE 'TIMESTAMP%TZ' THEN strftime(TRY_CAST(x AS TIMESTAMPTZ), '%Y-%m-%d %H:%M:%S.%g ') || sf_offset_text(TRY_CAST(x AS TIMESTAMPTZ))
    WHEN variant_typeof(x) LIKE 'TIMESTAMP%' THEN sf_timestamp_text(TRY_CAST(x AS TIMESTAMP))
    ELSE CAST(x AS VARCHAR) END)[1];
