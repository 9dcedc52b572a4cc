package history

import (
	"fmt"
	"html/template"
	"math"
	"time"
)

// chart is a timeline: lanes from top to bottom, time from left to right.
type chart struct {
	Title  string
	Notes  []string
	Height int
	Ticks  []tick
	Faults []bar
	Lanes  []track
	Bars   []bar
	Left   string // what is not shown
	Rows   []row

	Porcupine template.HTMLAttr // the frame's content
	Clients   string            // who is who in it

	from, to time.Duration
	verdict  *Verdict
	laneOf   map[string]int
}

type tick struct{ At, Text string }

// track is a lane of a chart.
type track struct {
	Name    string
	Y       int
	Height  int
	Striped bool
}

// TextY is where its name stands.
func (l track) TextY() int { return l.Y + 15 }

// bar is a time in a lane.
type bar struct {
	Class, X, Width string
	Y, Height       int
	Text, Title     string
	Cut             bool // it begins before the chart does, where the lane's name stands
}

// TextShift is how far behind the beginning its text stands.
func (b bar) TextShift() int {
	if b.Cut {
		return 110
	}
	return 4
}

// TextY is where its text stands.
func (b bar) TextY() int { return b.Y + min(b.Height, 14) - 2 }

// Heights in pixels.
const (
	axisHeight  = 18
	faultHeight = 16
	laneHeight  = 24
)

// newChart makes a chart of a time, with the faults that fall into it as bands from top to bottom.
func (v *Verdict) newChart(h *History, title string, from, to time.Duration) *chart {
	c := &chart{Title: title, from: from, to: max(to, from+1), verdict: v, laneOf: map[string]int{}}
	c.ticks()
	rows := []time.Duration{} // when the last label of each row ends
	for _, f := range h.Faults {
		if f.Begin > c.to || f.End < c.from {
			continue
		}
		row := 0
		for row < len(rows) && rows[row] > f.Begin {
			row++
		}
		if row == len(rows) {
			rows = append(rows, 0)
		}
		rows[row] = max(f.End, f.Begin+(c.to-c.from)/12)
		b := c.bar("fault", f.Begin, f.End)
		b.Y, b.Text, b.Title = axisHeight+row%6*faultHeight, f.Kind, fmt.Sprintf("%s\n%s to %s", f.title(), v.moment(f.Begin), v.moment(f.End))
		c.Faults = append(c.Faults, b)
	}
	c.Height = axisHeight + min(len(rows), 6)*faultHeight + 4
	return c
}

// ticks marks round moments, five to ten of them.
func (c *chart) ticks() {
	step := math.Pow(10, math.Floor(math.Log10((c.to-c.from).Seconds()/2)))
	for (c.to-c.from).Seconds()/step > 10 {
		step *= 2
	}
	first := math.Ceil((c.from - c.verdict.First).Seconds() / step)
	for n := first; n <= first+20; n++ {
		at := c.verdict.First + time.Duration(n*step*float64(time.Second))
		if at > c.to {
			break
		}
		c.Ticks = append(c.Ticks, tick{c.x(at), fmt.Sprintf("%.6g s", n*step)})
	}
}

// x is a moment's place.
func (c *chart) x(at time.Duration) string {
	return fmt.Sprintf("%.4f%%", 100*float64(min(max(at, c.from), c.to)-c.from)/float64(c.to-c.from))
}

// bar makes a bar without a place from top to bottom; one of no length can still be seen.
func (c *chart) bar(class string, from, to time.Duration) bar {
	cut := from < c.from
	from, to = min(max(from, c.from), c.to), min(max(to, c.from), c.to)
	width := 100 * float64(to-from) / float64(c.to-c.from)
	return bar{Class: class, X: c.x(from), Width: fmt.Sprintf("%.4f%%", max(width, 0.08)), Cut: cut}
}

// lane gives the place of a lane, and makes it if there is none of the name.
func (c *chart) lane(name string) int {
	if y, ok := c.laneOf[name]; ok {
		return y
	}
	y := c.Height
	c.Lanes = append(c.Lanes, track{Name: name, Y: y, Height: laneHeight, Striped: len(c.Lanes)%2 == 0})
	c.laneOf[name] = y
	c.Height += laneHeight
	return y
}

// put puts a bar into a lane: inset makes it so much lower than the lane, at both sides.
func (c *chart) put(lane string, inset int, b bar) {
	b.Y, b.Height = c.lane(lane)+inset, laneHeight-2*inset
	c.Bars = append(c.Bars, b)
}

// finish gives the faults their height.
func (c *chart) finish() *chart {
	c.Height += 4
	for i := range c.Faults {
		c.Faults[i].Height = c.Height - c.Faults[i].Y
	}
	return c
}
