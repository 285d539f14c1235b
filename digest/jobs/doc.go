// Package jobs is the background work: it decides what is due from storage, does it,
// and can be stopped anywhere.
//
//	a [Bell] rings
//	  sources that are due      ── [Puller]     ──► collectors ──► tags ──► storage     (pull.go)
//	  works with open questions ── [Lookups]    ──► services   ──► tags ──► storage     (lookup.go)
//	  subscriptions that are due── [Editions]   ──► a digest and its messages, stored    (edition.go)
//	  messages in the outbox    ── [Deliveries] ──► a platform, each once                (deliver.go)
//	  messages that say what does not hold any more ── [Amendments] ──► edited in place  (amend.go)
//
// The bell decides nothing. Each of the four asks its small interface over storage
// ([Shelf], [Notebook], [Ledger], [Outbox]) what there is to do, writes down what came of
// it, and finds after a crash what was left. [Cadence] says when a digest is due, in a
// zone, exactly once for each local date.
//
// The plan of the house has these four run as jobs of River, for many machines with one
// leader. They are written so that they can: each is one call with a context, its state
// is in the database alone, a delivery is fenced by attempt and a digest by its period,
// so that two processes that do the same work at once do it once. On one machine a bell
// is enough, and that is what there is today.
package jobs
