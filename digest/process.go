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
