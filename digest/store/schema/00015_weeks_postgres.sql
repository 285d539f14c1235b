-- Works counted by week, so that a balance of a million works reads a few thousand
-- rows. Its twin for SQLite differs in the triggers.

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
-- Works do not change while their weeks are noted and the triggers made; they can be
-- read (https://www.postgresql.org/docs/current/explicit-locking.html).
LOCK TABLE works IN SHARE ROW EXCLUSIVE MODE;
-- Weeks begin on Mondays, and the first of them on the fifth of January of 1970.
INSERT INTO weeks (week, counted) SELECT DISTINCT ((search_id >> 20) - 345600000) / 604800000, 0 FROM works;

-- A trigger for a statement, not for each row: batches write hundreds. The path is
-- this schema's, whoever writes.
-- +goose StatementBegin
CREATE FUNCTION uncount_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO weeks (week, counted) SELECT DISTINCT ((search_id >> 20) - 345600000) / 604800000, 0 FROM added
        ON CONFLICT (week) DO UPDATE SET counted = 0 WHERE weeks.counted = 1;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION uncount_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO weeks (week, counted)
        SELECT DISTINCT ((unnest(ARRAY[o.search_id, n.search_id]) >> 20) - 345600000) / 604800000, 0 FROM removed o JOIN added n USING (id)
        WHERE o.search_id <> n.search_id OR o.tally <> n.tally
        ON CONFLICT (week) DO UPDATE SET counted = 0 WHERE weeks.counted = 1;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION uncount_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO weeks (week, counted) SELECT DISTINCT ((search_id >> 20) - 345600000) / 604800000, 0 FROM removed
        ON CONFLICT (week) DO UPDATE SET counted = 0 WHERE weeks.counted = 1;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER works_added AFTER INSERT ON works REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION uncount_added();
CREATE TRIGGER works_changed AFTER UPDATE ON works REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION uncount_changed();
CREATE TRIGGER works_removed AFTER DELETE ON works REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION uncount_removed();
