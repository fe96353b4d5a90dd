package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets of 1/32 of a power of two: quantiles are within 3.2% of the truth, and adding
// one costs neither memory nor a lock. Owned by one goroutine until it is merged.
type histogram struct {
	count   uint64
	max     time.Duration
	buckets [64 * subBuckets]uint32
}

// subBuckets is how many buckets each power of two has.
const subBuckets = 32

// add counts one duration; a negative one, which only a clock gone wrong makes, counts as 0.
func (h *histogram) add(d time.Duration) {
	h.count++
	h.max = max(h.max, d)
	h.buckets[bucketOf(d)]++
}

// merge adds what another histogram counted.
func (h *histogram) merge(other *histogram) {
	h.count += other.count
	h.max = max(h.max, other.max)
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
}

// quantile gives the upper end of the bucket in which the q-th part of the durations lies; 0 where there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.count))
	var seen uint64
	for i, n := range h.buckets {
		seen += uint64(n)
		if seen > rank || n > 0 && seen == h.count {
			return min(bucketEnd(i), h.max)
		}
	}
	return 0
}

func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - bits.Len64(subBuckets)
	return (shift+1)*subBuckets + int(v>>shift) - subBuckets
}

// bucketEnd gives the largest duration of bucket i.
func bucketEnd(i int) time.Duration {
	if i < subBuckets {
		return time.Duration(i)
	}
	shift := i/subBuckets - 1
	return time.Duration((uint64(i%subBuckets)+subBuckets+1)<<shift - 1)
}
