-- Several processes on one database: who is there, and who has taken what.

-- +goose Up

-- A process that works for this database has a row while it runs and writes its time
-- into it every few seconds, by the database's clock. One that has been silent for
-- long is dead, and what it had begun is for the others. A process that ends in peace
-- takes its row along.
CREATE TABLE processes (
    id      TEXT   NOT NULL PRIMARY KEY,  -- of one run: never used again
    roles   TEXT   NOT NULL,              -- what it does, for people: "pull,deliver"
    host    TEXT   NOT NULL,
    version TEXT   NOT NULL,
    started BIGINT NOT NULL,
    seen    BIGINT NOT NULL
);
CREATE INDEX processes_seen ON processes (seen);

-- What is due is given out once: to a job that is written in the same transaction.
-- It belongs to that job until the time below, or until it is done; a job that got
-- lost costs that time and nothing else.
ALTER TABLE health ADD COLUMN taken BIGINT NOT NULL DEFAULT 0;
ALTER TABLE subscriptions ADD COLUMN taken BIGINT NOT NULL DEFAULT 0;
