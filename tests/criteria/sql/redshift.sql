-- The accounts of snapshot that meet, as of 2026-01-08:
--   at least 2 of: at least 2 `used` in the first 3 days; at least 3 active days in a row in the last 7 days;
--     fewer than 2.5 days since the last `used`; `size` is 1-10
-- among accounts at risk: signed up 3 to 15 days before (the ages that are scored), not converted, not excluded.
--
-- The statement reads these tables. Times must be in UTC, and an id must be written the same way in every table.
--   accounts (accounts.csv): account, plan, size (text or whole numbers); signed_up (TIMESTAMP)
--   conversions (conversions.csv): account (text or whole numbers); time (TIMESTAMP)
--   events (events.csv): account, event (text or whole numbers); time, known_at (TIMESTAMP)
-- Run it in a UTC session: SET timezone TO 'UTC'
-- A text that is not a valid time or number makes it fail: load such values as NULL.
-- The columns of the tables were not known: a column such as is_bot is not read, and if one account has several
-- rows with different traits, a different row may be used.
WITH moment AS (
  SELECT
    CAST('2026-01-08' AS TIMESTAMP) AS as_of
), entity_rows AS (
  SELECT
    CASE
      WHEN NOT LOWER(TRIM(CAST("account" AS VARCHAR(MAX)))) ~ '^(nan|null|none|nil|<na>|\\\\n|nat|\\(null\\)|undefined)?$'
      THEN TRIM(CAST("account" AS VARCHAR(MAX)))
    END AS entity,
    CAST("signed_up" AS TIMESTAMP) AS signed_up,
    CASE WHEN TRIM(CAST("plan" AS VARCHAR(MAX))) IN ('internal') THEN 1 ELSE 0 END AS excluded,
    TRIM(CAST("size" AS VARCHAR(MAX))) AS trait_size,
    "size" AS tie_1
  FROM "accounts"
), entities_ranked AS (
  SELECT
    entity,
    MAX(signed_up) OVER (PARTITION BY entity) AS signed_up,
    excluded,
    trait_size,
    ROW_NUMBER() OVER (PARTITION BY entity ORDER BY excluded DESC NULLS LAST, signed_up, tie_1) AS place
  FROM entity_rows
  WHERE
    NOT entity IS NULL
    AND signed_up > CAST('1900-01-01' AS TIMESTAMP)
    AND signed_up < CAST('2200-01-01' AS TIMESTAMP)
    AND signed_up <> CAST('1970-01-01' AS TIMESTAMP)
), conversion_rows AS (
  SELECT
    TRIM(CAST("account" AS VARCHAR(MAX))) AS entity,
    CAST("time" AS TIMESTAMP) AS converted_at
  FROM "conversions"
), converted AS (
  SELECT DISTINCT
    c.entity
  FROM conversion_rows AS c
  CROSS JOIN moment AS m
  WHERE
    c.converted_at > CAST('1900-01-01' AS TIMESTAMP)
    AND c.converted_at < CAST('2200-01-01' AS TIMESTAMP)
    AND c.converted_at <> CAST('1970-01-01' AS TIMESTAMP)
    AND c.converted_at < m.as_of
), at_risk AS (
  SELECT
    n.entity,
    n.signed_up,
    m.as_of,
    n.trait_size
  FROM entities_ranked AS n
  CROSS JOIN moment AS m
  LEFT JOIN converted AS c
    ON c.entity = n.entity
  WHERE
    n.place < 2
    AND n.excluded < 1
    AND c.entity IS NULL
    AND n.signed_up <= m.as_of - INTERVAL '3 DAY'
    AND n.signed_up >= m.as_of - INTERVAL '15 DAY'
), event_rows AS (
  SELECT
    TRIM(CAST("account" AS VARCHAR(MAX))) AS entity,
    TRIM(CAST("event" AS VARCHAR(MAX))) AS event_name,
    CAST("time" AS TIMESTAMP) AS event_time,
    CAST("known_at" AS TIMESTAMP) AS known_at
  FROM "events"
), events_seen AS (
  SELECT
    r.entity,
    r.as_of,
    r.signed_up,
    e.event_name,
    e.event_time
  FROM event_rows AS e
  JOIN at_risk AS r
    ON r.entity = e.entity
  WHERE
    e.event_name <> ''
    AND e.event_time > CAST('1900-01-01' AS TIMESTAMP)
    AND e.event_time < CAST('2200-01-01' AS TIMESTAMP)
    AND e.event_time <> CAST('1970-01-01' AS TIMESTAMP)
    AND (
      e.known_at IS NULL
      OR (
        e.known_at > CAST('1900-01-01' AS TIMESTAMP)
        AND e.known_at < CAST('2200-01-01' AS TIMESTAMP)
        AND e.known_at <> CAST('1970-01-01' AS TIMESTAMP)
      )
    )
    AND e.event_time < r.as_of
    AND (
      e.known_at IS NULL OR e.known_at < r.as_of
    )
    AND e.event_time >= r.signed_up
), longest_streak_days_last_7d_days AS (
  SELECT DISTINCT
    e.entity,
    e.as_of,
    CAST(e.event_time AS DATE) AS active_day
  FROM events_seen AS e
  WHERE
    e.event_time >= e.as_of - INTERVAL '7 DAY'
), longest_streak_days_last_7d_marked AS (
  SELECT
    d.entity,
    d.as_of,
    d.active_day,
    DATEDIFF(DAY, CAST('1970-01-01' AS DATE), d.active_day) - ROW_NUMBER() OVER (PARTITION BY d.entity ORDER BY d.active_day) AS run
  FROM longest_streak_days_last_7d_days AS d
), longest_streak_days_last_7d_runs AS (
  SELECT
    m.entity,
    m.as_of,
    COUNT(*) AS days,
    MAX(m.active_day) AS last_day
  FROM longest_streak_days_last_7d_marked AS m
  GROUP BY
    m.entity,
    m.as_of,
    m.run
), longest_streak_days_last_7d AS (
  SELECT
    s.entity,
    MAX(s.days) AS days
  FROM longest_streak_days_last_7d_runs AS s
  GROUP BY
    s.entity
), measures AS (
  SELECT
    r.entity,
    r.as_of,
    r.trait_size,
    COUNT(CASE WHEN e.event_name = 'used' AND e.event_time < e.signed_up + INTERVAL '3 DAY' THEN e.event_time END) AS used_count_first_3d,
    COALESCE(MAX(longest_streak_days_last_7d.days), 0) AS longest_streak_days_last_7d,
    CAST(DATEDIFF(MICROSECOND, MAX(CASE WHEN e.event_name = 'used' THEN e.event_time END), r.as_of) AS DOUBLE PRECISION) / 86400000000 AS used_days_since_last
  FROM at_risk AS r
  LEFT JOIN events_seen AS e
    ON e.entity = r.entity
  LEFT JOIN longest_streak_days_last_7d
    ON longest_streak_days_last_7d.entity = r.entity
  GROUP BY
    r.entity,
    r.as_of,
    r.signed_up,
    r.trait_size
)
SELECT
  entity,
  as_of,
  used_count_first_3d,
  longest_streak_days_last_7d,
  used_days_since_last,
  trait_size
FROM measures
WHERE
  CASE WHEN used_count_first_3d >= 2 THEN 1 ELSE 0 END + CASE WHEN longest_streak_days_last_7d >= 3 THEN 1 ELSE 0 END + CASE WHEN used_days_since_last < 2.5 THEN 1 ELSE 0 END + CASE WHEN trait_size IN ('1-10') THEN 1 ELSE 0 END >= 2
ORDER BY
  entity
