-- What many are told alike is kept once.

-- +goose Up

-- What digests say. Thousands of channels that ask the same of the same week are told
-- the same, and a digest is a row that points here.
CREATE TABLE editions (
    id   TEXT NOT NULL PRIMARY KEY,  -- named by its bytes
    body TEXT NOT NULL               -- digest.Digest as JSON
);

-- Which works an edition tells about: what digest_works is for a digest with a body of
-- its own.
CREATE TABLE edition_works (
    work    TEXT NOT NULL,
    edition TEXT NOT NULL REFERENCES editions (id) ON DELETE CASCADE,
    PRIMARY KEY (work, edition)
);
CREATE INDEX edition_works_edition ON edition_works (edition);

-- NULL: the digest has a body of its own. Otherwise that is empty.
ALTER TABLE digests ADD COLUMN edition TEXT REFERENCES editions (id);
CREATE INDEX digests_edition ON digests (edition);

-- Messages name their digest, so that no two were the same. Stored, they have a stand-in
-- for its name (digest.ThisDigest), which is put in when they are read.
--
-- A program that is older than this schema would show no such digest, and post a message
-- with the stand-in in it. As long as one is at work everything is written as before.
-- Processes say how much they know; what an older one writes is 0.
ALTER TABLE processes ADD COLUMN knows BIGINT NOT NULL DEFAULT 0;
