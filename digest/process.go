package digest

import "time"

// A Process is one run of the program that works for a database others may work for,
// too.
type Process struct {
	ID      string    `json:"id"`
	Roles   string    `json:"roles"` // "pull,deliver"
	Host    string    `json:"host"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"` // by the database's clock
}

// A Sharing is what one process has of a connection in parts that several share.
type Sharing struct {
	Total int           // how many parts there are
	Held  []int         // those that are the process's
	For   time.Duration // how long they are, from when they were asked for; 0 means for good
}
