-- Workspaces that have installed us.

-- +goose Up

-- As people call the owner of a subscription, for lists; '' where only the id is known.
ALTER TABLE subscriptions ADD COLUMN owner_name TEXT NOT NULL DEFAULT '';

-- A workspace that gave us a token of its own. The token lies here sealed (package
-- vault); its key is in the environment and never in the database. When the workspace
-- removes us the token is deleted and the row stays, so that one can be told since when
-- and why.
CREATE TABLE installations (
    platform  TEXT   NOT NULL,
    workspace TEXT   NOT NULL,
    name      TEXT   NOT NULL,  -- as people call it
    scopes    TEXT   NOT NULL,  -- what it lets us do, parted by commas
    token     TEXT   NOT NULL,  -- sealed; '' once it is removed
    key       TEXT   NOT NULL,  -- id of the key that sealed it
    by_whom   TEXT   NOT NULL,  -- the person who installed us
    at        BIGINT NOT NULL,
    removed   BIGINT NOT NULL,  -- 0: installed
    why       TEXT   NOT NULL,  -- of the removal
    PRIMARY KEY (platform, workspace),
    CHECK ((token = '') = (removed <> 0))
);

-- Subscriptions that are paused for no other reason than that their workspace has
-- removed us: they go on when it is back.
CREATE TABLE suspended (
    subscription TEXT   NOT NULL PRIMARY KEY REFERENCES subscriptions (id) ON DELETE CASCADE,
    platform     TEXT   NOT NULL,
    workspace    TEXT   NOT NULL,
    paused_until BIGINT NOT NULL   -- as it was before
);
CREATE INDEX suspended_workspace ON suspended (platform, workspace);
