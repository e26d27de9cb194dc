-- The privileges intentscore uses, for three roles. Made by `make grants`; do not edit.
-- Put your names in the place of <database> and <warehouse>. Run it as a role that may grant them:
-- SECURITYADMIN for the roles, the owners of database and warehouse for theirs, ACCOUNTADMIN once for the
-- two privileges on the account. intentscore itself never uses ACCOUNTADMIN.


CREATE ROLE IF NOT EXISTS INTENTSCORE_OWNER;
GRANT USAGE ON DATABASE <database> TO ROLE INTENTSCORE_OWNER;                           -- everything is in it
GRANT USAGE ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;                 -- everything is in it
GRANT USAGE ON WAREHOUSE <warehouse> TO ROLE INTENTSCORE_OWNER;                         -- queries, the model, the feature view's refresh
GRANT CREATE TABLE ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;          -- SESSIONS, SCORES, RUNS and their like
GRANT CREATE VIEW ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;           -- views of the Feature Store
GRANT CREATE DYNAMIC TABLE ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;  -- the feature view
GRANT CREATE STAGE ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;          -- the packaged code, registered runs
GRANT CREATE FILE FORMAT ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;    -- temporary ones of write_pandas
GRANT CREATE TAG ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;            -- entities of the Feature Store
GRANT CREATE MODEL ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;          -- the registry
GRANT CREATE MODEL MONITOR ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;  -- the monitor of the champion
GRANT CREATE PROCEDURE ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;      -- the steps of the task graph
GRANT CREATE TASK ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OWNER;           -- the task graph
GRANT EXECUTE TASK ON ACCOUNT TO ROLE INTENTSCORE_OWNER;                                -- the schedule
GRANT EXECUTE MANAGED TASK ON ACCOUNT TO ROLE INTENTSCORE_OWNER;                        -- only for serverless tasks (serverless: true)
GRANT DATABASE ROLE SNOWFLAKE.PYPI_REPOSITORY_USER TO ROLE INTENTSCORE_OWNER;  -- the procedures' packages; accounts give it to PUBLIC unless they were told not to

CREATE ROLE IF NOT EXISTS INTENTSCORE_OPERATOR;
GRANT USAGE ON DATABASE <database> TO ROLE INTENTSCORE_OPERATOR;                                       -- to see the graph
GRANT USAGE ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OPERATOR;                             -- to see the graph
GRANT USAGE ON WAREHOUSE <warehouse> TO ROLE INTENTSCORE_OPERATOR;                                     -- to query the history
GRANT MONITOR, OPERATE ON ALL TASKS IN SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OPERATOR;     -- run, suspend, resume
GRANT MONITOR, OPERATE ON FUTURE TASKS IN SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_OPERATOR;  -- after each deployment
GRANT SELECT ON TABLE <database>.INTENTSCORE.RUNS TO ROLE INTENTSCORE_OPERATOR;                        -- what ran

CREATE ROLE IF NOT EXISTS INTENTSCORE_READER;
GRANT USAGE ON DATABASE <database> TO ROLE INTENTSCORE_READER;                         -- to reach SCORES
GRANT USAGE ON SCHEMA <database>.INTENTSCORE TO ROLE INTENTSCORE_READER;               -- to reach SCORES
GRANT SELECT ON TABLE <database>.INTENTSCORE.SCORES TO ROLE INTENTSCORE_READER;        -- the scores
GRANT SELECT ON TABLE <database>.INTENTSCORE.EXPLANATIONS TO ROLE INTENTSCORE_READER;  -- the reasons of the scores
