'use strict';
// The packed lives, unpacked and made into intervals: what a slab was, from when to when.

const STATE = {ACTIVE: 0, LISTED: 1, UNLISTED: 2, PURGED: 3, PUBLISHED: 4, BEFORE: 5, UNSEEN: 6};
const STATE_KEYS = ['active', 'listed', 'unlisted', 'purged', 'published', 'before', 'unseen'];
const STATE_WORDS = ['ACTIVE', 'EMPTY, listed for stage 1', 'EMPTY, not listed',
  'EMPTY, memory given back', 'published, waits for an adopter', 'ACTIVE since before the recording',
  'not known'];
const ENDED = ['live', 'listed', 'unlisted', 'exec', 'unseen'];
const ESCAPE = 0xffffffff;

// The counterpart of hak.packing: {column: numbers}.
async function unpack(packed) {
  const raw = Uint8Array.from(atob(packed.gzip), (letter) => letter.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream('gzip'));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const found = {};
  let place = 0;
  for (const {name, count: rows, bytes: width, large} of packed.columns) {
    if (width === 1) {
      found[name] = planes.subarray(place, place + rows);
    } else {
      const [a, b, c, d] = [0, 1, 2, 3].map((plane) => place + plane * rows);
      const values = large.length ? new Float64Array(rows) : new Uint32Array(rows);
      let next = 0;
      for (let i = 0; i < rows; i++) {
        const value = (planes[a + i] | planes[b + i] << 8 | planes[c + i] << 16 |
          planes[d + i] << 24) >>> 0;
        values[i] = value === ESCAPE && large.length ? large[next++] : value;
      }
      found[name] = values;
    }
    place += width * rows;
  }
  return found;
}

// life: a row each. Lane i has lives firstLife[i] … firstLife[i + 1], intervals first[i] … first[i + 1].
async function readLanes() {
  const [lane, life] = await Promise.all([unpack(data.lanes.lanes), unpack(data.lanes.life)]);
  const lanes = lane.count.length, lives = life.how.length;
  const begin = new Float64Array(lives), end = new Float64Array(lives), gen = new Uint32Array(lives);
  const laneOf = new Uint32Array(lives), firstLife = new Uint32Array(lanes + 1);
  const spells = spellsByLane(lane);
  const room = 4 * lives + 2 * data.lanes.spells.length + 1;
  const made = {lanes, lives, lane, life, begin, end, gen, laneOf, firstLife, spells,
    first: new Uint32Array(lanes + 1), from: new Float64Array(room), to: new Float64Array(room),
    state: new Uint8Array(room), of: new Uint32Array(room), intervals: 0};
  let next = 0;
  for (let i = 0; i < lanes; i++) {
    const ss = data.lanes.superslabs[lane.superslab[i]];
    const gone = ss.unmapped === null ? SPAN : Math.min(SPAN, ss.unmapped - BEGIN);
    firstLife[i] = next;
    made.first[i] = made.intervals;
    let time = 0, last = 0;
    for (let k = 0; k < lane.count[i]; k++, next++) {
      begin[next] = time + life.wait[next];
      end[next] = time = begin[next] + life.length[next];
      gen[next] = last = last + life.gen[next] & 0x7fffffff;
      laneOf[next] = i;
    }
    for (let k = firstLife[i]; k < next; k++)
      addIntervals(made, i, k, k + 1 < next ? begin[k + 1] : gone);
  }
  firstLife[lanes] = next;
  made.first[lanes] = made.intervals;
  return made;
}

function spellsByLane(lane) {
  const found = new Map(), index = new Map();
  for (let i = 0; i < lane.count.length; i++) index.set(`${lane.superslab[i]} ${lane.slab[i]}`, i);
  for (const [ss, slab, from, to, owner, tid] of data.lanes.spells) {
    const i = index.get(`${ss} ${slab}`);
    if (i === undefined) continue;
    if (!found.has(i)) found.set(i, []);
    found.get(i).push({from: from === null ? 0 : from - BEGIN, to: to === null ? SPAN : to - BEGIN,
      owner, tid});
  }
  return found;
}

function addIntervals(made, lane, k, until) {
  const {life, begin, end} = made, ended = life.how[k] >> 2;
  const add = (from, to, state) => {
    if (to <= from) return;
    const n = made.intervals++;
    made.from[n] = from;
    made.to[n] = to;
    made.state[n] = state;
    made.of[n] = k;
  };
  if (ended === 4) {   // its end is not in the trace: it is only known when it began
    add(begin[k], until, STATE.UNSEEN);
    return;
  }
  // What lived when the recording ended lives to its end.
  const stop = ended === 0 ? Math.max(end[k], until) : end[k];
  if (ended === 0) end[k] = stop;
  let time = begin[k];
  const state = life.how[k] & 1 ? STATE.BEFORE : STATE.ACTIVE;
  if (life.spells[k] > 1)
    for (const spell of made.spells.get(lane) || [])
      if (spell.owner === 0 && spell.from >= time && spell.from < stop) {
        add(time, spell.from, state);
        add(spell.from, Math.min(stop, spell.to), STATE.PUBLISHED);
        time = Math.min(stop, spell.to);
      }
  add(time, stop, state);
  if (ended === 0 || ended === 3) return;
  const purged = life.purged[k] ? end[k] + life.purged[k] : Infinity;
  const gone = life.unmapped[k] ? end[k] + life.unmapped[k] : Infinity;
  const empty = Math.min(until, gone);
  add(stop, Math.min(purged, empty), ended === 1 ? STATE.LISTED : STATE.UNLISTED);
  add(Math.max(stop, purged), empty, STATE.PURGED);
}
