-- Semi-structured values. VARIANT is DuckDB's VARIANT, ARRAY is VARIANT[] and OBJECT is MAP(VARCHAR, VARIANT).
-- A macro is chosen by the types of its arguments when the statement is bound, so that the result has the type
-- Snowflake documents.

-- A JSON null is a VARIANT that is there and holds nothing: IS NULL is false of it, its text, its number… are NULL, and
-- it is equal to itself. Only these bytes make one. Within the array or object of a VARIANT DuckDB has one kind of NULL,
-- the JSON null; an element without a value (`undefined`), which is SQL NULL, is held there as a mark.
CREATE OR REPLACE MACRO sf_json_null() AS variant_bytes_to_variant('\x01\x00\x00\x00'::BLOB);
CREATE OR REPLACE MACRO sf_undefined() AS CAST(chr(57344) || 'undefined' AS VARIANT);
CREATE OR REPLACE MACRO sf_holds_nothing(v) AS variant_typeof(v) = 'VARIANT_NULL';
CREATE OR REPLACE MACRO sf_element_out(x) AS CASE WHEN x IS NULL THEN sf_json_null() WHEN x = sf_undefined() THEN NULL ELSE x END;
CREATE OR REPLACE MACRO sf_elements_out(l) AS list_transform(l, x -> sf_element_out(x));
CREATE OR REPLACE MACRO sf_elements_in(l) AS list_transform(l, x -> coalesce(x, sf_undefined()));
CREATE OR REPLACE MACRO sf_variant_of_json(j) AS list_transform([j], x -> coalesce(CAST(x AS VARIANT), CASE WHEN x IS NOT NULL THEN sf_json_null() END))[1];

-- The JSON of a value: the moments in it in the form an account writes them in, with
-- milliseconds, and the keys of an object in order.
CREATE OR REPLACE MACRO sf_is_moment(v) AS variant_typeof(v) LIKE 'TIMESTAMP%' AND variant_typeof(v) NOT LIKE '%TZ';
CREATE OR REPLACE MACRO sf_written(v) AS CASE WHEN sf_is_moment(v) THEN CAST(sf_timestamp_text(TRY_CAST(v AS TIMESTAMP)) AS VARIANT) ELSE v END;
CREATE OR REPLACE MACRO sf_json_of(v MAP(VARCHAR, VARIANT)) AS to_json(map_from_entries(
        list_transform(list_sort(map_keys(v)), k -> struct_pack(key := k, value := sf_written(v[k]))))),
    (v VARIANT[]) AS CASE WHEN len(list_filter(v, x -> x IS NULL OR sf_is_moment(x))) > 0
        THEN to_json(list_transform(v, x -> coalesce(sf_written(x), sf_undefined()))) ELSE to_json(v) END,
    (v VARIANT) AS to_json(sf_written(v)),
    (v) AS to_json(v);
CREATE OR REPLACE MACRO sf_json_text(j) AS replace(CAST(j AS VARCHAR), '"' || chr(57344) || 'undefined"', 'undefined');

CREATE OR REPLACE MACRO sf_to_variant(v VARIANT) AS v,
    (v MAP(VARCHAR, VARIANT)) AS CAST(sf_json_of(v) AS VARIANT),
    (v VARIANT[]) AS CAST(sf_elements_in(v) AS VARIANT),
    (v) AS CASE WHEN typeof(v) = 'INTERVAL' THEN CAST(sf_clock_text(TRY_CAST(CAST(v AS VARCHAR) AS INTERVAL)) AS VARIANT)
        WHEN typeof(v) = 'JSON' THEN sf_variant_of_json(TRY_CAST(CAST(v AS VARCHAR) AS JSON)) ELSE CAST(v AS VARIANT) END;

CREATE OR REPLACE MACRO sf_is_kind(v, kind) AS variant_typeof(v) = kind OR starts_with(variant_typeof(v), kind || '(');

