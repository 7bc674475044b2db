"""Work for `bench python3`: dictionaries, strings, lists and objects that come and go."""

import json
import random

random.seed(1)
words = [''.join(random.choices('abcdefghij', k=random.randint(3, 30))) for _ in range(20000)]
total = 0
for _ in range(6):
    index = {}
    for number, word in enumerate(words):
        index.setdefault(word[:2], []).append({'word': word, 'number': number, 'half': number / 2})
    text = json.dumps(index)
    total += len(text) + sum(len(entries) for entries in json.loads(text).values())
    lines = [f'{word}:{len(word)}' for word in words for _ in range(3)]
    total += sum(map(len, sorted(lines)))
assert total == total // 1 and total > 0
