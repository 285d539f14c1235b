-- A connection in parts, as a gateway is to a bot in many places, is shared out among the
-- processes on one database: each part is held by one of them. And what was published may
-- be edited only so often.

-- +goose Up

-- The processes that want a part. One that is not seen for a lease's time counts as dead.
CREATE TABLE shard_holders (
    name       TEXT   NOT NULL,  -- of the connection, such as a gateway
    holder     TEXT   NOT NULL,  -- of one run of the program; '': the row that is locked while shards are shared
    total      BIGINT NOT NULL,  -- how many parts it thinks there are: the most that any thinks counts
    seen_until BIGINT NOT NULL,
    PRIMARY KEY (name, holder)
);

-- Who holds which part, until when. Where nobody does there may be no row. Parts of
-- another total overlap these: none is taken while one of those is held.
CREATE TABLE shards (
    name        TEXT   NOT NULL,
    total       BIGINT NOT NULL CHECK (total > 0),
    shard       BIGINT NOT NULL CHECK (shard >= 0 AND shard < total),
    holder      TEXT   NOT NULL,
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (name, total, shard)
);

-- The edits of published messages, those of the last while: a platform lets few through,
-- which all processes count here.
CREATE TABLE published_edits (
    delivery TEXT   NOT NULL REFERENCES publications (delivery) ON DELETE CASCADE,
    nth      BIGINT NOT NULL,
    at       BIGINT NOT NULL,  -- when it began
    PRIMARY KEY (delivery, nth)
);
