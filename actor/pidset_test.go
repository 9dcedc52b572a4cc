package actor

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// The set is compared with a map, below and above the size of its index.
func TestPIDSetAgainstAMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, keys := range []int{5, indexFrom, 100} {
		var set pidSet
		model := map[pidKey]*PID{}
		for range 10_000 {
			key := pidKey{id: strconv.Itoa(rng.IntN(keys))}
			pid := NewPID("", key.id)
			switch rng.IntN(4) {
			case 0:
				_, had := model[key]
				if set.add(key, pid) == had {
					t.Fatalf("add(%v) with had=%v", key, had)
				}
				if !had {
					model[key] = pid
				}
			case 1:
				set.put(key, pid)
				model[key] = pid
			default:
				_, had := model[key]
				if set.remove(key) != had {
					t.Fatalf("remove(%v) with had=%v", key, had)
				}
				delete(model, key)
			}
			if set.get(key) != model[key] || set.len() != len(model) || len(set.list()) != len(model) {
				t.Fatalf("get(%v) = %v, want %v; %d of %d", key, set.get(key), model[key], set.len(), len(model))
			}
		}
		for _, pid := range set.list() {
			if model[pidKey{id: pid.Id}] != pid {
				t.Fatalf("%v is not in the model", pid)
			}
		}
	}
}
