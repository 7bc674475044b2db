# Hashes, regular expressions, sorts, nested data and forks.
use strict;
use warnings;

my $state = 42;
sub rnd { $state = ($state * 1103515245 + 12345) % 2147483648; return $state % $_[0]; }

my %h;
$h{"word" . rnd(50_000)} .= chr(97 + rnd(26)) x (1 + rnd(30)) for 1 .. 200_000;
delete $h{"word$_"} for grep { $_ % 3 == 0 } 0 .. 50_000;
my @longest = (sort { length $h{$b} <=> length $h{$a} || $a cmp $b } keys %h)[0 .. 9];
print scalar(keys %h), " @longest\n";

my $text = join " ", map { "item$_=" . ("v" x rnd(40)) } 1 .. 30_000;
my $count = () = $text =~ /item(\d+)=(v{10,20})\b/g;
(my $changed = $text) =~ s/item(\d+)=/"<" . ($1 * 2) . ">"/ge;
print "$count ", length $changed, "\n";

my @tree = map {
    { id => $_, kids => [map { { n => $_, s => "x" x $_ } } 0 .. rnd(20)] }
} 1 .. 8_000;
my $sum = 0;
for my $node (reverse @tree) { $sum += length $_->{s} for @{$node->{kids}}; }
@tree = ();
print "$sum\n";

my @numbers = map { rnd(1_000_000) } 1 .. 200_000;
my @sorted = sort { $a <=> $b } @numbers;
print join(",", @sorted[0 .. 4], @sorted[-5 .. -1]), "\n";

for my $n (1 .. 30) {
    my $answer = qx(echo child $n);
    print $answer if $n % 10 == 0;
}
printf "%s\n", unpack("%32C*", join("", map { sprintf "%-20s|%08.3f", "k$_", $_ / 7 } 1 .. 50_000));
