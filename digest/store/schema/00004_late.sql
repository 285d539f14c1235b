-- Works that became news later than they became public.

-- +goose Up

-- A digest is made of what became news in its period, which for most works is the
-- moment they became public, and that is the order of works.search_id. A work that a
-- source told us late (it was broken, it was slow) would fall between two digests:
-- its own week's is out already. It has a row here, and comes in the week in which we
-- learned of it.
CREATE TABLE late (
    work TEXT   NOT NULL PRIMARY KEY REFERENCES works (id) ON DELETE CASCADE,
    news BIGINT NOT NULL
);
CREATE INDEX late_news ON late (news);
