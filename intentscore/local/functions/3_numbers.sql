-- Arithmetic and number functions.

-- A quotient of whole numbers has six decimals, rounded; one of decimals, eight.
CREATE OR REPLACE MACRO sf_six_decimals(a, b) AS CAST((abs(CAST(a AS HUGEINT)) * 2000000 + abs(CAST(b AS HUGEINT))) // (2 * abs(CAST(b AS HUGEINT)))
    * sign(a) * sign(b) AS DECIMAL(32, 0)) * CAST(0.000001 AS DECIMAL(6, 6));
CREATE OR REPLACE MACRO sf_quotient(a BIGINT, b BIGINT) AS sf_six_decimals(a, b),
    (a HUGEINT, b BIGINT) AS sf_six_decimals(a, b),
    (a BIGINT, b HUGEINT) AS sf_six_decimals(a, b),
    (a HUGEINT, b HUGEINT) AS sf_six_decimals(a, b),
    (a DECIMAL(38, 10), b BIGINT) AS CAST(a / b AS DECIMAL(38, 8)),
    (a DECIMAL(38, 10), b HUGEINT) AS CAST(a / b AS DECIMAL(38, 8)),
    (a DECIMAL(38, 10), b DECIMAL(38, 10)) AS CAST(a / b AS DECIMAL(38, 8)),
    (a BIGINT, b DECIMAL(38, 10)) AS CAST(a / b AS DECIMAL(38, 6)),
    (a HUGEINT, b DECIMAL(38, 10)) AS CAST(a / b AS DECIMAL(38, 6)),
    (a, b) AS CAST(a AS DOUBLE) / CAST(b AS DOUBLE);
CREATE OR REPLACE MACRO sf_spread(variance, v BIGINT) AS CAST(variance AS DECIMAL(38, 6)),
    (variance, v HUGEINT) AS CAST(variance AS DECIMAL(38, 6)),
    (variance, v DECIMAL(38, 10)) AS CAST(variance AS DECIMAL(38, 6)),
    (variance, v) AS variance;
CREATE OR REPLACE MACRO sf_divide(a, b) AS
    sf_quotient(sf_number(a), CASE WHEN sf_number(b) = 0 THEN CAST('100051:22012:Division by zero' AS BIGINT) ELSE sf_number(b) END);
CREATE OR REPLACE MACRO sf_div0(a, b) AS CASE WHEN sf_number(b) = 0 AND a IS NOT NULL THEN 0 ELSE sf_quotient(sf_number(a), nullif(sf_number(b), 0)) END;
CREATE OR REPLACE MACRO sf_div0null(a, b) AS CASE WHEN (b IS NULL OR sf_number(b) = 0) AND a IS NOT NULL THEN 0
    ELSE sf_quotient(sf_number(a), nullif(sf_number(b), 0)) END;
CREATE OR REPLACE MACRO sf_mod(a, b) AS sf_number(a) % CASE WHEN sf_number(b) = 0 THEN CAST('100051:22012:Division by zero' AS BIGINT) ELSE sf_number(b) END;

CREATE OR REPLACE MACRO sf_abs(v) AS abs(sf_number(v));
CREATE OR REPLACE MACRO sf_round(v) AS round(sf_number(v)), (v, s) AS round(sf_number(v), CAST(s AS INTEGER)),
    (v, s, mode) AS CASE WHEN mode = 'HALF_TO_EVEN' THEN round_even(sf_number(v), CAST(s AS INTEGER)) ELSE round(sf_number(v), CAST(s AS INTEGER)) END;
