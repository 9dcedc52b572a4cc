package router

// consistentHash is rendezvous hashing (Thaler and Ravishankar, "A Name-Based
// Mapping Scheme for Rendezvous", 1996): the key and each routee make a number,
// and the routee of the highest has the key. It looks at every routee, which is
// quicker than a ring as long as there are not many hundreds.
type consistentHash struct{}

func newConsistentHash() routing { return consistentHash{} }

func (consistentHash) pick(routees []routee, message any) (i int, ok bool) {
	key, ok := keyOf(message)
	if !ok {
		return 0, false
	}
	at := hash(key)
	var highest uint64
	for j, to := range routees {
		if weight := mix(at ^ to.at); j == 0 || weight > highest {
			i, highest = j, weight
		}
	}
	return i, true
}

// keyOf returns what decides about a message. A Hash that panics must not be the
// end of the router.
func keyOf(message any) (key string, ok bool) {
	h, ok := message.(Hasher)
	if !ok {
		return "", false
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return h.Hash(), true
}

// hash is FNV-1a: the same in every process.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finalizer of SplitMix64, after which every bit depends on all.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
