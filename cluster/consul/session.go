package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	// lockDelay is for how long nobody may hold the key of a session that has ended. Consul's own 15 s would serve
	// nothing, as no id comes back; none at all cannot be asked for.
	lockDelay = time.Millisecond
	// noAddress is that of the node that the sessions are on. There is nothing at it: the range is for documentation.
	noAddress = "192.0.2.1"
)

// Register implements [driver.RecordStore]: a session, and a key that it holds. A session without its key is destroyed.
func (s *store) Register(ctx context.Context, id driver.MemberID, data []byte, ttl time.Duration) (time.Duration, error) {
	if id == "" {
		return 0, errors.New("consul: register a member: its id is empty")
	}
	session, err := s.createSession(ctx, id, ttl)
	if err != nil {
		return 0, s.explain("make a session", err)
	}
	key := s.memberKey(id)
	held, _, err := s.client.KV().Acquire(&api.KVPair{Key: key, Value: data, Session: session}, written(ctx))
	if err == nil && !held {
		err = fmt.Errorf("it %w", errTaken)
	}
	if err != nil {
		s.destroy(ctx, session)
		return 0, s.explain("make the liveness key "+key, err)
	}
	s.mu.Lock()
	s.session, s.key = session, key
	s.mu.Unlock()
	granted, err := s.renewSession(ctx, session) // it tells the time; the session was made in agreement, and counts by itself
	if err != nil {
		return 0, s.explain("ask for the session's time", err)
	}
	s.service.renewed(granted)
	return granted, nil
}

// createSession makes a session without checks, on the node that is there for it. That node is made if it is missing.
func (s *store) createSession(ctx context.Context, id driver.MemberID, ttl time.Duration) (string, error) {
	entry := &api.SessionEntry{
		Name: "granary member " + string(id), Node: s.node, TTL: ttl.String(), Behavior: api.SessionBehaviorDelete, LockDelay: lockDelay,
	}
	session, _, err := s.client.Session().CreateNoChecks(entry, written(ctx))
	if err != nil && strings.Contains(err.Error(), "Missing node registration") {
		node := &api.CatalogRegistration{Node: s.node, Address: noAddress, NodeMeta: map[string]string{"purpose": "sessions of granary members"}}
		if _, err := s.client.Catalog().Register(node, written(ctx)); err != nil {
			return "", fmt.Errorf("on the node %s, which has to be made: %w", s.node, err)
		}
		session, _, err = s.client.Session().CreateNoChecks(entry, written(ctx))
	}
	if err == nil && session == "" {
		err = fmt.Errorf("%w: it names no session", errNotConsul)
	}
	return session, err
}

// destroy gives up a session that came to nothing. If that fails it runs out.
func (s *store) destroy(ctx context.Context, session string) {
	ctx, cancel := tidily(ctx)
	defer cancel()
	_, _ = s.client.Session().Destroy(session, written(ctx))
}

// Renew implements [driver.RecordStore].
//
// What it may count on: Consul promises that a session lives for its TTL after it was renewed. (It gives twice as much,
// which is not promised, and is not counted here.) The time runs on timers of the leader alone, which no other server
// knows; a new leader starts them anew, at full length. So a renewal holds that the leader of that moment answered, and
// also if it loses the leadership afterwards.
//
// But a renewal is not agreed on by the servers: one that was the leader, was cut off or stopped, and does not know yet
// that there is another, renews on a timer that does not matter any more. The answer has nothing to tell it by. So a
// consistent read goes before: for that the majority confirms who is the leader. Either the same server answers the
// renewal, then it still was the leader after Renew had begun, and the timers of every successor started later than
// that. Or another does, that has become the leader since: the same. What is left is an agent that asks the leader first
// and then, for the renewal, one that was deposed before. Such a server takes itself for the leader no longer than it
// was stopped (then for the moment until its timers run) or than its leader lease lasts (raft's, half an election
// time-out), so that this takes a stop and a change of the agent's mind within one renewal. As Consul waits for twice the
// TTL it does harm only if it happens to two renewals of one member, more than a TTL after the change of leader.
//
// A consistent read goes after it, too. It shows that the key is there, and that the session holds it: if not, it is gone
// for good.
func (s *store) Renew(ctx context.Context) (time.Duration, error) {
	session, key := s.registered()
	if key == "" {
		return 0, errNotRegistered
	}
	if err := s.holds(ctx, session, key); err != nil {
		return 0, err
	}
	granted, renewErr := s.renewSession(ctx, session)
	if renewErr != nil && !errors.Is(renewErr, errForgotten) {
		return 0, s.explain("renew the session", renewErr)
	}
	if err := s.holds(ctx, session, key); err != nil {
		return 0, err
	}
	if renewErr != nil {
		return 0, s.explain("renew the session", renewErr)
	}
	s.service.renewed(granted)
	return granted, nil
}

// holds fails with [driver.ErrLeaseLost] unless the session holds the key.
func (s *store) holds(ctx context.Context, session, key string) error {
	pair, err := s.get(ctx, key)
	switch {
	case err != nil:
		return s.explain("read the liveness key", err)
	case pair == nil || pair.Session != session:
		return driver.ErrLeaseLost
	}
	return nil
}

// renewSession gives the TTL that the session has. It is the client's Session.Renew, which does not tell what the server
// said when it fails.
func (s *store) renewSession(ctx context.Context, session string) (time.Duration, error) {
	var entries []*api.SessionEntry
	_, err := s.client.Raw().Write("/v1/session/renew/"+session, nil, &entries, written(ctx))
	var status api.StatusError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		return 0, errForgotten
	}
	if err != nil {
		return 0, err
	}
	if len(entries) != 1 || entries[0] == nil || entries[0].ID != session {
		return 0, fmt.Errorf("%w: it is not about the session", errNotConsul)
	}
	granted, err := time.ParseDuration(entries[0].TTL)
	if err != nil || granted <= 0 {
		return 0, fmt.Errorf("%w: the session has the TTL %.40q", errNotConsul, entries[0].TTL)
	}
	return granted, nil
}

// Unregister implements [driver.RecordStore]: the session is destroyed, and the key goes with it.
func (s *store) Unregister(ctx context.Context) error {
	session, key := s.registered()
	if key == "" {
		return errNotRegistered
	}
	defer s.service.stop()
	if _, err := s.client.Session().Destroy(session, written(ctx)); err != nil {
		return s.explain("give the session back", err)
	}
	return nil
}
