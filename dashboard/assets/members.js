import { bytes, byId, count, el, keyed, paint, rate, say, setClass, span, visible, who } from './dom.js';
import { Spark } from './plot.js';

const columns = [
  { name: 'Member', key: (m) => m.place, full: true },
  { name: 'State', key: (m) => m.trouble },
  { name: 'Up', key: (m) => m.up, n: true },
  { name: 'Grains', key: (m) => m.active, n: true },
  { name: 'Messages/s', key: (m) => m.handled ?? -1, n: true },
  { name: 'Waiting', key: (m) => m.waiting, n: true },
  { name: 'Slots', key: (m) => m.slots, n: true },
  { name: 'Lease', key: (m) => m.lease ?? '' },
  { name: 'Heap', key: (m) => m.heap, n: true },
];

// Members is the table of the members, those among them that are gone, and what can be done to them.
export class Members {
  constructor(allowed, operate) {
    this.allowed = allowed;
    this.operate = operate;
    this.sort = { column: columns[0], down: false };
    this.rows = new Map(); // by id: the cells of a row, and its spark
    this.body = byId('members').tBodies[0];
    const head = el('tr', { role: 'row' });
    for (const column of columns) {
      const button = el('button', { type: 'button' }, column.name);
      const th = el('th', { scope: 'col', role: 'columnheader', class: column.n ? 'n' : '' }, button);
      button.addEventListener('click', () => {
        this.sort = { column, down: this.sort.column === column ? !this.sort.down : Boolean(column.n) };
        for (const other of head.children) other.removeAttribute('aria-sort');
        th.setAttribute('aria-sort', this.sort.down ? 'descending' : 'ascending');
        this.draw();
      });
      head.append(th);
    }
    if (allowed.length > 0) head.append(el('th', { scope: 'col', role: 'columnheader' }, 'Do'));
    byId('members').tHead.replaceChildren(head);
    byId('filter').addEventListener('input', () => this.draw());
  }

  show(state, fresh) {
    this.state = state;
    this.fresh = fresh;
    for (const m of state.members) {
      m.place = state.members.indexOf(m);
      m.trouble = m.answered ? (m.ready ? (m.state === 'active' ? 0 : 1) : 2) : 3;
      this.row(m).spark.add(m.handled);
    }
    const known = new Set([...state.members, ...(state.gone ?? [])].map((m) => m.id));
    for (const id of this.rows.keys()) if (!known.has(id)) this.rows.delete(id);
    byId('filter-box').hidden = state.members.length <= 12 && byId('filter').value === '';
    this.draw();
  }

  draw() {
    if (!this.state) return;
    const text = byId('filter').value.toLowerCase();
    const shown = this.state.members.filter((m) => !text || [m.id, m.address, m.state, badge(m)[0], ...(m.labels ?? [])].join(' ').toLowerCase().includes(text));
    const { column, down } = this.sort;
    shown.sort((a, b) => {
      const [x, y] = [column.key(a), column.key(b)];
      return (x < y ? -1 : x > y ? 1 : a.place - b.place) * (down ? -1 : 1);
    });
    const most = Math.max(1, ...this.state.members.map((m) => m.active));
    keyed(this.body, [...shown, ...(text ? [] : this.state.gone ?? [])], (m) => m.id, (m) => this.row(m).node, (_, m) => this.update(m, most));
    const notes = [];
    if (text) notes.push(`${count(shown.length)} of ${count(this.state.members.length)} members are shown`);
    if (this.state.moreMembers) notes.push(`${count(this.state.moreMembers)} more members are counted above and not listed here`);
    say(byId('members-note'), notes.join('; '));
  }

  row(m) {
    let row = this.rows.get(m.id);
    if (row) return row;
    row = { spark: new Spark(), cells: {} };
    const cell = (column, ...content) => {
      const name = column.full ? 'th' : 'td';
      const node = el(name, {
        class: [column.n ? 'n' : '', column.full ? 'full' : ''].join(' ').trim(), role: column.full ? 'rowheader' : 'cell',
        scope: column.full ? 'row' : null, 'data-label': column.full ? null : column.name,
      }, ...content);
      row.cells[column.name] = node;
      return node;
    };
    const [member, state, up, grains, messages, ...others] = columns;
    row.badge = el('span', { class: 'badge' });
    row.why = el('small');
    row.up = el('span');
    row.grains = el('span');
    row.bar = el('i');
    row.rate = el('span');
    row.more = others.map(() => el('span'));
    row.labels = el('small');
    row.node = paint(el('tr', { role: 'row' },
      cell(member, who(m, el('small', { class: 'mono' }, visible(m.id, 40)), row.labels)), cell(state, row.badge, row.why), cell(up, row.up),
      cell(grains, row.grains, el('span', { class: 'meter', 'aria-hidden': 'true' }, row.bar)),
      cell(messages, el('span', { class: 'rate' }, row.rate, row.spark.node)), ...others.map((c, i) => cell(c, row.more[i]))), m.id);
    if (this.allowed.length > 0) {
      row.actions = el('td', { role: 'cell', class: 'full' }, el('span', { class: 'buttons' }, ...this.allowed.map((op) => {
        const button = el('button', { type: 'button', class: 'small', 'aria-label': `${op} ${visible(m.address, 80)}` }, op === 'drain' ? 'Drain' : 'Leave');
        button.addEventListener('click', () => this.operate(op, m));
        return button;
      })));
      row.node.append(row.actions);
    }
    this.rows.set(m.id, row);
    return row;
  }

  update(m, most) {
    const row = this.row(m);
    if (m.at) { // it is gone
      const ago = span((this.state.at - m.at) / 1000);
      setClass(row.node, m.lost ? 'gone lost' : 'gone');
      setClass(row.badge, m.lost ? 'badge bad' : 'badge');
      say(row.badge, m.lost ? 'lost' : 'left');
      say(row.why, `${ago} ago`);
      for (const node of [row.up, row.grains, row.rate, ...row.more]) say(node, '–');
      row.bar.style.width = '0';
      row.spark.node.setAttribute('visibility', 'hidden');
      if (row.actions) row.actions.firstChild.hidden = true;
      return;
    }
    const [word, tone] = badge(m);
    setClass(row.node, this.fresh.has(m.id) ? 'fresh' : '');
    setClass(row.badge, `badge ${tone}`);
    say(row.badge, word);
    say(row.why, visible((m.unready ?? []).join('; '), 200));
    say(row.labels, visible((m.labels ?? []).join('  '), 160));
    const told = (text) => (m.answered ? text : '?');
    say(row.up, told(span(m.up)));
    say(row.grains, told(count(m.active)));
    row.bar.style.width = `${(100 * m.active) / most}%`;
    say(row.rate, told(rate(m.handled)));
    const lease = m.lease ?? '?';
    const texts = [told(count(m.waiting)), count(m.slots) + (m.moving ? ` (${count(m.moving)} moving)` : ''), lease, told(bytes(m.heap))];
    texts.forEach((text, i) => say(row.more[i], text));
    setClass(row.more[2], lease === 'valid' ? '' : 'badge ' + (lease === 'fenced' ? 'bad' : 'warn'));
  }
}

// badge says in a word how a member is.
export function badge(m) {
  if (!m.answered) return ['no answer', 'bad'];
  if (m.state === 'leaving') return ['leaving', 'warn'];
  if (!m.ready) return ['not ready', 'warn'];
  return m.state === 'active' ? ['ready', 'good'] : [visible(m.state, 30), 'warn'];
}
