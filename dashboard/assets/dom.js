// What all parts of the page build with. Texts of the cluster become text nodes, and nothing else.

const svgSpace = 'http://www.w3.org/2000/svg';

// el makes an element: attributes first, then children, which are elements or texts.
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgSpace, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

// say changes a text only where it is another one: screen readers and selections stay calm.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setClass(node, text) {
  if ((node.getAttribute('class') ?? '') !== text) node.setAttribute('class', text);
}

// What would not show, or would change how its neighbours show.
// eslint-disable-next-line no-control-regex
const unshown = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/g;

// visible lets a text of the cluster be read: control characters as escapes, and what is too long cut.
export function visible(text, most = 160) {
  const whole = String(text ?? '');
  let cut = whole;
  if (whole.length > most) cut = whole.slice(0, /[\ud800-\udbff]/.test(whole[most - 1]) ? most - 1 : most);
  const shown = cut.replace(unshown, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
  return cut.length < whole.length ? `${shown}… (${count(whole.length)} characters)` : shown;
}

// ends is as visible, but of a long text it keeps both ends: a name may be long and what is said of it comes last.
export function ends(text, most = 400) {
  const whole = String(text ?? '');
  if (whole.length <= most) return visible(whole, most);
  return `${visible(whole.slice(0, most / 2), most)} … ${visible(whole.slice(-most / 2), most)}`;
}

// some counts things, by the word for one of them.
export const some = (n, word) => `${count(n)} ${word}${Number(n) === 1 ? '' : 's'}`;

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

export const count = (n) => (n === undefined || n === null ? '?' : whole.format(n));

// rate shows small numbers with a digit behind the point. What is not known is a dash.
export function rate(n) {
  if (n === undefined || n === null) return '–';
  return n > 0 && n < 10 ? tenth.format(n) : whole.format(n);
}

export function millis(n) {
  if (n === undefined || n === null) return '–';
  if (n >= 1000) return `${tenth.format(n / 1000)} s`;
  return n < 10 ? `${n.toFixed(1)} ms` : `${Math.round(n)} ms`;
}

export function bytes(n) {
  if (!n) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return `${n < 10 && i > 0 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days`;
}

const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

export function clock(at) {
  const when = new Date(at);
  if (Number.isNaN(when.getTime())) return el('span', {}, visible(at, 40));
  return el('time', { datetime: when.toISOString(), title: when.toLocaleString() }, clockFormat.format(when));
}

// colourOf gives each member a colour of its own for as long as it is known.
const colours = new Map();

export function colourOf(id) {
  let i = colours.get(id);
  if (i === undefined) {
    const taken = new Set(colours.values());
    for (i = 0; taken.has(i); ) i++;
    colours.set(id, i);
  }
  return i < 12 ? `var(--m${i})` : `hsl(${Math.round((i * 137.508) % 360)} 52% 55%)`;
}

export function keepColours(ids) {
  for (const id of colours.keys()) if (!ids.has(id)) colours.delete(id);
}

export function paint(node, id) {
  node.style.setProperty('--c', colourOf(id));
  return node;
}

export const dot = (id) => paint(el('span', { class: 'dot', 'aria-hidden': 'true' }), id);

// who names a member, with its colour.
export function who(ref, ...more) {
  return el('span', { class: 'who' }, dot(ref.id), el('span', {}, el('strong', {}, visible(ref.address || ref.id || 'nobody', 80)), ...more));
}

// keyed keeps the children of a parent in step with a list: it makes, updates, orders and removes.
export function keyed(parent, items, key, make, update) {
  const old = new Map();
  for (const child of [...parent.children]) old.set(child.dataset.key, child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const k = key(item);
    let node = old.get(k);
    if (node) {
      old.delete(k);
    } else {
      node = make(item);
      node.dataset.key = k;
    }
    update(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
}
