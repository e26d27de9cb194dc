-- Text. A VARIANT argument counts as its text.

CREATE OR REPLACE MACRO sf_text(v) AS sf_to_varchar(v);
CREATE OR REPLACE MACRO sf_variants(l) AS list_transform(list_filter(l, x -> x IS NOT NULL), x -> sf_to_variant(x));
CREATE OR REPLACE MACRO sf_joined_texts(l, s) AS array_to_string(list_transform(l, x -> sf_text(x)), s);
CREATE OR REPLACE MACRO sf_bytes_or_text(v BLOB) AS v, (v VARCHAR) AS v, (v VARIANT) AS sf_variant_text(v), (v DOUBLE) AS sf_double_text(v),
    (v TIMESTAMP) AS sf_timestamp_text(v), (v INTERVAL) AS sf_clock_text(v), (v) AS CAST(v AS VARCHAR);
CREATE OR REPLACE MACRO sf_size(v BLOB) AS CAST(octet_length(v) AS BIGINT), (v VARCHAR) AS length(v);
CREATE OR REPLACE MACRO sf_bytes(v BLOB) AS v, (v VARCHAR) AS encode(v);
CREATE OR REPLACE MACRO sf_length(v) AS sf_size(sf_bytes_or_text(v));
CREATE OR REPLACE MACRO sf_octet_length(v) AS CAST(octet_length(sf_bytes(sf_bytes_or_text(v))) AS BIGINT);
CREATE OR REPLACE MACRO sf_bit_length(v) AS CAST(octet_length(sf_bytes(sf_bytes_or_text(v))) * 8 AS BIGINT);
CREATE OR REPLACE MACRO sf_upper(v) AS upper(sf_text(v));
CREATE OR REPLACE MACRO sf_lower(v) AS lower(sf_text(v));
CREATE OR REPLACE MACRO sf_reverse(v) AS reverse(sf_text(v));
CREATE OR REPLACE MACRO sf_ascii(v) AS CASE WHEN sf_text(v) = '' THEN 0 ELSE ascii(sf_text(v)) END;
CREATE OR REPLACE MACRO sf_unicode(v) AS CASE WHEN sf_text(v) = '' THEN 0 ELSE unicode(sf_text(v)) END;
CREATE OR REPLACE MACRO sf_chr(v) AS CASE WHEN v = 0 THEN chr(0) WHEN v < 0 OR v > 1114111 THEN error('100241:22023:Invalid character code ' || v || ' in the CHR input') ELSE chr(CAST(v AS INTEGER)) END;
CREATE OR REPLACE MACRO sf_left(v, n) AS CASE WHEN n <= 0 THEN '' ELSE left(sf_text(v), CAST(n AS BIGINT)) END;
CREATE OR REPLACE MACRO sf_right(v, n) AS CASE WHEN n <= 0 THEN '' ELSE right(sf_text(v), CAST(n AS BIGINT)) END;
CREATE OR REPLACE MACRO sf_substring_from(v, p) AS CASE WHEN p = 0 THEN v WHEN p < -length(v) THEN '' ELSE substr(v, CAST(p AS BIGINT)) END;
CREATE OR REPLACE MACRO sf_substr(v, p) AS sf_substring_from(sf_text(v), sf_count_added(p)),
    (v, p, n) AS CASE WHEN sf_count_added(n) <= 0 THEN '' ELSE left(sf_substring_from(sf_text(v), sf_count_added(p)), sf_count_added(n)) END;
CREATE OR REPLACE MACRO sf_lpad(v, n, p) AS CASE WHEN n <= 0 THEN '' WHEN p = '' THEN left(sf_text(v), CAST(n AS BIGINT)) ELSE lpad(sf_text(v), CAST(n AS INTEGER), p) END,
    (v, n) AS lpad(sf_text(v), CAST(n AS INTEGER), ' ');
CREATE OR REPLACE MACRO sf_rpad(v, n, p) AS CASE WHEN n <= 0 THEN '' WHEN p = '' THEN left(sf_text(v), CAST(n AS BIGINT)) ELSE rpad(sf_text(v), CAST(n AS INTEGER), p) END,
    (v, n) AS rpad(sf_text(v), CAST(n AS INTEGER), ' ');
