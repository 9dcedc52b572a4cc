package chaos

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// notes are what all processes of a run print, in a file. Their methods may be called from several goroutines.
type notes struct {
	began time.Time
	mu    sync.Mutex // guards what follows
	file  *os.File
	err   error
}

func newNotes(path string) (*notes, error) {
	f, err := os.Create(path)
	return &notes{began: time.Now(), file: f}, err
}

// add notes a line of somebody.
func (n *notes) add(name, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := fmt.Fprintf(n.file, "%7.3fs %-12s | %s\n", time.Since(n.began).Seconds(), name, text); err != nil {
		n.err = err
	}
}

// with gives the lines that hold a text. It fails if one could not be written.
func (n *notes) with(text string) (found []string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, err := os.Open(n.file.Name())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if strings.Contains(scanner.Text(), text) {
			found = append(found, scanner.Text())
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	return found, n.err
}

// close closes the file; what is printed afterwards is lost.
func (n *notes) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.file.Close()
}
