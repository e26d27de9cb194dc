-- Values of staged files on their way into a table. A VARIANT that holds a string counts as that string.

CREATE OR REPLACE MACRO sf_load_text(v JSON) AS json_extract_string(v, '$'),
    (v VARCHAR) AS v,
    (v BLOB) AS lower(hex(v)),
    (v) AS CAST(v AS VARCHAR);

CREATE OR REPLACE MACRO sf_load_variant(v JSON) AS v,
    (v VARCHAR) AS CASE WHEN json_valid(v) THEN CAST(v AS JSON) ELSE to_json(v) END,
    (v) AS to_json(v);