CREATE OR REPLACE MACRO sf_object_of_json(v) AS map_from_entries(list_transform(
    map_entries(CAST(v AS MAP(VARCHAR, JSON))), e -> struct_pack(key := e.key, value := coalesce(CAST(e.value AS VARIANT), sf_json_null()))));

CREATE OR REPLACE MACRO sf_row_json(r) AS CASE WHEN contains(typeof(r), ' INTERVAL')
    THEN error('000002:0A000:Unsupported feature: the local engine does not support OBJECT_CONSTRUCT(*) over a column of type TIMESTAMP_TZ: name the columns.') ELSE to_json(r) END;
CREATE OR REPLACE MACRO sf_is_list(v) AS sf_is_kind(v, 'ARRAY');
CREATE OR REPLACE MACRO sf_is_map(v) AS sf_is_kind(v, 'OBJECT');

CREATE OR REPLACE MACRO sf_to_array(v VARIANT[]) AS v,
    (v VARIANT) AS list_transform([v], x -> CASE WHEN sf_holds_nothing(x) THEN NULL WHEN sf_is_list(x) THEN sf_elements_out(TRY_CAST(x AS VARIANT[])) ELSE [x] END)[1],
    (v MAP(VARCHAR, VARIANT)) AS [CAST(to_json(v) AS VARIANT)],
    (v) AS CASE WHEN v IS NULL THEN NULL WHEN sf_is_list(CAST(v AS VARIANT)) THEN sf_elements_out(TRY_CAST(CAST(v AS VARIANT) AS VARIANT[]))
                ELSE [CAST(v AS VARIANT)] END;

CREATE OR REPLACE MACRO sf_to_object(v MAP(VARCHAR, VARIANT)) AS v,
    (v VARIANT) AS list_transform([v], x -> CASE WHEN sf_holds_nothing(x) THEN NULL WHEN sf_is_map(x) THEN sf_object_of_json(to_json(x))
                        ELSE error('100071:22000:Failed to cast variant value ' || CAST(to_json(x) AS VARCHAR) || ' to OBJECT') END)[1],
    (v) AS sf_object_of_json(to_json(v));

