-- What the conversation with people needs: messages on their way, and what
-- workspaces and people prefer.

-- +goose Up

-- A message that must be posted once. The row is written in the transaction that
-- composes the digest, with the very bytes that its platform will be sent; a worker
-- claims it before it posts, and settles it after. attempt fences: an outcome of an
-- attempt that is not the row's own is ignored, so a worker that was thought dead
-- can't overwrite what another found out.
--
--	            claim                 accepted
--	 pending ───────────► sending ───────────────► sent
--	    ▲  ▲                 │ │ refused for ever
--	    │  └─ retry later ───┘ └──────────────────► dead
--	    │                    │ timeout, 5xx after sending, worker died
--	    └─ not found ──── unsure ── found ────────► sent
CREATE TABLE deliveries (
    id           TEXT     NOT NULL PRIMARY KEY,  -- digest.NewDeliveryID
    digest       TEXT     NOT NULL REFERENCES digests (id),
    subscription TEXT     NOT NULL,
    destination  TEXT     NOT NULL,              -- digest.Destination as JSON
    part         BIGINT   NOT NULL CHECK (part >= 0), -- k goes out only after k-1 is sent
    payload      TEXT     NOT NULL,              -- the exact bytes, kept from composing
    summary      TEXT     NOT NULL,
    state        TEXT     NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'unsure', 'dead')),
    attempt      BIGINT   NOT NULL,              -- counts claims
    not_before   BIGINT   NOT NULL,
    begun        BIGINT   NOT NULL,              -- when the current attempt was claimed
    receipt      TEXT     NOT NULL,              -- what the platform gave for it
    words        TEXT     NOT NULL,              -- what became of the last attempt
    resent       SMALLINT NOT NULL CHECK (resent IN (0, 1)), -- posted again though it may stand there
    UNIQUE (digest, part)
);
-- What is still to be done is little; what is done is everything else.
CREATE INDEX deliveries_open ON deliveries (not_before) WHERE state IN ('pending', 'sending', 'unsure');

-- What a workspace has chosen, as digest.Settings in JSON.
CREATE TABLE settings (
    workspace TEXT NOT NULL PRIMARY KEY,  -- "platform/workspace", or of a person "platform//channel"
    body      TEXT NOT NULL
);

-- A person's latest word on a work, in one channel: 1 useful, -1 not.
CREATE TABLE votes (
    place  TEXT     NOT NULL,  -- "platform/workspace/channel"
    person TEXT     NOT NULL,
    work   TEXT     NOT NULL,
    value  SMALLINT NOT NULL CHECK (value IN (-1, 1)),
    at     BIGINT   NOT NULL,
    PRIMARY KEY (place, person, work)
);
CREATE INDEX votes_work ON votes (work);

-- A person's own list.
CREATE TABLE saved (
    person TEXT   NOT NULL,  -- "platform/workspace/person"
    work   TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (person, work)
);
