// Package network makes hosts on one machine, for processes and for listeners, and breaks the network between them:
//
//	n, err := network.New(network.WithSeed(7))
//	…
//	defer n.Close()
//	a, err := n.Host("a")
//	b, err := n.Host("b")
//	…
//	err = a.Start(exec.Command(member, "-listen", a.Address()+":9000"))
//	n.Set(a, b, network.Link{Blocked: true}) // b hears nothing of a, and a hears b
//	n.Heal()
//
// In the mode "namespaces" each host is a network namespace with a device of its own, and every IP packet between two
// hosts passes the [Network], in user space, under the rule of its [Link]: what breaks is what TCP stands on, for any
// program. It needs Linux, /dev/net/tun, and the rights of root over the network namespaces that it makes: root has them,
// and so has a program that is started by "unshare --user --map-root-user", if its user may open /dev/net/tun.
//
// The mode "proxies" is for where that cannot be had; [Network.Why] has the reason. Hosts are addresses of the loopback,
// and the Network stands between those connections that programs make by [Place.Dial]. It handles streams, not packets, so
// it is the weaker fault: see [Link].
package network
