package store

import (
	"context"
	"errors"
	"fmt"
	"os"
)

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// child is what this test binary does when a test runs it again as another process.
func child(job string) int {
	ctx := context.Background()
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
