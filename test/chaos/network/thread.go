package network

import (
	"errors"
	"runtime"
)

var errThreadEnded = errors.New("network: the host is closed")

// A thread is one of the operating system's that runs what it is given, one function after the other, and nothing else.
// What a function makes is where the thread is: processes, sockets.
//
// A process that is to die with its parent dies with the thread that started it. Before this was a thread of a host it may have
// started anything, and so it does not end with its host: it goes home, and is Go's again.
type thread struct {
	calls chan call
	stop  chan struct{} // closed by close
	ended chan struct{} // closed when nothing more runs on it
}

type call struct {
	f    func() error
	done chan error // has room for the result; closed without one when f has ended the thread
}

// newThread takes a thread that runs enter first. If that fails there is none.
func newThread(enter func() error) (*thread, error) {
	t := &thread{calls: make(chan call), stop: make(chan struct{}), ended: make(chan struct{})}
	entered := make(chan error, 1)
	go t.begin(enter, entered)
	if err := <-entered; err != nil {
		<-t.ended
		return nil, err
	}
	return t, nil
}

// begin holds a thread until it may go, and not the first one of the process, whose place is taken for that of the process.
func (t *thread) begin(enter func() error, entered chan<- error) {
	runtime.LockOSThread()
	if !firstThread() {
		t.hold(enter, entered)
		return
	}
	locked := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		close(locked)
		t.hold(enter, entered)
	}()
	<-locked
	runtime.UnlockOSThread()
}

// hold is called with the thread locked. A thread that cannot go home afterwards ends, with what it has started.
func (t *thread) hold(enter func() error, entered chan<- error) {
	home, err := openNamespace()
	if err != nil {
		runtime.UnlockOSThread()
		entered <- err
		close(t.ended)
		return
	}
	defer home.Close()
	t.live(enter, entered)
	if enterOpen(home) == nil {
		runtime.UnlockOSThread()
	}
}

func (t *thread) live(enter func() error, entered chan<- error) {
	defer close(t.ended)
	err := enter()
	entered <- err
	if err != nil {
		return
	}
	for {
		select {
		case <-t.stop:
			return
		case c := <-t.calls:
			c.run()
		}
	}
}

func (c call) run() {
	defer close(c.done) // runtime.Goexit, which t.Fatal calls, ends the thread
	c.done <- c.f()
}

// do runs f on the thread and returns what it returns.
func (t *thread) do(f func() error) error {
	c := call{f, make(chan error, 1)}
	select {
	case <-t.ended:
		return errThreadEnded
	case t.calls <- c:
	}
	err, ok := <-c.done
	if !ok {
		return errors.New("network: the function has ended its host's thread, as t.Fatal and runtime.Goexit do")
	}
	return err
}

// close ends the thread when the function that it runs has returned. It is called once.
func (t *thread) close() {
	close(t.stop)
	<-t.ended
}
