-- How works are found, on SQLite. Its twin for PostgreSQL answers the same
-- questions; one suite of tests holds the two together.

-- +goose Up

-- The identifiers of works, to find the work that a new item belongs to. A work
-- owns what its items are and claims what they say belongs to them. WITHOUT ROWID,
-- because the key is the row: https://www.sqlite.org/withoutrowid.html
CREATE TABLE work_keys (
    name  TEXT     NOT NULL,  -- "arxiv:2501.12948", "title:attention is all you need"
    work  TEXT     NOT NULL,
    claim SMALLINT NOT NULL CHECK (claim IN (0, 1)),
    PRIMARY KEY (name, work)
) WITHOUT ROWID;

-- The words of works. Each row is a set of terms made in Go (query.Terms): folded
-- words and tokens for country, openness, lab and so on, all letters a-z and
-- digits. So the tokenizer has nothing to do but split at spaces, no text is kept
-- (content=''), and no positions are (detail=none): phrases are checked in Go.
-- The row id is works.search_id. https://www.sqlite.org/fts5.html
CREATE VIRTUAL TABLE search USING fts5 (
    terms, content='', contentless_delete=1, detail=none, tokenize='ascii'
);
-- A batch of items gives up to eight megabytes of terms before they are written as
-- one segment, and eight segments before they are merged into a larger one. The
-- defaults, one and four, cost a cold pull a tenth more than they save a search.
INSERT INTO search (search, rank) VALUES ('hashsize', 8388608);
INSERT INTO search (search, rank) VALUES ('automerge', 8);
