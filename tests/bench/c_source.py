"""Writes a C file of some size for `bench gcc`, always the same: c_source.py FILE"""

import random
import sys

random.seed(1)
with open(sys.argv[1], 'w', encoding='ascii') as out:
    out.write('#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n')
    for f in range(40):
        out.write(f'struct s{f} {{ int a; long b[{f % 7 + 1}]; struct s{f} *next; char name[32]; }};\n'
                  f'int f{f}(struct s{f} *list, int n)\n{{\n    int sum = 0;\n')
        for _ in range(12):
            kind, k = random.randrange(4), random.randrange(1, 100)
            out.write((
                f'    for (int i = 0; i < n; i++) sum += list->b[i % {f % 7 + 1}] * {k};\n',
                f'    if (n > {k}) sum ^= (int)strlen(list->name) + {k}; else sum -= {k};\n',
                f'    switch (n % 5) {{ case 0: sum += {k}; break; case 1: sum *= 3; break; '
                f'default: sum ^= n << {k % 20}; }}\n',
                f'    while (list && list->a < {k}) {{ sum += list->a; list = list->next; }}\n'
                f'    if (!list) return sum;\n')[kind])
        out.write('    return sum;\n}\n')
