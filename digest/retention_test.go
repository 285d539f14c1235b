package digest

import "testing"

func TestRetention(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"payloads", "1d", "1d"},
		{"payloads", "8w", "56d"},
		{"digests", "6mo", "180d"},
		{"lookups", "2y", "730d"},
		{"payloads", "forever", "forever"},
		{"incidents", "0d", ""},
		{"incidents", "-3d", ""},
		{"incidents", "3", ""},
		{"incidents", "d", ""},
		{"incidents", "3h", ""},
		{"incidents", "99999999999999999999y", ""},
		{"incidents", "9223372036854775807w", ""},
		{"items", "30d", ""},
		{"events", "30d", ""},
	} {
		r := DefaultRetention
		err := r.Set(tt.name, tt.value)
		if tt.want == "" {
			if err == nil || r != DefaultRetention {
				t.Errorf("%s=%s: %v, %+v", tt.name, tt.value, err, r)
			}
			continue
		}
		if err != nil || r.Of(tt.name) != tt.want {
			t.Errorf("%s=%s: %v, kept for %q, want %q", tt.name, tt.value, err, r.Of(tt.name), tt.want)
		}
	}
	var r Retention
	for _, n := range RetentionNames {
		if n[1] == "" || r.Of(n[0]) != "forever" || DefaultRetention.Of(n[0]) == "" {
			t.Errorf("%q is not kept for ever by nobody's word", n[0])
		}
	}
}
