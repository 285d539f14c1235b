-- How works are found, on PostgreSQL. Its twin for SQLite answers the same
-- questions; one suite of tests holds the two together.

-- +goose Up

-- The identifiers of works, to find the work that a new item belongs to. A work
-- owns what its items are and claims what they say belongs to them. COLLATE "C":
-- keys are compared, never sorted for a person.
CREATE TABLE work_keys (
    name  TEXT COLLATE "C" NOT NULL,  -- "arxiv:2501.12948", "title:attention is all you need"
    work  TEXT COLLATE "C" NOT NULL,
    claim SMALLINT NOT NULL CHECK (claim IN (0, 1)),
    PRIMARY KEY (name, work)
);

-- The words of works. Each row is a set of terms made in Go (query.Terms), handed
-- to array_to_tsvector as they are: no dictionary and no parser of the server's
-- takes part, so that both engines find the same works.
CREATE TABLE search (
    search_id BIGINT   NOT NULL PRIMARY KEY,  -- works.search_id
    terms     TSVECTOR NOT NULL
);
CREATE INDEX search_terms ON search USING gin (terms);
