-- Values of staged files on their way into a table. A VARIANT that holds a string counts as that string.

CREATE OR REPLACE MACRO sf_load_text(v VARIANT) AS sf_variant_text(v),
    (v BLOB) AS lower(hex(v)),
    (v) AS CASE WHEN typeof(v) = 'JSON' THEN json_extract_string(TRY_CAST(v AS JSON), '$') ELSE CAST(v AS VARCHAR) END;

CREATE OR REPLACE MACRO sf_load_variant(v VARIANT) AS v,
    (v VARCHAR) AS sf_variant_of_json(coalesce(TRY_CAST(v AS JSON), to_json(v))),
    (v) AS sf_variant_of_json(CASE WHEN typeof(v) IN ('VARCHAR', 'JSON') THEN coalesce(TRY_CAST(CAST(v AS VARCHAR) AS JSON), to_json(v)) ELSE to_json(v) END);
