// Package process starts programs as processes and reads what they print, line by line, for tests and scripts that
// watch a cluster of real processes:
//
//	p, err := process.Start("member", exec.CommandContext(ctx, program), func(l process.Line) { log(l.Text) })
//	…
//	defer p.Kill()
//	ready, err := p.Next(ctx, 10*time.Second, "word that it is ready", func(s string) bool { return s == "ready" })
//
// A process dies with its parent, however that ends: where the kernel can see to it, it does.
package process
