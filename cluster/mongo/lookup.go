package mongo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/granary-go/granary/cluster/driver"
)

// DefaultDatabase is where the collections of all clusters are.
const DefaultDatabase = "granary"

// maxCluster bounds the name of a cluster, in bytes after escaping: names of collections are bounded.
const maxCluster = 120

// Lookup opens connections for the processes of clusters; see
// cluster.WithIdentityLookup.
type Lookup struct {
	database string
	connect  func() (client *mongo.Client, owned bool, address string, err error)
}

var _ driver.EntryStores = (*Lookup)(nil)

// Option changes a Lookup that is being made.
type Option func(*Lookup)

// WithDatabase sets the database of the collections. All processes of a cluster
// need the same. Defaults to [DefaultDatabase].
func WithDatabase(name string) Option { return func(l *Lookup) { l.database = name } }

// New makes a lookup that connects for each process of a cluster that starts.
// Nothing is tried again: RetryWrites and RetryReads are set to false. Nonsense
// in the options is an error of Start.
func New(opts *options.ClientOptions, more ...Option) *Lookup {
	return newLookup(more, func() (*mongo.Client, bool, string, error) {
		client, err := dial(opts)
		if err != nil {
			return nil, false, "", err
		}
		return client, true, strings.Join(opts.Hosts, ", "), nil
	})
}

// NewWithClient makes a lookup on a client of the caller's, who disconnects it
// after the last cluster has been shut down. Its options should have RetryWrites
// and RetryReads set to false.
func NewWithClient(client *mongo.Client, more ...Option) *Lookup {
	return newLookup(more, func() (*mongo.Client, bool, string, error) {
		if client == nil {
			return nil, false, "", errors.New("mongo: the client is nil")
		}
		return client, false, "the given client's servers", nil
	})
}

func newLookup(more []Option, connect func() (*mongo.Client, bool, string, error)) *Lookup {
	l := &Lookup{database: DefaultDatabase, connect: connect}
	for _, o := range more {
		if o != nil {
			o(l)
		}
	}
	return l
}

// OpenEntries implements [driver.EntryStores].
func (l *Lookup) OpenEntries(_ context.Context, cluster string) (driver.EntryStore, error) {
	name := url.PathEscape(cluster)
	switch {
	case name == "" || len(name) > maxCluster:
		return nil, fmt.Errorf("mongo: the name of the cluster has %d bytes with escapes; a collection's takes 1 to %d", len(name), maxCluster)
	case l.database == "" || len(l.database) > 63 || strings.ContainsAny(l.database, "/\\. \"$*<>:|?\x00"):
		return nil, fmt.Errorf("mongo: %q is no name of a database: up to 63 letters, digits, hyphens and underscores", l.database)
	}
	client, owned, address, err := l.connect()
	if err != nil {
		return nil, err
	}
	collection := client.Database(l.database).Collection(collectionOf(name), options.Collection().
		SetWriteConcern(writeconcern.Majority()).SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()))
	return &store{client: client, owned: owned, address: address, docs: collection}, nil
}

// collectionOf names the collection of a cluster. A dollar sign may not be in it.
func collectionOf(escaped string) string {
	return "entries." + strings.ReplaceAll(escaped, "$", "%24")
}

// dial makes a client, on a copy of the options. It does not wait for a connection.
func dial(opts *options.ClientOptions) (*mongo.Client, error) {
	if opts == nil || len(opts.Hosts) == 0 {
		if opts != nil && opts.Validate() != nil {
			return nil, invalid(opts)
		}
		return nil, errors.New("mongo: there are no addresses: use options.Client().ApplyURI(\"mongodb://127.0.0.1:27017\")")
	}
	if opts.Validate() != nil {
		return nil, invalid(opts)
	}
	o := *opts
	o.SetRetryWrites(false).SetRetryReads(false)
	client, err := mongo.Connect(&o)
	if err != nil {
		return nil, fmt.Errorf("mongo: %s: %w", strings.Join(opts.Hosts, ", "), err)
	}
	return client, nil
}

// invalid says what is wrong with options, without the password that their URI
// may hold.
func invalid(opts *options.ClientOptions) error {
	text := opts.Validate().Error()
	if uri := opts.GetURI(); uri != "" {
		text = strings.ReplaceAll(text, uri, "the URI")
	}
	if opts.Auth != nil && opts.Auth.Password != "" {
		text = strings.ReplaceAll(text, opts.Auth.Password, "…")
	}
	return fmt.Errorf("mongo: the client's options: %s", text)
}
