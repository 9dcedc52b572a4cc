package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// completionPatience is how long somebody who has pressed the tabulator waits.
const completionPatience = time.Second

type completion = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

// completeKinds completes KIND, and what follows it in the verbs that name grains; behind
// the slash the identities of active grains.
func (c *connection) completeKinds(slash string) completion {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		none := cobra.ShellCompDirectiveNoFileComp
		if len(args) > 0 || c.check() != nil {
			return nil, none
		}
		c.timeout = completionPatience
		if kind, prefix, has := strings.Cut(word, "/"); has {
			r, err := ask(cmd.Context(), c, pb.AdminClient.Grains, &pb.GrainsRequest{Kind: kind, Prefix: prefix, Limit: 50})
			if err != nil {
				return nil, none
			}
			return grainNames(r.GetGrains()), none
		}
		r, err := ask(cmd.Context(), c, pb.AdminClient.Kinds, &pb.KindsRequest{})
		if err != nil {
			return nil, none
		}
		var out []string
		for _, k := range r.GetKinds() {
			if name := k.GetKind().GetName(); printable(name) == name {
				out = append(out, name+slash)
			}
		}
		return out, none | cobra.ShellCompDirectiveNoSpace
	}
}

// grainNames are those that a shell can take: what would have to be quoted is left out.
func grainNames(grains []*pb.Grain) (out []string) {
	for _, g := range grains {
		if name := g.GetKind() + "/" + g.GetIdentity(); printable(name) == name {
			out = append(out, name)
		}
	}
	return out
}

// completeMembers completes the address of a member.
func (c *connection) completeMembers(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || c.check() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	c.timeout = completionPatience
	r, err := ask(cmd.Context(), c, pb.AdminClient.Members, &pb.MembersRequest{Brief: true})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, m := range r.GetMembers() {
		if address := m.GetAddress(); printable(address) == address {
			out = append(out, address+"\t"+printable(m.GetId()))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
