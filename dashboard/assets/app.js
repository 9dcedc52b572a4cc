import { byId, count, el, keepColours, keyed, millis, rate, say, setClass, span, visible } from './dom.js';
import { Events } from './events.js';
import { Find } from './find.js';
import { showKinds } from './kinds.js';
import { badge, Members } from './members.js';
import { Plot } from './plot.js';
import { Ring } from './ring.js';
import { listen } from './stream.js';

const shortest = 30_000; // milliseconds that a plot spans at least

// board is all that the page knows. Its lists are bounded by what the server says in its hello.
const board = { points: [], plots: [], state: null, came: new Map(), lastNews: 0, interval: 1000, broken: '' };
const ring = new Ring();
const events = new Events((text) => say(byId('announcer'), text));
let members;
let find;

function hello(h) {
  board.points = h.points;
  board.most = h.limits.points;
  board.interval = h.interval;
  board.hasCalls = h.calls;
  events.begin(h.events, h.limits.events);
  if (!members) {
    members = new Members(h.allowed, operate);
    find = new Find(h.limits.page);
    plots(h.calls);
    byId('foot').textContent = h.allowed.length > 0 ? `Allowed here: ${h.allowed.join(', ')}.` : 'Read-only.';
  }
  heard();
}

function plots(hasCalls) {
  const blue = 'var(--plot)';
  const orange = 'var(--plot2)';
  const add = (...args) => board.plots.push(new Plot(...args));
  if (hasCalls) {
    add('Calls/s', [{ key: 'calls', name: 'answered', colour: blue }, { key: 'failed', name: 'failed', colour: orange }], rate);
    add('Latency', [{ key: 'p50', name: 'median', colour: blue }, { key: 'p99', name: 'p99', colour: orange }], millis);
  }
  add('Messages handled/s', [{ key: 'handled', name: 'all', colour: blue }], rate);
  add('Active grains', [{ key: 'active', name: 'all', colour: blue }], count);
  add('Dead letters/s', [{ key: 'dead', name: 'all', colour: orange }], rate);
  add('Callers that wait for a place', [{ key: 'waiting', name: 'all', colour: orange }], count);
  if (!hasCalls) add('The cluster answers within', [{ key: 'took', name: 'all', colour: blue }], millis);
  byId('plots').append(...board.plots.map((p) => p.node));
  byId('plots-note').textContent = hasCalls
    ? 'Calls and latencies are measured by the program that serves this page.'
    : 'The admin service knows no rates, errors or latencies of calls; a program that measures its own gives them by dashboard.WithCalls. Shown instead: what grains have handled, and how long the members took to answer this page.';
  byId('numbers').addEventListener('toggle', numbers);
}

function heard() {
  board.lastNews = Date.now();
  board.broken = '';
}

function state(s) {
  heard();
  if (s.error) {
    board.error = s.error;
    alarm();
    return;
  }
  board.error = '';
  const now = Date.now();
  const first = !board.state;
  const here = new Set(s.members.map((m) => m.id));
  for (const id of here) if (!board.came.has(id)) board.came.set(id, first ? 0 : now);
  for (const id of board.came.keys()) if (!here.has(id)) board.came.delete(id);
  board.state = s;
  board.points.push(pointOf(s));
  if (board.points.length > board.most) board.points.splice(0, board.points.length - board.most);
  keepColours(new Set([...here, ...(s.gone ?? []).map((g) => g.id)]));
  if (!document.hidden) draw();
}

function pointOf(s) {
  const { totals: t } = s;
  const c = t.calls;
  return {
    at: s.at, handled: t.handled, dead: t.deadRate, active: t.active, waiting: t.waiting, took: s.took, calls: c?.rate, failed: c?.failed,
    p50: c?.p99 > 0 ? c.p50 : undefined, p99: c?.p99 > 0 ? c.p99 : undefined,
  };
}