CREATE OR REPLACE MACRO sf_trim(v) AS trim(sf_text(v), ' '), (v, c) AS trim(sf_text(v), c);
CREATE OR REPLACE MACRO sf_ltrim(v) AS ltrim(sf_text(v), ' '), (v, c) AS ltrim(sf_text(v), c);
CREATE OR REPLACE MACRO sf_rtrim(v) AS rtrim(sf_text(v), ' '), (v, c) AS rtrim(sf_text(v), c);
CREATE OR REPLACE MACRO sf_replace(v, a) AS replace(sf_text(v), sf_text(a), ''), (v, a, b) AS replace(sf_text(v), sf_text(a), sf_text(b));
CREATE OR REPLACE MACRO sf_repeat(v, n) AS repeat(sf_text(v), CAST(n AS BIGINT));
CREATE OR REPLACE MACRO sf_space(n) AS repeat(' ', CAST(n AS BIGINT));
CREATE OR REPLACE MACRO sf_insert(v, p, n, t) AS left(v, CAST(p AS BIGINT) - 1) || t || substr(v, CAST(p AS BIGINT) + CAST(n AS BIGINT));
CREATE OR REPLACE MACRO sf_contains(v, t) AS contains(sf_text(v), sf_text(t));
CREATE OR REPLACE MACRO sf_startswith(v, t) AS starts_with(sf_text(v), sf_text(t));
CREATE OR REPLACE MACRO sf_endswith(v, t) AS ends_with(sf_text(v), sf_text(t));
CREATE OR REPLACE MACRO sf_charindex(t, v) AS strpos(sf_text(v), sf_text(t)),
    (t, v, p) AS CASE WHEN strpos(substr(sf_text(v), CAST(p AS BIGINT)), sf_text(t)) = 0 THEN 0
        ELSE strpos(substr(sf_text(v), CAST(p AS BIGINT)), sf_text(t)) + CAST(p AS BIGINT) - 1 END;
CREATE OR REPLACE MACRO sf_translate(v, a, b) AS translate(sf_text(v), a, b);
CREATE OR REPLACE MACRO sf_split(v, d) AS list_transform(CASE WHEN d = '' THEN [v] ELSE string_split(sf_text(v), d) END, x -> CAST(x AS VARIANT));
CREATE OR REPLACE MACRO sf_split_part(v, d, n) AS CASE WHEN v IS NULL OR d IS NULL THEN NULL WHEN d = '' THEN CASE WHEN n IN (0, 1, -1) THEN sf_text(v) ELSE '' END
    ELSE coalesce(string_split(sf_text(v), d)[CAST(CASE WHEN n = 0 THEN 1 ELSE n END AS BIGINT)], '') END;
CREATE OR REPLACE MACRO sf_strtok_list(v, d) AS list_filter(string_split(translate(v, d, repeat(left(d, 1), length(d))), left(d, 1)), x -> x <> '');
CREATE OR REPLACE MACRO sf_strtok(v) AS sf_strtok_list(v, ' ')[1], (v, d) AS sf_strtok_list(v, d)[1], (v, d, n) AS sf_strtok_list(v, d)[CAST(n AS BIGINT)];
CREATE OR REPLACE MACRO sf_strtok_to_array(v) AS list_transform(sf_strtok_list(v, ' '), x -> CAST(x AS VARIANT)),
    (v, d) AS list_transform(sf_strtok_list(v, d), x -> CAST(x AS VARIANT));
CREATE OR REPLACE MACRO sf_part_rows(l) AS list_transform(l, (x, i) -> struct_pack(seq := CAST(1 AS BIGINT), index := CAST(i AS BIGINT), value := x));
CREATE OR REPLACE MACRO sf_split_rows(v, d) AS sf_part_rows(CASE WHEN d = '' THEN [sf_text(v)] ELSE string_split(sf_text(v), d) END);
CREATE OR REPLACE MACRO sf_strtok_rows(v) AS sf_part_rows(sf_strtok_list(v, ' ')), (v, d) AS sf_part_rows(sf_strtok_list(v, d));
CREATE OR REPLACE MACRO sf_initcap_with(v, d) AS array_to_string(list_transform(regexp_extract_all(lower(v), d), x -> upper(left(x, 1)) || substr(x, 2)), '');
CREATE OR REPLACE MACRO sf_initcap(v) AS sf_initcap_with(sf_text(v), '[\pL\pN]+|[^\pL\pN]+'),
    (v, d) AS CASE WHEN d = '' THEN upper(left(v, 1)) || lower(substr(v, 2))
        ELSE sf_initcap_with(v, '[^' || regexp_replace(d, '([\]\\^-])', '\\\1', 'g') || ']+|[' || regexp_replace(d, '([\]\\^-])', '\\\1', 'g') || ']+') END;
