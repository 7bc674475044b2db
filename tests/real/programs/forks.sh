# Hundreds of forks, command substitutions, pipelines and background jobs.
set -e
sum=0
for i in $(seq 1 300); do
    n=$(echo "$i" | { read -r x; echo $((x * 2)); })
    sum=$((sum + n))
done
echo "$sum"

declare -A seen
for i in $(seq 1 3000); do
    seen[key$((i * 7919 % 1009))]="${seen[key$((i * 7919 % 1009))]}$i,"
done
echo "${#seen[@]} ${seen[key7]:0:40}"

for i in $(seq 1 40); do
    ( for j in 1 2 3; do echo "$i $j" >> "job.$((i % 4)).$i"; done ) &
done
wait
cat job.* | sort -n | tail -1

text=""
for i in $(seq 1 500); do text="$text word$i"; done
set -- $text
echo "$# ${text: -7}"
f() { [ "$1" -eq 0 ] && echo bottom || f $(($1 - 1)); }
f 60
