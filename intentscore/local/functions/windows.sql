-- The mean of whole numbers over a window is a NUMBER with three decimal places.
CREATE OR REPLACE MACRO sf_windowed_average(mean, v BIGINT) AS CAST(mean AS DECIMAL(38, 3)),
    (mean, v) AS mean;
