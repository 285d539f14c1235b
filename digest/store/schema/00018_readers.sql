-- What readers of the pages hold.

-- +goose Up

-- The private address of a feed. A feed reader cannot sign in, so its address opens the
-- feeds of works by itself. In the address this id stands signed; what it is signed with
-- is in the environment and never in the database, so that nobody reads a feed by this
-- table.
CREATE TABLE feed_keys (
    id        TEXT   NOT NULL PRIMARY KEY,
    platform  TEXT   NOT NULL,  -- at which its owner showed who they are
    person    TEXT   NOT NULL,  -- the platform's id of the owner
    query     TEXT   NOT NULL,  -- what it was made to follow; '' is all works
    made      BIGINT NOT NULL,
    until     BIGINT NOT NULL,
    last_read BIGINT NOT NULL,  -- on the last day on which it was; 0: never
    revoked   BIGINT NOT NULL   -- 0: it was not
);
CREATE INDEX feed_keys_person ON feed_keys (platform, person);

-- Sessions are cookies, and nothing is kept of them but this: those of a person that
-- began by then hold no more. The person signed out everywhere, or has left.
CREATE TABLE signed_out (
    platform TEXT   NOT NULL,
    person   TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (platform, person)
);