CREATE OR REPLACE MACRO sf_concat_ws(d, l) AS CASE WHEN d IS NULL OR len(list_filter(l, x -> x IS NULL)) > 0 THEN NULL ELSE array_to_string(l, d) END;
CREATE OR REPLACE MACRO sf_editdistance(a, b) AS levenshtein(a, b), (a, b, m) AS least(levenshtein(a, b), m);
CREATE OR REPLACE MACRO sf_jarowinkler_similarity(a, b) AS CAST(floor(jaro_winkler_similarity(lower(a), lower(b)) * 100) AS BIGINT);
CREATE OR REPLACE MACRO sf_soundex_code(c) AS CASE WHEN c IN ('B', 'F', 'P', 'V') THEN '1' WHEN c IN ('C', 'G', 'J', 'K', 'Q', 'S', 'X', 'Z') THEN '2'
    WHEN c IN ('D', 'T') THEN '3' WHEN c = 'L' THEN '4' WHEN c IN ('M', 'N') THEN '5' WHEN c = 'R' THEN '6' WHEN c IN ('H', 'W') THEN 'h' ELSE '0' END;
CREATE OR REPLACE MACRO sf_squeezed(s) AS regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(s,
    '1+', '1', 'g'), '2+', '2', 'g'), '3+', '3', 'g'), '4+', '4', 'g'), '5+', '5', 'g'), '6+', '6', 'g');
CREATE OR REPLACE MACRO sf_soundex(v) AS CASE WHEN v = '' THEN '' ELSE left(v, 1) || left(replace(substr(sf_squeezed(replace(
    array_to_string(list_transform(string_split(upper(v), ''), c -> sf_soundex_code(c)), ''), 'h', '')), 2), '0', '') || '000', 3) END;
CREATE OR REPLACE MACRO sf_md5(v) AS md5(sf_bytes_or_text(v));
CREATE OR REPLACE MACRO sf_md5_binary(v) AS unhex(md5(sf_bytes_or_text(v)));
CREATE OR REPLACE MACRO sf_md5_number_lower64(v) AS CAST(md5_number_lower(sf_text(v)) AS HUGEINT);
CREATE OR REPLACE MACRO sf_md5_number_upper64(v) AS CAST(md5_number_upper(sf_text(v)) AS HUGEINT);
CREATE OR REPLACE MACRO sf_sha1(v) AS sha1(sf_bytes_or_text(v));
CREATE OR REPLACE MACRO sf_sha1_binary(v) AS unhex(sha1(sf_bytes_or_text(v)));
CREATE OR REPLACE MACRO sf_hex_encode(v) AS hex(sf_bytes_or_text(v)),
    (v, c) AS CASE WHEN c = 0 THEN lower(hex(sf_bytes_or_text(v))) ELSE hex(sf_bytes_or_text(v)) END;
CREATE OR REPLACE MACRO sf_hex_decode_string(v) AS decode(unhex(v));
CREATE OR REPLACE MACRO sf_hex_decode_binary(v) AS unhex(v);
CREATE OR REPLACE MACRO sf_try_hex_decode_string(v) AS decode(CASE WHEN regexp_full_match(v, '([0-9A-Fa-f]{2})*') THEN unhex(v) END);
CREATE OR REPLACE MACRO sf_try_hex_decode_binary(v) AS CASE WHEN regexp_full_match(v, '([0-9A-Fa-f]{2})*') THEN unhex(v) END;
CREATE OR REPLACE MACRO sf_base64_lines(t, n) AS CASE WHEN n > 0 THEN rtrim(regexp_replace(t, '(.{' || n || '})', '\1' || chr(10), 'g'), chr(10)) ELSE t END;
CREATE OR REPLACE MACRO sf_base64_encode(v) AS to_base64(sf_bytes(sf_bytes_or_text(v))),
    (v, n) AS sf_base64_lines(sf_base64_encode(v), n),
    (v, n, a) AS sf_base64_lines(translate(sf_base64_encode(v), '+/=', a), n);
