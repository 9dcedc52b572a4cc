import { byId, count, el, keyed, paint, rate, say, some, visible, who } from './dom.js';

// showKinds shows how many grains of each kind there are, and on which members.
export function showKinds(state, names) {
  const box = byId('kinds');
  keyed(box, state.kinds, (k) => k.name, make, (node, k) => {
    say(node.guarantee, `${k.guarantee}, ${visible(k.strategy, 40)}`);
    say(node.numbers, `${some(k.active, 'grain')}, ${rate(k.handled)} messages/s`);
    const on = k.on ?? [];
    keyed(node.stack, on, (s) => s.id, (s) => paint(el('i'), s.id), (part, s) => { part.style.flexGrow = s.count; });
    node.on = on;
    node.names = names;
    say(node.summary, `On ${some(on.length, 'member')}; ever activated: ${count(k.activated)}`);
    if (node.details.open) list(node);
  });
  let note = byId('kinds-note');
  if (!note) box.after((note = el('p', { id: 'kinds-note', class: 'quiet' })));
  say(note, state.moreKinds ? `${count(state.moreKinds)} more kinds are not listed.` : state.kinds.length === 0 ? 'No member hosts a kind of grains.' : '');
}

function make(k) {
  const node = el('div', { class: 'kind' });
  node.guarantee = el('span', { class: 'badge' });
  node.numbers = el('span', { class: 'n' });
  node.stack = el('div', { class: 'stack', 'aria-hidden': 'true' });
  node.summary = el('summary');
  node.body = el('tbody');
  node.details = el('details', {}, node.summary, el('div', { class: 'scroll legend' }, el('table', {},
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Member'), el('th', { scope: 'col', class: 'n' }, 'Active grains'))), node.body)));
  node.details.addEventListener('toggle', () => { if (node.details.open) list(node); });
  node.append(el('div', { class: 'top' }, el('strong', {}, visible(k.name, 80)), node.guarantee, node.numbers), node.stack, node.details);
  return node;
}

function list(node) {
  keyed(node.body, node.on, (s) => s.id, (s) => el('tr', {}, el('th', { scope: 'row' }, who(node.names.get(s.id) ?? { id: s.id, address: '' })), el('td', { class: 'n' })),
    (row, s) => say(row.children[1], count(s.count)));
}
