-- Works counted by week, so that a balance of a million works reads a few thousand
-- rows. Its twin for PostgreSQL differs in the triggers.

-- +goose Up

-- The kinds of works that counting tells apart: who, where, how open.
CREATE TABLE alike (
    id   BIGINT NOT NULL PRIMARY KEY,  -- a hash of body
    body TEXT   NOT NULL               -- see weeks.go
);

-- How many works of each kind became public in each week.
CREATE TABLE weekly (
    week  BIGINT NOT NULL,  -- digest.WeekNumber
    alike BIGINT NOT NULL,
    works BIGINT NOT NULL,
    PRIMARY KEY (week, alike)
);

-- Which weeks have works, and whether weekly has all of them. Whoever writes a work
-- makes its week uncounted, by the triggers, so that a process which does not know of
-- all this can't make a count wrong; one that knows counts the work itself and says so
-- in the same transaction. An uncounted week is counted again by whoever asks for it.
CREATE TABLE weeks (
    week    BIGINT   NOT NULL PRIMARY KEY,
    counted SMALLINT NOT NULL CHECK (counted IN (0, 1))
);
-- Weeks begin on Mondays, and the first of them on the fifth of January of 1970.
INSERT INTO weeks (week, counted) SELECT DISTINCT ((search_id >> 20) - 345600000) / 604800000, 0 FROM works;

-- +goose StatementBegin
CREATE TRIGGER works_added AFTER INSERT ON works BEGIN
    INSERT INTO weeks (week, counted) VALUES (((new.search_id >> 20) - 345600000) / 604800000, 0)
        ON CONFLICT (week) DO UPDATE SET counted = 0 WHERE counted = 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER works_changed AFTER UPDATE ON works WHEN new.search_id <> old.search_id OR new.tally <> old.tally BEGIN
    INSERT INTO weeks (week, counted) VALUES (((old.search_id >> 20) - 345600000) / 604800000, 0), (((new.search_id >> 20) - 345600000) / 604800000, 0)
        ON CONFLICT (week) DO UPDATE SET counted = 0 WHERE counted = 1;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER works_removed AFTER DELETE ON works BEGIN
    INSERT INTO weeks (week, counted) VALUES (((old.search_id >> 20) - 345600000) / 604800000, 0)
        ON CONFLICT (week) DO UPDATE SET counted = 0 WHERE counted = 1;
END;
-- +goose StatementEnd