CREATE OR REPLACE MACRO sf_base64_decode_string(v) AS decode(from_base64(v)),
    (v, a) AS decode(from_base64(translate(v, a, '+/=')));
CREATE OR REPLACE MACRO sf_base64_decode_binary(v) AS from_base64(v), (v, a) AS from_base64(translate(v, a, '+/='));
CREATE OR REPLACE MACRO sf_is_base64(v) AS regexp_full_match(v, '[A-Za-z0-9+/]*={0,2}') AND length(v) % 4 = 0;
CREATE OR REPLACE MACRO sf_try_base64_decode_string(v) AS CASE WHEN sf_is_base64(v) THEN decode(from_base64(CASE WHEN sf_is_base64(v) THEN v END)) END,
    (v, a) AS sf_try_base64_decode_string(translate(v, a, '+/='));
CREATE OR REPLACE MACRO sf_try_base64_decode_binary(v) AS CASE WHEN sf_is_base64(v) THEN from_base64(CASE WHEN sf_is_base64(v) THEN v END) END,
    (v, a) AS sf_try_base64_decode_binary(translate(v, a, '+/='));

-- Regular expressions; the parameters have been made DuckDB's by then.
CREATE OR REPLACE MACRO sf_regexp_like(v, p, o) AS regexp_full_match(sf_text(v), p, o);
CREATE OR REPLACE MACRO sf_regexp_count(v, p, n, o) AS CAST(len(regexp_extract_all(substr(sf_text(v), CAST(n AS BIGINT)), p, 0, o)) AS BIGINT);
CREATE OR REPLACE MACRO sf_regexp_substr(v, p, n, k, o, g) AS list_extract(regexp_extract_all(substr(sf_text(v), CAST(n AS BIGINT)), p, g, o), CAST(k AS BIGINT));
CREATE OR REPLACE MACRO sf_regexp_all(v, p, n, o, g) AS list_transform(regexp_extract_all(substr(sf_text(v), CAST(n AS BIGINT)), p, g, o), x -> CAST(x AS VARIANT));
CREATE OR REPLACE MACRO sf_regexp_replace_all(v, p, r, n, o) AS left(sf_text(v), CAST(n AS BIGINT) - 1) || regexp_replace(substr(sf_text(v), CAST(n AS BIGINT)), p, r, o);
CREATE OR REPLACE MACRO sf_match_start(v, p, k, o) AS
    length(array_to_string(list_transform(range(1, CAST(k AS BIGINT) + 1), i -> string_split_regex(v, p, o)[i]), ''))
    + coalesce(length(array_to_string(regexp_extract_all(v, p, 0, o)[:CAST(k AS BIGINT) - 1], '')), 0);
CREATE OR REPLACE MACRO sf_regexp_instr(v, p, n, k, e, o) AS CASE WHEN len(regexp_extract_all(substr(v, CAST(n AS BIGINT)), p, 0, o)) < k THEN 0
    ELSE CAST(n AS BIGINT) + sf_match_start(substr(v, CAST(n AS BIGINT)), p, k, o)
        + CASE WHEN e = 1 THEN length(regexp_extract_all(substr(v, CAST(n AS BIGINT)), p, 0, o)[CAST(k AS BIGINT)]) ELSE 0 END END;
CREATE OR REPLACE MACRO sf_regexp_replace_one(v, p, r, n, k, o) AS CASE WHEN sf_regexp_instr(sf_text(v), p, n, k, 0, o) = 0 THEN sf_text(v)
    ELSE left(sf_text(v), sf_regexp_instr(sf_text(v), p, n, k, 0, o) - 1)
        || regexp_replace(sf_regexp_substr(v, p, n, k, o, 0), p, r, o) || substr(sf_text(v), sf_regexp_instr(sf_text(v), p, n, k, 1, o)) END;
