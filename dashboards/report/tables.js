'use strict';
// What is told in tables.

// columns: [title, row -> value, 'number' or '']; a value may be an element.
function table(where, title, list, columns, empty = null) {
  if (!list.length && empty === null) return;
  where.append(element('h3', {}, title));
  if (!list.length) {
    where.append(element('p', {class: 'dim'}, empty));
    return;
  }
  const rowsShown = list.slice(0, 100);
  where.append(element('div', {class: 'wide'}, element('table', {},
    element('thead', {}, element('tr', {}, ...columns.map(([name, , kind]) => element('th', {class: kind || '', scope: 'col'}, name)))),
    element('tbody', {}, ...rowsShown.map((row) => element('tr', {}, ...columns.map(([, value, kind]) =>
      element('td', {class: kind || ''}, value(row) ?? ''))))))));
  if (list.length > rowsShown.length)
    where.append(element('p', {class: 'dim'}, `The first ${rowsShown.length} of ${count(list.length)}; hak report --json has the rest.`));
}
const tablesIn = (id) => document.querySelector(`#${id} .tables`);
const number = (value) => (value === null || value === undefined ? '' : count(value));

function momentLink(text, where) {
  return element('a', {href: `#${where.section || 'lanes'}`, onclick: (event) => { event.preventDefault(); goTo(where); }}, text);
}

// Where the memory of a process went, when it was largest and last.
function splitTable(where, one) {
  const all = {...one.largest.parts, file: 0};
  const part = (told, name) => (name === 'file' ? told.file : told.parts[name]);
  table(where, `Where the memory of ${one.pid} ${one.name} went`, Object.keys(all).filter((name) => part(one.largest, name) || part(one.last, name)), [
    ['part', (name) => name.replace('_', ' ')], ['what it is', (name) => (name === 'file' ? one.file : one.parts[name])],
    ...[['largest', one.largest], ['last', one.last]].flatMap(([when, told]) => [
      [`${when}, at ${at(told.time)}`, (name) => bytes(part(told, name)), 'number'],
      ['of RSS', (name) => percent(part(told, name), told.rss), 'number'],
      ['off by', (name) => (told.errors[name] ? bytes(told.errors[name]) : ''), 'number']])]);
}

