package torversion

import "testing"

// https://spec.torproject.org/version-spec.html
func TestParse(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Version
		ok   bool
	}{
		{"0.4.9.11", Version{0, 4, 9, Release, 11, "", 0, ""}, true},
		{"Tor 0.4.9.11", Version{0, 4, 9, Release, 11, "", 0, ""}, true},
		{"tor 0.4.9.11", Version{0, 4, 9, Release, 11, "", 0, ""}, true},
		{"0.4.9.1-alpha-dev", Version{0, 4, 9, Release, 1, "alpha-dev", 0, ""}, true},
		{"0.1.2rc3", Version{0, 1, 2, RC, 3, "", 0, ""}, true},
		{"0.1.2pre3-x", Version{0, 1, 2, Pre, 3, "x", 0, ""}, true},
		{"0.1", Version{0, 1, 0, Release, 0, "", 0, ""}, true},
		{"0.1-x", Version{0, 1, 0, Release, 0, "x", 0, ""}, true},
		{"0.1.2", Version{0, 1, 2, Release, 0, "", 0, ""}, true},
		{"0.1.2-x", Version{0, 1, 2, Release, 0, "x", 0, ""}, true},
		{"0.4.8.1 (tropea-1.0)", Version{0, 4, 8, Release, 1, "", 0, ""}, true},
		{"0.1.2.3-alpha (r456)", Version{0, 1, 2, Release, 3, "alpha", 456, ""}, true},
		{"0.1.2.3 (git-0a0B)", Version{0, 1, 2, Release, 3, "", 0, "\n\v"}, true},
		{"0.1.2.3-0123456789012345678901234567890123", Version{0, 1, 2, Release, 3, "0123456789012345678901234567890", 0, ""}, true},
		{"0.1.2.3 (git-0a0)", Version{}, false},
		{"0.1.2.3 (git-)", Version{}, false},
		{"0.1.2.3 (git-00", Version{}, false},
		{"", Version{}, false},
		{"0", Version{}, false},
		{"0.", Version{}, false},
		{"0.1x", Version{}, false},
		{"0.1.x", Version{}, false},
		{"0.1.2x", Version{}, false},
		{"0.1.2.x", Version{}, false},
		{"0.1.2.2147483648", Version{}, false},
		{"-1.2.3", Version{}, false},
	} {
		got, ok := Parse(tt.text)
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%q: got %+v, %v, want %+v", tt.text, got, ok, tt.want)
		}
	}
}

// Each is before the next.
func TestCompareText(t *testing.T) {
	list := []string{"0.1.2pre9", "0.1.2rc1", "0.1.2.0", "0.1.2.0-a", "0.1.2.9", "0.1.2.10", "0.1.2.10 (r1)", "0.1.2.10 (r2)",
		"0.1.2.11 (git-ff)", "0.1.2.11 (git-0000)", "0.4.8.9-alpha", "0.4.9.0", "1.0.0.0", "", "0.x", "x"}
	for i, a := range list {
		for j, b := range list {
			if got := CompareText(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%q, %q: got %d", a, b, got)
			}
		}
	}
	if CompareText("Tor 0.4.9.1", "0.4.9.1") != 0 {
		t.Error("the name makes a difference")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("Tor 0.4.9.11-dev (git-0123) x")
	f.Add("0.1.2rc3 (r4")
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := Parse(s)
		if ok && (v.Compare(&v) != 0 || CompareText(s, s) != 0) {
			t.Errorf("%q is not equal to itself", s)
		}
	})
}
