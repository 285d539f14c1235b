package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// child is what this test binary does when a test runs it again as another process.
func child(job string) int {
	ctx := context.Background()
	if job == "move" {
		return childMove(ctx, os.Getenv("SEEDCORN_TEST_LOCATION"), os.Getenv("SEEDCORN_TEST_TO"))
	}
	db, err := Open(ctx, os.Getenv("SEEDCORN_TEST_LOCATION"))
	if err != nil {
		fmt.Println("open:", err)
		return 1
	}
	defer db.Close()
	switch job {
	case "open":
		fmt.Println("opened")
	case "ingest":
		entries := world(40_000, 3)
		for i := 0; i < len(entries); i += 400 {
			if _, err := db.Ingest(ctx, arrival(entries[i:i+400]...)); err != nil {
				fmt.Println("ingest:", err)
				return 1
			}
			fmt.Println("stored", i+400)
		}
	}
	return 0
}

// childMove moves a database and says how far it is.
func childMove(ctx context.Context, from, to string) int {
	m := Mover{rows: 200, Now: time.Now, Progress: func(table string, done, total int) { fmt.Println(table, done, total) }}
	var err error
	if m.From, err = Open(ctx, from, Exclusively()); err == nil {
		defer m.From.Close()
		if m.To, err = Open(ctx, to, Exclusively()); err == nil {
			defer m.To.Close()
			_, err = m.Move(ctx)
		}
	}
	if err != nil {
		fmt.Println("move:", err)
		return 1
	}
	return 0
}