function draw() {
  const s = board.state;
  if (!s) return;
  const names = new Map([...(s.gone ?? []), ...s.members].map((m) => [m.id, m]));
  const now = Date.now();
  say(byId('cluster'), visible(s.cluster, 80) || 'a cluster without a name');
  say(byId('view'), `view ${s.epoch}, told by ${visible(s.answeredBy.address, 60)} in ${millis(s.took)}`);
  glance(s);
  members.show(s, new Set([...board.came].filter(([, at]) => now - at < 3000).map(([id]) => id)));
  ring.show(s.slots, names);
  showKinds(s, names);
  find.kinds(s.kinds);
  say(byId('dead-sum'), `${count(s.totals.dead)} so far on the members that are there, ${rate(s.totals.deadRate)} a second now.`);
  problems(s);
  events.flush();
  drawPlots(s);
  if (byId('numbers').open) numbers();
  alarm();
}

function drawPlots(s) {
  const oldest = board.points[0]?.at ?? s.at;
  const begin = Math.max(s.at - board.most * board.interval, Math.min(oldest, s.at - shortest));
  const marks = events.marks(begin);
  for (const p of board.plots) p.draw(board.points, begin, s.at, marks);
}

function glance(s) {
  const t = s.totals;
  const tiles = [
    { name: 'members ready', text: `${count(t.ready)}/${count(t.members)}`, tone: t.ready < t.members ? 'warn' : '' },
    { name: 'active grains', text: count(t.active) },
    { name: 'messages/s', text: rate(t.handled) },
  ];
  if (t.calls) {
    tiles.push({ name: 'calls/s', text: rate(t.calls.rate) }, { name: 'failed calls/s', text: rate(t.calls.failed), tone: t.calls.failed > 0 ? 'bad' : '' },
      { name: 'latency, median', text: t.calls.p99 > 0 ? millis(t.calls.p50) : '–', of: t.calls.p99 > 0 ? ` p99 ${millis(t.calls.p99)}` : '' });
  }
  tiles.push({ name: 'dead letters/s', text: rate(t.deadRate), tone: t.deadRate > 0 ? 'warn' : '' });
  if (s.slots && !s.slots.inDatabase) {
    tiles.push({ name: 'slots moving', text: count(t.moving), of: ` of ${count(s.slots.total)}`, tone: t.moving > 0 ? 'warn' : '' });
  }
  keyed(byId('glance'), tiles, (x) => x.name, (x) => el('div', {}, el('dt', {}, x.name), el('dd', {}, el('span'), el('small'))), (node, x) => {
    setClass(node, x.tone ?? '');
    say(node.lastChild.firstChild, x.text);
    say(node.lastChild.lastChild, x.of ?? '');
  });
}

// alarm says in a few words whether all is well, and above all if nothing is known.
function alarm() {
  const [text, tone] = verdict();
  setClass(byId('health'), `health ${tone}`);
  say(byId('health-text'), text);
  const name = board.state ? visible(board.state.cluster, 60) : 'Granary';
  const title = tone === 'good' || tone === '' ? name : `(!) ${name}`;
  if (document.title !== title) document.title = title;
  const quietFor = Date.now() - board.lastNews;
  let banner = '';
  if (board.broken) banner = board.broken;
  else if (board.error) banner = `The cluster does not answer: ${visible(board.error, 400)}`;
  else if (board.lastNews && quietFor > 5000 + 3 * board.interval) banner = `No news for ${span(quietFor / 1000)}: what is shown may be old.`;
  byId('banner').hidden = banner === '';
  say(byId('banner'), banner);
  document.body.classList.toggle('stale', banner !== '');
}

