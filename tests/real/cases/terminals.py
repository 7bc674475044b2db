"""What a person does in a terminal: an editor, a terminal multiplexer, a whole shell session."""

import re

from harness import Box, Output, case
from terminal import Terminal


@case("vim", "tmux", "vim.basic")
def vim(box: Box) -> None:
    """Undo trees, registers, macros, a big buffer, syntax colours, Vim script."""
    with Terminal(box) as t:
        t.open("vim.basic", "-u", "NONE", "-i", "NONE", "-N", "-n", "story.c")
        t.see("story.c")
        t.line(":set undolevels=5000 | syntax on | set number")
        t.type("i", "int main(void)", "Enter", "{ return 0; }", "Escape")
        t.line(":call append('$', map(range(1, 20000), '\"line \" . v:val . \" of a long file\"'))")
        t.line(":%s/\\v(\\d+) of/\\=submatch(1) * 7 . ' after'/")
        t.line(":g/0 after/m0")
        t.line(":sort! n /line/")
        t.type("g", "g", "q", "a", "A", " and more", "Escape", "j", "q")
        t.line(":normal 500@a")
        t.line(":for i in range(50) | silent undo | silent redo | endfor")
        t.line(":let d = {} | for i in range(20000) | let d[i] = repeat('x', i % 90) | endfor")
        t.line(":split | vsplit | wincmd = | wincmd w")
        t.line(":echo 'counted ' . line('$') . ' ' . len(d)")
        t.see("^counted 20002 20000")
        box.outputs.append(Output("vim's screen", t.screen().encode()))
        t.line(":w | echo 'writ' . 'ten'")
        t.see("^written")
        t.line(":q!")
    box.keep("story.c")


@case("tmux", "tmux", "bash")
def tmux(box: Box) -> None:
    """Panes that come, go, scroll and are laid out anew; the server keeps all their lines."""
    with Terminal(box) as t:
        t.open("env", "PS1=> ", "bash", "--norc", "-i")
        t.see("^>")
        t.line("seq -f 'line %g of a long history' 15000; echo do''ne")
        t.see("^done")
        box.outputs.append(Output("history", t.screen("-S", "-").encode()))
        for n in range(4):
            t.tmux("split-window", "-v" if n % 2 else "-h", "env", "PS1=> ", "bash", "--norc", "-i")
            t.tmux("select-layout", "tiled")
            t.see("^>")
            t.line(f"seq {n + 1}000; echo pane{n}")
            t.see(f"^pane{n}")
        for width, height in ((40, 20), (200, 60), (80, 24), (120, 40)):
            t.tmux("resize-window", "-x", str(width), "-y", str(height))
            for layout in ("even-horizontal", "main-vertical", "tiled"):
                t.tmux("select-layout", layout)
        for n in range(20):
            t.tmux("new-window", "-n", f"w{n}", "seq 2000; exec sleep infinity")
            t.tmux("set-buffer", "-b", f"b{n}", "x" * 5000)
        t.tmux("kill-window", "-t", "w3")
        windows = t.tmux("list-windows", "-F", "#{window_index} #{window_name} #{window_panes}")
        box.outputs.append(Output("windows", windows.encode()))


def session(t: Terminal, lines: list[str]) -> None:
    """Types each line when the prompt is back from the one before."""
    for number, line in enumerate(lines, 1):
        t.see(rf"^{number}\$ ?$")
        if line.startswith("^"):
            t.type("C-" + line[1:])
        else:
            t.line(line)
    t.see(rf"^{len(lines) + 1}\$ ?$")


SESSION = """
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='1600000000 +0000'
export GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
mkdir work && cd work
for i in {1..200}; do echo "line $i $((i * i % 97))"; done | tee numbers | sort -k3n | tail -n 3
declare -A count; while read -r _ _ n; do ((count[$n]++)); done <numbers; echo ${#count[@]}
awk '{ s += $3 } END { print s }' numbers; grep -c 9 numbers | sed 's/$/ nines/'
diff <(sort numbers) <(sort -r numbers) | wc -l
git init -q . && git config user.name A && git config user.email a@example.org
git add numbers && git commit -q -m 'First numbers' && git log --oneline | cat
sed -i 's/1/one/g' numbers && git diff --stat | cat && git commit -qam 'Words' && git gc -q
printf 'all: a.txt b.txt\\n%%.txt: numbers\\n\\tsort $< | md5sum > $@\\n' >Makefile && make -j2
tar --mtime=@0 --owner=0 --group=0 -cf - numbers Makefile | gzip -n | md5sum
find . -name '*.txt' | sort | xargs wc -l
sleep 3100 & jobs %1 | cut -c 1-20; kill %1; wait %1; echo ended $?
x=$(for i in {1..50}; do (echo $i) & done | sort -n | tr '\\n' ' '; wait); echo $x
python3 -c 'print(sum(len(str(i)) for i in range(100000)))'
cat <<< "$(seq 30000)" | sha1sum; history | tail -n 2 | cut -c 8-
exec {fd}>log; echo logged >&$fd; exec {fd}>&-; cat log; ls -1 | wc -l
trap 'echo trapped' USR1; kill -USR1 $$; trap - USR1
""".strip().splitlines()


@case("shell-session", "tmux", "bash", "git", "make", "awk", "tar", "gzip", "/usr/bin/python3")
def shell_session(box: Box) -> None:
    """The shell, and all that it starts, from the first prompt to `exit`."""
    with Terminal(box) as t:
        t.open("env", "PS1=\\#$ ", "HISTFILE=", "bash", "--norc", "-i")
        session(t, SESSION)
        # Job control: a job in the foreground is stopped, listed, goes on, is interrupted.
        t.line("sleep 3200; echo not reached")
        t.see("^[0-9]+[$] sleep 3200")
        t.type("C-z")
        t.see("Stopped +sleep 3200")
        t.line("jobs; fg")
        t.see("^sleep 3200")
        t.type("C-c")
        t.line("echo status $?")
        t.see("^status 130")
        shown = re.sub(r"(\[\d+\]) \d+$", r"\1 PID", t.screen("-S", "-"), flags=re.MULTILINE)
        box.outputs.append(Output("session", shown.encode()))
        t.line("exit")