CREATE OR REPLACE MACRO sf_ceil(v) AS ceil(sf_number(v)), (v, s) AS ceil(sf_number(v) * power(10, s)) / power(10, s);
CREATE OR REPLACE MACRO sf_floor(v) AS floor(sf_number(v)), (v, s) AS floor(sf_number(v) * power(10, s)) / power(10, s);
CREATE OR REPLACE MACRO sf_sqrt(v) AS CASE WHEN sf_number(v) < 0 THEN error('100069:22023:Invalid floating point operation: sqrt(' || v || ')') ELSE sqrt(sf_number(v)) END;
CREATE OR REPLACE MACRO sf_square(v) AS CAST(sf_number(v) * sf_number(v) AS DOUBLE);
CREATE OR REPLACE MACRO sf_ln(v) AS CASE WHEN sf_number(v) <= 0 THEN error('100069:22023:Invalid floating point operation: ln(' || v || ')') ELSE ln(sf_number(v)) END;
CREATE OR REPLACE MACRO sf_log(b, v) AS ln(sf_number(v)) / ln(sf_number(b));
CREATE OR REPLACE MACRO sf_exp(v) AS exp(sf_number(v));
CREATE OR REPLACE MACRO sf_power(a, b) AS power(CAST(sf_number(a) AS DOUBLE), CAST(sf_number(b) AS DOUBLE));
CREATE OR REPLACE MACRO sf_sign(v) AS CAST(sign(sf_number(v)) AS BIGINT);
CREATE OR REPLACE MACRO sf_factorial(v) AS factorial(CAST(sf_number(v) AS INTEGER));
CREATE OR REPLACE MACRO sf_sin(v) AS sin(sf_number(v));
CREATE OR REPLACE MACRO sf_cos(v) AS cos(sf_number(v));
CREATE OR REPLACE MACRO sf_tan(v) AS tan(sf_number(v));
CREATE OR REPLACE MACRO sf_cot(v) AS cot(sf_number(v));
CREATE OR REPLACE MACRO sf_asin(v) AS asin(sf_number(v));
CREATE OR REPLACE MACRO sf_acos(v) AS acos(sf_number(v));
CREATE OR REPLACE MACRO sf_atan(v) AS atan(sf_number(v));
CREATE OR REPLACE MACRO sf_atan2(a, b) AS atan2(sf_number(a), sf_number(b));
CREATE OR REPLACE MACRO sf_degrees(v) AS degrees(sf_number(v));
CREATE OR REPLACE MACRO sf_radians(v) AS radians(sf_number(v));
CREATE OR REPLACE MACRO sf_haversine(a, b, c, d) AS 2 * 6371.008771415059 * asin(sqrt(power(sin(radians(c - a) / 2), 2)
    + cos(radians(a)) * cos(radians(c)) * power(sin(radians(d - b) / 2), 2)));
CREATE OR REPLACE MACRO sf_width_bucket(v, lo, hi, n) AS CASE WHEN v < lo THEN 0 WHEN v >= hi THEN n + 1
    ELSE CAST(floor((v - lo) * n / (hi - lo)) + 1 AS BIGINT) END;
CREATE OR REPLACE MACRO sf_bitand(a, b) AS CAST(a AS BIGINT) & CAST(b AS BIGINT);
CREATE OR REPLACE MACRO sf_bitor(a, b) AS CAST(a AS BIGINT) | CAST(b AS BIGINT);
CREATE OR REPLACE MACRO sf_bitxor(a, b) AS xor(CAST(a AS BIGINT), CAST(b AS BIGINT));
CREATE OR REPLACE MACRO sf_bitnot(a) AS ~CAST(a AS BIGINT);
CREATE OR REPLACE MACRO sf_bitshiftleft(a, n) AS CAST(CAST(a AS HUGEINT) * CAST(power(2, n) AS HUGEINT) AS BIGINT);
CREATE OR REPLACE MACRO sf_bitshiftright(a, n) AS CAST(a AS BIGINT) >> CAST(n AS INTEGER);
CREATE OR REPLACE MACRO sf_getbit(a, n) AS CAST((CAST(a AS BIGINT) >> CAST(n AS INTEGER)) & 1 AS BIGINT);
CREATE OR REPLACE MACRO sf_boolxor(a, b) AS CAST(a AS BOOLEAN) <> CAST(b AS BOOLEAN);
CREATE OR REPLACE MACRO sf_booland(a, b) AS CAST(a AS BOOLEAN) AND CAST(b AS BOOLEAN);
CREATE OR REPLACE MACRO sf_boolor(a, b) AS CAST(a AS BOOLEAN) OR CAST(b AS BOOLEAN);
CREATE OR REPLACE MACRO sf_boolnot(a) AS NOT CAST(a AS BOOLEAN);
CREATE OR REPLACE MACRO sf_zeroifnull(v) AS coalesce(v, 0);
CREATE OR REPLACE MACRO sf_nullifzero(v) AS nullif(v, 0);
CREATE OR REPLACE MACRO sf_equal_null(a, b) AS a IS NOT DISTINCT FROM b;
CREATE OR REPLACE MACRO sf_nvl(a, b) AS coalesce(a, b);
CREATE OR REPLACE MACRO sf_nvl2(a, b, c) AS CASE WHEN a IS NOT NULL THEN b ELSE c END;
CREATE OR REPLACE MACRO sf_regr_valx(y, x) AS CASE WHEN y IS NOT NULL THEN CAST(x AS DOUBLE) END;
CREATE OR REPLACE MACRO sf_regr_valy(y, x) AS CASE WHEN x IS NOT NULL THEN CAST(y AS DOUBLE) END;

