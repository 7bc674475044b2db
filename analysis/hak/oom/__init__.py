"""Why memory ran out, or grew: what `hak oom` knows of causes.

    inputs   a PATH becomes recordings that can be read
    facts    what a recording says of one process, as the rules ask for it
    refused, layers, limits, growth, waste, misuse
             the rules: each tests for some causes and says what it saw
    judge    asks them all, ranks what they found, joins what several recordings say
"""