-- JSON as PARSE_JSON reads it: keys without quotation marks and single quotation marks are let pass.
CREATE OR REPLACE MACRO sf_relaxed_json(v) AS
    list_transform([v], x -> CASE WHEN json_valid(x) THEN x
         ELSE regexp_replace(regexp_replace(regexp_replace(replace(x, '''', '"'),
              '([{,]\s*)([A-Za-z_][A-Za-z_0-9]*)\s*:', '\1"\2":', 'g'), ',\s*([\]}])', '\1', 'g'),
              '([\[,:]\s*)undefined\b', '\1"' || chr(57344) || 'undefined"', 'g') END)[1];

CREATE OR REPLACE MACRO sf_try_parse_json(v VARIANT) AS v,
    (v) AS sf_variant_of_json(TRY_CAST(sf_relaxed_json(CAST(v AS VARCHAR)) AS JSON));
CREATE OR REPLACE MACRO sf_parse_json(v VARIANT) AS v,
    (v VARCHAR) AS list_transform([v], x -> CASE WHEN trim(x) = '' THEN NULL WHEN NOT json_valid(sf_relaxed_json(x))
            THEN error('100069:22P02:Error parsing JSON: ' || x)
         ELSE sf_variant_of_json(TRY_CAST(sf_relaxed_json(x) AS JSON)) END)[1];
CREATE OR REPLACE MACRO sf_check_json(v VARIANT) AS CAST(NULL AS VARCHAR),
    (v) AS CASE WHEN v IS NULL OR trim(v) = '' OR json_valid(sf_relaxed_json(CAST(v AS VARCHAR))) THEN NULL
         ELSE 'invalid JSON: ' || v END;

-- The JSON with the marks of elements without a value in it, and TO_JSON's.
CREATE OR REPLACE MACRO sf_document(v VARIANT) AS list_transform([v], x -> CASE WHEN variant_typeof(x) LIKE 'TIME%' AND variant_typeof(x) NOT LIKE 'TIMESTAMP%'
        THEN '"' || strftime(CAST('1970-01-01' AS DATE) + TRY_CAST(x AS TIME), '%H:%M:%S') || '"' ELSE CAST(sf_json_of(x) AS VARCHAR) END)[1],
    (v MAP(VARCHAR, VARIANT)) AS CAST(sf_json_of(v) AS VARCHAR),
    (v VARIANT[]) AS CAST(sf_json_of(v) AS VARCHAR),
    (v) AS CAST(to_json(v) AS VARCHAR);
CREATE OR REPLACE MACRO sf_to_json(v) AS sf_json_text(sf_document(v));
CREATE OR REPLACE MACRO sf_strip_null_value(v VARIANT) AS list_transform([v], x -> CASE WHEN NOT sf_holds_nothing(x) THEN x END)[1], (v) AS v;

-- Elements. The typed forms are found for `column:path`, `column[i]` and GET alike.
CREATE OR REPLACE MACRO sf_element(v VARIANT, i) AS
        list_transform([TRY_CAST(v AS VARIANT[])], l -> CASE WHEN i BETWEEN 0 AND len(l) - 1 THEN sf_element_out(l[CAST(i AS BIGINT) + 1]) END)[1],
    (v VARIANT[], i) AS CASE WHEN i >= 0 THEN v[CAST(i AS BIGINT) + 1] END,
    (v MAP(VARCHAR, VARIANT), i) AS CAST(NULL AS VARIANT),
    (v, i) AS list_transform([TRY_CAST(CAST(v AS VARIANT) AS VARIANT[])], l -> CASE WHEN i BETWEEN 0 AND len(l) - 1
        THEN sf_element_out(l[CAST(i AS BIGINT) + 1]) END)[1];
CREATE OR REPLACE MACRO sf_field(v VARIANT, k) AS list_transform([v], x -> coalesce(variant_extract(x, k), CASE WHEN variant_exists(x, k) THEN sf_json_null() END))[1],
    (v MAP(VARCHAR, VARIANT), k) AS v[k],
    (v VARIANT[], k) AS CAST(NULL AS VARIANT),
    (v, k) AS list_transform([CAST(v AS VARIANT)], x -> coalesce(variant_extract(x, k), CASE WHEN variant_exists(x, k) THEN sf_json_null() END))[1];
CREATE OR REPLACE MACRO sf_get(v VARIANT, i BIGINT) AS sf_element(v, i),
    (v VARIANT[], i BIGINT) AS sf_element(v, i),
    (v MAP(VARCHAR, VARIANT), k VARCHAR) AS v[k],
    (v VARIANT, k VARCHAR) AS sf_object_of_json(CASE WHEN sf_is_map(v) THEN to_json(v) END)[k],
    (v VARIANT[], k VARCHAR) AS CAST(NULL AS VARIANT),
    (v MAP(VARCHAR, VARIANT), k BIGINT) AS CAST(NULL AS VARIANT),
    (v VARIANT, k VARIANT) AS CASE WHEN sf_is_list(v) THEN sf_element(v, TRY_CAST(k AS BIGINT))
        ELSE sf_object_of_json(CASE WHEN sf_is_map(v) THEN to_json(v) END)[CAST(k AS VARCHAR)] END,
    (v VARIANT[], k VARIANT) AS sf_element(v, TRY_CAST(k AS BIGINT)),
    (v MAP(VARCHAR, VARIANT), k VARIANT) AS v[CAST(k AS VARCHAR)];
CREATE OR REPLACE MACRO sf_get_ignore_case(v, k) AS
    list_filter(map_entries(sf_to_object(v)), e -> lower(e.key) = lower(k))[1].value;
CREATE OR REPLACE MACRO sf_get_path(v, p) AS
    sf_variant_of_json(json_extract(to_json(v), CASE WHEN starts_with(p, '[') THEN '$' || p ELSE '$.' || p END));

-- What is in a VARIANT.
CREATE OR REPLACE MACRO sf_variant_kind(v) AS list_transform([variant_typeof(v)], t -> CASE
    WHEN t = 'VARIANT_NULL' THEN 'NULL_VALUE' WHEN starts_with(t, 'ARRAY') THEN 'ARRAY' WHEN starts_with(t, 'OBJECT') THEN 'OBJECT'
    WHEN starts_with(t, 'BOOL') THEN 'BOOLEAN' WHEN t = 'BLOB' THEN 'BINARY' WHEN t = 'DATE' THEN 'DATE'
    WHEN t LIKE 'TIMESTAMP%TZ' THEN 'TIMESTAMP_LTZ' WHEN t LIKE 'TIMESTAMP%' THEN 'TIMESTAMP_NTZ' WHEN t LIKE 'TIME%' THEN 'TIME'
    WHEN t LIKE '%INT%' OR t LIKE 'DECIMAL(%, 0)' THEN 'INTEGER' WHEN t LIKE 'DECIMAL%' THEN 'DECIMAL'
    WHEN t IN ('FLOAT', 'DOUBLE') THEN 'DOUBLE' ELSE 'VARCHAR' END)[1];
CREATE OR REPLACE MACRO sf_typeof(v MAP(VARCHAR, VARIANT)) AS CASE WHEN v IS NOT NULL THEN 'OBJECT' END,
    (v VARIANT[]) AS CASE WHEN v IS NOT NULL THEN 'ARRAY' END,
    (v VARIANT) AS list_transform([v], x -> CASE WHEN x IS NULL THEN NULL
        WHEN variant_typeof(x) = 'DOUBLE' AND regexp_full_match(CAST(to_json(x) AS VARCHAR), '-?[0-9]{1,15}\.[0-9]{1,15}') THEN 'DECIMAL'
        ELSE sf_variant_kind(x) END)[1],
    (v) AS sf_variant_kind(CAST(v AS VARIANT));
CREATE OR REPLACE MACRO sf_in_variant(v MAP(VARCHAR, VARIANT)) AS CASE WHEN v IS NOT NULL THEN 'OBJECT' END,
    (v VARIANT[]) AS CASE WHEN v IS NOT NULL THEN 'ARRAY' END,
    (v VARIANT) AS CASE WHEN v IS NOT NULL THEN sf_variant_kind(v) END,
    (v) AS CASE WHEN v IS NOT NULL THEN sf_variant_kind(CAST(v AS VARIANT)) END;
CREATE OR REPLACE MACRO sf_is_array(v) AS sf_in_variant(v) = 'ARRAY';
CREATE OR REPLACE MACRO sf_is_object(v) AS sf_in_variant(v) = 'OBJECT';
CREATE OR REPLACE MACRO sf_is_binary(v) AS sf_in_variant(v) = 'BINARY';
CREATE OR REPLACE MACRO sf_is_boolean(v) AS sf_in_variant(v) = 'BOOLEAN';
CREATE OR REPLACE MACRO sf_is_char(v) AS sf_in_variant(v) = 'VARCHAR';
CREATE OR REPLACE MACRO sf_is_varchar(v) AS sf_in_variant(v) = 'VARCHAR';
CREATE OR REPLACE MACRO sf_is_date(v) AS sf_in_variant(v) = 'DATE';
CREATE OR REPLACE MACRO sf_is_date_value(v) AS sf_in_variant(v) = 'DATE';
CREATE OR REPLACE MACRO sf_is_time(v) AS sf_in_variant(v) = 'TIME';
CREATE OR REPLACE MACRO sf_is_timestamp_ntz(v) AS sf_in_variant(v) = 'TIMESTAMP_NTZ';
CREATE OR REPLACE MACRO sf_is_timestamp_ltz(v) AS sf_in_variant(v) = 'TIMESTAMP_LTZ';
CREATE OR REPLACE MACRO sf_is_timestamp_tz(v) AS sf_in_variant(v) = 'TIMESTAMP_TZ';
CREATE OR REPLACE MACRO sf_is_integer(v) AS sf_in_variant(v) = 'INTEGER';
CREATE OR REPLACE MACRO sf_is_decimal(v) AS sf_in_variant(v) IN ('INTEGER', 'DECIMAL');
CREATE OR REPLACE MACRO sf_is_double(v) AS sf_in_variant(v) IN ('INTEGER', 'DECIMAL', 'DOUBLE');
CREATE OR REPLACE MACRO sf_is_real(v) AS sf_in_variant(v) IN ('INTEGER', 'DECIMAL', 'DOUBLE');
CREATE OR REPLACE MACRO sf_is_null_value(v) AS list_transform([CAST(v AS VARIANT)], x -> CASE WHEN x IS NOT NULL THEN sf_holds_nothing(x) END)[1];

CREATE OR REPLACE MACRO sf_as_array(v) AS CASE WHEN sf_is_array(v) THEN sf_to_array(v) END;
CREATE OR REPLACE MACRO sf_as_object(v) AS CASE WHEN sf_is_object(v) THEN sf_object_of_json(to_json(v)) END;
CREATE OR REPLACE MACRO sf_as_binary(v) AS CASE WHEN sf_is_binary(v) THEN TRY_CAST(v AS BLOB) END;
CREATE OR REPLACE MACRO sf_as_boolean(v) AS CASE WHEN sf_is_boolean(v) THEN TRY_CAST(v AS BOOLEAN) END;
CREATE OR REPLACE MACRO sf_as_char(v) AS CASE WHEN sf_is_char(v) THEN TRY_CAST(v AS VARCHAR) END;
CREATE OR REPLACE MACRO sf_as_varchar(v) AS CASE WHEN sf_is_char(v) THEN TRY_CAST(v AS VARCHAR) END;
CREATE OR REPLACE MACRO sf_as_date(v) AS CASE WHEN sf_is_date(v) THEN TRY_CAST(v AS DATE) END;
CREATE OR REPLACE MACRO sf_as_time(v) AS CASE WHEN sf_is_time(v) THEN TRY_CAST(v AS TIME) END;
CREATE OR REPLACE MACRO sf_as_timestamp_ntz(v) AS CASE WHEN sf_is_timestamp_ntz(v) THEN TRY_CAST(v AS TIMESTAMP) END;
CREATE OR REPLACE MACRO sf_as_timestamp_ltz(v) AS CASE WHEN sf_is_timestamp_ltz(v) THEN TRY_CAST(v AS TIMESTAMPTZ) END;
CREATE OR REPLACE MACRO sf_as_timestamp_tz(v) AS CASE WHEN sf_is_timestamp_tz(v) THEN TRY_CAST(v AS TIMESTAMPTZ) END;
CREATE OR REPLACE MACRO sf_as_integer(v) AS CASE WHEN sf_is_decimal(v) THEN CAST(round(TRY_CAST(v AS DOUBLE)) AS BIGINT) END;
CREATE OR REPLACE MACRO sf_as_scaled(v) AS CASE WHEN sf_is_decimal(v) THEN CAST(v AS VARCHAR) END;
CREATE OR REPLACE MACRO sf_as_double(v) AS CASE WHEN sf_is_double(v) THEN TRY_CAST(v AS DOUBLE) END;
CREATE OR REPLACE MACRO sf_as_real(v) AS CASE WHEN sf_is_double(v) THEN TRY_CAST(v AS DOUBLE) END;

-- Arrays. Every argument that may be a VARIANT goes through sf_to_array.
CREATE OR REPLACE MACRO sf_array_size(v VARIANT[]) AS CAST(len(v) AS BIGINT),
    (v VARIANT) AS CASE WHEN sf_is_list(v) THEN CAST(len(TRY_CAST(v AS VARIANT[])) AS BIGINT) END,
    (v) AS CASE WHEN sf_is_list(CAST(v AS VARIANT)) THEN CAST(variant_array_length(CAST(v AS VARIANT)) AS BIGINT) END;
CREATE OR REPLACE MACRO sf_array_append(a, v) AS list_append(sf_to_array(a), sf_to_variant(v));
CREATE OR REPLACE MACRO sf_array_prepend(a, v) AS list_prepend(sf_to_variant(v), sf_to_array(a));
CREATE OR REPLACE MACRO sf_array_cat(a, b) AS CASE WHEN a IS NOT NULL AND b IS NOT NULL
    THEN list_concat(sf_to_array(a), sf_to_array(b)) END;
CREATE OR REPLACE MACRO sf_array_compact(a) AS list_filter(sf_to_array(a), x -> NOT sf_holds_nothing(x));
CREATE OR REPLACE MACRO sf_array_construct_compact(l) AS list_filter(l, x -> x IS NOT NULL);
-- Elements are compared one by one: DuckDB's own search takes 1 and 1 for different when their integer types are.
CREATE OR REPLACE MACRO sf_is_numeric(v) AS variant_typeof(v) LIKE '%INT%' OR variant_typeof(v) LIKE 'DECIMAL%' OR variant_typeof(v) IN ('FLOAT', 'DOUBLE');
CREATE OR REPLACE MACRO sf_same(a, b) AS a = b OR (sf_is_numeric(a) AND sf_is_numeric(b) AND TRY_CAST(a AS DOUBLE) = TRY_CAST(b AS DOUBLE));
CREATE OR REPLACE MACRO sf_has(a, v) AS CASE WHEN len(list_filter(a, e -> sf_same(e, v))) > 0 OR (v IS NULL AND len(list_filter(a, e -> e IS NULL)) > 0) THEN true
    WHEN a IS NOT NULL AND v IS NOT NULL THEN false END;
CREATE OR REPLACE MACRO sf_array_contains(v, a) AS sf_has(sf_to_array(a), sf_to_variant(v));
CREATE OR REPLACE MACRO sf_first_place(a, v) AS list_filter(list_transform(a, (e, i) -> CASE WHEN sf_same(e, v) THEN CAST(i - 1 AS BIGINT) END), i -> i IS NOT NULL)[1];
CREATE OR REPLACE MACRO sf_array_position(v, a) AS sf_first_place(sf_to_array(a), sf_to_variant(v));
CREATE OR REPLACE MACRO sf_distinct(a) AS list_transform(list_filter(
    list_transform(a, (x, i) -> struct_pack(x := x, first := coalesce(list_position(a, x) = i, len(list_filter(a[1:i], y -> y IS NULL)) = 1))),
    s -> s.first), s -> s.x);
CREATE OR REPLACE MACRO sf_array_distinct(a) AS sf_distinct(sf_to_array(a));
CREATE OR REPLACE MACRO sf_array_except(a, b) AS list_filter(sf_to_array(a), x -> NOT coalesce(sf_has(sf_to_array(b), x), false));
CREATE OR REPLACE MACRO sf_array_intersection(a, b) AS
    list_filter(sf_array_distinct(a), x -> sf_has(sf_to_array(b), x));
CREATE OR REPLACE MACRO sf_arrays_overlap(a, b) AS list_has_any(sf_to_array(a), sf_to_array(b));
CREATE OR REPLACE MACRO sf_place(a, i) AS CAST(CASE WHEN i < 0 THEN greatest(len(a) + i, 0) ELSE i END AS BIGINT);
CREATE OR REPLACE MACRO sf_inserted(a, i, v) AS list_concat(list_resize(a[1:sf_place(a, i)], sf_place(a, i)), [v], a[sf_place(a, i) + 1:len(a)]);
CREATE OR REPLACE MACRO sf_array_insert(a, i, v) AS sf_inserted(sf_to_array(a), i, sf_to_variant(v));
CREATE OR REPLACE MACRO sf_array_remove(a, v) AS list_filter(sf_to_array(a), x -> x IS NULL OR NOT sf_same(x, sf_to_variant(v)));
CREATE OR REPLACE MACRO sf_without(a, i) AS list_concat(a[1:CASE WHEN i < 0 THEN len(a) + i ELSE i END], a[CASE WHEN i < 0 THEN len(a) + i ELSE i END + 2:len(a)]);
CREATE OR REPLACE MACRO sf_array_remove_at(a, i) AS sf_without(sf_to_array(a), CAST(i AS BIGINT));
CREATE OR REPLACE MACRO sf_sliced(a, f, t) AS a[CASE WHEN f < 0 THEN greatest(len(a) + f, 0) ELSE f END + 1:CASE WHEN t < 0 THEN len(a) + t ELSE t END];
CREATE OR REPLACE MACRO sf_array_slice(a, f, t) AS sf_sliced(sf_to_array(a), CAST(f AS BIGINT), CAST(t AS BIGINT));
CREATE OR REPLACE MACRO sf_array_reverse(a) AS list_reverse(sf_to_array(a));
CREATE OR REPLACE MACRO sf_array_min(a) AS list_aggregate(sf_to_array(a), 'min');
CREATE OR REPLACE MACRO sf_array_max(a) AS list_aggregate(sf_to_array(a), 'max');
CREATE OR REPLACE MACRO sf_flattened(a) AS CASE WHEN len(list_filter(a, x -> x IS NULL)) = 0 THEN flatten(list_transform(a, x -> sf_to_array(x))) END;
CREATE OR REPLACE MACRO sf_array_flatten(a) AS sf_flattened(sf_to_array(a));
CREATE OR REPLACE MACRO sf_joined(l, d) AS CASE WHEN len(l) = 0 THEN '' ELSE list_reduce(l, (x, y) -> x || d || y) END;
CREATE OR REPLACE MACRO sf_array_to_string(a, d) AS
    sf_joined(list_transform(sf_to_array(a), x -> coalesce(sf_variant_text(x), '')), d);
CREATE OR REPLACE MACRO sf_array_sort(a) AS list_sort(sf_to_array(a), 'ASC', 'NULLS LAST'),
    (a, up) AS CASE WHEN up THEN list_sort(sf_to_array(a), 'ASC', 'NULLS LAST') ELSE list_sort(sf_to_array(a), 'DESC', 'NULLS FIRST') END,
    (a, up, nulls_first) AS CASE WHEN up AND nulls_first THEN list_sort(sf_to_array(a), 'ASC', 'NULLS FIRST')
        WHEN up THEN list_sort(sf_to_array(a), 'ASC', 'NULLS LAST')
        WHEN nulls_first THEN list_sort(sf_to_array(a), 'DESC', 'NULLS FIRST') ELSE list_sort(sf_to_array(a), 'DESC', 'NULLS LAST') END;
CREATE OR REPLACE MACRO sf_array_generate_range(f, t) AS
        list_transform(range(CAST(f AS BIGINT), CAST(t AS BIGINT)), x -> CAST(x AS VARIANT)),
    (f, t, step) AS list_transform(range(CAST(f AS BIGINT), CAST(t AS BIGINT), CAST(step AS BIGINT)), x -> CAST(x AS VARIANT));
CREATE OR REPLACE MACRO sf_array_unique_agg(l) AS coalesce(list_transform(list_distinct(l), x -> sf_to_variant(x)), CAST([] AS VARIANT[]));
CREATE OR REPLACE MACRO sf_arrays_to_object(k, v) AS map_from_entries(list_filter(list_transform(sf_to_array(k),
    (x, i) -> struct_pack(key := sf_variant_text(x), value := sf_to_array(v)[i])), e -> e.key IS NOT NULL));

-- Objects.
CREATE OR REPLACE MACRO sf_object_keys(o) AS list_transform(list_sort(map_keys(sf_to_object(o))), k -> CAST(k AS VARIANT));
CREATE OR REPLACE MACRO sf_object_delete(o, ks) AS
    map_from_entries(list_filter(map_entries(sf_to_object(o)), e -> NOT list_contains(ks, e.key)));
CREATE OR REPLACE MACRO sf_object_pick(o, ks) AS
    map_from_entries(list_filter(map_entries(sf_to_object(o)), e -> list_contains(ks, e.key)));
CREATE OR REPLACE MACRO sf_texts(v VARIANT[]) AS list_transform(v, x -> sf_variant_text(x)),
    (v VARIANT) AS list_transform(sf_to_array(v), x -> sf_variant_text(x)),
    (v) AS [CAST(v AS VARCHAR)];
CREATE OR REPLACE MACRO sf_object_insert(o, k, v) AS sf_object_insert(o, k, v, false),
    (o, k, v, replacing) AS CASE
        WHEN NOT replacing AND map_contains(sf_to_object(o), k)
            THEN error('100151:22000:OBJECT_INSERT: Key ''' || k || ''' already exists')
        WHEN v IS NULL THEN map_from_entries(list_filter(map_entries(sf_to_object(o)), e -> e.key <> k))
        ELSE map_concat(sf_to_object(o), map([k], [sf_to_variant(v)])) END;
CREATE OR REPLACE MACRO sf_object_construct(ks, vs) AS map_from_entries(list_filter(
    list_zip(ks, vs), e -> e[1] IS NOT NULL AND e[2] IS NOT NULL));
CREATE OR REPLACE MACRO sf_without_nulls(o) AS map_from_entries(list_filter(map_entries(o), e -> NOT sf_holds_nothing(e.value)));
CREATE OR REPLACE MACRO sf_object_construct_keep_null(ks, vs) AS
    map_from_entries(list_filter(list_zip(ks, list_transform(vs, x -> coalesce(x, sf_json_null()))), e -> e[1] IS NOT NULL));

-- What FLATTEN makes rows of. An entry that comes from an array has an index, one from an object a key.
CREATE OR REPLACE MACRO sf_key_path(p, k) AS CASE WHEN p = '' THEN CASE WHEN regexp_full_match(k, '[A-Za-z_]\w*') THEN k ELSE '[''' || k || ''']' END
    ELSE CASE WHEN regexp_full_match(k, '[A-Za-z_]\w*') THEN p || '.' || k ELSE p || '[''' || k || ''']' END END;
CREATE OR REPLACE MACRO sf_entries(v, p) AS list_concat(
    list_transform(CASE WHEN sf_is_list(v) THEN sf_elements_out(TRY_CAST(v AS VARIANT[])) END, (x, i) -> struct_pack(
        seq := CAST(1 AS BIGINT), key := CAST(NULL AS VARCHAR), path := p || '[' || (i - 1) || ']', index := CAST(i - 1 AS BIGINT), value := x, this := v)),
    list_transform(map_entries(sf_object_of_json(CASE WHEN sf_is_map(v) THEN to_json(v) END)), e -> struct_pack(
        seq := CAST(1 AS BIGINT), key := e.key, path := sf_key_path(p, e.key), index := CAST(NULL AS BIGINT), value := e.value, this := v)));
CREATE OR REPLACE MACRO sf_deeper(l) AS list_concat(l, flatten(list_transform(l, d -> sf_entries(d.value, d.path))));
CREATE OR REPLACE MACRO sf_all_entries(v, p) AS list_distinct(sf_deeper(sf_deeper(sf_deeper(sf_entries(v, p)))));
CREATE OR REPLACE MACRO sf_entries_of(l, m) AS list_filter(l, e -> CASE WHEN m = 'ARRAY' THEN e.index IS NOT NULL ELSE e.key IS NOT NULL END);
CREATE OR REPLACE MACRO sf_or_none(l) AS CASE WHEN len(l) > 0 THEN l ELSE [struct_pack(seq := CAST(1 AS BIGINT), key := CAST(NULL AS VARCHAR),
    path := CAST(NULL AS VARCHAR), index := CAST(NULL AS BIGINT), value := CAST(NULL AS VARIANT), this := CAST(NULL AS VARIANT))] END;
-- A number for the record that elements come from, out of a hash of what tells it apart.
CREATE OR REPLACE MACRO sf_record(h) AS CAST(h >> 1 AS BIGINT);
