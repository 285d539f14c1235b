-- One text for SQLite and PostgreSQL. What both understand alike:
--
--   ids are TEXT; moments are BIGINT, Unix milliseconds in UTC, 0 for "never";
--   flags are SMALLINT, 0 or 1; what only Go reads is JSON in TEXT.
--
-- Migrations only go forward. A binary refuses a database that is newer than it.

-- +goose Up

-- What the program remembers about itself: "catalog" holds the version of the
-- starter list that was last offered.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- A source is a place we poll. This is what a person typed or the catalog said;
-- what happens to it from day to day is in health, so that a visit never rewrites
-- a definition.
CREATE TABLE sources (
    id       TEXT     NOT NULL PRIMARY KEY,  -- "feed:https://…", "arxiv:cs.CL", "hf:Qwen"
    kind     TEXT     NOT NULL,              -- how it is read: feeds.SourceKind
    url      TEXT     NOT NULL,              -- what is fetched; permanent redirects are written back
    site     TEXT     NOT NULL,              -- the page a person would open
    title    TEXT     NOT NULL,
    lab      TEXT     NOT NULL,              -- whose it is; '' for a source of many labs
    every    BIGINT   NOT NULL CHECK (every >= 0), -- milliseconds between visits; 0: the kind's default
    official SMALLINT NOT NULL CHECK (official IN (0, 1)), -- it speaks for its lab (rule C1)
    paused   SMALLINT NOT NULL CHECK (paused IN (0, 1))
);

-- How a source is doing. One narrow row, so that a round in which two thousand
-- sources had nothing new writes a few pages. "Quiet" and "broken" differ here:
-- last_good moves when a source answers, last_item when it says something.
CREATE TABLE health (
    source     TEXT     NOT NULL PRIMARY KEY REFERENCES sources (id) ON DELETE CASCADE,
    last_look  BIGINT   NOT NULL,  -- last visit, good or bad
    last_good  BIGINT   NOT NULL,  -- last visit that was answered
    last_item  BIGINT   NOT NULL,  -- date of its newest item
    failures   BIGINT   NOT NULL CHECK (failures >= 0), -- failed visits in a row
    trouble    TEXT     NOT NULL,  -- kind of the last failure; '' when the last visit was good
    words      TEXT     NOT NULL,  -- that failure, for a person
    next_look  BIGINT   NOT NULL,  -- not to be visited before
    gone_since BIGINT   NOT NULL,  -- first of an unbroken row of 404 or 410
    gone       SMALLINT NOT NULL CHECK (gone IN (0, 1)) -- gone for long: no longer polled
);
CREATE INDEX health_next ON health (next_look);

-- What a collector asked to be handed at its next visit: validators and hashes.
-- Nobody else looks inside. Kept apart because it is large and seldom changes.
CREATE TABLE states (
    source TEXT NOT NULL PRIMARY KEY REFERENCES sources (id) ON DELETE CASCADE,
    state  TEXT NOT NULL            -- feeds.State as JSON
);

-- An item is one entry exactly as one source published it, with what the tagger
-- concluded. It belongs to exactly one work and knows why. Items outlive their
-- source: they are the record, so source is no foreign key.
CREATE TABLE items (
    id     TEXT   NOT NULL PRIMARY KEY,  -- feeds.NewItemID: the same after every edit
    source TEXT   NOT NULL,
    work   TEXT   NOT NULL,              -- works.id
    seen   BIGINT NOT NULL,              -- when we first fetched it
    hash   BIGINT NOT NULL,              -- of item and conclusions: the same means nothing to do
    via    TEXT   NOT NULL,              -- the key that joined it to its work, as JSON; '' if it began it
    rule   TEXT   NOT NULL,              -- the rule of identity: I1, I2, I3, I9; '' if it began it
    item   TEXT   NOT NULL,              -- feeds.Item as JSON, but for Seen
    tags   TEXT   NOT NULL               -- feeds.Tags as JSON
);
CREATE INDEX items_work ON items (work);

-- A work is the one piece of research that its items are about: always the fold of
-- its items and corrections, kept folded because reading is common. Nothing in it
-- is edited by hand. search_id orders works by the moment they became public
-- (milliseconds × 2^20, plus a number that keeps works of one moment apart); it is
-- the row id of the full-text index, so "newest first" is that index's own order.
CREATE TABLE works (
    id        TEXT   NOT NULL PRIMARY KEY,  -- "w" and ten letters
    search_id BIGINT NOT NULL UNIQUE,
    body      TEXT   NOT NULL,              -- digest.Work as JSON
    tally     TEXT   NOT NULL               -- what counting a balance needs, as JSON: see tally.go
);

