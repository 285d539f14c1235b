-- Where a subscription was asked for, and what may be shown further, when.

-- +goose Up

-- A person who is told something alone asked for it in a channel. Should the person's
-- own door be closed one day, that channel is where one can say so.
ALTER TABLE subscriptions ADD COLUMN asked TEXT NOT NULL DEFAULT '';  -- digest.Destination as JSON; '' for the destination itself
-- Whether its messages are published: shown in all channels that follow its own.
ALTER TABLE subscriptions ADD COLUMN publish SMALLINT NOT NULL DEFAULT 0 CHECK (publish IN (0, 1));

-- A message that is to be published once it is posted. A platform lets few through in
-- an hour, so the row waits until its channel has room, over any restart; what was
-- published in the last hour is counted here, by all processes alike.
--
--	waiting ──claim──► publishing ──► published, refused
--	   ▲                   │
--	   └── not now, died ──┘   publishing what is published changes nothing
CREATE TABLE publications (
    delivery    TEXT   NOT NULL PRIMARY KEY REFERENCES deliveries (id),
    destination TEXT   NOT NULL,  -- digest.Destination as JSON: what the cap is counted by
    state       TEXT   NOT NULL CHECK (state IN ('waiting', 'publishing', 'published', 'refused')),
    attempt     BIGINT NOT NULL,  -- counts claims
    not_before  BIGINT NOT NULL,  -- of one in publishing: until when its worker has it
    at          BIGINT NOT NULL,  -- when it was last claimed: from then on it counts
    words       TEXT   NOT NULL   -- what became of the last attempt
);
CREATE INDEX publications_open ON publications (not_before) WHERE state IN ('waiting', 'publishing');
CREATE INDEX publications_counted ON publications (destination, at);
-- The posted messages of the few subscriptions that are published.
CREATE INDEX deliveries_subscription ON deliveries (subscription, begun);
