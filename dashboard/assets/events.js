import { byId, clock, count, el, say, visible } from './dom.js';

// groups are what can be switched off, and what is in them.
const groups = [
  { name: 'Members', types: ['joined', 'left', 'lost', 'leaving'] },
  { name: 'Views and slots', types: ['view', 'slots', 'began'] },
  { name: 'Leases', types: ['lease'] },
  { name: 'Connections', types: ['connection'] },
  { name: 'Other', types: ['missed', 'silent', 'unknown'] },
];
const words = { dead: 'letter', began: 'watching', connection: 'link' };
const tones = { lost: 'bad', silent: 'warn', missed: 'warn', leaving: 'warn', joined: 'good' };
const maxDead = 100;

// Events is the list of what happens, the latest first, and the samples of dead letters.
export class Events {
  constructor(announce) {
    this.announce = announce;
    this.all = [];
    this.dead = [];
    this.most = 300;
    this.off = new Set(['Connections']);
    for (const g of groups) {
      const box = el('input', { type: 'checkbox' });
      box.checked = !this.off.has(g.name);
      box.addEventListener('change', () => {
        if (box.checked) this.off.delete(g.name);
        else this.off.add(g.name);
        this.draw();
      });
      byId('events-filter').append(el('label', {}, box, g.name));
    }
  }

  // begin takes what happened before this page was open.
  begin(events, most) {
    this.most = most;
    this.all = [];
    this.dead = [];
    for (const e of events) this.keep(e);
    this.draw();
  }

  add(e) {
    this.keep(e);
    if (['joined', 'left', 'lost', 'leaving'].includes(e.type)) this.announce(visible(e.text, 200));
    this.pending = true;
  }

  // missed says how much this page has missed: as one entry, as long as nothing else happens.
  missed(n) {
    const at = Date.now();
    const last = this.all[0]?.missed ? this.all.shift() : { missed: 0 };
    const sum = last.missed + n;
    this.keep({ number: `here-${at}-${sum}`, at, type: 'missed', missed: sum, text: `${count(sum)} events were left out, as this page reads too slowly` });
    this.pending = true;
  }

  // flush draws what came since; many events that come at once cost one drawing.
  flush() {
    if (this.pending) this.draw();
  }

  keep(e) {
    const [list, most] = e.type === 'dead' ? [this.dead, maxDead] : [this.all, this.most];
    list.unshift(e);
    if (list.length > most) list.length = most;
  }

  // marks are what plots show of it.
  marks(begin) {
    return this.all.filter((e) => e.at >= begin && (e.type === 'lost' || e.type === 'joined')).slice(0, 20);
  }

  draw() {
    this.pending = false;
    const hidden = new Set(groups.filter((g) => this.off.has(g.name)).flatMap((g) => g.types));
    const shown = this.all.filter((e) => !hidden.has(e.type));
    sync(byId('events'), shown, (e) => el('li', { class: e.type === 'lost' ? 'lost' : null }, clock(e.at),
      el('span', { class: `badge ${tones[e.type] ?? ''}` }, words[e.type] ?? e.type), el('span', {}, visible(stripped(e), 400))));
    say(byId('events-note'), shown.length === 0 ? 'Nothing to show yet.' : shown.length < this.all.length ? `${count(this.all.length - shown.length)} more are switched off.` : '');
    sync(byId('dead').tBodies[0], this.dead, (e) => el('tr', {}, el('td', {}, clock(e.at), el('small', {}, visible(e.from?.address, 60))),
      el('td', {}, visible(e.dead.what, 80), el('small', { class: 'mono' }, visible(e.dead.target, 120)),
        e.dead.count > 1 ? el('small', {}, `${count(e.dead.count)} since the sample before`) : null),
      el('td', {}, visible(e.dead.reason, 160))));
    byId('dead').parentElement.hidden = this.dead.length === 0;
  }
}

// stripped leaves out what the badge says already.
function stripped(e) {
  for (const word of ['joined: ', 'left: ', 'lost: ', 'leaving: ', 'lease: ', 'slots: ']) if (e.text.startsWith(word)) return e.text.slice(word.length);
  return e.text;
}

// sync puts new entries on top and drops old ones below, without touching the others.
function sync(parent, list, make) {
  const keys = new Set(list.map((e) => String(e.number)));
  const have = new Set();
  for (const child of [...parent.children]) {
    if (keys.has(child.dataset.key)) have.add(child.dataset.key);
    else child.remove();
  }
  let place = parent.firstElementChild;
  for (const e of list) {
    const key = String(e.number);
    if (have.has(key)) {
      place = place.nextElementSibling;
      continue;
    }
    const node = make(e);
    node.dataset.key = key;
    parent.insertBefore(node, place);
  }
}
