# Text tools over a tree of files.
set -e
mkdir tree
split -l 250 -a 3 words tree/part.
find tree -type f -print0 | sort -z | xargs -0 -P 2 -n 20 wc -l | grep -v total | sort | tail -3
cut -d' ' -f2 words | sort | uniq -c | sort -k1,1nr -k2 | head -5
awk '{ n[$2] += $1 % 100 } END { for (w in n) print w, n[w] }' words | sort > sums
cut -d' ' -f2,3 words | sort -u > pairs
join sums pairs | sed -e 's/word\([0-9]*\)/<\1>/g' -e '/<1[0-9]*>/d' | md5sum
tr 'a-z' 'A-Z' < words | grep -E 'ABC.*XYZ|WORD4[0-9]{3} ' | wc -l
find tree -name 'part.a*' -exec grep -l 'word42 ' {} + | sort | head -3
paste -sd, sums | fold -w 400 | nl | tac | tail -2 | cut -c1-60
diff <(sort words) <(sort -r words | tac) > /dev/null && echo equal
od -An -tx1 -v words | head -20000 | sort | uniq -d | wc -l
expr "$(wc -c < words)" / 7
