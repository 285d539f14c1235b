-- Messages leave in lanes, one for each workspace of each platform, at a pace that
-- all processes on this database share.

-- +goose Up

-- The bytes of messages, apart from what happens to them: a delivery is looked at and
-- rewritten several times on its way, its bytes are read once. Digests that say the
-- same to thousands of channels are kept once.
CREATE TABLE payloads (
    id   TEXT NOT NULL PRIMARY KEY,  -- named by its bytes
    body TEXT NOT NULL               -- the very bytes that a platform is sent
);

-- A message that must be posted once: see 00003_conversation.sql, whose table this
-- takes the place of. A process that is older than this schema finds no payload in it
-- and sends nothing.
CREATE TABLE outgoing (
    id           TEXT     NOT NULL PRIMARY KEY,  -- digest.NewDeliveryID
    digest       TEXT     REFERENCES digests (id), -- NULL: a notice to a subscription's owner
    subscription TEXT     NOT NULL,
    destination  TEXT     NOT NULL,              -- digest.Destination as JSON
    platform     TEXT     NOT NULL,              -- of the destination; '': see deliveries_nowhere
    workspace    TEXT     NOT NULL,              -- together they are its lane
    channel      TEXT     NOT NULL,
    part         BIGINT   NOT NULL CHECK (part >= 0),
    behind       SMALLINT NOT NULL CHECK (behind IN (0, 1)), -- the part before it is not sent yet: it may not go
    payload      TEXT     NOT NULL REFERENCES payloads (id),
    summary      TEXT     NOT NULL,
    state        TEXT     NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'unsure', 'dead')),
    attempt      BIGINT   NOT NULL,              -- counts claims
    not_before   BIGINT   NOT NULL,              -- when it may go; in sending, when its worker counts as dead
    begun        BIGINT   NOT NULL,              -- when the current attempt was claimed
    receipt      TEXT     NOT NULL,              -- what the platform gave for it
    words        TEXT     NOT NULL,              -- what became of the last attempt
    resent       SMALLINT NOT NULL CHECK (resent IN (0, 1)), -- posted again though it may stand there
    UNIQUE (digest, part)
);
INSERT INTO payloads (id, body) SELECT id, payload FROM deliveries;
INSERT INTO outgoing (id, digest, subscription, destination, platform, workspace, channel, part, behind,
    payload, summary, state, attempt, not_before, begun, receipt, words, resent)
SELECT id, digest, subscription, destination, '', '', '', part,
    CASE WHEN EXISTS (SELECT 1 FROM deliveries e WHERE e.digest = deliveries.digest AND e.part < deliveries.part AND e.state <> 'sent') THEN 1 ELSE 0 END,
    id, summary, state, attempt, CASE state WHEN 'sending' THEN not_before + 120000 ELSE not_before END, begun, receipt, words, resent
FROM deliveries;
DROP TABLE deliveries;
ALTER TABLE outgoing RENAME TO deliveries;

-- What is still to be done is little; what is done is everything else.
CREATE INDEX deliveries_lane ON deliveries (platform, workspace, not_before) WHERE state IN ('pending', 'sending', 'unsure') AND behind = 0;
-- Nothing else goes to a channel that is being posted to.
CREATE INDEX deliveries_busy ON deliveries (platform, workspace, channel) WHERE state = 'sending';
-- What an older process left without a lane is given one when the database is opened.
CREATE INDEX deliveries_nowhere ON deliveries (id) WHERE platform = '';
-- A payload that no delivery needs any more may go.
CREATE INDEX deliveries_payload ON deliveries (payload);

-- How fast each platform, workspace and channel is posted to: the next moment that
-- nobody has reserved yet, and how long the platform has asked to leave it alone.
-- Moments are by the database's clock, in microseconds, since fifty a second do not
-- come out even in milliseconds. A row whose moments have passed says nothing.
CREATE TABLE paces (
    name       TEXT   NOT NULL PRIMARY KEY,  -- "platform", "platform/workspace", "platform/workspace/channel"
    next_at    BIGINT NOT NULL,
    held_until BIGINT NOT NULL,
    every      BIGINT NOT NULL               -- between two posts, learned from refusals; 0: nothing learned
);

-- What owners of paused subscriptions are told, once for each cause. The row stays
-- until something arrives again.
CREATE TABLE notices (
    subscription TEXT   NOT NULL,
    cause        TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    told         BIGINT NOT NULL,  -- 0: not yet
    PRIMARY KEY (subscription, cause)
);
CREATE INDEX notices_untold ON notices (at) WHERE told = 0;
