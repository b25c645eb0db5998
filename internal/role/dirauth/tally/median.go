package tally

import (
	"cmp"
	"slices"
)

// median returns the middle value, the lower of two. It sorts list, which must not be empty.
func median[T cmp.Ordered](list []T) T {
	slices.Sort(list)
	return list[(len(list)-1)/2]
}

// mostFrequent returns the value that is most often in a sorted list and how often it is, of several the last.
func mostFrequent[T any](list []T, equal func(a, b T) bool) (best T, count int) {
	for run := range runs(list, equal) {
		if len(run) >= count {
			best, count = run[0], len(run)
		}
	}
	return best, count
}

// runs yields the runs of equal values of a list.
func runs[T any](list []T, equal func(a, b T) bool) func(yield func([]T) bool) {
	return func(yield func([]T) bool) {
		for len(list) > 0 {
			n := 1
			for n < len(list) && equal(list[0], list[n]) {
				n++
			}
			if !yield(list[:n]) {
				return
			}
			list = list[n:]
		}
	}
}

func same[T comparable](a, b T) bool { return a == b }
