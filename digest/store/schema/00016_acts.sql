-- What people have had done.

-- +goose Up

-- A platform sends a request again when its acknowledgment was lost, and another process
-- may be the one to get it. Before something is changed for a person the request is
-- claimed here by the id that the platform gives to it, and it is marked when it is done:
-- whoever gets it again does nothing. One that was claimed and not done within a short
-- while was claimed by a process that died. A day later nobody sends it any more.
CREATE TABLE acts (
    id    TEXT     NOT NULL PRIMARY KEY,  -- "platform/workspace/the platform's id"
    begun BIGINT   NOT NULL,              -- by the database's clock
    done  SMALLINT NOT NULL CHECK (done IN (0, 1))
);
CREATE INDEX acts_begun ON acts (begun);
