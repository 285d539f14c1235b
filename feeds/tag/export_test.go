package tag

// CountNames returns how many names are in a text, for the benchmark of matching
// alone.
func CountNames(t *Tagger, text string) int {
	var buf [64]match
	return len(t.names.find.find(text, buf[:0]))
}
