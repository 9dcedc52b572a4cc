// Package boottime is a clock that counts the time a machine sleeps, cheap
// enough to be read before every message.
//
// [Exact] asks the kernel, by a system call. [Now] asks it only when it must:
// Go's own clock reads, without a system call, both the wall clock and a
// monotonic one that stands still while the machine sleeps. As long as these
// two have moved by the same amount since the last exact reading, to within
// 20 ms, nothing has slept, and the monotonic time that has passed is added to
// that reading. Otherwise the kernel is asked again.
//
// # What it does not see
//
//   - Sleeps of less than 20 ms altogether since the last exact reading.
//   - A sleep for which somebody sets the wall clock back by its very length,
//     to within 20 ms, before Now is next called.
//   - A virtual machine that is frozen, or copied, with all its clocks: the
//     kernel itself does not know. That is a limit of every lease.
//
// On systems other than Linux, and where the kernel refuses the system call,
// every jump of the wall clock ahead of the monotonic one by more than 20 ms is
// taken for a sleep. Setting the wall clock forward then looks like one, which
// ends leases too early and never too late.
//
// The clock means nothing within a testing/synctest bubble, where Go's clock is
// a made-up one and the kernel's is not.
package boottime