function tabulate() {
  const stages = tablesIn('stages');
  table(stages, 'Outcomes', STAGES.map((stage, i) => ({stage, i, outcomes: report.stage_outcomes[stage]})), [
    ['stage', (row) => STAGE_NAMES[row.i]], ['served', (row) => number(report.stages[row.stage]), 'number'],
    ['share', (row) => percent(report.stages[row.stage], report.acquires), 'number'],
    ['mean time of a try', (row) => duration(report.stage_ns[row.stage]), 'number'],
    ['outcomes', (row) => Object.entries(row.outcomes).map(([name, times]) => `${name} ${count(times)}`).join(', ')]]);
  table(stages, 'Classes', Object.entries(report.classes).filter(([, one]) => one.acquires || one.carried), [
    ['class', ([cls]) => momentLink(classText(Number(cls)), {cls: Number(cls)})],
    ['acquires', ([, one]) => number(one.acquires), 'number'],
    ...STAGES.map((stage, i) => [STAGE_NAMES[i], ([, one]) => percent(one.stages[stage], one.acquires), 'number']),
    ['peak', ([, one]) => number(one.live_peak), 'number'], ['cap', ([, one]) => (one.cap ? number(one.cap) : 'none'), 'number'],
    ['refused', ([, one]) => number(one.shared_fail), 'number'], ['legacy', ([, one]) => number(one.legacy), 'number'],
    ['median life', ([, one]) => (one.lifetime ? duration(one.lifetime.p50) : ''), 'number']]);

  const memory = tablesIn('memory');
  for (const one of report.split) splitTable(memory, one);
  table(memory, 'Layers', report.memory.filter((row) => row.peak), [
    ['process', (row) => row.pid, 'number'], ['layer', (row) => row.layer], ['peak', (row) => bytes(row.peak), 'number'],
    ['at the end', (row) => bytes(row.mapped), 'number'], ['maps', (row) => number(row.maps), 'number'],
    ['unmaps', (row) => number(row.unmaps), 'number'], ['purges', (row) => number(row.purges), 'number'],
    ['given back by purges', (row) => bytes(row.purge_bytes), 'number']]);
  table(memory, 'Pressure', report.pressure, [
    ['time', (row) => at(row.time), 'number'], ['process', (row) => row.pid, 'number'], ['limit', (row) => row.what],
    ['used', (row) => `${bytes(row.used)} of ${bytes(row.limit)}, ${row.percent} %`, 'number'], ['RSS', (row) => bytes(row.rss), 'number']]);
  table(memory, 'State dumps', report.dumps, [
    ['time', (row) => at(row.begin), 'number'], ['process', (row) => row.pid, 'number'], ['why', (row) => row.why],
    ['RSS', (row) => bytes(row.rss), 'number'], ['mapped', (row) => bytes(row.mapped), 'number'],
    ['live', (row) => bytes(row.live), 'number'], ['ACTIVE slabs', (row) => number(row.active), 'number'],
    ['complete', (row) => (row.complete ? 'yes' : 'no')]]);

  const sizes = tablesIn('sizes');
  table(sizes, 'Decisions', report.sizes, [['time', (row) => at(row.time), 'number'], ['class', (row) => classText(row.cls)],
    ['from', (row) => bytes(row.from), 'number'], ['to', (row) => bytes(row.to), 'number'], ['why', (row) => row.why],
    ['maps since', (row) => number(row.maps), 'number'], ['ACTIVE', (row) => `${row.occupancy} %`, 'number']],
  'No class changed the size of its SuperSlabs.');
  table(sizes, 'SuperSlabs', report.superslabs, [['kind', (row) => row.kind], ['size', (row) => bytes(row.bytes), 'number'],
    ['mapped', (row) => number(row.count), 'number'], ['unmapped', (row) => number(row.unmapped), 'number'],
    ['slabs', (row) => number(row.slabs), 'number'], ['mean time to map', (row) => duration(row.mean_ns), 'number']]);

  const failures = tablesIn('failures');
  table(failures, 'Requests that every stage refused', report.shared_fail, [
    ['class', (row) => momentLink(classText(row.cls), {section: 'lanes', cls: row.cls, time: row.first})],
    ['reason', (row) => row.reason], ['times', (row) => number(row.count), 'number'],
    ['first', (row) => at(row.first), 'number'], ['last', (row) => at(row.last), 'number'],
    ['ACTIVE', (row) => number(row.active), 'number'], ['cap', (row) => number(row.cap), 'number'],
    ['EMPTY: listed', (row) => number(row.listed), 'number'], ['marked', (row) => number(row.marked), 'number'],
    ['beyond the scan limit', (row) => number(row.beyond), 'number'], ['forgotten (unmarked)', (row) => number(row.unmarked), 'number']],
  'None: the stages served every request.');
  table(failures, 'Blocks from the legacy backend', report.legacy, [['class', (row) => classText(row.cls)],
    ['source', (row) => row.source], ['why', (row) => row.why], ['blocks', (row) => number(row.blocks), 'number'],
    ['bytes', (row) => bytes(row.bytes), 'number']], 'None.');
  table(failures, "ACE's refusals, by layer and reason", report.ace_failures, [
    ['process', (row) => row.pid, 'number'], ['layer', (row) => row.layer], ['reason', (row) => row.reason], ['errno', (row) => row.errno],
    ['times', (row) => number(row.count), 'number'],
    ['requests', (row) => (row.smallest === row.largest ? bytes(row.largest) : `${bytes(row.smallest)} to ${bytes(row.largest)}`), 'number'],
    ['size class', (row) => (row.class_size ? bytes(row.class_size) : ''), 'number'],
    ['in use', (row) => (row.limit ? `${bytes(row.used)} of ${bytes(row.limit)}` : bytes(row.used)), 'number'],
    ['first', (row) => at(row.first), 'number'], ['passed on', (row) => (row.passed_on ? 'yes' : 'no')]], 'None.');

  const misuse = tablesIn('misuse');
  const wrong = ['hdr_reset', 'double_free', 'invalid_free'].flatMap((kind) => report.failures[kind].map((row) => ({kind, ...row})))
    .sort((a, b) => a.time - b.time);
  table(misuse, 'First of them', wrong, [
    ['time', (row) => at(row.time), 'number'], ['what', (row) => row.kind], ['block', (row) => row.address],
    ['class', (row) => (row.cls === null || row.cls === undefined ? row.layer : classText(row.cls))],
    ['thread', (row) => row.tid, 'number'], ['story', (row) => failureWords(row)],
    ['slab', (row) => (row.ss ? momentLink(`${row.ss} #${row.slab}`, {section: 'lanes', ss: row.ss, slab: row.slab, time: row.time}) : '')]],
  'None: nobody wrote to free blocks where it shows, and nothing was freed twice.');

  const threads = tablesIn('threads'), remote = report.remote;
  threads.append(element('p', {}, remote.waiting === null ? 'Whose blocks threads free was not recorded: hak record --tier flow.' :
    `${count(remote.given_remote)} of ${count(remote.given_own + remote.given_remote)} freed blocks ` +
    `(${percent(remote.given_remote, remote.given_own + remote.given_remote) || '0 %'}) belonged to another thread's slabs; ` +
    `${counted(remote.waiting, 'block')} waited in remote queues when the recording ended.`));
  table(threads, 'Who frees whose blocks', report.flows, [
    ['process', (row) => row.pid, 'number'], ['freed by thread', (row) => row.tid || 'others', 'number'], ['blocks of thread', (row) => row.of || "nobody's", 'number'],
    ['pushes', (row) => number(row.pushes), 'number'], ['blocks', (row) => number(row.blocks), 'number']]);
  table(threads, 'Slabs with most remote frees', report.worst.remote.filter((row) => row.pushed), [
    ['slab', (row) => momentLink(`${row.ss} #${row.slab}`, {section: 'lanes', ss: row.ss, slab: row.slab})],
    ['class', (row) => classText(row.cls)], ['pushes', (row) => number(row.pushes), 'number'], ['blocks', (row) => number(row.pushed), 'number']]);
  table(threads, 'Threads', report.threads, [
    ['process', (row) => row.pid, 'number'], ['thread', (row) => row.tid, 'number'], ['acquires', (row) => number(row.acquires), 'number'],
    ['refused', (row) => number(row.refused), 'number'], ['blocks taken', (row) => number(row.refilled), 'number'],
    ['freed: its own', (row) => number(row.given_own), 'number'], ["others'", (row) => number(row.given_remote), 'number'],
    ['fetched back', (row) => number(row.collected), 'number'], ['slabs left behind', (row) => number(row.published), 'number'],
    ['', (row) => shareBar(row.given_own, row.given_remote)]]);

  table(tablesIn('losses'), 'What is missing', report.lost.intervals, [
    ['what', (row) => row.kind], ['how many', (row) => (row.count === null ? 'unknown' : number(row.count)), 'number'],
    ['from', (row) => (row.begin === null ? 'the begin' : momentLink(at(row.begin), {section: 'lanes', time: row.begin}))],
    ['to', (row) => (row.end === null ? 'the end' : at(row.end)), 'number'], ['stream', (row) => row.stream],
    ['about slabs', (row) => (row.state ? 'maybe' : 'no')]], 'No loss is known.');

  const how = tablesIn('recording');
  if (report.warnings.length) how.append(element('ul', {class: 'warning'}, ...report.warnings.map((text) => element('li', {}, text))));
  table(how, 'Processes', report.processes, [['process', (row) => row.pid, 'number'], ['program', (row) => row.name],
    ['hakmem', (row) => `${row.version} ${row.flavour}`], ['events', (row) => number(row.events), 'number'],
    ['from', (row) => at(row.begin), 'number'], ['to', (row) => at(row.end), 'number'],
    ['begins', (row) => (row.complete ? 'with the process' : row.base ? `in its middle, on the state dump at ${at(row.base)}` : 'in its middle')]]);
  const told = {hostname: 'machine', architecture_bit_width: 'bits', tracer_name: 'tracer', trace_name: 'session',
    trace_creation_datetime: 'session created', trace_buffering_scheme: 'buffers'};
  table(how, 'Machine and session', Object.entries(told).filter(([key]) => data.environment[key]), [
    ['what', ([, name]) => name], ['value', ([key]) => (key === 'tracer_name' ?
      `${data.environment[key]} ${data.environment.tracer_major}.${data.environment.tracer_minor}` : data.environment[key])]]);
  const limits = report.dumps.at(-1);
  if (limits)
    how.append(element('p', {}, `Limits of process ${limits.pid}: address space ${limits.limit_as ? bytes(limits.limit_as) : 'none'}, ` +
      `cgroup ${limits.cgroup_limit ? bytes(limits.cgroup_limit) : 'none'}, mappings ${count(limits.max_maps)}.`));
  const knobs = report.processes.flatMap((one) => Object.entries(one.settings).map(([key, value]) => ({pid: one.pid, key, value})));
  table(how, 'Knobs', knobs, [['process', (row) => row.pid, 'number'], ['knob', (row) => row.key], ['value', (row) => row.value]]);
  table(how, 'Events', Object.entries(report.event_counts).filter(([, one]) => one), [['event', ([name]) => name],
    ['recorded', ([, one]) => number(typeof one === 'object' ? one.count : one), 'number']]);
  const {checked} = report;
  how.append(element('p', {class: 'dim'}, `${count(checked.transitions)} transitions, ${count(checked.flows)} flows and ` +
    `${count(checked.acquires)} acquires were held against the allocator's rules: ${checked.violations ? counted(checked.violations, 'violation') : 'no violation'}.`));
}

function shareBar(own, others) {
  if (!(own + others)) return '';
  const bar = element('span', {class: 'bar', title: percent(others, own + others)}, element('i'));
  bar.firstElementChild.style.width = `${100 * others / (own + others)}%`;
  return bar;
}
