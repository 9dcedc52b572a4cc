package etcd

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const example = "for example http://127.0.0.1:2379"

// checkConfig reports what of a configuration cannot work, or would send in the open what is to be secret.
func checkConfig(c clientv3.Config) error {
	if err := checkEndpoints(c.Endpoints); err != nil {
		return err
	}
	for _, endpoint := range c.Endpoints {
		if c.TLS != nil && strings.HasPrefix(endpoint, "http://") {
			return fmt.Errorf("etcd: clientv3.Config has TLS, and its endpoint %s would be used without: write https:// for it, "+
				"or leave TLS away", endpoint)
		}
	}
	if c.Username != "" && c.Password == "" {
		return fmt.Errorf("etcd: the user %q has no password: set Password of clientv3.Config", c.Username)
	}
	return nil
}

// checkEndpoints reports an endpoint that a client would try in vain. It shows none that may hold a password.
func checkEndpoints(endpoints []string) error {
	if len(endpoints) == 0 {
		return errors.New("etcd: there are no endpoints: set those of clientv3.Config, " + example)
	}
	if slices.Contains(endpoints, "") {
		return fmt.Errorf("etcd: one of the endpoints %q is empty: set those of clientv3.Config, %s", shown(endpoints), example)
	}
	for _, endpoint := range endpoints {
		if strings.Contains(endpoint, "@") {
			return fmt.Errorf("etcd: the endpoint %s holds a user: set Username and Password of clientv3.Config instead", show(endpoint))
		}
		if strings.HasPrefix(endpoint, "unix:") || strings.HasPrefix(endpoint, "unixs:") {
			continue
		}
		address := endpoint
		if scheme, rest, found := strings.Cut(endpoint, "://"); found {
			if scheme != "http" && scheme != "https" {
				return fmt.Errorf("etcd: the endpoint %s begins with %s://; it must be http:// or https://", endpoint, scheme)
			}
			address, _, _ = strings.Cut(rest, "/")
		}
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			return fmt.Errorf("etcd: the endpoint %s is not a host and a port: write it as http://host:port or https://host:port, %s",
				endpoint, example)
		}
	}
	return nil
}

// show gives an endpoint for people to read, without the user and the password that somebody may have written there.
func show(endpoint string) string {
	before, after, found := strings.Cut(endpoint, "@")
	if !found {
		return endpoint
	}
	if scheme, _, found := strings.Cut(before, "://"); found {
		return scheme + "://…@" + after
	}
	return "…@" + after
}

func shown(endpoints []string) []string {
	texts := make([]string, len(endpoints))
	for i, endpoint := range endpoints {
		texts[i] = show(endpoint)
	}
	return texts
}

// clusterPrefix escapes the cluster's name, so that the keys of no cluster lie under those of another.
func clusterPrefix(prefix, cluster string) string {
	return strings.TrimRight(prefix, "/") + "/" + url.PathEscape(cluster) + "/"
}
