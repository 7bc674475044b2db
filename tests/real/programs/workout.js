// Worker threads that exchange buffers, compression on the thread pool, many small objects.
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

function fill(buffer, seed) {
    for (let i = 0; i < buffer.length; i++) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        buffer[i] = (seed >>> 16) % 40;
    }
    return buffer;
}

if (!isMainThread) {
    const map = new Map();
    for (let i = 0; i < 20000; i++)
        map.set(`key ${(i * 7919) % 20011}`, { n: i, text: 'x'.repeat(i % 50) });
    const data = fill(Buffer.alloc(300000), workerData);
    const packed = zlib.gzipSync(data);
    const same = zlib.gunzipSync(packed).equals(data);
    const bytes = new Uint8Array(data);
    parentPort.postMessage({ size: map.size, same, bytes }, [bytes.buffer]);
} else {
    const worker = n => new Promise((resolve, reject) => {
        const w = new Worker(__filename, { workerData: n });
        w.on('message', m => resolve(
            [n, m.size, m.same, crypto.createHash('sha1').update(m.bytes).digest('hex')]));
        w.on('error', reject);
    });
    const deflate = n => new Promise((resolve, reject) =>
        zlib.deflate(fill(Buffer.alloc(100000), n),
            (e, out) => e ? reject(e) : resolve(out.length)));
    (async () => {
        for (let round = 0; round < 3; round++)
            console.log(JSON.stringify(await Promise.all([1, 2, 3, 4].map(worker))));
        console.log(JSON.stringify(await Promise.all([...Array(40).keys()].map(deflate))));
        const objects = [...Array(50000).keys()].map(i => ({ i, s: `${i}` }));
        const list = JSON.parse(JSON.stringify(objects));
        console.log(list.length, list[49999].s);
    })();
}
