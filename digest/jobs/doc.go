// Package jobs is the background work: it decides what is due from storage, does it,
// and can be stopped anywhere.
//
//	a [Bell] rings, and the [Engine] writes jobs for what is due:
//	  sources that are due       ── pull    ── [Puller]     ──► collectors ──► tags ──► storage     (pull.go)
//	  works with open questions  ── enrich  ── [Lookups]    ──► services   ──► tags ──► storage     (lookup.go)
//	  subscriptions that are due ── compose ── [Editions]   ──► a digest and its messages, stored    (edition.go)
//	  messages in the outbox     ── deliver ── [Deliveries] ──► a platform, each once                (deliver.go)
//	  posted, but wrong by now   ── errand  ── [Amendments] ──► edited in place                      (amend.go)
//	  a new day                  ── maintain ── [Chore]s
//
// The bell decides nothing. Each asks its small interface over storage what there is to
// do, writes down what came of it, and finds after a crash what was left. [Cadence] says
// when a digest is due, in a zone, exactly once for each local date.
//
// # Jobs
//
// The jobs are River's (https://riverqueue.com), kept in the same database as
// everything else, so that a job is inserted in the transaction that makes it necessary.
// They move the work, and the tables hold the truth: each of the four above is one call
// with a context, needs no engine, and does nothing twice that was done. Losing every
// job loses nothing but minutes, so a move or a restore leaves them behind.
//
// What is due is given out once. A bell that rings in three processes takes the due
// sources in the transaction that inserts their jobs ([Agenda]), so a round is shared and
// no source is visited twice in it; a job asks again which of its sources are still due,
// so what was done before a crash is not done again. Subscriptions go the same way.
// Uniqueness of a job by its arguments would not do here: two bells cut a round into
// different chunks.
//
// A lane, which is what one platform counts together, has one job at most (unique by
// arguments), inserted by whoever stores something for it. Two gaps come with that, and
// the bell closes both. A message may come in when the lane's job has looked for the last
// time: the bell finds it seconds later. And a lane that must wait for an hour would be
// blocked by its own sleeping job: so it does not sleep for long, it ends, and the bell
// brings it back in time.
//
// Pulling is in chunks, not by source: a job costs one to two milliseconds, a transaction
// of its own much more, and an unchanged source a fifth of a millisecond. Sources that
// queue for a gate have a queue of their own. A chunk that could not be stored is tried
// again one by one, so that one source's poison is noted as that source's trouble.
//
// # Processes
//
// Nothing is elected by hand. Each process beats, and one that is silent is missed: what
// it was doing goes back to the queues within seconds. River itself would wait for an
// hour, because it cannot tell a long job from a lost one, and a lane whose job was lost
// would be blocked as long. Its own leader, which it elects itself, only removes what is
// finished and wakes what is scheduled.
//
// A job that fails or panics every time, or that kills its process, is set aside after a
// few attempts and shown ([Base.SetAside]). Its like is not inserted for an hour, a lane
// for a minute; the rest go on.
package jobs
