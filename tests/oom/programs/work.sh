# What programs in the shell do with memory: bash work.sh WHAT. Says when half of it is over and when
# all is, and waits for a line each time.
lines() { # nothing is kept
    local n text
    for ((n = 0; n < 200000; n++)); do
        text="line $n of many"
        text=${text//e/E}
    done
}

pipes() { # a process for everything
    local n
    for n in {1..12}; do
        echo "$n" | sed 's/1/2/' | tr 2 3 >/dev/null
    done
}

list() { # and nobody ever looks at it again
    local end=$((SECONDS + 6)) line=({1..60}) steps
    for ((steps = 0; steps < 10 || SECONDS < end; steps++)); do
        for _ in {1..6000}; do
            log+=("at $SECONDS something has happened that somebody may want to know: ${line[*]}")
        done
        sleep 0.2
    done
}

for word in half 'done'; do
    "$1"
    echo "$word"
    read -r _
done
