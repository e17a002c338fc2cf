# Makes a repository in $1 whose HEAD is a commit before a fix, and which holds the fix in every way that is known.
# Each way has a fix of its own, named by the marker that follows FIX_, so that a test can tell the ways apart.
# $2: a folder for a second repository that the first borrows objects from.
set -eu
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b HOME=/nonexistent
commit() { echo "$1" >>code.py; git add code.py; git commit -q -m "$1"; }

git init -q -b main "$2"
(cd "$2" && commit FIX_alternate)
git init -q -b main "$1"
cd "$1"
commit start
git tag v1.0
commit bug
base=$(git rev-parse HEAD)

git checkout -q -b fix_branch && commit FIX_branch && git checkout -q main
git checkout -q --detach && commit FIX_tag && git tag v2.0 && git tag -a -m annotated v2.0a && git checkout -q main
git checkout -q --detach && commit FIX_packed_ref && git update-ref refs/pull/7/head HEAD && git checkout -q main
git checkout -q --detach && commit FIX_remote && git update-ref refs/remotes/origin/main HEAD && git checkout -q main
git remote add origin https://example.invalid/repo.git
git pack-refs --all
commit FIX_reflog && git reset -q --hard "$base"
git checkout -q --detach && commit FIX_fetch_head && git rev-parse HEAD | sed 's/$/\t\tbranch x/' >.git/FETCH_HEAD
git checkout -q main
echo FIX_stash >>code.py && git stash -q
git notes add -m FIX_note
git replace "$(git rev-parse v1.0)" "$(git rev-parse v2.0)"
git worktree add -q --detach ../linked_worktree && (cd ../linked_worktree && commit FIX_worktree)
git checkout -q --detach && commit FIX_kept_pack && kept=$(git rev-parse HEAD) && git checkout -q main
git rev-list --objects "$kept" --not main | git pack-objects -q .git/objects/pack/pack >/dev/null
for pack in .git/objects/pack/*.pack; do : >"${pack%.pack}.keep"; done
git checkout -q --detach && commit FIX_orig_head && git rev-parse HEAD >.git/ORIG_HEAD && git checkout -q main
echo FIX_dangling | git hash-object -w --stdin >/dev/null
echo FIX_staged >staged.py && git add staged.py && rm staged.py
echo "$2/.git/objects" >.git/objects/info/alternates
git commit-graph write --reachable
