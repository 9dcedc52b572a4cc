package k8s

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/granary-go/granary/cluster/driver"
)

// strange reports whether an answer is none of an API server, but of something before it or in its place. Such a one
// proves nothing: a 404 of a load balancer does not mean that a Lease is gone.
func strange(err error) bool {
	return errors.Is(err, errNonsense) || apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

func isNotFound(err error) bool { return apierrors.IsNotFound(err) && !strange(err) }
func isConflict(err error) bool { return apierrors.IsConflict(err) && !strange(err) }
func isExists(err error) bool   { return apierrors.IsAlreadyExists(err) && !strange(err) }

// unreachable reports whether no answer came.
func unreachable(err error) bool {
	_, isURL := errors.AsType[*url.Error](err)
	_, isNet := errors.AsType[net.Error](err)
	return isURL || isNet || errors.Is(err, context.DeadlineExceeded)
}

// passing reports whether a server that is overloaded, begins or ends has answered, or something before it that does not
// reach it, or a connection that has ended meanwhile. Whether the network was to blame package record sees for itself.
func passing(err error) bool {
	if status, is := errors.AsType[*apierrors.StatusError](err); is {
		code := int(status.Status().Code)
		return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
	}
	failed, isURL := errors.AsType[*url.Error](err)
	return isURL && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(failed.Err.Error(), "http2: "))
}

// explain says what failed, and what to do about it; nil stays nil. What a context has ended stays recognisable as that.
func (s *store) explain(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if err = s.client.secrets.hide(err); passing(err) {
		err = fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	advice := ""
	switch host := s.client.host; {
	case errors.Is(ctx.Err(), context.Canceled):
	case strange(err):
		advice = host + " does not answer as a Kubernetes API server does: check Host of the configuration, and what stands before the server"
	case apierrors.IsUnauthorized(err):
		advice = fmt.Sprintf("%s does not accept the credentials: in a pod they are its service account's token "+
			"(automountServiceAccountToken must not be false, and the account must still exist), elsewhere those of the configuration", host)
	case apierrors.IsForbidden(err):
		advice = s.grant()
	case apierrors.IsNotFound(err) && strings.Contains(err.Error(), "namespaces"):
		advice = fmt.Sprintf("make the namespace: kubectl create namespace %s, or name another by WithNamespace", s.client.namespace)
	case apierrors.ReasonForError(err) == metav1.StatusReasonUnknown && !unreachable(err):
		advice = fmt.Sprintf("is %s a Kubernetes API server?", host)
	case unreachable(err):
		advice = fmt.Sprintf("no answer from %s: check that it is the API server's address, that a network policy lets the pod reach it, "+
			"and the certificate authority", host)
	}
	if advice == "" {
		return fmt.Errorf("k8s: %s: %w", what, err)
	}
	return fmt.Errorf("k8s: %s: %w: %s", what, err, advice)
}

// grant says how to get the rights.
func (s *store) grant() string {
	role := "granary-member"
	if s.observes {
		role = "granary-observer"
	}
	return fmt.Sprintf("the process needs the Role %s of cluster/k8s/manifests/rbac.yaml in the namespace %s: "+
		"kubectl --namespace %[2]s apply --filename rbac.yaml, and serviceAccountName of the pod as it is bound there", role, s.client.namespace)
}

// secrets are what must not get into a text.
type secrets struct {
	values []string
	file   string // of a token that changes
}

func secretsOf(c *rest.Config) secrets {
	s := secrets{file: c.BearerTokenFile}
	for _, value := range []string{c.BearerToken, c.Password, string(c.KeyData), userOf(c.Host)} {
		if value != "" {
			s.values = append(s.values, value)
		}
	}
	return s
}

// hidden is an error whose text had a secret in it: something has answered with what it was sent.
type hidden struct {
	error

	text string
}

func (h hidden) Error() string { return h.text }
func (h hidden) Unwrap() error { return h.error }

// hide takes secrets out of an error's text.
func (s secrets) hide(err error) error {
	text, values := err.Error(), s.values
	if s.file != "" {
		if token, errRead := os.ReadFile(s.file); errRead == nil {
			values = append(slices.Clip(values), strings.TrimSpace(string(token)))
		}
	}
	for _, value := range values {
		if value != "" {
			text = strings.ReplaceAll(text, value, "[hidden]")
		}
	}
	if text == err.Error() {
		return err
	}
	return hidden{err, text}
}
