import { el, svg, say, setClass, span } from './dom.js';

const width = 300;
const height = 80;

// nice is the next round number, for the top of a scale.
export function nice(n) {
  if (!(n > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(n));
  for (const step of [1, 2, 2.5, 5, 10]) if (step * unit >= n) return step * unit;
  return 10 * unit;
}

// Plot draws series of the points against time, in one box.
export class Plot {
  // series: [{ key, name, colour }]; show makes a text of a value.
  constructor(title, series, show) {
    Object.assign(this, { title, series, show });
    this.now = el('b', {}, '–');
    this.top = el('span', { class: 'top', 'aria-hidden': 'true' });
    this.from = el('span', {});
    this.drawing = svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img' });
    this.drawing.append(svg('line', { class: 'grid', x1: 0, x2: width, y1: height / 2, y2: height / 2 }));
    this.marks = svg('g');
    this.drawing.append(this.marks);
    this.lines = series.map((s) => {
      const area = series.length === 1 ? svg('path', { class: 'area' }) : null;
      const line = svg('path', { class: 'line' });
      for (const path of [area, line]) {
        path?.style.setProperty('--c', s.colour);
        if (path) this.drawing.append(path);
      }
      return { area, line };
    });
    const keys = series.length === 1 ? [] : series.map((s) => {
      const key = el('span', { class: 'key' });
      key.style.setProperty('--c', s.colour);
      return el('span', {}, key, s.name);
    });
    this.node = el('figure', { class: 'plot' }, el('figcaption', {}, el('span', {}, title), this.now),
      el('div', { class: 'box' }, this.drawing, this.top),
      el('div', { class: 'span', 'aria-hidden': 'true' }, this.from, el('span', { class: 'keys' }, ...keys), el('span', {}, 'now')));
    this.drawing.addEventListener('pointermove', (e) => {
      const box = this.drawing.getBoundingClientRect();
      this.hover = (e.clientX - box.left) / box.width;
      this.tell();
    });
    this.drawing.addEventListener('pointerleave', () => { this.hover = undefined; this.tell(); });
  }

  // draw shows points of [begin, end], in milliseconds, and marks there.
  draw(points, begin, end, marks) {
    Object.assign(this, { points, begin, end });
    let most = 0;
    for (const p of points) for (const s of this.series) if (p.at >= begin && p[s.key] > most) most = p[s.key];
    const top = nice(most * 1.05);
    const x = (at) => ((at - begin) / (end - begin)) * width;
    const y = (v) => height - (v / top) * (height - 4);
    this.series.forEach((s, i) => {
      const { line, area } = path(points, s.key, begin, x, y);
      this.lines[i].line.setAttribute('d', line);
      this.lines[i].area?.setAttribute('d', area);
    });
    while (this.marks.childElementCount > marks.length) this.marks.lastChild.remove();
    while (this.marks.childElementCount < marks.length) this.marks.append(svg('line', { y1: 0, y2: height }));
    marks.forEach((m, i) => {
      const line = this.marks.children[i];
      setClass(line, `mark ${m.type}`);
      line.setAttribute('x1', x(m.at));
      line.setAttribute('x2', x(m.at));
    });
    say(this.top, this.show(top));
    say(this.from, `${span((end - begin) / 1000)} ago`);
    this.tell();
    const last = points.at(-1);
    const values = this.series.map((s) => `${s.name} ${this.show(last?.[s.key])}`).join(', ');
    this.drawing.setAttribute('aria-label', `${this.title}, now: ${values}; at most ${this.show(most)} in the last ${span((end - begin) / 1000)}`);
  }

  // tell shows the values of the newest point, or of the one under the pointer.
  tell() {
    let point = this.points?.at(-1);
    if (!point) return;
    let when = '';
    if (this.hover !== undefined) {
      const at = this.begin + this.hover * (this.end - this.begin);
      for (const p of this.points) if (Math.abs(p.at - at) < Math.abs(point.at - at)) point = p;
      when = ` ${span((this.end - point.at) / 1000)} ago`;
    }
    say(this.now, this.series.map((s) => this.show(point[s.key])).join(' / ') + when);
  }
}

// path draws a series; where points are missing, or far apart, it is broken.
function path(points, key, begin, x, y) {
  let line = '';
  let area = '';
  let run = [];
  const close = () => {
    if (run.length > 1) {
      const d = run.map(([px, py]) => `${px.toFixed(1)} ${py.toFixed(1)}`).join('L');
      line += `M${d}`;
      area += `M${run[0][0].toFixed(1)} ${height}L${d}L${run.at(-1)[0].toFixed(1)} ${height}Z`;
    }
    run = [];
  };
  let last;
  for (const p of points) {
    if (p.at < begin) continue;
    if (p[key] === undefined || (last && p.at - last > 15_000)) close();
    if (p[key] !== undefined) run.push([x(p.at), y(p[key])]);
    last = p.at;
  }
  close();
  return { line, area };
}

// Spark is a small line without words, for a cell whose number says the same.
export class Spark {
  constructor() {
    this.values = [];
    this.line = svg('path', { class: 'line' });
    this.node = svg('svg', { class: 'spark', viewBox: '0 0 29 20', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, this.line);
  }

  add(value) {
    this.values.push(value ?? 0);
    if (this.values.length > 30) this.values.shift();
    const top = Math.max(1, ...this.values);
    const from = 30 - this.values.length;
    this.line.setAttribute('d', this.values.map((v, i) => `${i ? 'L' : 'M'}${from + i} ${(19 - (v / top) * 18).toFixed(1)}`).join(''));
  }
}
