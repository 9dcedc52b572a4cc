// Package granaryotel makes OpenTelemetry traces and metrics of a cluster. It
// depends on the API of OpenTelemetry only; the program chooses the SDK and the
// exporters.
//
//	o, err := granaryotel.New() // with the global providers
//	if err != nil {
//		return err
//	}
//	system := actor.NewActorSystem(o.System())
//	c := cluster.New(system, cluster.Configure("shop", provider, remoteConfig, kind, o.Cluster()))
//	stop, err := o.Watch(c)
//	if err != nil {
//		return err
//	}
//	defer stop()
//	return c.Start()
//
// A trace goes from the caller of a grain to its method, through the process that
// owns the identity and the one that activates the grain, and on to what the
// method calls with its context. It travels in the headers of messages, as W3C
// trace context.
//
// docs/guides/observability.md lists the spans, docs/reference/metrics.md all metrics. The folder grafana has a
// dashboard, the folder prometheus alert rules, for what the Prometheus exporter
// makes of the names.
package granaryotel
