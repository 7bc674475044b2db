'use strict';
// A life's whole story, in words.

const STAGE_DOES = ['stage 0.5, looking through SuperSlabs for EMPTY slabs',
  "stage 1, the class's list of EMPTY slabs", 'stage 2, an unused slab of a SuperSlab that was there',
  'adoption: another thread had left it behind', 'rebind: an EMPTY slab of another class',
  'stage 3, a SuperSlab mapped for it'];
const ENDS = ['It was in use when the recording ended.',
  'Nothing in it was in use any more: EMPTY, and listed for stage 1.',
  'Nothing in it was in use any more: EMPTY, but not listed; stage 0.5 has to find it.',
  'Its process executed another program.', 'The trace does not show how it ended.'];
const threadName = (tid) => (tid ? `thread ${tid}` : 'an unknown thread');

function tell(k) {
  const {life} = made, lane = made.laneOf[k], ss = superslabOf(lane), cls = life.cls[k];
  const process = processOf(ss.proc), begun = !(life.how[k] & 1), lines = [];
  const owner = report.threads.find((one) => one.owner === life.owner[k] && (!process || one.pid === process.pid));
  lines.push(begun ? `${at(BEGIN + made.begin[k])}: acquired for ${classText(cls)} by ` +
      `${owner ? threadName(owner.tid) : `owner ${life.owner[k]}`}` +
      (life.stage[k] < STAGES.length ? `, found by ${STAGE_DOES[life.stage[k]]}` : '') + '.' :
    `It was in use before the recording began, for ${classText(cls)}.`);
  if (life.from_cls[k] !== NONE && life.from_cls[k] !== cls)
    lines.push(`Before, it was bound to ${classText(life.from_cls[k])}.`);
  const said = [[life.refills[k], `${counted(life.refills[k], 'refill')} took ${counted(life.refilled[k], 'block')}`],
    [life.pushes[k], `other threads freed ${counted(life.pushed[k], 'block')} of it in ${counted(life.pushes[k], 'push', 'pushes')}`],
    [life.drains[k], `its owner fetched ${counted(life.drained[k], 'block')} of those in ${counted(life.drains[k], 'drain')}`]]
    .filter(([number]) => number).map(([, text]) => text);
  if (said.length) lines.push(`${said.join('; ')}.`.replace(/^./, (letter) => letter.toUpperCase()));
  if (life.capacity[k] && life.used_max[k])
    lines.push(`At most ${count(life.used_max[k])} of its ${counted(life.capacity[k], 'block')} were in use.`);
  if (life.spells[k] > 1)
    for (const spell of made.spells.get(lane) || [])
      if (spell.from >= made.begin[k] && spell.from <= made.end[k])
        lines.push(`${at(BEGIN + spell.from)}: ${spell.owner ? `in the hands of ${threadName(spell.tid)}` :
          'published: its thread ended'}, for ${duration(Math.max(0, Math.min(spell.to, made.end[k]) - spell.from))}.`);
  for (const mark of markers)
    if (mark.ss === ss.address && mark.slab === made.lane.slab[lane] &&
        mark.time - BEGIN >= made.begin[k] && mark.time - BEGIN <= (life.how[k] >> 2 ? made.end[k] : SPAN))
      lines.push(`${at(mark.time)}: ${failureWords(mark)}`);
  lines.push(`${life.how[k] >> 2 ? `${at(BEGIN + made.end[k])}: ` : ''}${ENDS[life.how[k] >> 2]}`);
  if (life.purged[k]) lines.push(`${at(BEGIN + made.end[k] + life.purged[k])}: its memory went back to the system.`);
  if (life.unmapped[k]) lines.push(`${at(BEGIN + made.end[k] + life.unmapped[k])}: its SuperSlab was unmapped.`);
  if (life.how[k] & 2) lines.push('Events were lost near it: a part of this may be missing.');
  if (life.merged[k])
    lines.unshift(`${count(life.merged[k] + 1)} short lives are merged here; the slab was ACTIVE for ` +
      `${percent(life.active[k], made.end[k] - made.begin[k])} of the time. What follows is of the last.`);
  return lines;
}

function failureWords(row) {
  const who = threadName(row.tid);
  if (row.kind === 'hdr_reset')
    return `header reset of the block ${row.address}, ${row.got} instead of ${row.expect}, seen by ${who}: somebody wrote to it after its free.`;
  if (row.kind === 'double_free') return `${who} freed the block ${row.address} again.`;
  return `${who} freed ${row.address}, which is no block (${row.why}).`;
}

function showStory() {
  const panel = byId('story'), k = view.selected;
  panel.hidden = k === null || !made;
  if (panel.hidden) return;
  const lane = made.laneOf[k], nth = k - made.firstLife[lane] + 1;
  const total = made.firstLife[lane + 1] - made.firstLife[lane];
  const length = made.end[k] - made.begin[k];
  panel.setAttribute('tabindex', '-1');
  panel.replaceChildren(
    element('h3', {}, `Slab ${laneName(lane)}, life ${count(nth)} of ${count(total)}, generation ${count(made.gen[k])}, ${duration(length)}`),
    element('ol', {}, ...tell(k).map((line) => element('li', {}, line))),
    element('p', {class: 'buttons'},
      element('button', {onclick: () => nth > 1 && selectLife(k - 1)}, 'Life before'),
      element('button', {onclick: () => nth < total && selectLife(k + 1)}, 'Life after'),
      element('button', {onclick: () => setView({from: made.begin[k] - length * 0.2, to: made.end[k] + length * 0.2})}, 'Zoom to it'),
      element('button', {onclick: () => setView({selected: null})}, 'Close')));
}
