"""What Valgrind reported of a program, in a form in which two runs can be compared."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

# Valgrind's malloc and ours are frames of the same names in different files.
ALLOCATORS = re.compile(r'vgpreload_|libhakmem')
# The names that Valgrind's own aligned functions bear depend on its version: in some, one calls
# another, or is shown by another's name.
ALIGNED = {'memalign', 'aligned_alloc', 'posix_memalign', 'valloc', 'pvalloc'}
ADDRESS = re.compile(r'0x[0-9a-fA-F]+')
# What lies farther from every block than memcheck looks (24 bytes) is told as a place in Valgrind's
# own heap or in front of it, where every block of ours lies elsewhere.
NOWHERE = re.compile(r'is ([\d,]+ bytes (inside|after|before) (a|an unallocated) '
                     r'block of size [\d,]+ )?in (arena "client"|a r(wx|--) anonymous segment)')
LEAK_SIZE = re.compile(r'in loss record [\d,]+ of [\d,]+')


@dataclass(frozen=True)
class Finding:
    kind: str
    texts: tuple[str, ...]
    stacks: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        lines = [self.kind]
        for n in range(max(len(self.texts), len(self.stacks))):
            lines += [f'  {self.texts[n]}'] if n < len(self.texts) else []
            lines += [f'    {frame}' for frame in (self.stacks[n] if n < len(self.stacks) else ())]
        return '\n'.join(lines)


def read(xml: Path) -> list[Finding]:
    """Every error of a run. What a process told before it became another program is unfinished."""
    parser, text = ET.XMLPullParser(), xml.read_text(encoding='utf-8', errors='replace')
    parser.feed(text)
    return [_finding(element) for _, element in parser.read_events() if element.tag == 'error']


def _finding(error: ET.Element) -> Finding:
    texts, stacks = [], []
    for part in error:
        if part.tag in ('what', 'auxwhat'):
            texts.append(_text(part.text or ''))
        elif part.tag in ('xwhat', 'xauxwhat'):
            texts.append(_text(part.findtext('text') or ''))
        elif part.tag == 'stack':
            stacks.append(_stack(part))
    return Finding(error.findtext('kind') or '', tuple(texts), tuple(stacks))


def _text(text: str) -> str:
    text = NOWHERE.sub('is near no block', LEAK_SIZE.sub('', text))
    return ADDRESS.sub('0x…', text).strip()


def _stack(stack: ET.Element) -> tuple[str, ...]:
    frames = []
    for frame in stack.iter('frame'):
        name = frame.findtext('fn') or '?'
        if ALLOCATORS.search(frame.findtext('obj') or ''):
            name = 'memalign' if name in ALIGNED else name
            if frames[-1:] != [name]:
                frames.append(name)
        else:
            frames.append(f"{name} ({frame.findtext('file') or '?'}:{frame.findtext('line') or '?'})")
    return tuple(frames)
