package mongotest

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/granary-go/granary/internal/servertest"
)

// variable names the environment variable with the URI of a real MongoDB.
const variable = "GRANARY_TEST_MONGO_URI"

// Server is one FerretDB. It ends with its test. Its methods are called by one goroutine at a time.
type Server struct {
	*servertest.Process

	// Address is where clients reach the server, as host:port. It stays the same when it starts again.
	Address string
}

// Start starts a server and waits until it serves. It keeps its data when it starts again.
func Start(t testing.TB) *Server {
	t.Helper()
	servertest.Need(t, "ferretdb")
	program, err := servertest.Built("ferretdb")
	if err != nil {
		t.Fatalf("mongotest: %v", err)
	}
	s, folder := &Server{Address: servertest.Address(t)}, t.TempDir()
	s.Process = servertest.New("ferretdb at "+s.Address, func() (*exec.Cmd, error) {
		return exec.CommandContext(context.Background(), program, "-listen", s.Address, "-data", folder), nil
	}, s.serves)
	t.Cleanup(s.Stop)
	if err := servertest.Start(s.Process); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Server) serves(ctx context.Context) error {
	client, err := mongo.Connect(s.Options())
	if err != nil {
		return err
	}
	err = client.Ping(ctx, nil)
	_ = client.Disconnect(context.Background()) // it did its one thing
	return err
}

// Options are those of a client of this server.
func (s *Server) Options() *options.ClientOptions { return clientOptions("mongodb://" + s.Address) }

// Client makes a client of this server, which ends with the test.
func (s *Server) Client(t testing.TB) *mongo.Client { return newClient(t, s.Options()) }

// Empty deletes all documents of a database.
func (s *Server) Empty(t testing.TB, database string) {
	t.Helper()
	empty(t, s.Client(t).Database(database))
}

// Real gives the options of a client of the MongoDB that the environment names, and
// skips the test if it names none.
func Real(t testing.TB) *options.ClientOptions {
	t.Helper()
	uri := os.Getenv(variable)
	if uri == "" {
		t.Skipf("needs a MongoDB, whose URI %s gives", variable)
	}
	return clientOptions(uri)
}

func clientOptions(uri string) *options.ClientOptions {
	return options.Client().ApplyURI(uri).SetRetryReads(false).SetRetryWrites(false).SetServerSelectionTimeout(5 * time.Second)
}

func newClient(t testing.TB, o *options.ClientOptions) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(o)
	if err != nil {
		t.Fatalf("mongotest: %v", err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Errorf("mongotest: %v", err)
		}
	})
	return client
}

func empty(t testing.TB, database *mongo.Database) {
	t.Helper()
	names, err := database.ListCollectionNames(t.Context(), bson.D{})
	for _, name := range names {
		if err == nil {
			_, err = database.Collection(name).DeleteMany(t.Context(), bson.D{})
		}
	}
	if err != nil {
		t.Fatalf("mongotest: %v", err)
	}
}

// Drop deletes a database.
func Drop(t testing.TB, o *options.ClientOptions, database string) {
	t.Helper()
	if err := newClient(t, o).Database(database).Drop(t.Context()); err != nil {
		t.Fatalf("mongotest: %v", err)
	}
}
