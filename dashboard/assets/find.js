import { byId, clock, count, el, ends, keyed, rate, say, setClass, some, visible, who } from './dom.js';

// Find looks for grains: it explains one, or lists them a page at a time.
export class Find {
  constructor(page) {
    this.page = page;
    this.turn = 0;
    byId('find').addEventListener('submit', (e) => {
      e.preventDefault();
      this.explain(byId('find-kind').value, byId('find-identity').value);
    });
    byId('find-list').addEventListener('click', () => this.list({}));
    byId('find-busy').addEventListener('click', () => this.list({ busiest: '1' }));
  }

  // kinds offers the kinds that there are.
  kinds(kinds) {
    const names = kinds.map((k) => k.name);
    const text = JSON.stringify(names);
    if (text === this.offered) return;
    this.offered = text;
    const select = byId('find-kind');
    const chosen = select.value;
    select.replaceChildren(...names.map((name) => {
      const option = el('option', {}, visible(name, 60));
      option.value = name;
      return option;
    }));
    if (names.includes(chosen)) select.value = chosen;
  }

  // ask shows an answer, unless something else was asked meanwhile.
  async ask(path, query, show) {
    const turn = ++this.turn;
    this.said('Asking the cluster…');
    byId('found').setAttribute('aria-busy', 'true');
    let answer;
    try {
      const response = await fetch(`${path}?${new URLSearchParams(query)}`, { cache: 'no-store' });
      answer = await response.json();
      if (!response.ok) throw new Error(answer.error ?? `status ${response.status}`);
    } catch (error) {
      if (turn === this.turn) {
        byId('found').replaceChildren();
        this.said(visible(error.message, 500), true);
      }
      return;
    } finally {
      if (turn === this.turn) byId('found').removeAttribute('aria-busy');
    }
    if (turn === this.turn) show(answer);
  }

  said(text, bad = false) {
    setClass(byId('find-said'), bad ? 'quiet bad' : 'quiet');
    say(byId('find-said'), text);
  }

  explain(kind, identity) {
    if (!identity) {
      this.said('Write the identity of a grain; List shows those that are active.', true);
      byId('find-identity').focus();
      return;
    }
    this.ask('api/explain', { kind, identity }, (a) => {
      this.said(ends(a.summary, 400));
      byId('found').replaceChildren(...explanation(a));
    });
  }

  list(more) {
    const query = { kind: byId('find-kind').value, prefix: byId('find-identity').value, limit: more.busiest ? 20 : this.page, ...more };
    this.ask('api/grains', query, (a) => {
      const n = a.grains.length;
      this.said(more.busiest ? `The ${count(n)} grains that handled the most messages lately, of ${count(a.active)} that are active.`
        : `${count(n)} grains${more.after ? ' further on' : ''}, of ${count(a.active)} that are active.`);
      byId('found').replaceChildren(this.table(a, more.busiest), ...problems(a.problems));
      if (a.next) {
        const button = el('button', { type: 'button' }, 'Next page');
        button.addEventListener('click', () => this.list({ after: a.next }));
        byId('found').append(el('p', { class: 'buttons' }, button));
      }
    });
  }

  table(a, busiest) {
    const body = el('tbody');
    keyed(body, a.grains, (g) => `${g.kind}/${g.identity}@${g.member.id}`, (g) => {
      const button = el('button', { type: 'button', class: 'link' }, visible(g.identity, 120));
      button.addEventListener('click', () => {
        byId('find-kind').value = g.kind;
        byId('find-identity').value = g.identity;
        this.explain(g.kind, g.identity);
      });
      return el('tr', {}, el('th', { scope: 'row' }, button), el('td', {}, visible(g.kind, 60)), el('td', {}, who(g.member)),
        el('td', { class: 'n' }, count(g.handled)), busiest ? el('td', { class: 'n' }, rate(g.rate)) : null);
    }, () => {});
    const head = ['Identity', 'Kind', 'Member', 'Handled', ...(busiest ? ['Messages/s'] : [])];
    return el('div', { class: 'scroll', role: 'region', 'aria-label': 'Grains', tabindex: 0 }, el('table', {},
      el('thead', {}, el('tr', {}, ...head.map((text, i) => el('th', { scope: 'col', class: i > 2 ? 'n' : '' }, text)))), body));
  }
}

