package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// memberVariable is the environment variable that stands for --member.
const memberVariable = "GRANARY_MEMBER"

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 16 << 20

const helpConnecting = `Verbs that look at a cluster talk to one member, by gRPC, at the address by which
the others know it: host and port of its remote.Configure. Its program has to serve
the admin service:

  cluster.Configure("shop", provider, remote.Configure("10.0.0.1", 8090), kinds…, admin.Serve())

  --member 10.0.0.1:8090,10.0.0.2:8090   the first that answers is talked to
  GRANARY_MEMBER=10.0.0.1:8090           the same, from the environment

A cluster whose members have TLS (remote.WithTLS) wants a certificate of you, too,
which one of its authorities has signed, for servers and clients as those of
members:

  --tls-ca ca.crt --tls-cert me.crt --tls-key me.key
  --tls-name orders.internal   with remote.WithPeerName: the name in common

To look from outside of Kubernetes: kubectl port-forward pod/shop-0 8090, and
--member 127.0.0.1:8090.`

// connection is how a command line reaches a cluster.
type connection struct {
	members            []string
	ca, cert, key, tls string
	timeout            time.Duration
	asJSON             bool
}

// flags adds the flags that all verbs have which talk to a member.
func (c *connection) flags(cmd *cobra.Command, timeout time.Duration) {
	flags := cmd.Flags()
	flags.SortFlags = false
	c.memberFlag(cmd)
	flags.BoolVar(&c.asJSON, "json", false, "print JSON, as wire/adminpb/admin.proto describes it")
	flags.DurationVar(&c.timeout, "timeout", timeout, "how long to wait for the answer")
	c.tlsFlags(cmd)
}

// reach adds the flags of a verb that goes on talking to members.
func (c *connection) reach(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	c.memberFlag(cmd)
	c.tlsFlags(cmd)
}

func (c *connection) memberFlag(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&c.members, "member", nil, "where a member is, as host:port; several are tried in turn (default $"+memberVariable+")")
}

func (c *connection) tlsFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.ca, "tls-ca", "", "file with the cluster's authorities; turns TLS on")
	flags.StringVar(&c.cert, "tls-cert", "", "file with your certificate")
	flags.StringVar(&c.key, "tls-key", "", "file with its key")
	flags.StringVar(&c.tls, "tls-name", "", "name that the member's certificate is for (default its host)")
}

// check says what is wrong with the flags.
func (c *connection) check() error {
	var errs []error
	if len(c.members) == 0 {
		for address := range strings.SplitSeq(os.Getenv(memberVariable), ",") {
			if address != "" {
				c.members = append(c.members, address)
			}
		}
	}
	if len(c.members) == 0 {
		errs = append(errs, errors.New("--member is missing, and "+memberVariable+" is not set: name the host:port of a member; see 'granary help connecting'"))
	}
	for _, address := range c.members {
		if _, _, err := net.SplitHostPort(address); err != nil {
			errs = append(errs, fmt.Errorf("--member %s is not host:port", printable(address)))
		}
	}
	if c.timeout <= 0 {
		errs = append(errs, fmt.Errorf("--timeout is %v: it must be positive", c.timeout))
	}
	if (c.cert == "") != (c.key == "") || c.ca == "" && (c.cert != "" || c.tls != "") {
		errs = append(errs, errors.New("--tls-ca, --tls-cert and --tls-key go together"))
	}
	return errors.Join(errs...)
}

// credentials are those for a member's host.
func (c *connection) credentials(address string) (credentials.TransportCredentials, error) {
	if c.ca == "" {
		return insecure.NewCredentials(), nil
	}
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, fmt.Errorf("--tls-ca: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool(), ServerName: c.tls}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--tls-ca: %s holds no certificate in PEM", c.ca)
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address) // was checked
	}
	if c.cert != "" {
		pair, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}

// dial connects when it is first used. The caller closes it.
func (c *connection) dial(address string) (*grpc.ClientConn, error) {
	creds, err := c.credentials(address)
	if err != nil {
		return nil, err
	}
	return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer), grpc.MaxCallSendMsgSize(maxAnswer)))
}

// explained says what to do about an error of a member's.
func explained(address string, err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	text := s.Message()
	switch s.Code() {
	case codes.Unimplemented:
		err = fmt.Errorf("%s does not serve this: its program needs admin.Serve(), or is of another version (%s)", address, text)
	case codes.PermissionDenied:
		return exitError{errors.New(text), notAllowed}
	case codes.InvalidArgument:
		return misuse(errors.New(text))
	case codes.NotFound:
		return errors.New(text)
	case codes.DeadlineExceeded:
		err = fmt.Errorf("%s did not answer in time: a longer --timeout may help (%s)", address, text)
	case codes.Unavailable:
		if strings.HasPrefix(text, "admin:") {
			return fmt.Errorf("%s: %s", address, text)
		}
		hint := "is a member running there, and is this its address for the others?"
		for _, sign := range []string{"error reading server preface", "tls:", "x509:", "EOF", "connection reset"} {
			if strings.Contains(text, sign) {
				hint = "does the cluster have TLS? see 'granary help connecting'"
			}
		}
		err = fmt.Errorf("%s was not reached; %s (%s)", address, hint, text)
	default:
		err = fmt.Errorf("%s: %s: %s", address, s.Code(), text)
	}
	return err
}
