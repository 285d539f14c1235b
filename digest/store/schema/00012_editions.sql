-- The archive lists the latest digests of all subscriptions.

-- +goose Up

-- Without it the list is a scan of every digest there ever was.
CREATE INDEX digests_latest ON digests (period_to, id);
