// Package queue holds the two queues of a mailbox. Both take values from any
// number of goroutines and give them to one.
//
// [Queue] is for the traffic: unbounded, first in first out for each producer,
// and free of allocation while the consumer keeps up. [List] is for the rare
// message that must overtake the traffic: one allocation a value, but asking
// whether it is empty costs one atomic load, so that a consumer can ask before
// every value of the other queue.
//
// The zero value of each is ready. Neither blocks, wakes or closes anything:
// that is the mailbox's business.
package queue
