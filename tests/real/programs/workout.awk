# Arrays, string building and splitting.
BEGIN {
    state = 42
    for (i = 0; i < 300000; i++) {
        state = (state * 16807) % 2147483647
        word = "w" (state % 20000)
        count[word]++
        text[word] = substr(text[word] "," i, 1, 200)
    }
    for (word in count) {
        total += count[word]
        n = split(text[word], parts, ",")
        pieces += n
        if (count[word] > most || (count[word] == most && word < which)) {
            most = count[word]
            which = word
        }
    }
    print total, pieces, most, which
    for (i = 0; i < 20000; i++)
        delete count["w" i]
    left = 0
    for (word in count)
        left++
    print left
    for (i = 0; i < 20000; i++)
        line = length(line) > 5000 ? "" : line sprintf("%d:%s;", i, toupper(text["w" i % 50]))
    gsub(/[0-9]+:/, "#", line)
    print length(line)
}
