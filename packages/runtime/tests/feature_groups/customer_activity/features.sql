-- source has a row a customer and day, with the balance in the evening and the visits of the day.
SELECT
    customer_id,
    day::DATE + INTERVAL 1 DAY AS as_of,  -- a day's figures are known when it is over
    avg(balance::DOUBLE) OVER (customer RANGE BETWEEN INTERVAL 29 DAYS PRECEDING AND CURRENT ROW) AS balance_mean_30d,
    sum(visits::INTEGER) OVER (customer RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW) AS visits_7d,
    nullif(segment, 'unknown') AS segment
FROM source
WINDOW customer AS (PARTITION BY customer_id ORDER BY day::DATE)
