// What programs in JavaScript do with memory: work.js WHAT. Says when half of it is over and when
// all is, and waits for a line each time. V8 maps its heap itself; buffers are malloc's.
'use strict';

const lines = require('readline').createInterface({input: process.stdin});
const kept = [];
const cache = new Map();

function forSeconds(seconds, step, every = 10) {
    const end = Date.now() + seconds * 1000;
    return new Promise((done) => {
        const again = () => {
            step();
            if (Date.now() < end)
                setTimeout(again, every);
            else
                done();
        };
        again();
    });
}

const some = () => Array.from({length: 500}, (_, n) => ({n, text: 'x'.repeat(n % 50)}));

const works = {
    // Buffers that somebody still knows.
    buffers: () => forSeconds(6, () => {
        for (let n = 0; n < 3; n++)
            kept.push(Buffer.alloc(20000, 1));
        some();
    }),
    // V8's own heap.
    objects: () => forSeconds(6, () => {
        for (let n = 0; n < 1000; n++)
            kept.push({n, when: Date.now(), texts: [`${n} and ${Math.random()}`]});
    }),
    requests: () => forSeconds(2.5, () => {
        JSON.parse(JSON.stringify(some()));
        Buffer.alloc(30000, 1);
    }),
    // As many as there may be, and then others in their place.
    cache: () => forSeconds(2.5, () => {
        for (let n = 0; n < 150; n++)
            cache.set(Math.floor(Math.random() * 1500), Buffer.alloc(20000, 1));
    }),
};

async function main() {
    for (const word of ['half', 'done']) {
        await works[process.argv[2]]();
        console.log(word);
        await new Promise((go) => lines.once('line', go));
    }
    lines.close();
}

main();
