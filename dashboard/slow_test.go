package dashboard_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Who sends slowly takes no place from those who ask, and is ended in time.
func TestSlowQuestions(t *testing.T) {
	b := newBoard(t, newFake())
	conns := make([]net.Conn, 3*8) // three times as many as are answered at a time
	for i := range conns {
		c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
		if _, err := fmt.Fprint(c, "POST /api/operate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if code, text := b.get("/api/explain?kind=K&identity=x"); code != http.StatusOK {
			t.Fatalf("%d %s", code, text)
		}
	}
	limit := time.Now().Add(20 * time.Second)
	for _, c := range conns {
		if err := c.SetReadDeadline(limit); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(c)
		if err != nil || !strings.Contains(string(said), "did not come within") {
			t.Fatalf("%s: %v", said, err)
		}
	}
}
