// The stream of server-sent events, read by fetch: unlike EventSource that tells why it was refused.

const silence = 25_000; // milliseconds without a word before it begins anew
const firstPause = 1_000;
const lastPause = 15_000;

// listen calls on[name](data) for each event, and on.broken(why, seconds) when it has to begin anew. It never ends.
export async function listen(url, on) {
  for (let pause = firstPause; ; pause = Math.min(pause * 2, lastPause)) {
    let why;
    try {
      await read(url, on, () => { pause = firstPause; });
      why = 'the stream has ended';
    } catch (error) {
      why = error.name === 'AbortError' ? 'nothing came for a while' : error.message;
    }
    on.broken(why, Math.round(pause / 1000));
    await new Promise((done) => setTimeout(done, pause));
  }
}

async function read(url, on, began) {
  const ender = new AbortController();
  let timer = setTimeout(() => ender.abort(), silence);
  try {
    const response = await fetch(url, { signal: ender.signal, cache: 'no-store', headers: { Accept: 'text/event-stream' } });
    if (!response.ok) throw new Error((await response.text()).slice(0, 500).trim() || `status ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => ender.abort(), silence);
      rest += value;
      const parts = rest.split('\n\n');
      rest = parts.pop();
      if (rest.length > 16_000_000) throw new Error('an event without end');
      for (const part of parts) dispatch(part, on);
      if (parts.length > 0) began();
    }
  } finally {
    clearTimeout(timer);
    ender.abort();
  }
}

function dispatch(text, on) {
  let name = '';
  let data = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  if (name !== 'broken' && Object.hasOwn(on, name)) on[name](JSON.parse(data));
}
