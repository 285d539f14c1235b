-- Corrections that wait for an editor, and digests that are edited where they stand.

-- +goose Up

-- A correction by somebody whose word does not hold at once. It is decided once; what
-- is accepted becomes a row of corrections in the same transaction. told and answered
-- are written before anybody is told: a message about a proposal may be lost, it is
-- never said twice, and the list holds everything.
CREATE TABLE proposals (
    id         BIGINT NOT NULL PRIMARY KEY,
    work       TEXT   NOT NULL,
    field      TEXT   NOT NULL CHECK (field IN ('country', 'lab', 'openness', 'license')),
    value      TEXT   NOT NULL,  -- '' proposes to take the correction that stands back
    because    TEXT   NOT NULL,  -- a URL or a sentence
    by_whom    TEXT   NOT NULL,  -- the name that signs
    person     TEXT   NOT NULL,  -- the proposer's id on the platform
    place      TEXT   NOT NULL,  -- where it was said: digest.Destination as JSON
    at         BIGINT NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('open', 'accepted', 'declined')),
    decided_by TEXT   NOT NULL,
    decided_at BIGINT NOT NULL,
    why        TEXT   NOT NULL,  -- of a decline
    told       BIGINT NOT NULL,  -- when the editors were told that it waits
    answered   BIGINT NOT NULL   -- when its proposer was told what became of it
);
CREATE INDEX proposals_work ON proposals (work);
CREATE INDEX proposals_open ON proposals (id) WHERE state = 'open';
CREATE INDEX proposals_untold ON proposals (id) WHERE told = 0 OR state <> 'open' AND answered = 0;

-- Which works a digest tells about, written with it: so that a correction finds the
-- messages that say otherwise.
CREATE TABLE digest_works (
    work   TEXT NOT NULL,  -- as the digest calls it; it may have been merged since
    digest TEXT NOT NULL REFERENCES digests (id) ON DELETE CASCADE,
    PRIMARY KEY (work, digest)
);
CREATE INDEX digest_works_digest ON digest_works (digest);

-- What was found out about a story after its digest was composed. Appended in the
-- transaction that corrects the work or learns of its new license. The digest's body
-- stays what was said; what it says now is the body with its errata laid over it.
CREATE TABLE errata (
    id     BIGINT NOT NULL PRIMARY KEY,
    digest TEXT   NOT NULL REFERENCES digests (id) ON DELETE CASCADE,
    work   TEXT   NOT NULL,  -- as the digest calls it
    body   TEXT   NOT NULL   -- digest.Erratum as JSON
);
CREATE INDEX errata_digest ON errata (digest, id);

-- A digest whose messages are to be edited: the intent, written together with the
-- errata. There is one row to a digest, so that several corrections make one edit, and
-- it is fenced by attempt as a delivery is. An edit may be repeated: it says the same
-- again, and never posts.
--
--	           claim               all of it said
--	 waiting ───────────► editing ───────────────► done
--	    ▲  ▲                │  │ the platform refuses for ever, or cannot edit
--	    │  └── retry later ─┘  └─────────────────► given-up
--	    └───────────────── another erratum (from any state)
CREATE TABLE amendments (
    digest     TEXT   NOT NULL PRIMARY KEY REFERENCES digests (id) ON DELETE CASCADE,
    state      TEXT   NOT NULL CHECK (state IN ('waiting', 'editing', 'done', 'given-up')),
    wanted     BIGINT NOT NULL,  -- errata.id of the latest that is to be said
    attempt    BIGINT NOT NULL,  -- counts claims
    tries      BIGINT NOT NULL,  -- failed attempts in a row
    doubt      SMALLINT NOT NULL CHECK (doubt IN (0, 1)), -- a message may say something else than its delivery
    not_before BIGINT NOT NULL,  -- while editing: when it was claimed
    words      TEXT   NOT NULL   -- what became of the last attempt
);
CREATE INDEX amendments_open ON amendments (not_before) WHERE state IN ('waiting', 'editing');
