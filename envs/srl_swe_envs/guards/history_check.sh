# Lists every way from one git repository to something that is not the history of its HEAD; changes nothing.
# $1: the repository's work tree; $2: the commit that HEAD must contain, or empty; $3: how many commits HEAD may be
# ahead of it. Prints "finding CODE DETAIL" lines, at most 5 of a code, and "checked" at the end.
set -eu
say() { sed -n "1,5s/^/finding $1 /p"; }
cd "$1" 2>/dev/null || { echo "$1 is not a folder" | say unreadable; echo checked; exit 0; }
if [ ! -e .git ]; then echo checked; exit 0; fi # no repository, nothing to find
if ! command -v git >/dev/null; then echo "$1 has a .git but the image has no git" | say unreadable; echo checked; exit 0; fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '[safe]\n\tdirectory = *\n' >"$scratch/.gitconfig"
export HOME="$scratch" XDG_CONFIG_HOME="$scratch" GIT_TERMINAL_PROMPT=0 GIT_NO_REPLACE_OBJECTS=1 GIT_NO_LAZY_FETCH=1
export LC_ALL=C
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES

gitdir=$(git rev-parse --absolute-git-dir)
common=$(cd "$(git rev-parse --git-common-dir)" && pwd -P)
[ "$common" = "$(cd "$gitdir" && pwd -P)" ] || echo "a linked worktree of $common" | say worktree
head=$(git rev-parse --verify 'HEAD^{commit}')
if [ -n "$2" ]; then
    if ! git merge-base --is-ancestor "$2" "$head" 2>/dev/null; then
        echo "HEAD $head does not contain the base commit $2" | say wrong_base
    else
        ahead=$(git rev-list --count "$2..$head")
        [ "$ahead" -le "$3" ] || echo "HEAD is $ahead commits ahead of the base commit" | say ahead_of_base
    fi
fi
find "$gitdir" -maxdepth 1 -name '*_HEAD' | say pseudo_ref
find "$gitdir/logs" -type f -size +0 2>/dev/null | say reflog
find "$gitdir/worktrees" -mindepth 1 -maxdepth 1 2>/dev/null | say worktree
git remote | say remote
cat "$gitdir/objects/info/alternates" "$gitdir/objects/info/http-alternates" 2>/dev/null | say alternate
[ ! -e "$gitdir/info/grafts" ] || echo info/grafts | say graft
find "$gitdir" -maxdepth 1 \( -name 'rebase-*' -o -name sequencer -o -name rr-cache -o -name lost-found \) | say in_progress
git for-each-ref --format='%(refname)' refs/replace refs/notes refs/stash refs/original refs/bisect | say hidden_ref
git diff --cached --quiet || git diff --cached --name-only | say staged
git rev-list --all --reflog --not "$head" --pretty=oneline --abbrev-commit 2>/dev/null |
    grep -v '^commit' | cut -c1-100 | say later_commit

# All objects there are, borrowed ones too, less those that HEAD and the tags of its past lead to.
git tag --merged "$head" >"$scratch/tags"
while IFS= read -r tag; do git rev-parse "refs/tags/$tag"; done <"$scratch/tags" >"$scratch/roots"
{ cat "$scratch/roots"; git rev-list --objects "$head" $(cat "$scratch/roots") | cut -d' ' -f1; } |
    sort -u >"$scratch/reachable"
git cat-file --batch-all-objects --batch-check='%(objectname) %(objecttype)' | sort -u >"$scratch/present"
cut -d' ' -f1 "$scratch/present" | comm -13 "$scratch/reachable" - >"$scratch/unreachable"
if [ -s "$scratch/unreachable" ]; then
    count=$(wc -l <"$scratch/unreachable")
    echo "$count objects that HEAD does not lead to, e.g. $(head -n 1 "$scratch/unreachable")" | say unreachable_objects
fi
find "$gitdir/objects" -name 'tmp_*' | say temporary_object
echo checked