-- Works that were found to be another work. The old id has been posted, so it must
-- lead on for ever. work is never itself an id of this table.
CREATE TABLE moved (
    id   TEXT   NOT NULL PRIMARY KEY,
    work TEXT   NOT NULL,
    at   BIGINT NOT NULL
);
CREATE INDEX moved_work ON moved (work);

-- Works that a person has taken apart. No rule may join them again.
CREATE TABLE apart (
    a       TEXT   NOT NULL,  -- the smaller id
    b       TEXT   NOT NULL,
    by_whom TEXT   NOT NULL,
    because TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (a, b),
    CHECK (a < b)
);

-- What happened to works after they were first seen. Appended, never changed; of a
-- merged work the events stay under its old id and are found through moved.
CREATE TABLE events (
    id      BIGINT NOT NULL PRIMARY KEY,
    work    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT   NOT NULL CHECK (kind IN ('appeared', 'revised', 'relicensed', 'merged', 'split', 'corrected')),
    item    TEXT   NOT NULL,  -- the item it came from, or ''
    what    TEXT   NOT NULL,  -- the artifact's URL, the key, the field
    old     TEXT   NOT NULL,
    new     TEXT   NOT NULL,
    detail  TEXT   NOT NULL   -- one sentence for a person
);
CREATE INDEX events_work ON events (work, id);
-- A digest asks which licenses changed in its week.
CREATE INDEX events_relicensed ON events (at) WHERE kind = 'relicensed';

-- A person's word against the rules'. Appended, never changed: the latest of a
-- field wins, and an empty value takes the earlier ones back.
CREATE TABLE corrections (
    id      BIGINT NOT NULL PRIMARY KEY,
    work    TEXT   NOT NULL,
    field   TEXT   NOT NULL CHECK (field IN ('country', 'lab', 'openness', 'license')),
    value   TEXT   NOT NULL,
    because TEXT   NOT NULL,  -- a URL or a sentence
    by_whom TEXT   NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX corrections_work ON corrections (work, id);

-- Named queries that people subscribe to.
CREATE TABLE topics (
    name  TEXT NOT NULL PRIMARY KEY,
    query TEXT NOT NULL,
    about TEXT NOT NULL
);

-- A destination, a query, a cadence and an owner. The cursor is the end of the last
-- period composed: the next one starts there, so periods neither overlap nor leave
-- a hole.
CREATE TABLE subscriptions (
    id           TEXT   NOT NULL PRIMARY KEY,
    destination  TEXT   NOT NULL,  -- digest.Destination as JSON
    query        TEXT   NOT NULL,
    cadence      TEXT   NOT NULL,  -- five-field cron expression
    zone         TEXT   NOT NULL,  -- IANA time zone
    owner        TEXT   NOT NULL,
    created      BIGINT NOT NULL,
    period_from  BIGINT NOT NULL,  -- the cursor
    next_due     BIGINT NOT NULL,  -- when the next digest is due
    paused_until BIGINT NOT NULL,  -- 0: not paused
    last_result  TEXT   NOT NULL
);
CREATE INDEX subscriptions_due ON subscriptions (next_due);

-- What a subscription was told about a period. The pair is unique: however often
-- a clock strikes or a process restarts, a period is composed once. A digest stays
-- when its subscription is removed; it has been said.
CREATE TABLE digests (
    id           TEXT   NOT NULL PRIMARY KEY,
    subscription TEXT   NOT NULL,
    period_from  BIGINT NOT NULL,
    period_to    BIGINT NOT NULL,
    composed     BIGINT NOT NULL,
    body         TEXT   NOT NULL,  -- digest.Digest as JSON
    UNIQUE (subscription, period_to),
    CHECK (period_from < period_to)
);

-- The door of a service that wants to be called slowly, one at a time, by all
-- processes that share this database. Who holds it has a lease: a process that dies
-- inside leaves the door locked only until the lease runs out.
CREATE TABLE gates (
    name        TEXT   NOT NULL PRIMARY KEY,
    next_at     BIGINT NOT NULL,  -- nobody may enter before
    holder      TEXT   NOT NULL,  -- '' when nobody is inside
    lease_until BIGINT NOT NULL
);

-- Which questions services were asked, so that nobody is asked twice. What they
-- answered came in as items, like everything else; here is only that they did.
CREATE TABLE lookups (
    name    TEXT   NOT NULL PRIMARY KEY,  -- "arxiv-page:2501.12948"
    words   TEXT   NOT NULL,              -- the answer in a few words, for "why"
    fetched BIGINT NOT NULL,
    expires BIGINT NOT NULL               -- to be asked again from then on; 0: never
);

-- The long tail of laboratories: organizations of the Research Organization
-- Registry (https://ror.org, CC0), loaded by hand and read whole by the matcher.
CREATE TABLE organizations (
    id   TEXT NOT NULL PRIMARY KEY,  -- "ror:03cve4549"
    body TEXT NOT NULL               -- feeds.Lab as JSON
);
