package network

// Counts says what became of packets; in the mode "proxies", of pieces of a connection's bytes. A fault whose count
// stays where it was did nothing.
type Counts struct {
	Passed     uint64 // arrived at the other host, each copy counted
	Bytes      uint64 // of those, with their IP headers
	Blocked    uint64 // dropped by a link that is blocked; "proxies": held up by it, new connections among them
	Lost       uint64 // dropped by Loss; "proxies": came late
	Overflowed uint64 // dropped because too much waited in the link
	Duplicated uint64 // sent twice
	Delayed    uint64 // had to wait in the link
	Reordered  uint64 // arrived after one that was sent later
	Reset      uint64 // connections that Loss ended; "proxies" only
	Unknown    uint64 // dropped because no host has the address
	Failed     uint64 // that the other host could not take
}

func (c *Counts) add(d Counts) {
	c.Passed += d.Passed
	c.Bytes += d.Bytes
	c.Blocked += d.Blocked
	c.Lost += d.Lost
	c.Overflowed += d.Overflowed
	c.Duplicated += d.Duplicated
	c.Delayed += d.Delayed
	c.Reordered += d.Reordered
	c.Reset += d.Reset
	c.Unknown += d.Unknown
	c.Failed += d.Failed
}