CREATE OR REPLACE MACRO sf_signed(h) AS CAST(CAST(h AS HUGEINT) - 9223372036854775808 AS BIGINT);
CREATE OR REPLACE MACRO sf_hash_total(hashes) AS CAST((coalesce(hashes, 0) + 9223372036854775808) % 18446744073709551616 - 9223372036854775808 AS BIGINT);
CREATE OR REPLACE MACRO sf_random() AS CAST((random() - 0.5) * 1.8e19 AS BIGINT),
    (seed) AS sf_signed(hash(seed));
CREATE OR REPLACE MACRO sf_unit(gen) AS (CAST(gen AS DOUBLE) + 9223372036854775808.0) / 18446744073709551616.0;
CREATE OR REPLACE MACRO sf_uniform(a BIGINT, b BIGINT, gen) AS a + CAST(floor(sf_unit(sf_signed(hash(gen))) * (b - a + 1)) AS BIGINT),
    (a, b, gen) AS CAST(a AS DOUBLE) + sf_unit(sf_signed(hash(gen))) * (CAST(b AS DOUBLE) - CAST(a AS DOUBLE));
CREATE OR REPLACE MACRO sf_normal(mean, dev, gen) AS mean + dev * sqrt(-2 * ln(greatest(sf_unit(sf_signed(hash(gen))), 1e-12)))
    * cos(2 * pi() * sf_unit(sf_signed(hash(gen, 1))));
CREATE OR REPLACE MACRO sf_randstr(n, gen) AS array_to_string(list_transform(range(CAST(n AS BIGINT)),
    i -> substr('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', CAST(hash(gen, i) % 62 AS INTEGER) + 1, 1)), '');
CREATE OR REPLACE MACRO sf_uuid_string() AS CAST(uuid() AS VARCHAR);
CREATE OR REPLACE MACRO sf_operand(v VARCHAR) AS sf_numeric_text(v),
    (v VARIANT) AS sf_numeric_text(sf_variant_text(v)),
    (v INTEGER) AS CAST(v AS BIGINT),
    (v) AS v;
CREATE OR REPLACE MACRO sf_hashed(v DOUBLE) AS CASE WHEN v = trunc(v) AND abs(v) < 1e18 THEN CAST(CAST(v AS BIGINT) AS VARCHAR) ELSE CAST(v AS VARCHAR) END,
    (v BIGINT) AS CAST(v AS VARCHAR), (v HUGEINT) AS CAST(v AS VARCHAR), (v) AS v;

-- The state of an APPROX_PERCENTILE under way is the values it has seen.
CREATE OR REPLACE MACRO sf_percentile_state(l) AS map_from_entries([struct_pack(key := 'state', value := CAST(list_sort(l) AS VARIANT)),
    struct_pack(key := 'type', value := CAST('tdigest' AS VARIANT)), struct_pack(key := 'version', value := CAST(1 AS VARIANT))]);
CREATE OR REPLACE MACRO sf_seen_values(s) AS list_transform(sf_to_array(sf_field(sf_to_variant(s), 'state')), x -> TRY_CAST(x AS DOUBLE));
CREATE OR REPLACE MACRO sf_percentile_states(l) AS sf_percentile_state(flatten(list_transform(l, s -> list_transform(CAST(s['state'] AS VARIANT[]), x -> TRY_CAST(x AS DOUBLE)))));
CREATE OR REPLACE MACRO sf_percentile_of(s, p) AS list_aggregate(sf_seen_values(s), 'quantile_cont', p);
