# A history of commits, branches and merges; packed, checked, read back and cloned.
set -e
git init -q -b main repo
cd repo
git config gc.auto 0
git config pack.threads 2
for i in $(seq 1 40); do
    mkdir -p "d$((i % 5))"
    seq 1 $((i * 50)) > "d$((i % 5))/f$((i % 13))"
    echo "line $i" >> log
    git add -A
    git commit -q -m "commit $i"
done
git checkout -q -b side HEAD~10
for i in $(seq 1 10); do
    seq $i $((i + 3000)) > "side$i"
    git add -A
    git commit -q -m "side $i"
done
git checkout -q main
git merge -q -m merged side
git gc -q --aggressive --prune=now
git fsck --full --strict 2>&1 | grep -v '^Checking' || true
git log --graph --stat --format='%H %s' | sha256sum
git log -p | sha256sum
git blame -s log | tail -2
git grep -c 7 | head -5
git cat-file --batch-check --batch-all-objects |
    awk '{ n[$2]++; s += $3 } END { print n["commit"], n["tree"], n["blob"], s }'
git clone -q --no-local . ../clone
git -C ../clone rev-parse HEAD
git archive HEAD | sha256sum
