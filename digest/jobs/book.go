package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// A Count says how many jobs of a kind are in a state: "available", "scheduled",
// "running", "retryable", "completed", "cancelled", or "discarded", which is set aside.
type Count struct {
	Kind  string `json:"kind"`
	State string `json:"state"`
	Jobs  int    `json:"jobs"`
}

// A Job is one job, as somebody who looks after them sees it.
type Job struct {
	ID      int64           `json:"id"`
	Kind    string          `json:"kind"`
	State   string          `json:"state"`
	Args    json.RawMessage `json:"args"`
	Attempt int             `json:"attempts"`
	Of      int             `json:"of"`
	At      time.Time       `json:"at"`              // when it ended, or is due
	Error   string          `json:"error,omitempty"` // the last one
}

// ErrNoJob is returned for an id that no job has.
var ErrNoJob = errors.New("there is no such job")

// ErrRunning is returned for what cannot be done to a job that is being done.
var ErrRunning = errors.New("it is being done at this moment")

// Counts returns how many jobs there are, by kind and state. Jobs that went well are
// forgotten after an hour, those that were set aside after a week.
func (b Base) Counts(ctx context.Context) ([]Count, error) {
	rows, err := b.Pool.QueryContext(ctx, "SELECT kind, CAST(state AS TEXT), COUNT(*) FROM river_job GROUP BY 1, 2 ORDER BY 1, 2")
	if err != nil {
		return nil, fmt.Errorf("counting jobs: %w", err)
	}
	defer rows.Close()
	out := []Count{}
	for rows.Next() {
		var c Count
		if err := rows.Scan(&c.Kind, &c.State, &c.Jobs); err != nil {
			return nil, fmt.Errorf("counting jobs: %w", err)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("counting jobs: %w", err)
	}
	return out, nil
}

// clerk is a client that does no jobs.
func (b Base) clerk() (*river.Client[*sql.Tx], error) {
	return river.NewClient(b.driver(), &river.Config{Logger: slog.New(slog.DiscardHandler)})
}

// SetAside returns the jobs that failed for good, the latest first.
func (b Base) SetAside(ctx context.Context, limit int) ([]Job, error) {
	c, err := b.clerk()
	if err != nil {
		return nil, err
	}
	list, err := c.JobList(ctx, river.NewJobListParams().States(rivertype.JobStateDiscarded).
		OrderBy(river.JobListOrderByFinalizedAt, river.SortOrderDesc).First(min(max(limit, 1), 1000)))
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	out := make([]Job, len(list.Jobs))
	for i, j := range list.Jobs {
		out[i] = jobOf(j)
	}
	return out, nil
}

func jobOf(j *rivertype.JobRow) Job {
	out := Job{ID: j.ID, Kind: j.Kind, State: string(j.State), Args: j.EncodedArgs, Attempt: j.Attempt, Of: j.MaxAttempts, At: j.ScheduledAt}
	if j.FinalizedAt != nil {
		out.At = *j.FinalizedAt
	}
	if n := len(j.Errors); n > 0 {
		out.Error = j.Errors[n-1].Error
	}
	return out
}

// Retry has a job done again at once. One for which there is another meanwhile is
// removed: that one does it. [ErrNoJob] if there is none.
func (b Base) Retry(ctx context.Context, id int64) error {
	c, err := b.clerk()
	if err != nil {
		return err
	}
	j, err := c.JobRetry(ctx, id)
	switch {
	case errors.Is(err, river.ErrNotFound):
		return fmt.Errorf("job %d: %w", id, ErrNoJob)
	case isTaken(err):
		return b.Discard(ctx, id)
	case err != nil:
		return fmt.Errorf("job %d: %w", id, err)
	case j.State == rivertype.JobStateRunning:
		return fmt.Errorf("job %d: %w", id, ErrRunning)
	}
	return nil
}

// isTaken reports whether a row could not be written because a like one is there.
// https://www.postgresql.org/docs/current/errcodes-appendix.html (unique_violation) and
// https://www.sqlite.org/rescode.html#constraint_unique
func isTaken(err error) bool {
	var server interface{ SQLState() string }
	var file interface{ Code() int }
	return errors.As(err, &server) && server.SQLState() == "23505" || errors.As(err, &file) && file.Code() == 2067
}

// Discard removes a job that is not being done, whatever is left to do of it: what is
// due is found due again. [ErrNoJob] if there is none, [ErrRunning] if it is being done.
func (b Base) Discard(ctx context.Context, id int64) error {
	c, err := b.clerk()
	if err != nil {
		return err
	}
	_, err = c.JobDelete(ctx, id)
	switch {
	case errors.Is(err, river.ErrNotFound):
		return fmt.Errorf("job %d: %w", id, ErrNoJob)
	case errors.Is(err, rivertype.ErrJobRunning):
		return fmt.Errorf("job %d: %w", id, ErrRunning)
	case err != nil:
		return fmt.Errorf("job %d: %w", id, err)
	}
	return nil
}
