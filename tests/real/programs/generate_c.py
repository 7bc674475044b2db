"""Writes a C file of about so many lines, always the same one."""

import random
import sys

lines = int(sys.argv[1])
rng = random.Random(42)
print("#include <stdio.h>\n#include <string.h>\n")
print("typedef struct { int a; unsigned b; double c; char d[16]; } record;\n")
functions, written = 0, 5
while written < lines - 20:
    body = [f"static unsigned work_{functions}(unsigned x, record *r)", "{",
            "    unsigned y = x, t[8] = {0};", ""]
    for _ in range(rng.randrange(4, 14)):
        i, j, k = rng.randrange(8), rng.randrange(8), rng.randrange(1, 1 << 16)
        body += rng.choice([
            [f"    t[{i}] += (y ^ {k}u) * (t[{j}] + {k % 97}u);"],
            [f"    for (unsigned i = 0; i < {k % 13 + 2}u; i++)",
             f"        t[(i + {i}u) & 7u] ^= (y >> (i & 15u)) + t[{j}];"],
            [f"    if ((t[{i}] & {k % 31 + 1}u) > {k % 7}u)",
             f"        y = y * {k | 1}u + t[{j}];", "    else", f"        y -= r->b + {k}u;"],
            ["    switch (y % 5u) {", f"    case 0: t[{i}]++; break;",
             f"    case 1: r->a = (int)(t[{j}] & 1023u); break;",
             f"    case 3: r->c += {k}.5; break;", f"    default: y += {k}u;", "    }"],
            [f"    snprintf(r->d, sizeof r->d, \"%u-{k}\", t[{i}] & 1023u);",
             "    y += (unsigned)strlen(r->d);"],
        ])
    if functions:
        body.append(f"    y += work_{rng.randrange(functions)}(y & 3u, r) & 255u;"
                    if functions < 6 else "    y ^= (unsigned)r->a;")
    body += ["    for (int i = 0; i < 8; i++)", "        y += t[i];", "    r->b = y;",
             "    return y;", "}", ""]
    print("\n".join(body))
    functions, written = functions + 1, written + len(body)
print("int main(void)\n{\n    record r = {1, 2, 3.0, \"\"};\n    unsigned sum = 0;\n")
for n in range(functions):
    print(f"    sum = sum * 31u + work_{n}(sum + {n}u, &r);")
print('    printf("%u %d %.1f %s\\n", sum, r.a, r.c, r.d);\n    return 0;\n}')