function verdict() {
  const s = board.state;
  if (board.broken || board.error) return ['No news', 'bad'];
  if (!s) return ['Connecting…', ''];
  const lost = (s.gone ?? []).find((g) => g.lost && s.at - g.at < 30_000);
  const recent = lost ? `, ${visible(lost.address, 40)} lost ${span((s.at - lost.at) / 1000)} ago` : '';
  const t = s.totals;
  if (t.silent > 0) return [`${count(t.silent)} ${t.silent === 1 ? 'member gives' : 'members give'} no answer${recent}`, 'bad'];
  const unready = s.members.filter((m) => badge(m)[1] !== 'good').length;
  if (unready > 0) return [`${count(unready)} ${unready === 1 ? 'member is' : 'members are'} not ready or leaving${recent}`, 'warn'];
  if (t.moving > 0) return [`Slots are on their way${recent}`, 'warn'];
  return [`${t.members === 1 ? 'The only member is' : `All ${count(t.members)} members are`} ready${recent}`, lost ? 'warn' : 'good'];
}

function problems(s) {
  const list = (s.problems ?? []).map((p) => `${p.member ? visible(p.member.address || p.member.id, 80) + ': ' : ''}${visible(p.why, 300)}`);
  if (s.moreProblems) list.push(`and ${count(s.moreProblems)} more`);
  byId('problems').hidden = list.length === 0;
  keyed(byId('problems').lastElementChild, list, (text) => text, (text) => el('li', {}, text), () => {});
}

function numbers() {
  if (!byId('numbers').open) return;
  const head = el('tr', {}, el('th', { scope: 'col' }, 'When'), ...board.plots.flatMap((p) => p.series.map((x) =>
    el('th', { scope: 'col', class: 'n' }, p.series.length > 1 ? `${p.title}, ${x.name}` : p.title))));
  const rows = board.points.slice(-12).reverse().map((point) => el('tr', {}, el('th', { scope: 'row' }, `${span((board.state.at - point.at) / 1000)} ago`),
    ...board.plots.flatMap((p) => p.series.map((x) => el('td', { class: 'n' }, p.show(point[x.key]))))));
  byId('numbers').querySelector('table').replaceChildren(el('thead', {}, head), el('tbody', {}, ...rows));
}

// The dialog tells of its end a moment after it has closed: until then there is an answer to come, and nothing else is asked.
let asking = false;

async function operate(operation, member) {
  if (asking) return;
  const words = operation === 'drain'
    ? ['Drain', 'It takes nothing new from then on; the grains that it has go on. There is no way back but to start its process anew.']
    : ['Leave', 'Its grains stop gracefully and begin elsewhere when they are called, and the member leaves the cluster.'];
  say(byId('confirm-title'), `${words[0]}: ${visible(member.address, 80)}?`);
  say(byId('confirm-text'), words[1]);
  say(byId('confirm-yes'), words[0]);
  const dialog = byId('confirm');
  dialog.returnValue = '';
  dialog.showModal();
  asking = true;
  await new Promise((done) => dialog.addEventListener('close', done, { once: true }));
  asking = false;
  if (dialog.returnValue !== 'yes') return;
  try {
    const response = await fetch('api/operate', {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ operation, member: member.id }),
    });
    const answer = await response.json();
    say(byId('announcer'), visible(answer.done ?? answer.error, 300));
    events.add({ number: `here-${Date.now()}`, at: Date.now(), type: answer.done ? 'leaving' : 'missed', text: answer.done ?? `${operation} failed: ${answer.error}` });
  } catch (error) {
    say(byId('announcer'), `${operation} failed: ${visible(error.message, 200)}`);
  }
}

listen('api/stream', {
  hello,
  state,
  event(e) {
    heard();
    events.add(e);
  },
  missed(m) {
    heard();
    events.missed(m.count);
  },
  broken(why, seconds) {
    board.broken = `${visible(why, 300)}. Trying again in ${seconds} s; what is shown may be old.`;
    alarm();
  },
});
setInterval(() => { if (!document.hidden) alarm(); }, 1000);
document.addEventListener('visibilitychange', () => { if (!document.hidden) draw(); });
