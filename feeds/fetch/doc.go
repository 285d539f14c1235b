// Package fetch gets documents from other people's servers politely, and turns
// feeds into items. It is the only package that touches gofeed.
//
// What comes in is a [feeds.Source] and the [feeds.State] of the last visit; what
// goes out is a [feeds.Pull]. On the way the data passes these rooms:
//
//	client.go    one polite GET: host gate, deadline, redirects, validators
//	address.go   which addresses may be dialed, decided on the resolved address
//	body.go      wire bytes -> hash -> decompressed bytes, all of it capped
//	headers.go   Retry-After, Cache-Control, Expires
//	charset.go   bytes -> UTF-8, whatever the server says
//	split.go     a document -> its frame, its head and its entries, without parsing
//	parse.go     the entries that are new -> gofeed -> items
//	item.go      what gofeed found -> [feeds.Item]
//	text.go      a stranger's HTML -> plain text
//	claims.go    "code is available at …" -> claimed keys and artifacts
//	jsonfeed.go  the same for JSON Feed
//	collector.go all of it as a [feeds.Collector]
//	discover.go  a web page -> the feeds it announces
//
// Three things keep a visit cheap, in the order in which they take effect. A server
// that knows validators answers 304. One that does not is asked for its body, whose
// hash is taken before it is decompressed; the same hash ends the visit. And of a
// document that did change, each entry is cut out and hashed, so that gofeed sees the
// new entries only: a feed of a hundred posts with a new one costs one post.
//
// A feed is a stranger's text. Everything here is bounded: bytes, entries, tags,
// depth, redirects, seconds. Whatever is broken costs as little as possible, an entry
// rather than a document, and is named in [feeds.Pull] Faults.
package fetch
