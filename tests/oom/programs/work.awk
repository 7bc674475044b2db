# What programs in awk do with memory: awk -v what=WHAT -f work.awk. Says when half of it is over and
# when all is, and waits for a line each time.
function count(many, keys,    n)
{
    for (n = 0; n < many; n++)
        seen[int(rand() * keys)]++
}

function remember(many,    n, until)
{
    for (until = systime() + 6; systime() < until; system("sleep 0.2"))
        for (n = 0; n < many; n++)
            seen["line " total++] = "text " n
}

function work()
{
    if (what == "words")
        count(1500000, 20000)
    else
        remember(15000)
}

BEGIN {
    work()
    print "half"
    fflush()
    getline
    work()
    print "done"
    fflush()
    getline
}
