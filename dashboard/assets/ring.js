import { byId, count, el, keyed, paint, say, svg, who } from './dom.js';

const tau = 2 * Math.PI;
const outer = 98;
const inner = 66;

// Ring shows who owns how many slots, and how many of them are on their way.
export class Ring {
  constructor() {
    this.arcs = svg('g');
    this.hatched = svg('g');
    this.number = svg('text', { x: 0, y: 4 });
    this.words = svg('text', { x: 0, y: 22, class: 'sub' });
    this.drawing = svg('svg', { viewBox: '-100 -100 200 200', role: 'img' },
      svg('defs', {}, svg('pattern', { id: 'hatch', width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, svg('path', { d: 'M0 0V7' }))),
      svg('path', { class: 'track', d: arc(0, 0.99999) }), this.arcs, this.hatched, this.number, this.words);
    byId('ring').append(this.drawing);
    this.body = el('tbody');
    byId('owners').append(el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Owner'), el('th', { scope: 'col', class: 'n' }, 'Slots'),
      el('th', { scope: 'col', class: 'n' }, 'Moving'))), this.body);
  }

  show(slots, names) {
    if (!slots || slots.inDatabase) {
      byId('ring').hidden = true;
      byId('owners').hidden = true;
      say(byId('slots-note'), slots ? 'There are no slots: a database keeps where grains are.' : 'The slots were not told.');
      return;
    }
    const owners = slots.owners ?? [];
    const text = JSON.stringify([slots, owners.map((o) => names.get(o.id)?.address)]);
    if (text === this.drawn) return;
    this.drawn = text;
    this.drawArcs(slots, owners);
    const ref = (o) => names.get(o.id) ?? { id: o.id, address: '' };
    keyed(this.body, owners, (o) => o.id, (o) => el('tr', {}, el('th', { scope: 'row' }, who(ref(o))), el('td', { class: 'n' }), el('td', { class: 'n' })), (row, o) => {
      say(row.children[1], count(o.count));
      say(row.children[2], count(o.moving ?? 0));
    });
  }

  drawArcs(slots, owners) {
    const total = Math.max(1, slots.total);
    let from = 0;
    const arcs = [];
    const hatched = [];
    for (const o of owners) {
      const to = from + o.count / total;
      if (o.count > 0) arcs.push({ id: o.id, d: arc(from, to) });
      // What moves to an owner counts as its own already.
      if (o.moving) hatched.push({ id: o.id, d: arc(Math.max(from, to - o.moving / total), to) });
      from = to;
    }
    const put = (node, a) => node.setAttribute('d', a.d);
    keyed(this.arcs, arcs, (a) => a.id, (a) => paint(svg('path', { class: 'arc' }), a.id), put);
    keyed(this.hatched, hatched, (a) => a.id, () => svg('path', { class: 'moving' }), put);
    say(this.number, count(slots.moving > 0 ? slots.moving : slots.total - slots.nobody));
    say(this.words, slots.moving > 0 ? 'slots on their way' : 'slots owned');
    this.drawing.setAttribute('aria-label',
      `${count(slots.total - slots.nobody)} of ${count(slots.total)} slots have an owner, ${count(owners.length)} owners; ${count(slots.moving)} are on their way. The table beside it has the numbers.`);
  }
}

// arc is a piece of the ring, from one fraction of the turn to another.
function arc(from, to) {
  const end = Math.min(to, from + 0.99999);
  const [a, b] = [from * tau - tau / 4, end * tau - tau / 4];
  const big = end - from > 0.5 ? 1 : 0;
  const at = (r, angle) => `${(r * Math.cos(angle)).toFixed(2)} ${(r * Math.sin(angle)).toFixed(2)}`;
  return `M${at(outer, a)}A${outer} ${outer} 0 ${big} 1 ${at(outer, b)}L${at(inner, b)}A${inner} ${inner} 0 ${big} 0 ${at(inner, a)}Z`;
}
