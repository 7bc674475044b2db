# What programs in Perl do with memory: work.pl WHAT. Says when half of it is over and when all is,
# and waits for a line each time.
use strict;
use warnings;
use Time::HiRes qw(sleep time);

$| = 1;
my (%seen, @all);

sub for_seconds {
    my ($seconds, $step) = @_;
    my $end = time + $seconds;
    while (time < $end) {
        $step->();
        sleep 0.01;
    }
}

my %works = (
    # Whatever comes is remembered.
    hash => sub {
        my $n = keys %seen;
        for_seconds(6, sub {
            $seen{"request " . $n++} = 'x' x 200 for 1 .. 200;
            my @answers = map { 'y' x 300 } 1 .. 300;
        });
    },
    # Each closure has itself, so nobody ever frees one.
    cycles => sub {
        for_seconds(6, sub {
            for (1 .. 100) {
                my ($again, $text) = (undef, 'x' x 300);
                $again = sub { length($text) ? $again : undef };
            }
            my @answers = map { 'y' x 300 } 1 .. 300;
        });
    },
    # So many, and then others in their place.
    cache => sub {
        for_seconds(2.5, sub {
            $seen{int rand 50_000} = 'x' x (100 + rand 300) for 1 .. 5000;
        });
    },
    import => sub {
        push @all, [$_, 'x' x 100] for 1 .. 150_000;
        for_seconds(2, sub { my @some = map { "$_->[0]: $_->[1]" } @all[1 .. 500] });
    },
    all_at_the_end => sub {
        push @all, 'x' x 500 for 1 .. 100_000;
        sleep 0.5;
        @all = () if @all > 150_000;
        sleep 0.5;
    },
    sort => sub {
        for (1 .. 6) {
            my @sorted = sort map { sprintf '%09d', rand 1e9 } 1 .. 150_000;
        }
    },
);

for my $word ('half', 'done') {
    $works{$ARGV[0]}->();
    print "$word\n";
    <STDIN>;
}