const named = (m) => (m ? visible(m.address ? `${m.address} (${m.id})` : m.id, 120) : 'nobody');

// explanation shows what cluster.Explanation has, as steps from the identity to its host.
function explanation(a) {
  const e = a.explanation;
  const steps = el('ol', { class: 'steps' });
  const step = (title, ...lines) => steps.append(el('li', {}, el('b', {}, title), el('p', { class: 'quiet' }, lines.filter(Boolean).join('; '))));
  if (e.store) {
    step('A database has its place', e.store.entry ? `entry: ${visible(JSON.stringify(e.store.entry), 400)}` : 'there is no entry');
  } else {
    step(`Its identity falls into slot ${count(e.slot)}`, `by the view ${e.epoch}; members: ${count(e.members)}, and of them take grains of its kind: ${count(e.hosting)}`);
  }
  if (e.owner) {
    const o = e.owner;
    step(`The slot's owner is ${named(o.member)}`, `the slot is ${o.state}, in term ${o.term}`, o.waiting ? `${count(o.waiting)} wait for the slot` : '',
      o.missingCount ? `promises missing: ${count(o.missingCount)}` : '', o.losers ? `${count(o.losers)} older activations were told to stop` : '');
    if (o.entry) {
      step(`Its table has it: ${o.entry.phase} to ${named(o.entry.host)}`, `token ${visible(o.entry.token, 60)}`, o.entry.waiting ? `${count(o.entry.waiting)} wait for it` : '',
        o.entry.asking ? 'the host is being asked' : '', o.entry.silent ? 'the host is silent' : '');
    } else {
      step('Its table does not have it', 'it is not active; the next call activates it');
    }
  }
  for (const h of e.hosts ?? []) {
    step(`${named(h.member)} ${h.phase ? `has it: ${h.phase}` : 'does not have it'}`, h.token ? `token ${visible(h.token, 60)}` : '', h.lease ? `lease ${h.lease}` : '',
      h.leaving ? 'it takes nothing new' : '', h.notices ? `${count(h.notices)} ends not acknowledged` : '');
  }
  for (const s of e.silent ?? []) step(`${named(s.member)} gave no answer`, `asked as ${s.role}: ${visible(s.why, 300)}`);
  const calls = a.grain ? `It has handled ${some(a.grain.handled, 'message')} since it was activated.` : 'It is not among the active grains.';
  const raw = el('details', {}, el('summary', {}, 'All of it, as JSON'), el('pre', { tabindex: 0 }, visible(JSON.stringify(e, null, 1), 100_000).replaceAll('\\u000a', '\n')));
  return [steps, ...past(e.history), el('h3', {}, 'Calls'), el('p', {}, calls),
    el('p', { class: 'quiet' }, 'The admin service counts what a grain has handled; it records no single calls, so that they cannot be listed here.'), ...problems(a.problems), raw];
}

function past(history) {
  if (!history?.length) return [];
  const rows = history.map((t) => el('tr', {}, el('td', {}, clock(t.at)), el('td', {}, `${t.role} ${named(t.by)}`), el('td', {}, visible(t.what, 120)),
    el('td', {}, visible(t.why ?? '', 200)), el('td', { class: 'mono' }, visible(t.token ?? '', 40))));
  return [el('h3', {}, 'What happened to it and its slot'), el('div', { class: 'scroll', role: 'region', 'aria-label': 'History', tabindex: 0 }, el('table', {},
    el('thead', {}, el('tr', {}, ...['When', 'Told by', 'What', 'Why', 'Token'].map((text) => el('th', { scope: 'col' }, text)))), el('tbody', {}, ...rows)))];
}

function problems(list) {
  if (!list?.length) return [];
  return [el('div', { class: 'problems' }, el('h3', {}, 'Not told'), el('ul', {}, ...list.map((p) => el('li', {}, `${p.member ? named(p.member) + ': ' : ''}${visible(p.why, 300)}`))))];
}
