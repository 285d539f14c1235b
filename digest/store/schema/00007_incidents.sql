-- What is wrong with the program itself, so that whoever runs it is told once.

-- +goose Up

-- An incident is something that a person can mend: a source that has been broken for
-- a week, messages that were refused for ever, a full disk. It begins when it is first
-- seen and ends when it has not been seen for a while. What it was told is written in
-- the transaction that puts the message into the outbox, so that neither a restart
-- nor a second process tells it again.
CREATE TABLE incidents (
    name     TEXT   NOT NULL,  -- "source:feed:https://…": the same as long as it lasts
    began    BIGINT NOT NULL,  -- when it was first seen
    kind     TEXT   NOT NULL,  -- digest.IncidentKind
    say      TEXT   NOT NULL,  -- what is wrong, as it was last seen
    hint     TEXT   NOT NULL,  -- what to do about it
    seen     BIGINT NOT NULL,  -- when it was last seen
    ended    BIGINT NOT NULL,  -- 0: it lasts
    told     BIGINT NOT NULL,  -- when a message said so; 0: none yet
    told_end BIGINT NOT NULL,  -- when a message said that it is over; 0: none
    PRIMARY KEY (name, began)
);
CREATE UNIQUE INDEX incidents_open ON incidents (name) WHERE ended = 0;
